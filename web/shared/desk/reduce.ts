import type { DeskEvent } from "../api/events";
import type { Agent, Call, DeskState, Engagement, Message, MyCall, Offer, Ringing } from "./model";

/** What has to be read anew after an event. */
export interface Wanted {
  /** Calls of mine that changed. */
  readonly calls: readonly string[];
  /** An offer of mine whose call is not known yet. */
  readonly offer: Offer | null;
  /** Something rings that no event told of. */
  readonly offers: boolean;
  readonly queues: boolean;
}

export const NOTHING: Wanted = { calls: [], offer: null, offers: false, queues: false };

/** Takes an event over. Pure: what cannot follow from the event alone is named in `Wanted`. */
export function reduce(state: DeskState, event: DeskEvent, me: string, nowMs: number): [DeskState, Wanted] {
  switch (event.type) {
    case "agent.state":
      return agentChanged(state, event, me);
    case "offer.created":
      return offerCreated(state, event, me, nowMs);
    case "offer.accepted":
    case "offer.declined":
    case "offer.expired":
    case "offer.withdrawn":
      return offerEnded(state, event);
    case "message.created":
      return messageCreated(state, event);
    case "queue.changed":
    case "agent.configured":
      return [state, { ...NOTHING, queues: true }];
    default:
      return [state, ofMyCall(state, event)];
  }
}

function ofMyCall(state: DeskState, event: DeskEvent): Wanted {
  if (event.call === null) return NOTHING;
  const mine = state.calls.some((each) => each.id === event.call) || state.ringing.some((each) => each.offer.call === event.call);
  return mine ? { ...NOTHING, calls: [event.call] } : NOTHING;
}

interface Envelope extends DeskEvent {
  readonly of?: { readonly id: string; readonly sequence: number };
}

function agentChanged(state: DeskState, event: Envelope, me: string): [DeskState, Wanted] {
  const id = event.of?.id;
  const known = id === undefined ? undefined : state.agents.get(id);
  if (id === undefined || known === undefined) return [state, NOTHING];
  const version = event.of?.sequence ?? null;
  if (known.version !== null && version !== null && version <= known.version) return [state, NOTHING];
  const data = event.data as Partial<Pick<Agent, "state" | "reason" | "activity" | "engagements" | "idle_since">>;
  const agent: Agent = { ...known, ...pick(data), version: known.version === null ? null : version };
  return withAgent(state, agent, me);
}

function pick(data: Partial<Agent>): Partial<Agent> {
  const found: Partial<Agent> = {};
  if (data.state !== undefined) found.state = data.state;
  if (data.reason !== undefined) found.reason = data.reason;
  if (data.activity !== undefined) found.activity = data.activity;
  if (data.engagements !== undefined) found.engagements = data.engagements;
  return found;
}

/** Sets an agent's row; our own also decides which calls and offers are ours. */
export function withAgent(state: DeskState, agent: Agent, me: string): [DeskState, Wanted] {
  const agents = new Map(state.agents).set(agent.id, agent);
  if (agent.id !== me) return [{ ...state, agents }, NOTHING];
  // An answer may come after the event that overtook it.
  const known = state.me?.version ?? null;
  if (known !== null && agent.version !== null && agent.version < known) return [state, NOTHING];
  const engagements = agent.engagements ?? [];
  const calls = engaged(state.calls, engagements);
  const offered = new Set(engagements.filter((each) => each.state === "offered").map((each) => each.call));
  const ringing = state.ringing.filter((each) => offered.has(each.offer.call));
  const silent = [...offered].some((call) => !ringing.some((each) => each.offer.call === call));
  const unread = calls.filter((each) => each.call === null).map((each) => each.id);
  return [{ ...state, agents, me: agent, calls, ringing }, { ...NOTHING, calls: unread, offers: silent }];
}

/** The calls of these engagements; what is known of them stays. */
function engaged(before: readonly MyCall[], engagements: readonly Engagement[]): readonly MyCall[] {
  const taken = engagements.filter((each) => each.state !== "offered");
  // What was just answered is ours, though an event from before the answer may come after it.
  const unsure = before.filter((each) => !each.sure && !taken.some((one) => one.call === each.id));
  const calls = taken.map((engagement) => {
    const known = before.find((each) => each.id === engagement.call);
    return known === undefined ? newCall(engagement, true) : { ...known, engagement, sure: true };
  });
  return [...calls, ...unsure];
}

function newCall(engagement: Engagement, sure: boolean): MyCall {
  return { id: engagement.call, engagement, sure, call: null, messages: [], read: false, seen: null };
}

