import type { Schemas } from "../api/client";
import type { StreamState } from "../api/events";
import type { HelpKind } from "./topics";

export type CallView = Schemas["CallAnswer"];
export type Place = Schemas["QueuePlace"];
export type Decision = Schemas["Decision"];

/** Which page the panel shows. */
export type Phase =
  /** Choosing what is wrong. */
  | "start"
  /** The request is on its way. */
  | "asking"
  | "waiting"
  /** An agent has accepted and is on the way into the room. */
  | "connecting"
  | "talking"
  /** A promised call-back has come: to be answered. */
  | "summoned"
  | "rating"
  /** Rated, or rating passed over. */
  | "done"
  /** We call back. */
  | "callback"
  /** Ended without help: abandoned or failed. */
  | "lost";

export type MicrophoneState =
  | "unknown"
  /** The browser will ask: said first, in words. */
  | "explain"
  | "asking"
  | "granted"
  | "denied"
  | "missing"
  | "busy"
  | "insecure";

export type MediaState =
  | "none"
  | "joining"
  | "joined"
  | "reconnecting"
  /** Another window or device has taken the call over. */
  | "elsewhere"
  /** The network lets no sound through. */
  | "blocked";

export interface FileView {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
}

export interface Message {
  readonly id: string;
  readonly author: string;
  readonly name: string;
  readonly role: string;
  readonly own: boolean;
  /** To be shown as text only. */
  readonly text: string;
  readonly files: readonly FileView[];
  readonly atMs: number;
  readonly state: "sent" | "sending" | "failed";
}

/** Something to tell in one line; goes away by itself or by a tap. */
export type Notice =
  /** `taken`: somebody else is responsible from now on. */
  | { readonly kind: "joined" | "left" | "away" | "taken"; readonly name: string }
  | { readonly kind: "restored" | "networkThanks" }
  | { readonly kind: "cameraDenied" | "cameraMissing" | "cameraBusy" | "screenFailed" | "screenMissing" }
  | { readonly kind: "fileTooLarge"; readonly size: number }
  | { readonly kind: "fileUnsupported" }
  | { readonly kind: "fileFailed"; readonly name: string };

/** Codes of the server that have words of their own; every other one is `unexpected`. */
export const PROBLEM_CODES = [
  "unreachable",
  "unauthenticated",
  "forbidden",
  "rate_limited",
  "draining",
  "unavailable",
  "not_found",
  "call_closed",
  "noToken",
  "unexpected",
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface RatingDraft {
  readonly resolved: boolean | null;
  readonly stars: number;
  readonly comment: string;
}

export interface HelpState {
  readonly phase: Phase;
  readonly kind: HelpKind;
  /** Id of what was asked about. */
  readonly topic: string | null;
  readonly note: string;
  readonly answers: Readonly<Record<string, string>>;
  readonly call: CallView | null;
  readonly place: Place | null;
  /** Why the call waits once more after it had been answered; null: it waits for the first time, or not at all. */
  readonly again: "cutOff" | "transfer" | null;
  /** A transfer under way, and who is asked; an empty name: whoever is free. */
  readonly transfer: { readonly name: string } | null;
  /** Since when the call is on hold; null: it is not, or this page has not seen it begin. */
  readonly heldSince: string | null;
  readonly messages: readonly Message[];
  readonly unread: number;
  readonly uploading: string | null;
  readonly microphone: MicrophoneState;
  /** The person chose to type for now: the question for the microphone rests. */
  readonly microphoneSkipped: boolean;
  readonly microphoneInterrupted: boolean;
  readonly musicMuted: boolean;
  readonly media: MediaState;
  /** So many tries to join again have failed that the talk does not count as going on. */
  readonly outOfReach: boolean;
  readonly stream: StreamState;
  readonly online: boolean;
  readonly notice: Notice | null;
  /** What went wrong with the last request; its card has a way on. */
  readonly problem: ProblemCode | null;
  /** Own decision about recording; null: not asked yet. */
  readonly consent: Decision | null;
  /** The question was put off, or the link to the guardian was made. */
  readonly consentRests: boolean;
  readonly guardianLink: string | null;
  readonly rating: RatingDraft;
  /** When the next contact is promised, as the server says. */
  readonly promisedAt: string | null;
  /** Until when a call-back rings. */
  readonly summonedUntil: string | null;
  readonly classRestored: boolean;
  /** Of somebody invited by link: whether in the call yet, or no more. null: the student. */
  readonly guest: "invited" | "joined" | "left" | null;
}

export const START: HelpState = {
  phase: "start",
  kind: "voice",
  topic: null,
  note: "",
  answers: {},
  call: null,
  place: null,
  again: null,
  transfer: null,
  heldSince: null,
  messages: [],
  unread: 0,
  uploading: null,
  microphone: "unknown",
  microphoneSkipped: false,
  microphoneInterrupted: false,
  musicMuted: false,
  media: "none",
  outOfReach: false,
  stream: "closed",
  online: true,
  notice: null,
  problem: null,
  consent: null,
  consentRests: false,
  guardianLink: null,
  rating: { resolved: null, stars: 0, comment: "" },
  promisedAt: null,
  summonedUntil: null,
  classRestored: false,
  guest: null,
};

/** Whether a call is going on, in whatever way. */
export function isOpen(state: HelpState): boolean {
  return state.phase === "waiting" || state.phase === "connecting" || state.phase === "talking" || state.phase === "summoned";
}

/** The agent who is responsible now, or another one in the call. */
export function agentOf(call: CallView | null): { id: string; name: string } | null {
  const agents = (call?.participants ?? []).filter((each) => each.kind === "agent" || each.kind === "supervisor");
  const found = agents.find((each) => each.role === "primary") ?? agents[0];
  return found === undefined ? null : { id: found.identity, name: found.name };
}
