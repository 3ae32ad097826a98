import type { DeskEvent, StreamState } from "../api/events";
import type {
  CallView,
  Decision,
  FileView,
  HelpState,
  MediaState,
  Message,
  MicrophoneState,
  Notice,
  Phase,
  Place,
  ProblemCode,
  RatingDraft,
} from "./model";
import { isOpen, START } from "./model";
import type { HelpKind } from "./topics";

/** Longest note and message, characters; the server accepts no more. */
export const NOTE_CHARACTERS = 2000;
export const MESSAGE_CHARACTERS = 4000;
/** Messages kept on the page. */
const MESSAGES = 500;

export type Action =
  | { readonly type: "kind"; readonly kind: HelpKind }
  | { readonly type: "note"; readonly note: string }
  | { readonly type: "answer"; readonly question: string; readonly answer: string }
  | { readonly type: "asking"; readonly topic: string }
  | { readonly type: "asked"; readonly call: CallView; readonly place: Place; readonly self: string }
  | { readonly type: "read"; readonly call: CallView; readonly self: string }
  | { readonly type: "placed"; readonly place: Place }
  | { readonly type: "problem"; readonly code: ProblemCode }
  | { readonly type: "calm" }
  | { readonly type: "event"; readonly event: DeskEvent; readonly self: string }
  | { readonly type: "messages"; readonly messages: readonly Message[] }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "messageFailed"; readonly id: string }
  | { readonly type: "messageSent"; readonly id: string; readonly message: Message }
  | { readonly type: "seen" }
  | { readonly type: "uploading"; readonly name: string | null }
  | { readonly type: "microphone"; readonly state: MicrophoneState }
  | { readonly type: "microphoneSkipped"; readonly skipped: boolean }
  | { readonly type: "interrupted"; readonly on: boolean }
  | { readonly type: "music"; readonly muted: boolean }
  | { readonly type: "media"; readonly media: MediaState }
  | { readonly type: "outOfReach"; readonly on: boolean }
  | { readonly type: "stream"; readonly state: StreamState }
  | { readonly type: "online"; readonly online: boolean }
  | { readonly type: "notice"; readonly notice: Notice | null }
  | { readonly type: "consent"; readonly decision: Decision | null }
  | { readonly type: "consentRests"; readonly link: string | null }
  | { readonly type: "linkDone" }
  | { readonly type: "rating"; readonly draft: Partial<RatingDraft> }
  | { readonly type: "rated" }
  | { readonly type: "promised"; readonly at: string | null }
  | { readonly type: "answered" }
  | { readonly type: "classRestored" }
  | { readonly type: "guest"; readonly state: NonNullable<HelpState["guest"]> }
  | { readonly type: "again" };

/** What the panel shows after something happened. Knows no time, no network and no page. */
export function reduce(state: HelpState, action: Action): HelpState {
  switch (action.type) {
    case "kind":
      return { ...state, kind: action.kind };
    case "note":
      return { ...state, note: action.note.slice(0, NOTE_CHARACTERS) };
    case "answer": {
      const { [action.question]: before, ...others } = state.answers;
      // A second tap takes the answer back.
      return { ...state, answers: before === action.answer ? others : { ...others, [action.question]: action.answer } };
    }
    case "asking":
      return { ...state, phase: "asking", topic: action.topic, problem: null };
    case "asked":
      return withCall({ ...state, place: action.place, problem: null }, action.call, action.self);
    case "read":
      return withCall(state, action.call, action.self);
    case "placed":
      return { ...state, place: action.place };
    case "problem":
      return { ...state, problem: action.code, phase: state.phase === "asking" ? "start" : state.phase };
    case "calm":
      return state.problem === null ? state : { ...state, problem: null };
    case "event":
      return afterEvent(state, action.event, action.self);
    case "messages": {
      const waiting = state.messages.filter((each) => each.state !== "sent");
      return { ...state, messages: [...action.messages, ...waiting].slice(-MESSAGES) };
    }
    case "message":
      return { ...state, messages: withMessage(state.messages, action.message) };
    case "messageFailed":
      return { ...state, messages: state.messages.map((each) => (each.id === action.id ? { ...each, state: "failed" } : each)) };
    case "messageSent":
      return {
        ...state,
        messages: withMessage(
          state.messages.filter((each) => each.id !== action.id),
          action.message,
        ),
      };
    case "seen":
      return state.unread === 0 ? state : { ...state, unread: 0 };
    case "uploading":
      return { ...state, uploading: action.name };
    case "microphone":
      return state.microphone === action.state ? state : { ...state, microphone: action.state };
    case "microphoneSkipped":
      return state.microphoneSkipped === action.skipped ? state : { ...state, microphoneSkipped: action.skipped };
    case "interrupted":
      return state.microphoneInterrupted === action.on ? state : { ...state, microphoneInterrupted: action.on };
    case "music":
      return { ...state, musicMuted: action.muted };
    case "media":
      return state.media === action.media ? state : { ...state, media: action.media };
    case "outOfReach":
      return state.outOfReach === action.on ? state : { ...state, outOfReach: action.on };
    case "stream":
      return { ...state, stream: action.state };
    case "online":
      return { ...state, online: action.online };
    case "notice":
      return state.notice === action.notice ? state : { ...state, notice: action.notice };
    case "consent":
      return { ...state, consent: action.decision, consentRests: false };
    case "consentRests":
      return { ...state, consentRests: true, guardianLink: action.link ?? state.guardianLink };
    case "linkDone":
      return { ...state, guardianLink: null };
    case "rating":
      return { ...state, rating: { ...state.rating, ...action.draft } };
    case "rated":
      return { ...state, phase: "done", problem: null };
    case "promised":
      return { ...state, promisedAt: action.at };
    case "answered":
      return state.phase === "summoned" ? { ...state, phase: "talking", summonedUntil: null } : state;
    case "classRestored":
      return { ...state, classRestored: true };
    case "guest":
      return { ...state, guest: action.state, media: action.state === "joined" ? "none" : state.media };
    case "again":
      return {
        ...START,
        kind: state.kind,
        microphone: state.microphone === "granted" ? "granted" : "unknown",
        musicMuted: state.musicMuted,
        online: state.online,
        stream: state.stream,
      };
  }
}

