import type { Schemas } from "../api/client";
import type { Classroom } from "./classroom";
import type { Credentials } from "./credentials";
import type { Memory } from "./memory";
import type { HelpKind } from "./topics";

export type CallContext = Partial<Schemas["ContextBody"]>;

/** What is worth telling a person who looks elsewhere, or the host page. */
export type HelpAlert = "ticket" | "accepted" | "connected" | "message" | "summoned" | "ended" | "rated" | "cancelled";

export interface HelpOptions {
  /** Origin (and path prefix) of the server. */
  readonly base: string;
  readonly credentials: Credentials;
  readonly memory: Memory | null;
  readonly classroom: Classroom;
  /** What the page knows, read at the press. */
  readonly context: () => CallContext;
  readonly queue: string | null;
  readonly wantedAgent: string | null;
  /** Where the request comes from, in one word. */
  readonly channel: string;
  /** Of a guest by link: the call of the invitation. */
  readonly guestOf: string | null;
  readonly kind: HelpKind;
  /** Whether to begin with the music off: a class is going on. */
  readonly musicMuted: boolean;
  readonly devices: Partial<Record<MediaDeviceKind, string>>;
  readonly onAlert: (alert: HelpAlert) => void;
}
