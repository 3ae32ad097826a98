import { DownloadOutlined, EditOutlined, PlusOutlined, UploadOutlined } from "@ant-design/icons";
import { App, Button, Form, Input, InputNumber, Select, Switch, Table, Tag } from "antd";
import { useMemo, useState } from "react";
import { agentsCsv } from "../../shared/admin/importAgents";
import { type Schemas, unwrap } from "../../shared/api/client";
import { useSession, useT } from "../context";
import { Avatar } from "../desk/avatar";
import { saveFile } from "./file";
import { ImportDialog } from "./importDialog";
import { Editor, IconButton, PageHead, Readable, useSaver } from "./parts";
import { SkillFields } from "./skills";
import { useLoaded } from "./useLoaded";

type Agent = Schemas["AgentAnswer"];
const ID = /^[A-Za-z0-9_.:@~+-]{1,128}$/;

/** Agents: queues, skills, languages; one by one or from a file. */
export function AgentsPage() {
  const t = useT();
  const { api } = useSession();
  const loaded = useLoaded(async () => {
    const [agents, queues] = await Promise.all([unwrap(api.GET("/v1/agents")), unwrap(api.GET("/v1/queues"))]);
    return { agents: agents.items, queues: queues.items };
  });
  const [search, setSearch] = useState("");
  const [edited, setEdited] = useState<Agent | "new" | null>(null);
  const [importing, setImporting] = useState(false);
  const agents = loaded.value?.agents ?? [];
  const queues = useMemo(() => new Map((loaded.value?.queues ?? []).map((queue) => [queue.id, queue.name === "" ? queue.id : queue.name])), [loaded.value]);
  const words = search.trim().toLowerCase();
  const shown = agents.filter((agent) => `${agent.id} ${agent.name} ${Object.keys(agent.skills).join(" ")}`.toLowerCase().includes(words));
  return (
    <>
      <PageHead title={t("admin.tab.agents")} lead={t("admin.agents.lead")}>
        <Input.Search allowClear value={search} onChange={(event) => setSearch(event.target.value)} placeholder={t("admin.search")} aria-label={t("admin.search")} className="rh-admin-search" />
        <Button icon={<DownloadOutlined />} disabled={agents.length === 0} onClick={() => saveFile("agents.csv", agentsCsv(agents))}>
          {t("admin.export")}
        </Button>
        <Button icon={<UploadOutlined />} data-admin="import" onClick={() => setImporting(true)}>
          {t("admin.import")}
        </Button>
        <Button type="primary" icon={<PlusOutlined />} data-admin="add" onClick={() => setEdited("new")}>
          {t("admin.agents.new")}
        </Button>
      </PageHead>
      <Readable loaded={loaded}>
        <Table<Agent>
          rowKey="id"
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={shown}
          pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
          locale={{ emptyText: t("admin.agents.empty") }}
          scroll={{ x: 900 }}
          columns={[
            {
              title: t("admin.agents.name"),
              dataIndex: "name",
              sorter: (one, other) => one.name.localeCompare(other.name),
              render: (_, agent) => (
                <span className="rh-row">
                  <Avatar id={agent.id} name={agent.name} size={30} staff />
                  <span>
                    {agent.name} <span className="rh-muted">{agent.id}</span>
                    {agent.supervisor ? <Tag className="rh-admin-tag">{t("admin.agents.supervisor")}</Tag> : null}
                  </span>
                </span>
              ),
            },
            {
              title: t("admin.agents.queues"),
              dataIndex: "queues",
              render: (_, agent) => <span className="rh-admin-tags">{agent.queues.map((queue) => <Tag key={queue}>{queues.get(queue) ?? queue}</Tag>)}</span>,
            },
            {
              title: t("admin.agents.skills"),
              dataIndex: "skills",
              render: (_, agent) => (
                <span className="rh-admin-tags">
                  {Object.entries(agent.skills).map(([skill, level]) => (
                    <Tag key={skill} color="cyan">
                      {skill} {level}
                    </Tag>
                  ))}
                </span>
              ),
            },
            { title: t("admin.agents.languages"), dataIndex: "languages", render: (_, agent) => agent.languages.join(", ") },
            { title: t("admin.agents.chats"), dataIndex: "max_chats", align: "end" },
            {
              title: t("admin.agents.state"),
              dataIndex: "state",
              render: (_, agent) => (
                <span className="rh-row">
                  <span className={`rh-dot rh-dot-${agent.state}`} /> {t(`agentState.${agent.state}`)}
                </span>
              ),
            },
            {
              key: "edit",
              width: 56,
              render: (_, agent) => <IconButton label={t("admin.agents.change", { name: agent.name })} icon={<EditOutlined />} onClick={() => setEdited(agent)} />,
            },
          ]}
        />
      </Readable>
      {edited === null ? null : (
        <AgentEditor agent={edited === "new" ? null : edited} agents={agents} queues={queues} onClose={() => setEdited(null)} onSaved={() => void loaded.reload()} />
      )}
      {importing ? (
        <ImportDialog agents={agents} queues={queues} onClose={() => setImporting(false)} onImported={() => void loaded.reload()} />
      ) : null}
    </>
  );
}