/** The page that a call belongs on. */
export function phaseOf(call: CallView, before: Phase): Phase {
  switch (call.state) {
    case "queued":
    case "offered":
      return "waiting";
    case "connecting":
      return "connecting";
    case "active":
    case "held":
      return "talking";
    case "wrapping":
    case "closed":
      return endedPhase(call, before);
  }
}

function endedPhase(call: CallView, before: Phase): Phase {
  switch (call.closed_reason) {
    case "cancelled":
      return "start";
    case "callback":
      return "callback";
    case "abandoned":
      return before === "done" ? "done" : "lost";
    case "failed":
      if (call.connected_at === null) return "lost";
      break;
    default:
  }
  return call.rating !== null || before === "done" ? "done" : "rating";
}

function withCall(state: HelpState, call: CallView, self: string): HelpState {
  if (state.call?.id === call.id && isOlder(call, state.call)) return state;
  const other = state.call?.id !== call.id;
  const consent = call.consents.find((each) => each.participant === self)?.decision ?? null;
  let phase = phaseOf(call, other ? "start" : state.phase);
  // A call-back rings until it is answered; the media is not joined before.
  const rings = call.callback && (phase === "talking" || phase === "connecting") && state.media === "none";
  if (rings && (other || state.phase !== "talking")) phase = "summoned";
  if (call.callback && phase === "waiting") phase = "callback";
  return {
    ...(other ? { ...state, messages: [], unread: 0, rating: START.rating, guardianLink: null, consentRests: false } : state),
    call,
    phase,
    kind: call.kind,
    topic: call.topic,
    consent,
    again: phase === "waiting" && call.accepted_at !== null ? (state.again ?? "cutOff") : null,
    heldSince: call.state === "held" ? state.heldSince : null,
    problem: isOpenPhase(phase) && state.problem !== "unauthenticated" ? null : state.problem,
    ...(phase === "waiting" ? {} : { place: null }),
    ...(isOpenPhase(phase) ? { classRestored: false } : { notice: null, transfer: null, microphoneInterrupted: false }),
  };
}

/** Whether an answer was given before what is known, and arrives late: events overtake answers. */
function isOlder(call: CallView, known: CallView): boolean {
  return call.version < known.version || lastStep(call) < lastStep(known);
}

/** When the call took the last step that leaves a time, in milliseconds since the epoch. */
function lastStep(call: CallView): number {
  const steps = [call.created_at, call.accepted_at, call.connected_at, call.ended_at];
  return Math.max(...steps.map((at) => (at === null ? 0 : Date.parse(at))));
}

function isOpenPhase(phase: Phase): boolean {
  return isOpen({ ...START, phase });
}

