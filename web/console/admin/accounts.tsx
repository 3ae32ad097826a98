import { EditOutlined, KeyOutlined, PlusOutlined, StopOutlined, UndoOutlined } from "@ant-design/icons";
import { App, Button, Form, Input, Select, Table, Tag } from "antd";
import { useState } from "react";
import { type Schemas, unwrap } from "../../shared/api/client";
import { useSession, useT } from "../context";
import { Avatar } from "../desk/avatar";
import { useProblems } from "../problems";
import { Editor, IconButton, PageHead, Readable, useSaver, useSecret } from "./parts";
import { useLoaded } from "./useLoaded";

type Account = Schemas["AccountAnswer"];
const ROLES = ["agent", "supervisor", "reviewer", "admin"] as const;
type StaffRole = (typeof ROLES)[number];
const USERNAME = /^[A-Za-z0-9_.@+-]{1,64}$/;
const MINIMUM_PASSWORD = 10;
/** Nothing of an account changes but what is named. */
const SAME = { name: null, role: null, disabled: null, password: null, reset_password: false };

/** Who may sign in. */
export function AccountsPage() {
  const t = useT();
  const { api, me } = useSession();
  const { modal, message } = App.useApp();
  const { guard } = useProblems();
  const secret = useSecret();
  const loaded = useLoaded(async () => (await unwrap(api.GET("/v1/accounts"))).items);
  const [edited, setEdited] = useState<Account | "new" | null>(null);
  const [search, setSearch] = useState("");
  const words = search.trim().toLowerCase();
  const shown = (loaded.value ?? []).filter((account) => `${account.username} ${account.name}`.toLowerCase().includes(words));
  const patch = (account: Account, change: Partial<typeof SAME> | { disabled: boolean } | { reset_password: true }) =>
    unwrap(api.PATCH("/v1/accounts/{account}", { params: { path: { account: account.id } }, body: { ...SAME, ...change } }));

  const reset = (account: Account): void =>
    void modal.confirm({
      title: t("admin.accounts.reset.title", { name: account.name }),
      content: t("admin.accounts.reset.text"),
      okText: t("admin.accounts.reset"),
      cancelText: t("action.cancel"),
      onOk: () =>
        guard(async () => {
          const { password } = await patch(account, { reset_password: true });
          if (password !== null) secret(t("admin.secret.password", { name: account.name }), password);
        }),
    });
  const disable = async (account: Account, disabled: boolean): Promise<void> => {
    const done = await guard(() => patch(account, { disabled }));
    if (!done) return;
    void message.success(t("admin.saved"));
    await loaded.reload();
  };
  return (
    <>
      <PageHead title={t("admin.tab.accounts")} lead={t("admin.accounts.lead")}>
        <Input.Search allowClear value={search} onChange={(event) => setSearch(event.target.value)} placeholder={t("admin.search")} aria-label={t("admin.search")} className="rh-admin-search" />
        <Button type="primary" icon={<PlusOutlined />} data-admin="add" onClick={() => setEdited("new")}>
          {t("admin.accounts.new")}
        </Button>
      </PageHead>
      <Readable loaded={loaded}>
        <Table<Account>
          rowKey="id"
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={shown}
          pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
          scroll={{ x: 640 }}
          columns={[
            {
              title: t("admin.agents.name"),
              render: (_, account) => (
                <span className="rh-row">
                  <Avatar id={account.id} name={account.name} size={30} staff /> {account.name}
                </span>
              ),
            },
            { title: t("admin.accounts.username"), dataIndex: "username" },
            { title: t("admin.accounts.role"), render: (_, account) => t(`role.${account.role as StaffRole}`) },
            {
              title: t("admin.accounts.state"),
              render: (_, account) => (account.disabled ? <Tag>{t("admin.accounts.disabled")}</Tag> : <Tag color="green">{t("admin.accounts.active")}</Tag>),
            },
            {
              key: "edit",
              width: 120,
              render: (_, account) => (
                <span className="rh-row">
                  <IconButton label={t("admin.accounts.change", { name: account.name })} icon={<EditOutlined />} onClick={() => setEdited(account)} />
                  <IconButton label={t("admin.accounts.reset")} icon={<KeyOutlined />} onClick={() => reset(account)} />
                  {account.disabled ? (
                    <IconButton label={t("admin.accounts.enable")} icon={<UndoOutlined />} onClick={() => void disable(account, false)} />
                  ) : (
                    <IconButton
                      label={account.id === me.id ? t("admin.accounts.self") : t("admin.accounts.disable")}
                      icon={<StopOutlined />}
                      danger
                      disabled={account.id === me.id}
                      onClick={() =>
                        void modal.confirm({
                          title: t("admin.accounts.disable.title", { name: account.name }),
                          content: t("admin.accounts.disable.text"),
                          okText: t("admin.accounts.disable"),
                          okButtonProps: { danger: true },
                          cancelText: t("action.cancel"),
                          onOk: () => disable(account, true),
                        })
                      }
                    />
                  )}
                </span>
              ),
            },
          ]}
        />
      </Readable>
      {edited === null ? null : <AccountEditor account={edited === "new" ? null : edited} onClose={() => setEdited(null)} onSaved={() => void loaded.reload()} />}
    </>
  );
}