interface Fields {
  id: string;
  name: string;
  queues: string[];
  skills: { skill: string; level: number }[];
  languages: string[];
  max_chats: number;
  routable: boolean;
}

interface EditorProps {
  agent: Agent | null;
  agents: readonly Agent[];
  queues: ReadonlyMap<string, string>;
  onClose: () => void;
  onSaved: () => void;
}

function AgentEditor({ agent, agents, queues, onClose, onSaved }: EditorProps) {
  const t = useT();
  const { api } = useSession();
  const { message } = App.useApp();
  const [form] = Form.useForm<Fields>();
  const save = useSaver(form);
  const [saving, setSaving] = useState(false);
  const skills = [...new Set(agents.flatMap((each) => Object.keys(each.skills)))].sort();
  const languages = [...new Set(["zh", "en", ...agents.flatMap((each) => each.languages)])];
  const initial: Fields = {
    id: agent?.id ?? "",
    name: agent?.name ?? "",
    queues: [...(agent?.queues ?? [])],
    skills: Object.entries(agent?.skills ?? {}).map(([skill, level]) => ({ skill, level })),
    languages: [...(agent?.languages ?? ["zh"])],
    max_chats: agent?.max_chats ?? 3,
    routable: agent?.routable ?? true,
  };
  const finish = async (values: Fields): Promise<void> => {
    setSaving(true);
    const body = {
      name: values.name,
      queues: values.queues,
      skills: Object.fromEntries(values.skills.map(({ skill, level }) => [skill, level])),
      languages: values.languages,
      max_chats: values.max_chats,
      supervisor: agent?.supervisor ?? false,
      routable: values.routable,
    };
    const done = await save(() => unwrap(api.PUT("/v1/agents/{agent}", { params: { path: { agent: agent?.id ?? values.id } }, body })));
    setSaving(false);
    if (!done) return;
    void message.success(t("admin.saved"));
    onSaved();
    onClose();
  };
  return (
    <Editor
      title={agent === null ? t("admin.agents.new") : t("admin.agents.change", { name: agent.name })}
      form={form}
      initial={initial}
      saving={saving}
      onSave={(values) => void finish(values)}
      onClose={onClose}
    >
      <Form.Item
        name="id"
        label={t("admin.agents.id")}
        extra={t("admin.agents.accountHint")}
        rules={[
          { required: true, message: t("admin.required") },
          { pattern: ID, message: t("admin.id.wrong") },
          {
            validator: (_, value: string) =>
              agent === null && agents.some((each) => each.id === value) ? Promise.reject(new Error(t("admin.topics.twice"))) : Promise.resolve(),
          },
        ]}
      >
        <Input disabled={agent !== null} autoComplete="off" />
      </Form.Item>
      <Form.Item name="name" label={t("admin.agents.name")} extra={t("admin.agents.name.hint")} rules={[{ required: true, whitespace: true, message: t("admin.required") }]}>
        <Input maxLength={100} autoComplete="off" />
      </Form.Item>
      <Form.Item name="queues" label={t("admin.agents.queues")}>
        <Select mode="multiple" options={[...queues].map(([value, label]) => ({ value, label }))} showSearch={{ optionFilterProp: "label" }} />
      </Form.Item>
      <Form.Item label={t("admin.agents.skills")}>
        <SkillFields name="skills" known={skills} />
      </Form.Item>
      <Form.Item
        name="languages"
        label={t("admin.agents.languages")}
        rules={[
          { required: true, message: t("admin.required") },
          { type: "array", defaultField: { type: "string", pattern: /^[a-z]{2,3}$/ }, message: t("admin.import.row.languageWrong", { value: "" }) },
        ]}
      >
        <Select mode="tags" options={languages.map((value) => ({ value, label: value }))} tokenSeparators={[",", ";", " "]} />
      </Form.Item>
      <div className="rh-admin-pair">
        <Form.Item name="max_chats" label={t("admin.agents.chats")} rules={[{ required: true, message: t("admin.required") }]}>
          <InputNumber min={0} max={50} precision={0} />
        </Form.Item>
        <Form.Item name="routable" label={t("admin.agents.routable")} valuePropName="checked">
          <Switch />
        </Form.Item>
      </div>
    </Editor>
  );
}
