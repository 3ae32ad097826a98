import type { Schemas } from "../api/client";
import type { Locale } from "../i18n";

export type HelpKind = Schemas["Kind"];
export const KINDS = ["voice", "video", "chat"] as const satisfies readonly HelpKind[];

/** The three big choices of the first page. */
export type TopicChoice = Schemas["Choice"];
export const CHOICES = ["no_sound", "no_picture", "other"] as const satisfies readonly TopicChoice[];

/** Asked about when nothing fits. */
export const GENERAL = "general";

/** The list that comes with the server, in its order. Our catalogue has words of its own for these. */
const BUILT_IN_CHOICES = {
  no_sound: "no_sound",
  no_picture: "no_picture",
  stutter: "other",
  cannot_enter: "other",
  screen_share: "other",
  app: "other",
  homework: "other",
  replay: "other",
  schedule: "other",
  teacher: "other",
  course: "other",
  price: "other",
  refund: "other",
  renewal: "other",
  [GENERAL]: "other",
} as const satisfies Record<string, TopicChoice>;
export type BuiltInTopic = keyof typeof BUILT_IN_CHOICES;

/** What a person can tap. */
export type Topic =
  | { readonly id: BuiltInTopic; readonly choice: TopicChoice; readonly words: null }
  /** As the school's administrators have it. */
  | { readonly id: string; readonly choice: TopicChoice; readonly words: Readonly<Record<Locale, string>> };

export const BUILT_IN_TOPICS: readonly Topic[] = (Object.keys(BUILT_IN_CHOICES) as BuiltInTopic[]).map((id) => ({
  id,
  choice: BUILT_IN_CHOICES[id],
  words: null,
}));

/** What there is to choose from under one of the big choices. */
export function topicsOf(topics: readonly Topic[], choice: TopicChoice): readonly Topic[] {
  return topics.filter((topic) => topic.choice === choice && topic.id !== GENERAL);
}

/** What is asked about where no topic of a choice fits. */
export function lastResort(choice: TopicChoice): string {
  return choice === "other" ? GENERAL : choice;
}

/** Under which of the big choices a topic stands; a topic of neither list is something else. */
export function choiceOf(id: string, topics: readonly Topic[]): TopicChoice {
  return [...topics, ...BUILT_IN_TOPICS].find((topic) => topic.id === id)?.choice ?? "other";
}

/** Topics that stop a lesson that is going on. */
const STOPPING: ReadonlySet<string> = new Set<BuiltInTopic>(["no_sound", "no_picture", "cannot_enter"]);
const DEGRADING: ReadonlySet<string> = new Set<BuiltInTopic>(["stutter", "screen_share", "app"]);

/** How urgent a topic is; one that only the school knows is as urgent as its choice. */
export function severityOf(id: string, choice: TopicChoice, inClass: boolean): Schemas["Severity"] {
  if (STOPPING.has(id) || choice !== "other") return inClass ? "class_stopping" : "degraded";
  return DEGRADING.has(id) ? "degraded" : "general";
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

const ASKED_BY_CHOICE: Readonly<Record<TopicChoice, readonly Question[]>> = {
  no_sound: ["elsewhere", "who", "scope"],
  no_picture: ["who", "scope", "tried"],
  other: ["scope", "since"],
};

/** Where the choice alone would ask the wrong questions. */
const ASKED: Readonly<Partial<Record<string, readonly Question[]>>> = {
  stutter: ["scope", "who", "tried"],
  cannot_enter: ["who", "since", "tried"],
  screen_share: ["since", "tried"],
  app: ["since", "tried"],
  homework: [],
  replay: [],
  schedule: [],
  teacher: [],
  course: [],
  price: [],
  refund: [],
  renewal: [],
} satisfies Partial<Record<BuiltInTopic, readonly Question[]>>;

/** What to ask about a topic, most telling first. */
export function questionsOf(id: string, choice: TopicChoice): readonly Question[] {
  return ASKED[id] ?? ASKED_BY_CHOICE[choice];
}

export function isKind(value: unknown): value is HelpKind {
  return KINDS.some((kind) => kind === value);
}