/** Answered: the call is ours before our row says so. */
export function withAnswered(state: DeskState, engagement: Engagement): DeskState {
  if (state.calls.some((each) => each.id === engagement.call)) return state;
  return { ...state, calls: [...state.calls, newCall(engagement, false)] };
}

/** Not ours after all. */
export function withoutUnsure(state: DeskState, call: string): DeskState {
  const calls = state.calls.filter((each) => each.sure || each.id !== call);
  return calls.length === state.calls.length ? state : { ...state, calls };
}

function offerCreated(state: DeskState, event: DeskEvent, me: string, nowMs: number): [DeskState, Wanted] {
  const offer = event.data.offer as Offer | undefined;
  if (offer === undefined || event.call === null) return [state, NOTHING];
  if (offer.agent !== me) return [state, ofMyCall(state, event)];
  const mine = { ...offer, call: event.call };
  // An event comes at once, so the countdown starts now, whatever this machine's clock says.
  return [withOffer(state, mine, nowMs), { ...NOTHING, offer: mine }];
}

/** Lets an offer ring; `startedMs`: when it was made, by this machine's clock. */
export function withOffer(state: DeskState, offer: Offer, startedMs: number): DeskState {
  if (state.ringing.some((each) => each.offer.id === offer.id)) return state;
  const durationMs = Date.parse(offer.deadline) - Date.parse(offer.created_at);
  const ringing: Ringing = { offer, call: null, contacts: null, deadlineMs: startedMs + durationMs, durationMs };
  return { ...state, ringing: [...state.ringing, ringing], missed: null };
}

function offerEnded(state: DeskState, event: DeskEvent): [DeskState, Wanted] {
  const id = typeof event.data.offer === "string" ? event.data.offer : "";
  const why = event.type === "offer.expired" ? "expired" : event.type === "offer.withdrawn" ? "withdrawn" : null;
  return [withoutOffer(state, id, why), ofMyCall(state, event)];
}

/** Ends an offer; `why` null: by this agent's own doing. */
export function withoutOffer(state: DeskState, id: string, why: "expired" | "withdrawn" | null): DeskState {
  const ended = state.ringing.find((each) => each.offer.id === id);
  if (ended === undefined) return state;
  const name = ended.call?.student?.name ?? "";
  return {
    ...state,
    ringing: state.ringing.filter((each) => each !== ended),
    missed: why === null ? state.missed : { offer: id, why, name },
  };
}

function messageCreated(state: DeskState, event: DeskEvent): [DeskState, Wanted] {
  const { data } = event;
  if (event.call === null || typeof data.message !== "string") return [state, NOTHING];
  const message: Message = {
    id: data.message,
    author: String(data.author),
    role: String(data.author_role),
    channel: "",
    at: event.at,
    text: typeof data.text === "string" ? data.text : "",
    files: Array.isArray(data.files) ? (data.files as Message["files"]) : [],
    staff_only: data.staff_only === true,
    call: event.call,
  };
  return [withMessages(state, event.call, [message]), NOTHING];
}

/** Adds messages to a call's chat, each once, in order of time. `whole`: all from before are among them. */
export function withMessages(state: DeskState, call: string, added: readonly Message[], whole = false): DeskState {
  return changeCall(state, call, (mine) => {
    const known = mine.messages;
    const ids = new Set(known.map((each) => each.id));
    const fresh = added.filter((each) => !ids.has(each.id));
    if (fresh.length === 0 && (mine.read || !whole)) return mine;
    const messages = [...known, ...fresh].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
    return { ...mine, messages, read: mine.read || whole };
  });
}

/** Takes a call's newer form over; older ones, overtaken on the way, are dropped. */
export function withCall(state: DeskState, call: Call): DeskState {
  const changed = changeCall(state, call.id, (mine) => {
    if (mine.call !== null && mine.call.version > call.version) return mine;
    return { ...mine, call };
  });
  if (!changed.ringing.some((each) => each.offer.call === call.id)) return changed;
  return {
    ...changed,
    ringing: changed.ringing.map((each) => (each.offer.call === call.id ? { ...each, call } : each)),
  };
}

export function changeCall(state: DeskState, id: string, change: (mine: MyCall) => MyCall): DeskState {
  const calls = state.calls.map((each) => (each.id === id ? change(each) : each));
  return calls.some((each, index) => each !== state.calls[index]) ? { ...state, calls } : state;
}

/** How many messages of others are below the last one that was seen. */
export function unread(mine: MyCall, me: string): number {
  const { messages } = mine;
  const seen = mine.seen === null ? -1 : messages.findIndex((each) => each.id === mine.seen);
  return messages.slice(seen + 1).filter((each) => each.author !== me).length;
}
