import { Alert, Button, Input, Modal, Radio, Tabs } from "antd";
import { useState } from "react";
import { unwrap } from "../../shared/api/client";
import type { Call } from "../../shared/desk/model";
import { useAmbience, useSelected, useSession } from "../context";
import { problemText, useProblems } from "../problems";
import { AgentPicker, QueuePicker, SkillPicker, targetOf } from "./targets";

type By = "agent" | "skill" | "queue";
const NOTE_CHARACTERS = 2000;

export function TransferDialog({ call, open, onClose }: { call: Call; open: boolean; onClose: () => void }) {
  const { t } = useAmbience();
  return (
    <Modal open={open} onCancel={onClose} title={t("transfer.title")} footer={null} destroyOnHidden centered width={540}>
      <Content call={call} onClose={onClose} />
    </Modal>
  );
}

function Content({ call, onClose }: { call: Call; onClose: () => void }) {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const [kind, setKind] = useState<"warm" | "cold">(call.kind === "chat" ? "cold" : "warm");
  const [by, setBy] = useState<By>("agent");
  const [chosen, setChosen] = useState<Readonly<Record<By, string | null>>>({ agent: null, skill: null, queue: null });
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const pick = (which: By) => (value: string) => {
    setProblem(null);
    setChosen((now) => ({ ...now, [which]: value }));
  };
  const send = async (): Promise<void> => {
    const value = chosen[by];
    if (value === null) {
      setProblem(t(`invite.${by}.missing`));
      return;
    }
    if (note.trim() === "") {
      setProblem(t("transfer.note.missing"));
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      const answer = await unwrap(
        api.POST("/v1/calls/{call}/transfer", {
          params: { path: { call: call.id } },
          body: { to: targetOf(by, value), kind, note },
        }),
      );
      desk.adopt(answer);
      onClose();
    } catch (error) {
      setProblem(problemText(t, error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {call.kind === "chat" ? null : (
        <Radio.Group className="rh-transfer-kinds" value={kind} onChange={(event) => setKind(event.target.value as "warm" | "cold")}>
          {(["warm", "cold"] as const).map((each) => (
            <Radio key={each} value={each} data-control={`transfer-${each}`}>
              <strong>{t(`transfer.${each}`)}</strong>
              <small>{t(`transfer.${each}.hint`)}</small>
            </Radio>
          ))}
        </Radio.Group>
      )}
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
        ]}
      />
      <label className="rh-field">
        {t("transfer.note")}
        <Input.TextArea
          value={note}
          maxLength={NOTE_CHARACTERS}
          className="rh-grow"
          placeholder={t("transfer.note.hint")}
          data-control="transfer-note"
          onChange={(event) => setNote(event.target.value)}
        />
      </label>
      {problem === null ? null : <Alert className="rh-dialog-problem" type="error" showIcon title={problem} role="alert" />}
      <p className="rh-dialog-buttons">
        <Button onClick={onClose}>{t("action.cancel")}</Button>
        <Button type="primary" loading={busy} data-control="transfer-send" onClick={() => void send()}>
          {t("transfer.send")}
        </Button>
      </p>
    </>
  );
}

/** States in which a transfer is under way. */
const UNDER_WAY = new Set(["ringing", "joining", "consulting"]);

export function isTransferring(call: Call): boolean {
  return call.transfer !== null && UNDER_WAY.has(call.transfer.state);
}

/** A transfer under way: where it stands, and the two ways out. */
export function TransferBanner({ call }: { call: Call }) {
  const { t } = useAmbience();
  const { api, desk, me } = useSession();
  const { guard } = useProblems();
  const agents = useSelected(desk.state, (state) => state.agents);
  const queues = useSelected(desk.state, (state) => state.queues);
  const [busy, setBusy] = useState<"complete" | "cancel" | null>(null);
  const { transfer } = call;
  if (transfer === null || !isTransferring(call)) return null;
  const own = call.participants.find((person) => person.identity === me.id);
  if (own?.role === "consult") {
    return (
      <div className="rh-banner rh-banner-note" role="status">
        <div>
          <strong>{t("transfer.consulted")}</strong>
          {transfer.note === "" ? null : <p>{transfer.note}</p>}
        </div>
      </div>
    );
  }
  const agent = transfer.agent ?? transfer.to.agent;
  const queue = transfer.to.queue;
  const name =
    (agent == null ? undefined : (agents.get(agent)?.name ?? agent)) ??
    transfer.to.skill ??
    (queue === undefined ? undefined : (queues.find((each) => each.id === queue)?.name ?? queue)) ??
    t("transfer.somebody");
  const act = (what: "complete" | "cancel") => (): void => {
    setBusy(what);
    void guard(async () => {
      const path = what === "complete" ? ("/v1/calls/{call}/transfer/complete" as const) : ("/v1/calls/{call}/transfer/cancel" as const);
      desk.adopt(await unwrap(api.POST(path, { params: { path: { call: call.id } } })));
    }).then(() => setBusy(null));
  };
  const state = transfer.state as "ringing" | "joining" | "consulting";
  const text = transfer.kind === "cold" ? t("transfer.ringing.cold", { name }) : t(`transfer.${state}`, { name });
  return (
    <div className="rh-banner" role="status" data-transfer={state}>
      <strong>{text}</strong>
      <span className="rh-end rh-row">
        <Button size="small" loading={busy === "cancel"} data-control="transfer-cancel" onClick={act("cancel")}>
          {t("transfer.cancel")}
        </Button>
        {state === "consulting" ? (
          <Button size="small" type="primary" loading={busy === "complete"} data-control="transfer-complete" onClick={act("complete")}>
            {t("transfer.complete", { name })}
          </Button>
        ) : null}
      </span>
    </div>
  );
}
