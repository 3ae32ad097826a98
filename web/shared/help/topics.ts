import type { Schemas } from "../api/client";

export type HelpKind = Schemas["Kind"];
export const KINDS = ["voice", "video", "chat"] as const satisfies readonly HelpKind[];

/** What a person can tap; `general` when nothing fits. The server's queues know the same words. */
export const TOPICS = ["no_sound", "no_picture", "stutter", "cannot_enter", "app", "homework", "course", "general"] as const;
export type Topic = (typeof TOPICS)[number];

/** Behind "something else". */
export const OTHER_TOPICS = ["stutter", "cannot_enter", "app", "homework", "course"] as const satisfies readonly Topic[];

/** Topics that stop a lesson that is going on. */
const STOPPING: ReadonlySet<Topic> = new Set<Topic>(["no_sound", "no_picture", "cannot_enter"]);
const DEGRADING: ReadonlySet<Topic> = new Set<Topic>(["stutter", "app"]);

export function severityOf(topic: Topic, inClass: boolean): Schemas["Severity"] {
  if (STOPPING.has(topic)) return inClass ? "class_stopping" : "degraded";
  return DEGRADING.has(topic) ? "degraded" : "general";
}

/** Questions answered by tapping, and the answers there are; `unsure` is added to each. */
export const QUESTIONS = {
  scope: ["all", "this"],
  who: ["me", "everyone"],
  since: ["now", "start", "before"],
  elsewhere: ["yes", "no"],
  tried: ["restart", "network", "nothing"],
} as const;
export type Question = keyof typeof QUESTIONS;

const ASKED: Readonly<Record<Topic, readonly Question[]>> = {
  no_sound: ["elsewhere", "who", "scope"],
  no_picture: ["who", "scope", "tried"],
  stutter: ["scope", "who", "tried"],
  cannot_enter: ["who", "since", "tried"],
  app: ["since", "tried"],
  homework: [],
  course: [],
  general: ["scope", "since"],
};

/** What to ask about a topic, most telling first. */
export function questionsOf(topic: Topic): readonly Question[] {
  return ASKED[topic];
}

export function isTopic(value: unknown): value is Topic {
  return TOPICS.some((topic) => topic === value);
}

export function isKind(value: unknown): value is HelpKind {
  return KINDS.some((kind) => kind === value);
}
