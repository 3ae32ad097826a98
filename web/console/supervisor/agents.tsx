import { formatDuration } from "../../shared/format";
import type { Agent } from "../../shared/desk/model";
import { useAmbience, useSelected, useSession } from "../context";
import { Avatar } from "../desk/avatar";
import { useNow } from "../desk/now";

type Group = "available" | "working" | "away" | "offline";
const GROUPS: readonly Group[] = ["working", "available", "away", "offline"];

function groupOf(agent: Agent): Group {
  if (agent.state === "offline") return "offline";
  if (agent.activity !== "idle" && agent.activity !== "supervising") return "working";
  return agent.state === "available" ? "available" : "away";
}

/** Agents by what they do now. */
export function AgentsPart({ onOpen }: { onOpen: (call: string) => void }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const listed = [...agents.values()].filter((agent) => !agent.supervisor);
  const headings = {
    working: t("activity.talking"),
    available: t("agentState.available"),
    away: `${t("agentState.away")} · ${t("agentState.busy")}`,
    offline: t("agentState.offline"),
  };
  return (
    <section className="rh-floor-part" aria-labelledby="rh-floor-agents">
      <h2 id="rh-floor-agents" className="rh-heading">
        {t("supervisor.agents")}
      </h2>
      {listed.length === 0 ? <p className="rh-muted rh-floor-empty">{t("supervisor.agents.empty")}</p> : null}
      {GROUPS.map((group) => {
        const members = listed.filter((agent) => groupOf(agent) === group);
        if (members.length === 0) return null;
        return (
          <div key={group} className="rh-floor-group" data-group={group}>
            <h3>
              {headings[group]} <span className="rh-muted">{t("supervisor.agents.count", { n: members.length })}</span>
            </h3>
            <ul className="rh-floor-agents">
              {members.map((agent) => (
                <AgentRow key={agent.id} agent={agent} onOpen={onOpen} />
              ))}
            </ul>
          </div>
        );
      })}
    </section>
  );
}

function AgentRow({ agent, onOpen }: { agent: Agent; onOpen: (call: string) => void }) {
  const { t } = useAmbience();
  const now = useNow(1000);
  const engaged = agent.engagements?.[0] ?? null;
  const since = engaged?.since ?? (agent.state === "available" ? agent.idle_since : null);
  const doing = agent.activity === "idle" ? t(`agentState.${agent.state}`) : t(`activity.${agent.activity}`);
  const dot = agent.activity === "talking" || agent.activity === "chatting" ? "talking" : agent.state;
  const text = (
    <>
      <Avatar id={agent.id} name={agent.name} size={30} staff />
      <span className="rh-floor-name">{agent.name === "" ? agent.id : agent.name}</span>
      <span className="rh-end rh-row rh-floor-small">
        <span className="rh-muted rh-figures">
          {since === null || agent.state === "offline"
            ? doing
            : t("supervisor.agent.since", { activity: doing, time: formatDuration(Math.max(0, (now - Date.parse(since)) / 1000)) })}
        </span>
        <span className={`rh-dot rh-dot-${dot}`} />
      </span>
    </>
  );
  return (
    <li data-agent={agent.id} data-state={agent.state} data-activity={agent.activity}>
      {engaged === null ? (
        <span className="rh-floor-agent">{text}</span>
      ) : (
        <button type="button" className="rh-floor-agent" onClick={() => onOpen(engaged.call)}>
          {text}
        </button>
      )}
    </li>
  );
}