interface Fields {
  username: string;
  name: string;
  role: StaffRole;
  password: string;
}

function AccountEditor({ account, onClose, onSaved }: { account: Account | null; onClose: () => void; onSaved: () => void }) {
  const t = useT();
  const { api, me } = useSession();
  const { message } = App.useApp();
  const secret = useSecret();
  const [form] = Form.useForm<Fields>();
  const save = useSaver(form, { "body.username": t("admin.accounts.username.taken") });
  const [saving, setSaving] = useState(false);
  const initial: Fields = { username: account?.username ?? "", name: account?.name ?? "", role: (account?.role as StaffRole | undefined) ?? "agent", password: "" };
  const finish = async (values: Fields): Promise<void> => {
    setSaving(true);
    const password = values.password === "" ? null : values.password;
    const done = await save(async () => {
      const answer =
        account === null
          ? await unwrap(api.POST("/v1/accounts", { body: { username: values.username, name: values.name, role: values.role, password } }))
          : await unwrap(
              api.PATCH("/v1/accounts/{account}", {
                params: { path: { account: account.id } },
                body: { ...SAME, name: values.name, role: values.role, password },
              }),
            );
      if (answer.password !== null) secret(t("admin.secret.password", { name: values.name }), answer.password);
    });
    setSaving(false);
    if (!done) return;
    void message.success(t("admin.saved"));
    onSaved();
    onClose();
  };
  return (
    <Editor
      title={account === null ? t("admin.accounts.new") : t("admin.accounts.change", { name: account.name })}
      form={form}
      initial={initial}
      saving={saving}
      onSave={(values) => void finish(values)}
      onClose={onClose}
    >
      <Form.Item
        name="username"
        label={t("admin.accounts.username")}
        rules={[
          { required: true, message: t("admin.required") },
          { pattern: USERNAME, message: t("admin.accounts.username.wrong") },
        ]}
      >
        <Input disabled={account !== null} autoComplete="off" />
      </Form.Item>
      <Form.Item name="name" label={t("admin.agents.name")} extra={t("admin.agents.name.hint")} rules={[{ required: true, whitespace: true, message: t("admin.required") }]}>
        <Input maxLength={100} autoComplete="off" />
      </Form.Item>
      <Form.Item name="role" label={t("admin.accounts.role")} {...(account?.id === me.id ? { extra: t("admin.accounts.self") } : {})}>
        <Select disabled={account?.id === me.id} options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))} />
      </Form.Item>
      <Form.Item
        name="password"
        label={t("admin.accounts.password")}
        extra={t(account === null ? "admin.accounts.password.hint" : "admin.accounts.password.keep")}
        rules={[{ min: MINIMUM_PASSWORD, message: t("admin.accounts.password.short") }]}
      >
        <Input.Password maxLength={256} autoComplete="new-password" />
      </Form.Item>
    </Editor>
  );
}