function afterEvent(state: HelpState, event: DeskEvent, self: string): HelpState {
  const { call } = state;
  const { data } = event;
  if (event.type === "ticket.scheduled" && typeof data.at === "string") return { ...state, promisedAt: data.at };
  if (event.call === null || event.call !== call?.id) return state;
  // Answers overtake events, too: a step that lies behind is not taken again.
  const isBehind = Date.parse(event.at) < lastStep(call);
  const become = (change: Partial<CallView>): HelpState =>
    isBehind ? state : withCall(state, { ...call, ...change }, self);
  switch (event.type) {
    case "call.position": {
      const place = data as Partial<Place>;
      const known = state.place ?? { position: null, estimated_wait_s: null, advice: [], open: true, opens_at: null };
      return { ...state, place: { ...known, position: place.position ?? null, estimated_wait_s: place.estimated_wait_s ?? null } };
    }
    case "call.queued":
      return becomeWaiting(become({ state: "queued" }), data.reason);
    case "call.accepted":
      return become({ state: "connecting", accepted_at: call.accepted_at ?? event.at, participants: withAgent(call, data) });
    case "call.connected":
      return become({ state: "active", connected_at: call.connected_at ?? event.at, participants: withAgent(call, data) });
    case "call.held":
      return heldFrom(become({ state: "held" }), event.at);
    case "call.resumed":
      return become({ state: "active" });
    case "call.upgraded":
      return become({ kind: data.kind as HelpKind });
    case "call.summoned":
      return { ...become({ callback: true }), summonedUntil: typeof data.until === "string" ? data.until : null };
    case "call.ended":
      return become({ state: "wrapping", closed_reason: data.reason as CallView["closed_reason"], ended_at: event.at });
    case "participant.joined":
    case "participant.left":
    case "participant.away":
      return afterParticipant(state, call, event, self);
    case "transfer.started":
      return { ...state, transfer: { name: (data.to as { name?: string } | undefined)?.name ?? "" } };
    case "transfer.cancelled":
    case "transfer.failed":
      return { ...state, transfer: null };
    case "transfer.completed":
      return taken(become({ participants: withAgent(call, data) }), data);
    case "message.created": {
      const message = messageOf(event, self);
      const known = state.messages.some((each) => each.id === message.id);
      // The own message is shown already, until its answer brings the id.
      if (known || (message.own && state.messages.some((each) => each.state === "sending" && each.text === message.text))) return state;
      return {
        ...state,
        messages: withMessage(state.messages, message),
        unread: message.own ? state.unread : state.unread + 1,
      };
    }
    case "consent.changed":
      return data.participant === self ? { ...state, consent: data.decision as Decision } : state;
    case "rating.created":
      return { ...state, phase: "done" };
    default:
      return state;
  }
}

/** A handed-over call waits for other reasons than one whose agent is gone. */
function becomeWaiting(state: HelpState, reason: unknown): HelpState {
  return state.again !== null && reason === "transfer" ? { ...state, again: "transfer" } : state;
}

function heldFrom(state: HelpState, at: string): HelpState {
  return state.call?.state === "held" ? { ...state, heldSince: at } : state;
}

function taken(state: HelpState, data: Readonly<Record<string, unknown>>): HelpState {
  const { name = "" } = data.agent as { name?: string };
  return { ...state, transfer: null, notice: { kind: "taken", name } };
}

function withAgent(call: CallView, data: Readonly<Record<string, unknown>>): CallView["participants"] {
  const agent = data.agent as { id?: string | null; name?: string } | undefined;
  if (typeof agent?.id !== "string") return call.participants;
  const others = call.participants.filter((each) => each.identity !== agent.id);
  const demoted = others.map((each) => (each.role === "primary" ? { ...each, role: "third" as const } : each));
  return [
    ...demoted,
    { identity: agent.id, name: agent.name ?? "", kind: "agent", role: "primary", mode: "talk", state: "connecting" },
  ];
}

function afterParticipant(state: HelpState, call: CallView, event: DeskEvent, self: string): HelpState {
  const { identity, name, kind } = event.data as { identity: string; name: string; kind: CallView["participants"][number]["kind"] };
  if (identity === self) return state;
  const others = call.participants.filter((each) => each.identity !== identity);
  const known = call.participants.find((each) => each.identity === identity);
  if (event.type === "participant.left") {
    const left = { ...state, call: { ...call, participants: others } };
    // Who has just handed over is expected to go.
    const silent = known === undefined || state.phase !== "talking" || state.notice?.kind === "taken";
    return silent ? left : { ...left, notice: { kind: "left", name } };
  }
  const here = event.type === "participant.joined";
  const entry = known ?? { identity, name, kind, role: null, mode: "talk" as const, state: "" };
  const changed = { ...state, call: { ...call, participants: [...others, { ...entry, state: here ? "live" : "away" }] } };
  // The first agent's arrival is the call itself; only those who come later are announced.
  const news = !here || (known?.state !== "live" && known?.role !== "primary");
  const announced = state.phase === "talking" && news;
  return announced ? { ...changed, notice: { kind: here ? "joined" : "away", name } } : changed;
}

function messageOf(event: DeskEvent, self: string): Message {
  const data = event.data as {
    id: string;
    author: string;
    name?: string;
    role: string;
    text?: string;
    files?: { id: string; name: string; media_type: string }[];
  };
  return {
    id: data.id,
    author: data.author,
    name: data.name ?? "",
    role: data.role,
    own: data.author === self,
    text: data.text ?? "",
    files: (data.files ?? []).map((file) => fileView(file)),
    atMs: Date.parse(event.at),
    state: "sent",
  };
}

export function fileView(file: { id: string; name: string; media_type: string }): FileView {
  return { id: file.id, name: file.name, mediaType: file.media_type };
}

function withMessage(log: readonly Message[], message: Message): readonly Message[] {
  const at = log.findIndex((known) => known.id === message.id);
  if (at >= 0) return log.map((known, index) => (index === at ? message : known));
  return [...log, message].slice(-MESSAGES);
}
