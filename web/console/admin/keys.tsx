import { PlusOutlined, StopOutlined } from "@ant-design/icons";
import { App, Button, Checkbox, Form, Input, Table, Tag } from "antd";
import { useState } from "react";
import { type Schemas, unwrap } from "../../shared/api/client";
import { useAmbience, useSession, useT } from "../context";
import { useProblems } from "../problems";
import { Editor, IconButton, PageHead, Readable, useSaver, useSecret } from "./parts";
import { useLoaded } from "./useLoaded";

type Key = Schemas["KeyAnswer"];
const ROLES = ["student", "service", "agent", "supervisor", "reviewer", "admin"] as const;

/** API keys of the school's platform. */
export function KeysPage() {
  const { t, locale } = useAmbience();
  const { api } = useSession();
  const { modal, message } = App.useApp();
  const { guard } = useProblems();
  const loaded = useLoaded(async () => (await unwrap(api.GET("/v1/keys"))).items);
  const [adding, setAdding] = useState(false);
  const time = (at: string): string => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
  const revoke = async (key: Key): Promise<void> => {
    const done = await guard(() => unwrap(api.DELETE("/v1/keys/{key}", { params: { path: { key: key.id } } })));
    if (!done) return;
    void message.success(t("admin.saved"));
    await loaded.reload();
  };
  return (
    <>
      <PageHead title={t("admin.tab.keys")} lead={t("admin.keys.lead")}>
        <Button type="primary" icon={<PlusOutlined />} data-admin="add" onClick={() => setAdding(true)}>
          {t("admin.keys.new")}
        </Button>
      </PageHead>
      <Readable loaded={loaded}>
        <Table<Key>
          rowKey="id"
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={loaded.value ?? []}
          pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
          scroll={{ x: 820 }}
          columns={[
            { title: t("admin.keys.name"), render: (_, key) => (key.configured ? <span className="rh-muted">{t("admin.keys.configured")}</span> : <strong>{key.name}</strong>) },
            { title: t("admin.keys.id"), width: 300, render: (_, key) => <span className="rh-admin-code">{key.id}</span> },
            {
              title: t("admin.keys.roles"),
              render: (_, key) => <span className="rh-admin-tags">{key.roles.map((role) => <Tag key={role}>{t(`admin.keys.role.${role}`)}</Tag>)}</span>,
            },
            {
              title: t("admin.keys.created"),
              render: (_, key) => (key.created_at === null ? "" : t("admin.keys.by", { time: time(key.created_at), name: key.created_by })),
            },
            { title: t("admin.keys.used"), render: (_, key) => (key.configured ? "" : key.last_used_at === null ? t("admin.keys.never") : time(key.last_used_at)) },
            {
              title: t("admin.keys.state"),
              render: (_, key) => (key.revoked_at === null ? <Tag color="green">{t("admin.keys.inForce")}</Tag> : <Tag>{t("admin.keys.revoked")}</Tag>),
            },
            {
              key: "edit",
              width: 56,
              render: (_, key) =>
                key.configured || key.revoked_at !== null ? null : (
                  <IconButton
                    label={t("admin.keys.revoke")}
                    icon={<StopOutlined />}
                    danger
                    onClick={() =>
                      void modal.confirm({
                        title: t("admin.keys.revoke.title", { name: key.name }),
                        content: t("admin.keys.revoke.text"),
                        okText: t("admin.keys.revoke"),
                        okButtonProps: { danger: true },
                        cancelText: t("action.cancel"),
                        onOk: () => revoke(key),
                      })
                    }
                  />
                ),
            },
          ]}
        />
      </Readable>
      {adding ? <KeyEditor onClose={() => setAdding(false)} onSaved={() => void loaded.reload()} /> : null}
    </>
  );
}

interface Fields {
  name: string;
  roles: Key["roles"];
}

function KeyEditor({ onClose, onSaved }: { onClose: () => void; onSaved: () => void }) {
  const t = useT();
  const { api } = useSession();
  const secret = useSecret();
  const [form] = Form.useForm<Fields>();
  const save = useSaver(form);
  const [saving, setSaving] = useState(false);
  const finish = async (body: Fields): Promise<void> => {
    setSaving(true);
    const done = await save(async () => {
      const made = await unwrap(api.POST("/v1/keys", { body }));
      secret(`${t("admin.keys.id")} ${made.key.id}`, made.secret);
    });
    setSaving(false);
    if (!done) return;
    onSaved();
    onClose();
  };
  return (
    <Editor<Fields> title={t("admin.keys.new")} form={form} initial={{ name: "", roles: ["student", "service"] }} saving={saving} onSave={(values) => void finish(values)} onClose={onClose}>
      <Form.Item name="name" label={t("admin.keys.name")} extra={t("admin.keys.name.hint")} rules={[{ required: true, whitespace: true, message: t("admin.required") }]}>
        <Input maxLength={100} autoComplete="off" />
      </Form.Item>
      <Form.Item name="roles" label={t("admin.keys.roles")} extra={t("admin.keys.roles.hint")} rules={[{ required: true, message: t("admin.required") }]}>
        <Checkbox.Group options={ROLES.map((value) => ({ value, label: t(`admin.keys.role.${value}`) }))} />
      </Form.Item>
    </Editor>
  );
}
