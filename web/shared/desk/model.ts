import type { Schemas } from "../api/client";
import type { StreamState } from "../api/events";

export type Agent = Schemas["AgentAnswer"];
export type Engagement = Schemas["EngagementAnswer"];
export type Call = Schemas["CallAnswer"];
export type Offer = Schemas["OfferAnswer"];
export type Queue = Schemas["QueueAnswer"];
export type Waiting = Schemas["WaitingAnswer"];
export type Message = Schemas["MessageAnswer"];
export type Participant = Schemas["ParticipantAnswer"];
export type Student = Schemas["StudentAnswer"];
export type AgentState = Schemas["AgentState"];

/** An offer that rings at this console. */
export interface Ringing {
  readonly offer: Offer;
  /** null until it was read. */
  readonly call: Call | null;
  /** The contacts of the last seven days, this one included; null until counted. */
  readonly contacts: number | null;
  /** When it expires, by this machine's clock, milliseconds. */
  readonly deadlineMs: number;
  /** How long the whole countdown is, milliseconds. */
  readonly durationMs: number;
}

/** An offer that ended without this agent. */
export interface Missed {
  readonly offer: string;
  readonly why: "expired" | "withdrawn";
  readonly name: string;
}

/** A call that this person is in, or has to wrap up. */
export interface MyCall {
  readonly id: string;
  readonly engagement: Engagement;
  /** Whether our own row says so, too; until then it is ours because we answered it. */
  readonly sure: boolean;
  /** null until it was read. */
  readonly call: Call | null;
  /** Oldest first; before `read` only those that came meanwhile. */
  readonly messages: readonly Message[];
  /** Whether the messages from before were read. */
  readonly read: boolean;
  /** Id of the last message that was on the screen. */
  readonly seen: string | null;
}

export interface DeskState {
  readonly stream: StreamState;
  /** Whether the state was read at least once. */
  readonly loaded: boolean;
  /** Ourselves; null for roles without a place at the desk. */
  readonly me: Agent | null;
  /** Everybody who works here, ourselves included. */
  readonly agents: ReadonlyMap<string, Agent>;
  readonly queues: readonly Queue[];
  readonly ringing: readonly Ringing[];
  readonly missed: Missed | null;
  readonly calls: readonly MyCall[];
}

export const EMPTY_DESK: DeskState = {
  stream: "connecting",
  loaded: false,
  me: null,
  agents: new Map(),
  queues: [],
  ringing: [],
  missed: null,
  calls: [],
};
