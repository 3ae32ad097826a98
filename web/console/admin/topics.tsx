import { ArrowDownOutlined, ArrowUpOutlined, DeleteOutlined, EditOutlined, PlusOutlined } from "@ant-design/icons";
import { App, Button, Form, Input, Select, Table, Tag } from "antd";
import { useState } from "react";
import { type Schemas, unwrap } from "../../shared/api/client";
import { useAmbience, useSession, useT } from "../context";
import { useProblems } from "../problems";
import { Editor, IconButton, PageHead, Readable } from "./parts";
import { WORD } from "./skills";
import { useLoaded } from "./useLoaded";

type Topic = Schemas["TopicAnswer"];
const CHOICES = ["no_sound", "no_picture", "other"] as const;
const TEXT_CHARACTERS = 200;

/** What students can ask about: changed here as a list, saved as a whole. */
export function TopicsPage() {
  const { t, locale } = useAmbience();
  const { api, desk } = useSession();
  const { message, modal } = App.useApp();
  const { guard } = useProblems();
  const loaded = useLoaded(async () => {
    const [topics, queues] = await Promise.all([unwrap(api.GET("/v1/topics")), unwrap(api.GET("/v1/queues"))]);
    return { ...topics, queues: queues.items.filter((queue) => !queue.config.vip_only) };
  });
  const [draft, setDraft] = useState<readonly Topic[] | null>(null);
  const [edited, setEdited] = useState<Topic | "new" | null>(null);
  const [saving, setSaving] = useState(false);
  const topics = draft ?? loaded.value?.items ?? [];
  const queues = new Map((loaded.value?.queues ?? []).map((queue) => [queue.id, queue.name === "" ? queue.id : queue.name]));
  const nameOf = (topic: Topic): string => (locale === "en" ? topic.name.en : topic.name["zh-CN"]);

  const move = (index: number, by: -1 | 1): void => {
    const next = [...topics];
    const [moved] = next.splice(index, 1);
    if (moved !== undefined) next.splice(index + by, 0, moved);
    setDraft(next);
  };
  const save = async (): Promise<void> => {
    setSaving(true);
    const done = await guard(async () => {
      const version = loaded.value?.version ?? 0;
      await unwrap(api.PUT("/v1/topics", { body: { version, items: [...topics] } }));
      await desk.topics.read();
    });
    setSaving(false);
    if (!done) return;
    void message.success(t("admin.saved"));
    await loaded.reload();
    setDraft(null);
  };
  return (
    <>
      <PageHead title={t("admin.tab.topics")} lead={t("admin.topics.lead")}>
        <Button type="primary" icon={<PlusOutlined />} data-admin="add" disabled={loaded.value === null} onClick={() => setEdited("new")}>
          {t("admin.topics.new")}
        </Button>
      </PageHead>
      <Readable loaded={loaded}>
        <Table<Topic>
          rowKey="id"
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={topics}
          pagination={false}
          scroll={{ x: 860 }}
          columns={[
            {
              title: t("admin.topics.zh"),
              render: (_, topic) => (
                <>
                  <strong>{topic.name["zh-CN"]}</strong> <span className="rh-muted">{topic.id}</span>
                </>
              ),
            },
            { title: t("admin.topics.en"), render: (_, topic) => topic.name.en },
            { title: t("admin.topics.choice"), render: (_, topic) => <Tag>{t(`admin.topics.choice.${topic.choice}`)}</Tag> },
            {
              title: t("admin.topics.queue"),
              render: (_, topic) => (topic.queue === null ? <span className="rh-muted">{t("admin.topics.queue.default")}</span> : (queues.get(topic.queue) ?? topic.queue)),
            },
            {
              title: t(locale === "en" ? "admin.topics.advice.en" : "admin.topics.advice.zh"),
              ellipsis: true,
              render: (_, topic) => {
                const advice = locale === "en" ? topic.advice.en : topic.advice["zh-CN"];
                return advice === "" ? <span className="rh-muted">{t("admin.topics.noAdvice")}</span> : advice;
              },
            },
            {
              key: "edit",
              width: 150,
              render: (_, topic, index) => (
                <span className="rh-row">
                  <IconButton label={t("admin.topics.up")} icon={<ArrowUpOutlined />} disabled={index === 0} onClick={() => move(index, -1)} />
                  <IconButton label={t("admin.topics.down")} icon={<ArrowDownOutlined />} disabled={index === topics.length - 1} onClick={() => move(index, 1)} />
                  <IconButton label={t("admin.topics.change", { name: nameOf(topic) })} icon={<EditOutlined />} onClick={() => setEdited(topic)} />
                  <IconButton
                    label={t("admin.topics.remove")}
                    icon={<DeleteOutlined />}
                    danger
                    disabled={topics.length === 1}
                    onClick={() =>
                      void modal.confirm({
                        title: t("admin.topics.remove.title", { name: nameOf(topic) }),
                        content: t("admin.topics.remove.text"),
                        okText: t("admin.topics.remove"),
                        okButtonProps: { danger: true },
                        cancelText: t("action.cancel"),
                        onOk: () => setDraft(topics.filter((each) => each.id !== topic.id)),
                      })
                    }
                  />
                </span>
              ),
            },
          ]}
        />
        {draft === null ? null : (
          <div className="rh-admin-save" role="status">
            <span className="rh-warn">{t("admin.unsaved")}</span>
            <Button onClick={() => setDraft(null)}>{t("admin.discard")}</Button>
            <Button type="primary" loading={saving} data-admin="save" onClick={() => void save()}>
              {t("admin.topics.save")}
            </Button>
          </div>
        )}
      </Readable>
      {edited === null ? null : (
        <TopicEditor
          topic={edited === "new" ? null : edited}
          title={edited === "new" ? t("admin.topics.new") : t("admin.topics.change", { name: nameOf(edited) })}
          taken={topics.map((each) => each.id)}
          queues={queues}
          onClose={() => setEdited(null)}
          onDone={(topic) => {
            setDraft(edited === "new" ? [...topics, topic] : topics.map((each) => (each.id === topic.id ? topic : each)));
            setEdited(null);
          }}
        />
      )}
    </>
  );
}

