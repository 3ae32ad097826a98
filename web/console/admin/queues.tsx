import { DeleteOutlined, EditOutlined, PlusOutlined } from "@ant-design/icons";
import { App, Button, Collapse, Form, Input, InputNumber, Select, Switch, Table, Tag } from "antd";
import { useState } from "react";
import { clockOf, minutesOf, type OpenHours } from "../../shared/admin/hours";
import { type Schemas, unwrap } from "../../shared/api/client";
import type { StaffTranslate } from "../../shared/i18n/staff";
import { useSession, useT } from "../context";
import { useTopicName } from "../topicName";
import { Editor, IconButton, PageHead, Readable, useSaver } from "./parts";
import { SkillFields } from "./skills";
import { useLoaded } from "./useLoaded";

type Queue = Schemas["QueueAnswer"];
const DAYS = [0, 1, 2, 3, 4, 5, 6] as const;
const DAY_MINUTES = 1440;
const ID = /^[A-Za-z0-9_.:@~+-]{1,128}$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Queues and their hours. */
export function QueuesPage() {
  const t = useT();
  const topicName = useTopicName();
  const { api } = useSession();
  const loaded = useLoaded(async () => (await unwrap(api.GET("/v1/queues"))).items);
  const [edited, setEdited] = useState<Queue | "new" | null>(null);
  const queues = loaded.value ?? [];
  return (
    <>
      <PageHead title={t("admin.tab.queues")} lead={t("admin.queues.lead")}>
        <Button type="primary" icon={<PlusOutlined />} data-admin="add" onClick={() => setEdited("new")}>
          {t("admin.queues.new")}
        </Button>
      </PageHead>
      <Readable loaded={loaded}>
        <Table<Queue>
          rowKey="id"
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={queues}
          pagination={false}
          locale={{ emptyText: t("admin.queues.empty") }}
          scroll={{ x: 760 }}
          columns={[
            {
              title: t("admin.queues.name"),
              dataIndex: "name",
              render: (_, queue) => (
                <>
                  <strong>{queue.name === "" ? queue.id : queue.name}</strong> <span className="rh-muted">{queue.id}</span>
                  {queue.config.vip_only ? <Tag color="gold" className="rh-admin-tag">{t("admin.queues.vip")}</Tag> : null}
                </>
              ),
            },
            {
              title: t("admin.queues.hours"),
              render: (_, queue) =>
                queue.config.hours.length === 0
                  ? t("admin.queues.always")
                  : queue.config.hours.map((hours, index) => <div key={index}>{hoursText(t, hours)}</div>),
            },
            {
              title: t("admin.queues.topics"),
              render: (_, queue) => (
                <span className="rh-admin-tags">
                  {queue.config.topics.map((topic) => (
                    <Tag key={topic}>{topicName(topic)}</Tag>
                  ))}
                </span>
              ),
            },
            { title: t("admin.queues.waiting"), dataIndex: "waiting", align: "end" },
            {
              key: "edit",
              width: 56,
              render: (_, queue) => <IconButton label={t("admin.queues.change", { name: queue.name })} icon={<EditOutlined />} onClick={() => setEdited(queue)} />,
            },
          ]}
        />
      </Readable>
      {edited === null ? null : <QueueEditor queue={edited === "new" ? null : edited} queues={queues} onClose={() => setEdited(null)} onSaved={() => void loaded.reload()} />}
    </>
  );
}

function hoursText(t: StaffTranslate, { weekdays, opens_minute, closes_minute }: OpenHours): string {
  const days =
    weekdays.length === DAYS.length
      ? t("admin.queues.day.every")
      : [...weekdays]
          .sort((one, other) => one - other)
          .map((day) => t(`admin.queues.day.${day as 0}`))
          .join(" ");
  const end = clockOf(closes_minute % DAY_MINUTES);
  return `${days} ${clockOf(opens_minute)}–${closes_minute > DAY_MINUTES ? t("admin.queues.nextDay", { time: end }) : closes_minute === DAY_MINUTES ? "24:00" : end}`;
}

interface Hours {
  weekdays: number[];
  opens: string;
  closes: string;
}

interface Fields {
  id: string;
  name: string;
  vip_only: boolean;
  hours: Hours[];
  timezone: string;
  closed_days: string[];
  skills: { skill: string; level: number }[];
  overflow: { queue: string; after_s: number }[];
  offer_timeout_s: number;
  wrapup_s: number;
  dedicated_wait_s: number;
  priority_s: number;
  external: boolean;
}

