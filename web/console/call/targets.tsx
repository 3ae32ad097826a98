import { Empty, Input, Select } from "antd";
import { useMemo, useState } from "react";
import type { Agent, Call } from "../../shared/desk/model";
import { useAmbience, useSelected, useSession } from "../context";
import { Avatar } from "../desk/avatar";

/** Whom to ask: exactly one of the three. */
export interface Target {
  readonly agent: string | null;
  readonly skill: string | null;
  readonly queue: string | null;
}

export function targetOf(by: keyof Target, value: string): Target {
  return { agent: null, skill: null, queue: null, [by]: value };
}

/** Best first: free, then at work, then the others; offline ones are not shown. */
function order(agent: Agent): number {
  if (agent.state === "available") return agent.activity === "idle" ? 0 : agent.activity === "chatting" ? 1 : 2;
  return agent.state === "busy" ? 3 : 4;
}

/** Colleagues to choose from, searched by name or skill. */
export function AgentPicker({ call, value, onChange }: { call: Call; value: string | null; onChange: (agent: string) => void }) {
  const { t } = useAmbience();
  const { desk, me } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const [search, setSearch] = useState("");
  const inside = new Set(call.participants.map((person) => person.identity));
  const words = search.trim().toLowerCase();
  const shown = [...agents.values()]
    .filter((agent) => agent.id !== me.id && !inside.has(agent.id) && agent.routable && agent.state !== "offline")
    .filter((agent) => words === "" || `${agent.name} ${agent.id} ${Object.keys(agent.skills).join(" ")}`.toLowerCase().includes(words))
    .sort((one, other) => order(one) - order(other) || one.id.localeCompare(other.id));
  return (
    <div className="rh-picker">
      <Input allowClear value={search} placeholder={t("invite.search")} aria-label={t("invite.search")} onChange={(event) => setSearch(event.target.value)} />
      <div className="rh-picker-list" role="radiogroup" aria-label={t("invite.by.agent")}>
        {shown.length === 0 ? <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("invite.nobody")} /> : null}
        {shown.map((agent) => {
          const free = agent.state === "available" && (agent.activity === "idle" || agent.activity === "chatting");
          return (
            <button
              key={agent.id}
              type="button"
              role="radio"
              aria-checked={value === agent.id}
              data-agent={agent.id}
              className="rh-picker-agent"
              onClick={() => onChange(agent.id)}
            >
              <Avatar id={agent.id} name={agent.name} size={34} staff />
              <span className="rh-picker-who">
                <strong>{agent.name}</strong>
                <small>
                  {Object.entries(agent.skills)
                    .map(([skill, level]) => `${skill} ${level}`)
                    .join(" · ")}
                </small>
              </span>
              <span className={`rh-dot rh-dot-${free ? "available" : agent.state === "available" ? "talking" : agent.state}`} />
              <small>{agent.state === "available" ? t(`activity.${agent.activity}`) : t(`agentState.${agent.state}`)}</small>
            </button>
          );
        })}
      </div>
    </div>
  );
}

export function SkillPicker({ value, onChange }: { value: string | null; onChange: (skill: string) => void }) {
  const { t } = useAmbience();
  const { desk, me } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const skills = useMemo(() => {
    const free = new Map<string, number>();
    for (const agent of agents.values()) {
      if (agent.id === me.id) continue;
      const ready = agent.state === "available" && agent.activity === "idle" ? 1 : 0;
      for (const skill of Object.keys(agent.skills)) free.set(skill, (free.get(skill) ?? 0) + ready);
    }
    return [...free].sort(([one], [other]) => one.localeCompare(other));
  }, [agents, me.id]);
  return (
    <Select
      showSearch
      className="rh-wide"
      value={value}
      placeholder={t("invite.skill")}
      aria-label={t("invite.skill")}
      onChange={onChange}
      options={skills.map(([skill, free]) => ({ value: skill, label: `${skill} · ${t("invite.skill.free", { n: free })}` }))}
    />
  );
}

export function QueuePicker({ value, onChange }: { value: string | null; onChange: (queue: string) => void }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  const queues = useSelected(desk.state, (state) => state.queues);
  return (
    <Select
      className="rh-wide"
      value={value}
      placeholder={t("invite.by.queue")}
      aria-label={t("invite.by.queue")}
      onChange={onChange}
      options={queues.map((queue) => ({
        value: queue.id,
        label: `${queue.name === "" ? queue.id : queue.name} · ${t("invite.skill.free", { n: queue.agents_available })}`,
      }))}
    />
  );
}
