import { Alert, App, Button, Checkbox, Form, Input, Modal, Tabs } from "antd";
import { useState } from "react";
import { unwrap } from "../../shared/api/client";
import type { Call } from "../../shared/desk/model";
import { useAmbience, useSession } from "../context";
import { problemText, useProblems } from "../problems";
import { AgentPicker, QueuePicker, SkillPicker, targetOf } from "./targets";

type By = "agent" | "skill" | "queue" | "guest";
const NOTE_CHARACTERS = 2000;

/** A third person into the call: a colleague by name, skill or queue, or a guest by link. */
export function InviteDialog({ call, open, onClose }: { call: Call; open: boolean; onClose: () => void }) {
  const { t } = useAmbience();
  return (
    <Modal open={open} onCancel={onClose} title={t("invite.title")} footer={null} destroyOnHidden centered width={520}>
      <Content call={call} onClose={onClose} />
    </Modal>
  );
}

function Content({ call, onClose }: { call: Call; onClose: () => void }) {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const { message } = App.useApp();
  const [by, setBy] = useState<By>("agent");
  const [chosen, setChosen] = useState<Readonly<Record<Exclude<By, "guest">, string | null>>>({ agent: null, skill: null, queue: null });
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const pick = (kind: Exclude<By, "guest">) => (value: string) => {
    setProblem(null);
    setChosen((now) => ({ ...now, [kind]: value }));
  };
  const send = async (): Promise<void> => {
    if (by === "guest") return;
    const value = chosen[by];
    if (value === null) {
      setProblem(t(`invite.${by}.missing`));
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      const answer = await unwrap(
        api.POST("/v1/calls/{call}/participants", {
          params: { path: { call: call.id } },
          body: { ...targetOf(by, value), guest: null, note, mode: "talk", force: false },
        }),
      );
      desk.adopt(answer.call);
      void message.success(t("invite.sent"));
      onClose();
    } catch (error) {
      setProblem(problemText(t, error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Tabs
        activeKey={by}
        onChange={(key) => {
          setBy(key as By);
          setProblem(null);
        }}
        items={[
          { key: "agent", label: t("invite.by.agent"), children: <AgentPicker call={call} value={chosen.agent} onChange={pick("agent")} /> },
          { key: "skill", label: t("invite.by.skill"), children: <SkillPicker value={chosen.skill} onChange={pick("skill")} /> },
          { key: "queue", label: t("invite.by.queue"), children: <QueuePicker value={chosen.queue} onChange={pick("queue")} /> },
          { key: "guest", label: t("invite.by.guest"), children: <Guest call={call} onClose={onClose} /> },
        ]}
      />
      {problem === null ? null : <Alert className="rh-dialog-problem" type="error" showIcon title={problem} role="alert" />}
      {by === "guest" ? null : (
        <>
          <Input.TextArea
            value={note}
            maxLength={NOTE_CHARACTERS}
            className="rh-grow"
            placeholder={t("invite.note")}
            aria-label={t("invite.note")}
            onChange={(event) => setNote(event.target.value)}
          />
          <p className="rh-dialog-buttons">
            <Button onClick={onClose}>{t("action.cancel")}</Button>
            <Button type="primary" loading={busy} data-control="invite-send" onClick={() => void send()}>
              {t("invite.send")}
            </Button>
          </p>
        </>
      )}
    </>
  );
}

function Guest({ call, onClose }: { call: Call; onClose: () => void }) {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const { guard } = useProblems();
  const { message } = App.useApp();
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<{ name: string; link: string } | null>(null);
  const make = async ({ name, adult }: { name: string; adult?: boolean }): Promise<void> => {
    setBusy(true);
    await guard(async () => {
      const answer = await unwrap(
        api.POST("/v1/calls/{call}/participants", {
          params: { path: { call: call.id } },
          body: {
            agent: null,
            skill: null,
            queue: null,
            guest: { identity: `guest-${crypto.randomUUID().slice(0, 8)}`, name: name.trim(), adult: adult === true },
            mode: "talk",
            note: "",
            force: false,
          },
        }),
      );
      desk.adopt(answer.call);
      setMade({ name: name.trim(), link: answer.link ?? "" });
    });
    setBusy(false);
  };
  if (made !== null) {
    return (
      <div className="rh-guest-link">
        <p>{t("invite.guest.ready", { name: made.name })}</p>
        <Input readOnly value={made.link} data-control="guest-link" aria-label={t("invite.by.guest")} onFocus={(event) => event.target.select()} />
        <p className="rh-dialog-buttons">
          <Button
            onClick={() => {
              void guard(async () => {
                await desk.say(call.id, made.link, [], false);
                onClose();
              });
            }}
          >
            {t("invite.guest.chat")}
          </Button>
          <Button
            type="primary"
            onClick={() => {
              void guard(async () => {
                await navigator.clipboard.writeText(made.link);
                void message.success(t("action.copied"));
              });
            }}
          >
            {t("action.copy")}
          </Button>
        </p>
      </div>
    );
  }
  return (
    <Form<{ name: string; adult?: boolean }> layout="vertical" requiredMark={false} onFinish={(fields) => void make(fields)}>
      <Form.Item name="name" label={t("invite.guest.name")} rules={[{ required: true, whitespace: true, message: t("invite.guest.name.missing") }]}>
        <Input maxLength={60} autoComplete="off" />
      </Form.Item>
      <Form.Item name="adult" valuePropName="checked">
        <Checkbox>{t("invite.guest.adult")}</Checkbox>
      </Form.Item>
      <p className="rh-dialog-buttons">
        <Button onClick={onClose}>{t("action.cancel")}</Button>
        <Button type="primary" htmlType="submit" loading={busy}>
          {t("invite.guest.make")}
        </Button>
      </p>
    </Form>
  );
}
