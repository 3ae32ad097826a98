import { App, Button, Drawer, Form, type FormInstance, Result, Tooltip, Typography } from "antd";
import type { ReactNode } from "react";
import { ApiError } from "../../shared/api/client";
import { lookup } from "../../shared/i18n/staff";
import { useT } from "../context";
import { problemText, useProblems } from "../problems";
import type { Loaded } from "./useLoaded";

/** A page's heading, what it is about, and what can be done there. */
export function PageHead({ title, lead, children }: { title: string; lead: string; children?: ReactNode }) {
  return (
    <header className="rh-admin-head">
      <div>
        <h1>{title}</h1>
        <p className="rh-muted">{lead}</p>
      </div>
      <div className="rh-admin-tools">{children}</div>
    </header>
  );
}

/** What could not be read, with the way to try again; else the children. */
export function Readable({ loaded, children }: { loaded: Pick<Loaded<unknown>, "value" | "error" | "reload">; children: ReactNode }) {
  const t = useT();
  if (loaded.error !== null && loaded.value === null) {
    return (
      <Result
        status="warning"
        title={t("admin.loadFailed")}
        subTitle={problemText(t, loaded.error)}
        extra={
          <Button type="primary" onClick={() => void loaded.reload()}>
            {t("action.retry")}
          </Button>
        }
      />
    );
  }
  return children;
}

interface EditorProps<Values extends object> {
  title: string;
  form: FormInstance<Values>;
  initial: Values;
  saving: boolean;
  onSave: (values: Values) => void;
  onClose: () => void;
  children: ReactNode;
}

/** A form in a drawer. */
export function Editor<Values extends object>({ title, form, initial, saving, onSave, onClose, children }: EditorProps<Values>) {
  const t = useT();
  return (
    <Drawer
      open
      title={title}
      size={520}
      onClose={onClose}
      mask={{ closable: false }}
      footer={
        <div className="rh-admin-foot">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="primary" loading={saving} data-save onClick={() => form.submit()}>
            {t("action.save")}
          </Button>
        </div>
      }
    >
      <Form form={form} layout="vertical" initialValues={initial} onFinish={onSave} requiredMark={false} scrollToFirstError>
        {children}
      </Form>
    </Drawer>
  );
}

/** Shows a secret, once. */
export function useSecret(): (label: string, secret: string) => void {
  const { modal } = App.useApp();
  const t = useT();
  return (label, secret) =>
    void modal.success({
      title: t("admin.secret.title"),
      okText: t("admin.secret.done"),
      mask: { closable: false },
      keyboard: false,
      content: (
        <>
          <p>{label}</p>
          <Typography.Paragraph className="rh-admin-secret" copyable={{ text: secret, tooltips: [t("action.copy"), t("action.copied")] }} data-secret>
            {secret}
          </Typography.Paragraph>
          <p className="rh-muted">{t("admin.secret.once")}</p>
        </>
      ),
    });
}

/** Puts what the server finds wrong beside the fields; the rest is told as any failure. Gives whether it was saved. */
export function useSaver<Values extends object>(
  form: FormInstance<Values>,
  words: Readonly<Record<string, string>> = {},
): (act: () => Promise<unknown>) => Promise<boolean> {
  const { show } = useProblems();
  const t = useT();
  return async (act) => {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "invalid" || error.fields.size === 0) {
        show(error);
        return false;
      }
      const fields = [...error.fields].map(([field, message]) => {
        const name = field.replace(/^body\./, "").split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
        const own = words[field];
        return { name, errors: [own ?? lookup(t, `admin.${message}`) ?? t("problem.invalid")] };
      });
      form.setFields(fields as Parameters<typeof form.setFields>[0]);
      if (fields.every(({ name }) => form.getFieldInstance(name as never) === undefined)) show(error);
      return false;
    }
  };
}

/** A button that only has an icon, with its name for all. */
export function IconButton({ label, icon, danger = false, disabled = false, onClick }: { label: string; icon: ReactNode; danger?: boolean; disabled?: boolean; onClick?: () => void }) {
  return (
    <Tooltip title={label}>
      <Button type="text" size="small" icon={icon} aria-label={label} danger={danger} disabled={disabled} {...(onClick === undefined ? {} : { onClick })} />
    </Tooltip>
  );
}
