import type { Schemas } from "../api/client";
import type { HelpCore } from "./core";
import type { Devices } from "./devices";
import type { CallFeed } from "./feed";
import { newId } from "./ids";
import { isOpen } from "./model";
import type { HelpRoom } from "./room";
import type { Terms } from "./terms";
import type { TopicList } from "./topicList";
import { choiceOf, type HelpKind, severityOf } from "./topics";

/** Taps that come one after the other are sent together, this much later, in milliseconds. */
const DESCRIBE_MS = 400;

interface Parts {
  readonly feed: CallFeed;
  readonly room: HelpRoom;
  readonly devices: Devices;
  readonly terms: Terms;
  readonly list: TopicList;
}

/** Asking for help: what is wrong, the press, and what can be done while waiting. */
export class Asking {
  #key: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly core: HelpCore,
    private readonly parts: Parts,
  ) {}

  chooseKind(kind: HelpKind): void {
    this.core.dispatch({ type: "kind", kind });
  }

  writeNote(note: string): void {
    this.core.dispatch({ type: "note", note });
    if (isOpen(this.core.state.get())) this.describeSoon();
  }

  /** A structured question answered by tapping; the agent reads it before accepting. */
  answer(question: string, answer: string): void {
    this.core.dispatch({ type: "answer", question, answer });
    this.core.kept.change({ answers: this.core.state.get().answers });
    this.describeSoon();
  }

  /** The press, with a topic's id. The same press tried again gives the same call. */
  async ask(topic: string): Promise<void> {
    const { core } = this;
    const { feed, room, devices, terms } = this.parts;
    if (core.state.get().phase === "asking") return;
    this.#key ??= newId();
    const key = this.#key;
    core.dispatch({ type: "asking", topic });
    await core.attempts.openly(async () => {
      const body = this.#body(topic);
      const headers = { "Idempotency-Key": key };
      const opened = await core.requests.send((api) => api.POST("/v1/calls", { headers, body }));
      this.#key = null;
      room.offer(opened.media);
      devices.wantMicrophone();
      devices.wantCamera(body.kind === "video");
      feed.open();
      core.dispatch({ type: "asked", call: opened.call, place: opened.queue, self: core.self });
      core.options.onAlert("ticket");
      if (opened.call.closed_reason === "callback") await feed.readPromise();
      terms.read();
    });
  }

  /** Tells the server what was answered and written, where a call is open. */
  describeSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { answers, note } = this.core.state.get();
      const params = this.core.path;
      if (params === null || !isOpen(this.core.state.get())) return;
      const body = { answers, note };
      void this.core.attempts.quietly(() => this.core.requests.send((api) => api.PATCH("/v1/calls/{call}", { params, body })));
    }, DESCRIBE_MS);
  }

  muteMusic(muted: boolean): void {
    this.core.dispatch({ type: "music", muted });
    this.core.kept.change({ musicMuted: muted });
  }

  async cancel(): Promise<void> {
    await this.core.command((params) => this.core.requests.send((api) => api.POST("/v1/calls/{call}/cancel", { params })));
    this.core.options.onAlert("cancelled");
  }

  /** Not now: to be called back, at a time or as soon as somebody is free. */
  async callBack(when: Date | null): Promise<void> {
    const body = { when: when?.toISOString() ?? null, note: "" };
    await this.core.command((params) =>
      this.core.requests.send((api) => api.POST("/v1/calls/{call}/callback", { params, body })),
    );
    await this.core.attempts.quietly(() => this.parts.feed.readPromise());
  }

  /** Back to the first page, ready for the next request. */
  again(): void {
    this.core.kept.change({ call: null, answers: {}, consentRests: false, microphoneSkipped: false });
    this.core.dispatch({ type: "again" });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #body(topic: string): Schemas["AskForHelp"] {
    const { options } = this.core;
    const { kind, note, answers } = this.core.state.get();
    const context = options.context();
    const inClass = context.class_id !== undefined && context.class_id !== null;
    return {
      kind,
      topic,
      severity: severityOf(topic, choiceOf(topic, this.parts.list.topics.get()), inClass),
      note,
      channel: options.channel,
      queue: options.queue,
      wanted_agent: options.wantedAgent,
      context: { ...context, answers: { ...context.answers, ...answers } },
    } as Schemas["AskForHelp"];
  }
}
