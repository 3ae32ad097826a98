import { BellOutlined, CaretDownOutlined, NotificationOutlined, SoundOutlined } from "@ant-design/icons";
import { Button, Dropdown, Tooltip } from "antd";
import { useState } from "react";
import { NavLink, useNavigate } from "react-router";
import { formatDuration } from "../../shared/format";
import type { AgentState, MyCall } from "../../shared/desk/model";
import { unread } from "../../shared/desk/reduce";
import { lookup, type StaffKey, type StaffTranslate } from "../../shared/i18n/staff";
import { useAmbience, useAttentionState, useSelected, useSession } from "../context";
import { useProblems } from "../problems";
import { useShortcuts } from "../shell/shortcuts";
import { useNow } from "./now";

interface Choice {
  readonly state: AgentState;
  readonly reason: string;
  readonly label: Extract<StaffKey, `desk.state.${string}`>;
}

/** What an agent may declare. The reasons are stored as these words, so that reports can count them. */
const CHOICES: readonly Choice[] = [
  { state: "available", reason: "", label: "desk.state.available" },
  { state: "away", reason: "meal", label: "desk.state.away.meal" },
  { state: "away", reason: "rest", label: "desk.state.away.rest" },
  { state: "away", reason: "training", label: "desk.state.away.training" },
  { state: "away", reason: "meeting", label: "desk.state.away.meeting" },
  { state: "busy", reason: "ticket", label: "desk.state.busy.ticket" },
  { state: "busy", reason: "colleague", label: "desk.state.busy.colleague" },
  { state: "offline", reason: "", label: "desk.state.offline" },
];

/** A state with its reason, in words. */
export function stateText(t: StaffTranslate, state: AgentState, reason: string): string {
  const base = t(`agentState.${state}`);
  const why = reason === "" ? null : (lookup(t, `desk.state.${state}.${reason}`) ?? null);
  return why === null ? base : `${base} · ${why}`;
}

export function DeskBar() {
  const { t } = useAmbience();
  const { desk, me } = useSession();
  const calls = useSelected(desk.state, (state) => state.calls);
  const agent = useSelected(desk.state, (state) => state.me);
  const queues = useSelected(desk.state, (state) => state.queues);
  const mine = queues.filter((queue) => agent?.queues.includes(queue.id) ?? false);
  const navigate = useNavigate();
  const go = (index: number) => (): void => {
    const call = calls[index];
    if (call !== undefined) void navigate(`/desk/call/${call.id}`);
  };
  useShortcuts({ "1": go(0), "2": go(1), "3": go(2), "4": go(3) });
  return (
    <header className="rh-bar">
      <StateSwitch />
      <nav className="rh-bar-calls" aria-label={t("desk.calls")}>
        <NavLink to="/desk/home" className="rh-call-tab rh-call-tab-home">
          {t("desk.title")}
        </NavLink>
        {calls.map((each) => (
          <CallTab key={each.id} mine={each} me={me.id} />
        ))}
      </nav>
      <div className="rh-bar-queues">
        {mine.map((queue) => (
          <span key={queue.id} className={queue.waiting > 0 ? "rh-queue-chip rh-queue-chip-busy" : "rh-queue-chip"}>
            {queue.name === "" ? queue.id : queue.name}
            <strong>{queue.waiting}</strong>
          </span>
        ))}
      </div>
      <SoundSwitch />
    </header>
  );
}

function StateSwitch() {
  const { t } = useAmbience();
  const { desk } = useSession();
  const { guard } = useProblems();
  const agent = useSelected(desk.state, (state) => state.me);
  const [busy, setBusy] = useState(false);
  if (agent === null) return null;
  const choose = async (choice: Choice): Promise<void> => {
    setBusy(true);
    await guard(() => desk.setState(choice.state, choice.reason));
    setBusy(false);
  };
  const activity = agent.state === "available" && agent.activity !== "idle" ? ` · ${t(`activity.${agent.activity}`)}` : "";
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        selectable: true,
        selectedKeys: [`${agent.state}.${agent.reason}`],
        items: [
          ...CHOICES.map((choice) => ({
            key: `${choice.state}.${choice.reason}`,
            label: (
              <span className="rh-state-choice">
                <span className={`rh-dot rh-dot-${choice.state}`} />
                {choice.reason === "" ? t(choice.label) : `${t(`agentState.${choice.state}`)} · ${t(choice.label)}`}
              </span>
            ),
            onClick: () => void choose(choice),
          })),
        ],
      }}
    >
      <Button className="rh-state" loading={busy} data-control="state" data-state={agent.state} title={t("desk.state")}>
        <span className={`rh-dot rh-dot-${agent.state}`} />
        {stateText(t, agent.state, agent.reason)}
        {activity}
        <CaretDownOutlined />
      </Button>
    </Dropdown>
  );
}

function CallTab({ mine, me }: { mine: MyCall; me: string }) {
  const { t } = useAmbience();
  const wrapping = mine.engagement.state === "wrapping";
  const now = useNow(1000);
  const since = Date.parse(mine.call?.accepted_at ?? mine.engagement.since);
  const count = unread(mine, me);
  return (
    <NavLink to={`/desk/call/${mine.id}`} className={`rh-call-tab${wrapping ? " rh-call-tab-wrapping" : ""}`} data-call={mine.id}>
      <span className={`rh-dot rh-dot-${wrapping ? "busy" : mine.call?.state === "held" ? "away" : "talking"}`} />
      <span className="rh-call-tab-name">{mine.call?.student?.name ?? "…"}</span>
      <span className="rh-figures">{wrapping ? t("activity.wrapping") : formatDuration((now - since) / 1000)}</span>
      {count > 0 ? (
        <span className="rh-badge" aria-label={t("chat.new")}>
          {count}
        </span>
      ) : null}
    </NavLink>
  );
}

function SoundSwitch() {
  const { t } = useAmbience();
  const { settings } = useSession();
  const attention = useAttentionState();
  const on = useSelected(settings, (value) => value.ring);
  if (attention === null) return null;
  const { notifications } = attention;
  const notifyText =
    notifications === "granted" ? t("desk.notify.on") : notifications === "denied" ? t("desk.notify.denied") : t("desk.notify.ask");
  return (
    <div className="rh-bar-attention">
      <Tooltip title={on ? t("desk.sound.on") : t("desk.sound.off")}>
        <Button
          type="text"
          icon={on ? <BellOutlined /> : <SoundOutlined />}
          aria-pressed={on}
          aria-label={on ? t("desk.sound.on") : t("desk.sound.off")}
          className={on ? "" : "rh-struck"}
          onClick={() => {
            settings.change({ ring: !on });
            if (!on) attention.ring.once();
          }}
        />
      </Tooltip>
      {notifications === "granted" || notifications === "missing" ? null : (
        <Tooltip title={notifyText}>
          <Button type="text" icon={<NotificationOutlined />} aria-label={notifyText} onClick={() => void attention.askForNotifications()} />
        </Tooltip>
      )}
    </div>
  );
}