interface Fields {
  id: string;
  choice: Topic["choice"];
  zh: string;
  en: string;
  queue: string | null;
  adviceZh: string;
  adviceEn: string;
  childZh: string;
  childEn: string;
}

interface EditorProps {
  topic: Topic | null;
  title: string;
  taken: readonly string[];
  queues: ReadonlyMap<string, string>;
  onClose: () => void;
  onDone: (topic: Topic) => void;
}

function TopicEditor({ topic, title, taken, queues, onClose, onDone }: EditorProps) {
  const t = useT();
  const [form] = Form.useForm<Fields>();
  const initial: Fields = {
    id: topic?.id ?? "",
    choice: topic?.choice ?? "other",
    zh: topic?.name["zh-CN"] ?? "",
    en: topic?.name.en ?? "",
    queue: topic?.queue ?? null,
    adviceZh: topic?.advice["zh-CN"] ?? "",
    adviceEn: topic?.advice.en ?? "",
    childZh: topic?.child_advice["zh-CN"] ?? "",
    childEn: topic?.child_advice.en ?? "",
  };
  const finish = (values: Fields): void => {
    const all = { ...initial, ...values };
    onDone({
      id: all.id,
      choice: all.choice,
      name: { "zh-CN": all.zh.trim(), en: all.en.trim() },
      advice: { "zh-CN": all.adviceZh.trim(), en: all.adviceEn.trim() },
      child_advice: { "zh-CN": all.childZh.trim(), en: all.childEn.trim() },
      queue: all.queue ?? null,
    });
  };
  const required = { required: true, whitespace: true, message: t("admin.required") };
  const text = (name: "adviceZh" | "adviceEn" | "childZh" | "childEn", label: string, extra?: string) => (
    <Form.Item name={name} label={label} {...(extra === undefined ? {} : { extra })}>
      <Input.TextArea rows={2} maxLength={TEXT_CHARACTERS} showCount />
    </Form.Item>
  );
  return (
    <Editor title={title} form={form} initial={initial} saving={false} onSave={finish} onClose={onClose}>
      <div className="rh-admin-pair">
        <Form.Item name="zh" label={t("admin.topics.zh")} rules={[required]}>
          <Input maxLength={40} autoComplete="off" />
        </Form.Item>
        <Form.Item name="en" label={t("admin.topics.en")} rules={[required]}>
          <Input maxLength={60} autoComplete="off" />
        </Form.Item>
      </div>
      <Form.Item
        name="id"
        label={t("admin.topics.id")}
        rules={[
          { required: true, message: t("admin.required") },
          { pattern: WORD, message: t("admin.id.wrong") },
          {
            validator: (_, value: string) => (topic === null && taken.includes(value) ? Promise.reject(new Error(t("admin.topics.twice"))) : Promise.resolve()),
          },
        ]}
      >
        <Input disabled={topic !== null} autoComplete="off" />
      </Form.Item>
      <div className="rh-admin-pair">
        <Form.Item name="choice" label={t("admin.topics.choice")}>
          <Select options={CHOICES.map((value) => ({ value, label: t(`admin.topics.choice.${value}`) }))} />
        </Form.Item>
        <Form.Item name="queue" label={t("admin.topics.queue")}>
          <Select allowClear placeholder={t("admin.topics.queue.default")} options={[...queues].map(([value, label]) => ({ value, label }))} />
        </Form.Item>
      </div>
      {text("adviceZh", t("admin.topics.advice.zh"))}
      {text("adviceEn", t("admin.topics.advice.en"))}
      {text("childZh", t("admin.topics.child.zh"), t("admin.topics.child.hint"))}
      {text("childEn", t("admin.topics.child.en"))}
    </Editor>
  );
}