interface EditorProps {
  queue: Queue | null;
  queues: readonly Queue[];
  onClose: () => void;
  onSaved: () => void;
}

function QueueEditor({ queue, queues, onClose, onSaved }: EditorProps) {
  const t = useT();
  const { api } = useSession();
  const { message } = App.useApp();
  const [form] = Form.useForm<Fields>();
  const save = useSaver(form);
  const [saving, setSaving] = useState(false);
  const config = queue?.config ?? null;
  const initial: Fields = {
    id: queue?.id ?? "",
    name: queue?.name ?? "",
    vip_only: config?.vip_only ?? false,
    hours: (config?.hours ?? []).map((each) => ({
      weekdays: [...each.weekdays],
      opens: clockOf(each.opens_minute),
      closes: clockOf(each.closes_minute % DAY_MINUTES),
    })),
    timezone: config?.timezone ?? "Asia/Shanghai",
    closed_days: [...(config?.closed_days ?? [])],
    skills: (config?.skills ?? []).map(({ skill, level }) => ({ skill, level })),
    overflow: (config?.overflow ?? []).map((each) => ({ queue: each.queue, after_s: each.after_s })),
    offer_timeout_s: config?.offer_timeout_s ?? 20,
    wrapup_s: config?.wrapup_s ?? 90,
    dedicated_wait_s: config?.dedicated_wait_s ?? 15,
    priority_s: config?.priority_s ?? 0,
    external: config?.routing === "external",
  };
  const finish = async (values: Partial<Fields>): Promise<void> => {
    const all = { ...initial, ...values }; // What lies in the closed part of the form is as it was.
    setSaving(true);
    const body = {
      name: all.name,
      topics: [...(config?.topics ?? [])],
      skills: all.skills,
      vip_only: all.vip_only,
      hours: all.hours.map(({ weekdays, opens, closes }) => minutesOf(weekdays, opens, closes)),
      timezone: all.timezone,
      closed_days: all.closed_days,
      overflow: all.overflow,
      priority_s: all.priority_s,
      offer_timeout_s: all.offer_timeout_s,
      wrapup_s: all.wrapup_s,
      dedicated_wait_s: all.dedicated_wait_s,
      relax_after_s: config === null ? 120 : config.relax_after_s,
      language_relax_after_s: config === null ? 300 : config.language_relax_after_s,
      routing: all.external ? ("external" as const) : ("builtin" as const),
      external_deadline_s: config?.external_deadline_s ?? 5,
    };
    const done = await save(() => unwrap(api.PUT("/v1/queues/{queue}", { params: { path: { queue: queue?.id ?? all.id } }, body })));
    setSaving(false);
    if (!done) return;
    void message.success(t("admin.saved"));
    onSaved();
    onClose();
  };
  const required = { required: true, message: t("admin.required") };
  const others = queues.filter((each) => each.id !== queue?.id).map((each) => ({ value: each.id, label: each.name === "" ? each.id : each.name }));
  const seconds = (name: "offer_timeout_s" | "wrapup_s" | "dedicated_wait_s" | "priority_s", label: string, least: number, most: number) => (
    <Form.Item name={name} label={label} rules={[required]}>
      <InputNumber min={least} max={most} />
    </Form.Item>
  );
  return (
    <Editor
      title={queue === null ? t("admin.queues.new") : t("admin.queues.change", { name: queue.name })}
      form={form}
      initial={initial}
      saving={saving}
      onSave={(values) => void finish(values)}
      onClose={onClose}
    >
      <Form.Item
        name="id"
        label={t("admin.queues.id")}
        rules={[
          required,
          { pattern: ID, message: t("admin.id.wrong") },
          {
            validator: (_, value: string) =>
              queue === null && queues.some((each) => each.id === value) ? Promise.reject(new Error(t("admin.topics.twice"))) : Promise.resolve(),
          },
        ]}
      >
        <Input disabled={queue !== null} autoComplete="off" />
      </Form.Item>
      <Form.Item name="name" label={t("admin.queues.name")} rules={[{ ...required, whitespace: true }]}>
        <Input maxLength={100} autoComplete="off" />
      </Form.Item>
      <Form.Item label={t("admin.queues.hours")} extra={t("admin.queues.hours.none")}>
        <Form.List name="hours">
          {(fields, { add, remove }) => (
            <>
              {fields.map((field) => (
                <div key={field.key} className="rh-admin-hours">
                  <Form.Item name={[field.name, "weekdays"]} rules={[required]}>
                    <Select
                      mode="multiple"
                      aria-label={t("admin.queues.weekdays")}
                      placeholder={t("admin.queues.weekdays")}
                      options={DAYS.map((day) => ({ value: day, label: t(`admin.queues.day.${day}`) }))}
                    />
                  </Form.Item>
                  <div className="rh-admin-line">
                    <Form.Item name={[field.name, "opens"]} rules={[required]}>
                      <Input type="time" aria-label={t("admin.queues.from")} prefix={t("admin.queues.from")} />
                    </Form.Item>
                    <Form.Item name={[field.name, "closes"]} rules={[required]}>
                      <Input type="time" aria-label={t("admin.queues.to")} prefix={t("admin.queues.to")} />
                    </Form.Item>
                    <IconButton label={t("admin.topics.remove")} icon={<DeleteOutlined />} onClick={() => remove(field.name)} />
                  </div>
                </div>
              ))}
              <Button type="dashed" size="small" icon={<PlusOutlined />} data-admin="hours" onClick={() => add({ weekdays: [...DAYS], opens: "09:00", closes: "22:00" })}>
                {t("admin.queues.hours.add")}
              </Button>
            </>
          )}
        </Form.List>
      </Form.Item>
      <Form.Item
        name="closed_days"
        label={t("admin.queues.closed")}
        extra={t("admin.queues.closed.hint")}
        rules={[
          {
            validator: (_, days: string[]) =>
              days.every((day) => DATE.test(day) && !Number.isNaN(Date.parse(day))) ? Promise.resolve() : Promise.reject(new Error(t("admin.queues.closed.wrong"))),
          },
        ]}
      >
        <Select mode="tags" open={false} suffix={null} tokenSeparators={[",", ";", " "]} />
      </Form.Item>
      <Form.Item
        name="timezone"
        label={t("admin.queues.timezone")}
        rules={[required, { validator: (_, zone: string) => (isZone(zone) ? Promise.resolve() : Promise.reject(new Error(t("admin.queues.timezone.wrong")))) }]}
      >
        <Input autoComplete="off" />
      </Form.Item>
      <Collapse
        ghost
        items={[
          {
            key: "more",
            label: t("admin.queues.advanced"),
            forceRender: true,
            children: (
              <>
                <Form.Item label={t("admin.queues.skills")}>
                  <SkillFields name="skills" known={[]} />
                </Form.Item>
                <Form.Item label={t("admin.queues.overflow")}>
                  <Form.List name="overflow">
                    {(fields, { add, remove }) => (
                      <>
                        {fields.map((field) => (
                          <div key={field.key} className="rh-admin-line">
                            <Form.Item name={[field.name, "queue"]} rules={[required]}>
                              <Select options={others} aria-label={t("admin.topics.queue")} placeholder={t("admin.topics.queue")} />
                            </Form.Item>
                            <Form.Item name={[field.name, "after_s"]} rules={[required]}>
                              <InputNumber min={0} max={86_400} aria-label={t("admin.queues.overflow.after")} prefix={t("admin.queues.overflow.after")} />
                            </Form.Item>
                            <IconButton label={t("admin.topics.remove")} icon={<DeleteOutlined />} onClick={() => remove(field.name)} />
                          </div>
                        ))}
                        <Button type="dashed" size="small" icon={<PlusOutlined />} onClick={() => add({ after_s: 60 })}>
                          {t("admin.queues.overflow.add")}
                        </Button>
                      </>
                    )}
                  </Form.List>
                </Form.Item>
                <div className="rh-admin-pair">
                  {seconds("offer_timeout_s", t("admin.queues.offer"), 1, 600)}
                  {seconds("wrapup_s", t("admin.queues.wrapup"), 0, 86_400)}
                  {seconds("dedicated_wait_s", t("admin.queues.dedicated"), 0, 86_400)}
                  {seconds("priority_s", t("admin.queues.priority"), 0, 86_400)}
                  <Form.Item name="vip_only" label={t("admin.queues.vip")} valuePropName="checked">
                    <Switch />
                  </Form.Item>
                  <Form.Item name="external" label={t("admin.queues.external")} valuePropName="checked">
                    <Switch />
                  </Form.Item>
                </div>
              </>
            ),
          },
        ]}
      />
    </Editor>
  );
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone.trim() !== "";
  } catch {
    return false;
  }
}
