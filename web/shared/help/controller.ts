import { type ApiClient, apiClient, ApiError, type Schemas, unwrap } from "../api/client";
import { EventStream } from "../api/events";
import type { CallSnapshot } from "../call/model";
import type { ProblemKind } from "../call/problem";
import { Store } from "../store";
import { readPlatformClaims } from "./claims";
import type { Classroom } from "./classroom";
import type { Credentials } from "./credentials";
import { newId } from "./ids";
import type { HelpMedia } from "./media";
import { type Memory, recall, remember, type Remembered } from "./memory";
import {
  agentOf,
  type HelpState,
  isOpen,
  type Message,
  type Notice,
  PROBLEM_CODES,
  type ProblemCode,
  START,
} from "./model";
import { microphonePermission } from "./permission";
import { type Action, fileView, MESSAGE_CHARACTERS, reduce } from "./reducer";
import { type HelpKind, severityOf, type Topic } from "./topics";

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

/** Pauses between tries to join the room again, in milliseconds; the last repeats. */
const REJOIN_MS = [300, 1000, 2000, 4000] as const;
/** After an event the call is read once, this much later, in milliseconds: several events come together. */
const READ_MS = 150;
/** A notice goes away by itself after this, in milliseconds. */
const NOTICE_MS = 6_000;
/** Failures in a row after which the network counts as blocking calls. */
const BLOCKED_AFTER = 3;
/** Failed tries to join again after which the class is as before, until the talk goes on. */
const CLASS_BACK_AFTER = 5;
const UPLOAD_MS = 120_000;

/** Lets things happen: the state is the reducer's, the effects are here. */
export class HelpController {
  readonly state = new Store<HelpState>(START);
  /** The room of the call, as the media client sees it; null while not in one. */
  readonly room = new Store<CallSnapshot | null>(null);
  readonly media = new Store<HelpMedia | null>(null);
  /** What the server says about notices and limits. */
  readonly info = new Store<Schemas["HelpAnswer"] | null>(null);
  readonly #api: ApiClient;
  #stream: EventStream | null = null;
  #remembered: Remembered = recall(null, "");
  #readTimer: ReturnType<typeof setTimeout> | undefined;
  #rejoinTimer: ReturnType<typeof setTimeout> | undefined;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #describeTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #joinToken: Schemas["MediaAnswer"] | null = null;
  #askKey: string | null = null;
  /** What the person wants of the microphone in this call; null: on as soon as it may be. */
  #microphoneWanted: boolean | null = null;
  /** Between asking for the microphone and having it. */
  #microphoneTurns = false;
  #cameraWanted = false;
  #inClass = false;
  #closed = false;
  #problemRetry: (() => Promise<void>) | null = null;

  constructor(readonly options: HelpOptions) {
    const guest = options.guestOf === null ? null : "invited";
    this.state.set({ ...START, kind: options.kind, musicMuted: options.musicMuted, guest });
    this.#api = apiClient({ base: options.base, token: () => options.credentials.current });
  }

  /** Who asks for help. */
  get self(): string {
    return readPlatformClaims(this.options.credentials.current)?.id ?? "";
  }

  get view(): Remembered["view"] {
    return this.#remembered.view;
  }

  set view(view: Remembered["view"]) {
    this.#keep({ view });
  }

  /** Reads what there is: a call that was open before a reload, or on another device. */
  async start(): Promise<void> {
    if (this.options.credentials.current === "" && !this.options.credentials.renewable) {
      this.#dispatch({ type: "problem", code: "noToken" });
      return;
    }
    await this.#attempt(async () => {
      await this.#renewed(this.options.credentials.fresh());
      this.#remembered = recall(this.options.memory, this.self);
      const { musicMuted, answers } = this.#remembered;
      if (musicMuted !== null) this.#dispatch({ type: "music", muted: musicMuted });
      for (const [question, answer] of Object.entries(answers)) this.#dispatch({ type: "answer", question, answer });
      await this.#findCall();
      void this.#quietly(() => this.#readInfo());
    });
  }

  async #findCall(): Promise<void> {
    const { guestOf } = this.options;
    if (guestOf !== null) {
      const call = await this.#request((api) => api.GET("/v1/calls/{call}", { params: { path: { call: guestOf } } }));
      this.#openStream();
      this.#dispatch({ type: "read", call, self: this.self });
      if (this.#remembered.call === call.id) this.joinAsGuest();
      return;
    }
    const last = await this.#request((api) => api.GET("/v1/calls", { params: { query: { limit: 1 } } }));
    const call = last.items[0];
    if (call === undefined) return;
    const ours = call.id === this.#remembered.call;
    const open = call.state !== "wrapping" && call.state !== "closed";
    // A call that is over is shown only where the reload happened in the middle of it.
    if (!open && !(ours && call.rating === null)) {
      if (ours) this.#keep({ call: null });
      return;
    }
    if (call.closed_reason === "cancelled") return;
    if (this.#remembered.consentRests) this.#dispatch({ type: "consentRests", link: null });
    if (this.#remembered.microphoneSkipped) this.#dispatch({ type: "microphoneSkipped", skipped: true });
    this.#openStream();
    this.#dispatch({ type: "read", call, self: this.self });
    // What was tapped just before the reload may not have been sent.
    if (open && Object.keys(this.state.get().answers).length > 0) this.#describeSoon();
    await this.#readMessages();
    if (this.state.get().phase === "waiting") await this.#readPlace();
    if (this.state.get().phase === "callback") await this.#readPromise();
  }

  async #readInfo(): Promise<void> {
    if (this.info.get() === null) this.info.set(await this.#request((api) => api.GET("/v1/help")));
  }

  // Asking -----------------------------------------------------------------------------------------------------------

  chooseKind(kind: HelpKind): void {
    this.#dispatch({ type: "kind", kind });
  }

  writeNote(note: string): void {
    this.#dispatch({ type: "note", note });
    if (isOpen(this.state.get())) this.#describeSoon();
  }

  /** The press. The same press tried again gives the same call. */
  async ask(topic: Topic): Promise<void> {
    if (this.state.get().phase === "asking") return;
    this.#askKey ??= newId();
    const key = this.#askKey;
    this.#dispatch({ type: "asking", topic });
    await this.#attempt(async () => {
      const { kind, note, answers } = this.state.get();
      const context = this.options.context();
      const opened = await this.#request((api) =>
        api.POST("/v1/calls", {
          headers: { "Idempotency-Key": key },
          body: {
            kind,
            topic,
            severity: severityOf(topic, context.class_id !== undefined && context.class_id !== null),
            note,
            channel: this.options.channel,
            queue: this.options.queue,
            wanted_agent: this.options.wantedAgent,
            context: { ...context, answers: { ...context.answers, ...answers } },
          } as Schemas["AskForHelp"],
        }),
      );
      this.#askKey = null;
      this.#joinToken = opened.media;
      this.#microphoneWanted = null;
      this.#cameraWanted = kind === "video";
      this.#openStream();
      this.#dispatch({ type: "asked", call: opened.call, place: opened.queue, self: this.self });
      this.options.onAlert("ticket");
      if (opened.call.closed_reason === "callback") await this.#readPromise();
      void this.#quietly(() => this.#readInfo());
    });
  }

  /** A structured question answered by tapping; the agent reads it before accepting. */
  answer(question: string, answer: string): void {
    this.#dispatch({ type: "answer", question, answer });
    this.#keep({ answers: this.state.get().answers });
    this.#describeSoon();
  }

  /** Taps come one after the other: they are sent together. */
  #describeSoon(): void {
    clearTimeout(this.#describeTimer);
    this.#describeTimer = setTimeout(() => {
      const { call, answers, note } = this.state.get();
      if (call === null || !isOpen(this.state.get())) return;
      const params = { path: { call: call.id } };
      void this.#quietly(() => this.#request((api) => api.PATCH("/v1/calls/{call}", { params, body: { answers, note } })));
    }, 400);
  }

  async cancel(): Promise<void> {
    await this.#command(async (params) => this.#request((api) => api.POST("/v1/calls/{call}/cancel", { params })));
    this.options.onAlert("cancelled");
  }

  async callBack(when: Date | null): Promise<void> {
    await this.#command(async (params) =>
      this.#request((api) =>
        api.POST("/v1/calls/{call}/callback", { params, body: { when: when?.toISOString() ?? null, note: "" } }),
      ),
    );
    await this.#quietly(() => this.#readPromise());
  }

  /** A guest comes in. */
  joinAsGuest(): void {
    this.#microphoneWanted = null;
    this.#failures = 0;
    this.#dispatch({ type: "guest", state: "joined" });
    this.#keep({ call: this.options.guestOf });
    void this.#quietly(() => this.#readMessages());
    void this.#checkMicrophone();
  }

  async hangUp(): Promise<void> {
    if (this.options.guestOf !== null) {
      this.#dispatch({ type: "guest", state: "left" });
      this.#keep({ call: null });
      return;
    }
    await this.#command(async (params) => this.#request((api) => api.POST("/v1/calls/{call}/end", { params })));
  }

  /** A chat becomes a talk. */
  async upgrade(kind: "voice" | "video"): Promise<void> {
    this.#cameraWanted = kind === "video";
    await this.#command(async (params) => {
      const answer = await this.#request((api) => api.POST("/v1/calls/{call}/upgrade", { params, body: { kind } }));
      this.#joinToken = answer.media;
      return answer.call;
    });
  }

  answerSummons(): void {
    this.#microphoneWanted = null;
    this.#dispatch({ type: "answered" });
  }

  async declineSummons(): Promise<void> {
    await this.callBack(null);
  }

  /** Back to the first page, ready for the next request. */
  again(): void {
    this.#keep({ call: null, answers: {}, consentRests: false, microphoneSkipped: false });
    this.#dispatch({ type: "again" });
  }

  /** Tries again what went wrong. */
  async retry(): Promise<void> {
    const again = this.#problemRetry;
    this.#dispatch({ type: "calm" });
    if (this.state.get().media === "blocked") {
      this.#failures = 0;
      this.#dispatch({ type: "media", media: "none" });
      return;
    }
    if (again !== null) await this.#attempt(again);
  }

  // Devices ----------------------------------------------------------------------------------------------------------

  /** Asks the browser; must run inside a tap. */
  async allowMicrophone(): Promise<void> {
    this.#dispatch({ type: "microphone", state: "asking" });
    this.#dispatch({ type: "microphoneSkipped", skipped: false });
    const { askForDevice } = await import("./media");
    const problem = await askForDevice("microphone");
    this.#dispatch({ type: "microphone", state: microphoneState(problem) });
    if (problem === null && this.#cameraWanted) {
      const camera = await askForDevice("camera");
      if (camera !== null) {
        this.#cameraWanted = false;
        this.#noticeDevice(camera);
      }
    }
    this.#microphoneWanted = problem === null ? true : null;
    this.#tune();
  }

  skipMicrophone(): void {
    this.#dispatch({ type: "microphoneSkipped", skipped: true });
    this.#keep({ microphoneSkipped: true });
  }

  async setMicrophone(on: boolean): Promise<void> {
    const media = this.media.get();
    this.#microphoneWanted = on;
    if (media === null || this.#microphoneTurns) return;
    this.#microphoneTurns = true;
    const problem = await media.setMicrophone(on);
    this.#microphoneTurns = false;
    if (problem !== null) {
      this.#microphoneWanted = null;
      this.#dispatch({ type: "microphone", state: microphoneState(problem) });
      this.#dispatch({ type: "microphoneSkipped", skipped: false });
    } else if (on) {
      this.#dispatch({ type: "microphone", state: "granted" });
    }
  }

  async setCamera(on: boolean, facing: "user" | "environment" | null = null): Promise<void> {
    const problem = await this.media.get()?.setCamera(on, facing);
    if (problem !== null && problem !== undefined) this.#noticeDevice(problem);
  }

  async setAudioOnly(on: boolean): Promise<void> {
    await this.media.get()?.setAudioOnly(on);
    this.room.update((room) => (room === null ? null : { ...room }));
  }

  async selectDevice(kind: MediaDeviceKind, id: string): Promise<void> {
    await this.media.get()?.session.selectDevice(kind, id);
  }

  /** After a phone call took the microphone. */
  async revive(): Promise<void> {
    const problem = (await this.media.get()?.revive()) ?? null;
    if (problem !== null) this.#dispatch({ type: "microphone", state: microphoneState(problem) });
  }

  muteMusic(muted: boolean): void {
    this.#dispatch({ type: "music", muted });
    this.#keep({ musicMuted: muted });
  }

  notify(notice: Notice | null): void {
    clearTimeout(this.#noticeTimer);
    this.#dispatch({ type: "notice", notice });
  }

  /** The call is open in another window: take it here. */
  takeHere(): void {
    this.#failures = 0;
    this.#joinToken = null;
    this.#dispatch({ type: "media", media: "none" });
  }

  /** The page comes to the front, or the network is back. */
  wake(): void {
    this.#stream?.retryNow();
    if (this.state.get().microphoneInterrupted) void this.revive();
    if (isOpen(this.state.get())) this.#readSoon();
  }

  setOnline(online: boolean): void {
    this.#dispatch({ type: "online", online });
    if (online) this.wake();
  }

  // Chat -------------------------------------------------------------------------------------------------------------

  async send(text: string): Promise<void> {
    const trimmed = text.trim().slice(0, MESSAGE_CHARACTERS);
    const { call } = this.state.get();
    if (trimmed === "" || call === null) return;
    const draft: Message = {
      id: `draft-${newId()}`,
      author: this.self,
      name: "",
      role: "student",
      own: true,
      text: trimmed,
      files: [],
      atMs: Date.now(),
      state: "sending",
    };
    this.#dispatch({ type: "message", message: draft });
    await this.#post(draft, []);
  }

  async resend(id: string): Promise<void> {
    const draft = this.state.get().messages.find((message) => message.id === id);
    if (draft?.state !== "failed") return;
    this.#dispatch({ type: "message", message: { ...draft, state: "sending" } });
    await this.#post(draft, []);
  }

  async #post(draft: Message, files: readonly string[]): Promise<void> {
    const { call } = this.state.get();
    if (call === null) return;
    try {
      const body = { text: draft.text, files: [...files], staff_only: false };
      const sent = await this.#request((api) =>
        api.POST("/v1/calls/{call}/messages", { params: { path: { call: call.id } }, body }),
      );
      this.#dispatch({ type: "messageSent", id: draft.id, message: this.#messageOf(sent) });
    } catch (error) {
      this.#dispatch({ type: "messageFailed", id: draft.id });
      this.#noteError(error);
    }
  }

  /** Uploads a file and says so in the chat. */
  async sendFile(file: Blob, name: string): Promise<void> {
    const { call } = this.state.get();
    if (call === null) return;
    const limit = this.info.get()?.file_bytes ?? Number.POSITIVE_INFINITY;
    if (file.size > limit) {
      this.#notice({ kind: "fileTooLarge", size: Math.floor(limit / 1_048_576) });
      return;
    }
    this.#dispatch({ type: "uploading", name });
    try {
      const token = await this.options.credentials.fresh();
      const address = `${this.options.base.replace(/\/+$/, "")}/v1/calls/${call.id}/files?name=${encodeURIComponent(name)}`;
      const answer = await fetch(address, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": file.type === "" ? "application/octet-stream" : file.type },
        body: file,
        credentials: "omit",
        signal: AbortSignal.timeout(UPLOAD_MS),
      });
      if (answer.status === 413) this.#notice({ kind: "fileTooLarge", size: Math.floor(limit / 1_048_576) });
      else if (answer.status === 415) this.#notice({ kind: "fileUnsupported" });
      else if (!answer.ok) this.#notice({ kind: "fileFailed", name });
      else {
        const stored = (await answer.json()) as Schemas["FileAnswer"];
        const draft: Message = {
          id: `draft-${newId()}`,
          author: this.self,
          name: "",
          role: "student",
          own: true,
          text: "",
          files: [fileView(stored)],
          atMs: Date.now(),
          state: "sending",
        };
        this.#dispatch({ type: "message", message: draft });
        await this.#post(draft, [stored.id]);
      }
    } catch {
      this.#notice({ kind: "fileFailed", name });
    } finally {
      this.#dispatch({ type: "uploading", name: null });
    }
  }

  /** A file of the chat; throws `ApiError`. */
  async file(id: string): Promise<Blob> {
    const call = this.state.get().call?.id ?? "";
    const token = await this.options.credentials.fresh();
    const answer = await fetch(`${this.options.base.replace(/\/+$/, "")}/v1/calls/${call}/files/${id}`, {
      headers: { Authorization: `Bearer ${token}` },
      credentials: "omit",
    });
    if (!answer.ok) throw new ApiError("not_found", answer.status, answer.statusText);
    return answer.blob();
  }

  seen(): void {
    this.#dispatch({ type: "seen" });
  }

  // Consent and rating -----------------------------------------------------------------------------------------------

  async decide(decision: "granted" | "refused" | "withdrawn"): Promise<void> {
    const version = this.info.get()?.notice.version ?? "1";
    const before = this.state.get().consent;
    this.#dispatch({ type: "consent", decision });
    try {
      const body = { participant: this.self, decision, by: "self" as const, notice_version: version };
      await this.#command(async (params) =>
        this.#request((api) => api.POST("/v1/calls/{call}/consent", { params, body })),
      );
    } catch (error) {
      if (before !== null) this.#dispatch({ type: "consent", decision: before });
      this.#noteError(error);
    }
  }

  /** Not now: the question rests, and nothing is recorded. */
  restConsent(): void {
    this.#dispatch({ type: "consentRests", link: null });
    this.#keep({ consentRests: true });
  }

  /** The link was sent; the card makes room. */
  finishGuardianLink(): void {
    this.#dispatch({ type: "linkDone" });
  }

  async makeGuardianLink(): Promise<void> {
    const { call } = this.state.get();
    if (call === null) return;
    await this.#attempt(async () => {
      const body = { participant: this.self, guardian: "" };
      const params = { path: { call: call.id } };
      const answer = await this.#request((api) => api.POST("/v1/calls/{call}/consent/link", { params, body }));
      this.#dispatch({ type: "consentRests", link: answer.link });
      this.#keep({ consentRests: true });
    });
  }

  draftRating(draft: Partial<HelpState["rating"]>): void {
    this.#dispatch({ type: "rating", draft });
  }

  /** Sends what was said: with stars the rating, without only whether it is solved. */
  async rate(): Promise<void> {
    const { call, rating } = this.state.get();
    if (call === null) return;
    await this.#attempt(async () => {
      try {
        if (rating.stars > 0) {
          const body = { stars: rating.stars, resolved: rating.resolved, comment: rating.comment };
          await this.#request((api) => api.POST("/v1/calls/{call}/rating", { params: { path: { call: call.id } }, body }));
        } else if (rating.resolved !== null) {
          const body = { resolved: rating.resolved, comment: rating.comment };
          const params = { path: { ticket: call.ticket_id } };
          await this.#request((api) => api.PATCH("/v1/tickets/{ticket}", { params, body: body as Schemas["TicketPatch"] }));
        }
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "already_rated") throw error;
      }
      await this.#quietly(() => this.#readPromise());
      this.#keep({ call: null });
      this.#dispatch({ type: "rated" });
      this.options.onAlert("rated");
    });
  }

  skipRating(): void {
    this.#keep({ call: null });
    this.#dispatch({ type: "rated" });
  }

  // The end ----------------------------------------------------------------------------------------------------------

  /** Ends everything on this page; the call itself stays for the next page. */
  close(): void {
    this.#closed = true;
    for (const timer of [this.#readTimer, this.#rejoinTimer, this.#noticeTimer, this.#describeTimer]) clearTimeout(timer);
    this.#stream?.close();
    this.#stream = null;
    this.#leaveClass();
    const media = this.media.get();
    this.media.set(null);
    this.room.set(null);
    void media?.leave();
  }

  // Effects ----------------------------------------------------------------------------------------------------------

  #dispatch(action: Action): void {
    if (this.#closed) return;
    const before = this.state.get();
    this.state.set(reduce(before, action));
    const after = this.state.get();
    if (after !== before) this.#follow(before, after);
  }

  /** What has to happen because the state has changed. */
  #follow(before: HelpState, after: HelpState): void {
    const found = after.call?.id !== before.call?.id && after.guest === null;
    if (found && after.call !== null) this.#keep({ call: after.call.id });
    if (after.phase !== before.phase) this.#followPhase(before, after);
    else if (after.kind !== before.kind && isOpen(after)) void this.#checkMicrophone(); // A chat became a talk.
    if (after.unread > before.unread) this.options.onAlert("message");
    const noticed = after.notice !== before.notice && after.notice !== null && after.notice.kind !== "transfer";
    if (noticed) {
      clearTimeout(this.#noticeTimer);
      this.#noticeTimer = setTimeout(() => this.#dispatch({ type: "notice", notice: null }), NOTICE_MS);
    }
    // Who cannot be reached for long gets the class back meanwhile.
    const cut = after.media === "elsewhere" || after.media === "blocked" || this.#failures > CLASS_BACK_AFTER;
    const talks = wantsMedia(after) && after.phase !== "waiting" && !cut;
    if (talks && !this.#inClass) this.#enterClass();
    else if (!talks && this.#inClass) this.#leaveClass();
    if (wantsMedia(after)) {
      if (after.media === "none") void this.#join();
      else if (after.media === "joined") this.#tune();
    } else if (this.media.get() !== null) {
      this.#leaveRoom();
    }
  }

  #followPhase(before: HelpState, after: HelpState): void {
    if (after.phase === "waiting" || after.phase === "talking") void this.#checkMicrophone();
    // Both events may be read at once: then there is no step between waiting and talking.
    const wasTaken = before.phase === "connecting" || before.phase === "talking";
    if ((after.phase === "connecting" || after.phase === "talking") && !wasTaken) this.options.onAlert("accepted");
    if (after.phase === "talking") this.options.onAlert("connected");
    if (after.phase === "summoned") this.options.onAlert("summoned");
    if (isOpen(before) && !isOpen(after) && after.phase !== "start") this.options.onAlert("ended");
    if (after.phase === "start") this.#keep({ call: null, answers: {} });
  }

  #enterClass(): void {
    this.#inClass = true;
    this.options.classroom.enter();
  }

  #leaveClass(): void {
    if (!this.#inClass) return;
    this.#inClass = false;
    if (this.options.classroom.leave()) this.#dispatch({ type: "classRestored" });
  }

  async #checkMicrophone(): Promise<void> {
    const { microphone, kind } = this.state.get();
    if (kind === "chat" || microphone === "granted" || microphone === "asking") return;
    const state = this.options.classroom.microphone() !== null ? "granted" : await microphonePermission();
    if (this.state.get().microphone !== "asking") this.#dispatch({ type: "microphone", state });
    this.#tune();
  }

  // The room ---------------------------------------------------------------------------------------------------------

  async #join(): Promise<void> {
    const { call } = this.state.get();
    if (call === null) return;
    this.#dispatch({ type: "media", media: "joining" });
    const { HelpMedia } = await import("./media");
    if (!wantsMedia(this.state.get()) || this.media.get() !== null) return;
    const media = new HelpMedia({
      devices: this.options.devices,
      borrowed: () => this.options.classroom.microphone(),
      onInterrupted: (on) => this.#dispatch({ type: "interrupted", on }),
      onChange: (snapshot) => this.#onRoom(media, snapshot),
    });
    this.media.set(media);
    this.room.set(media.snapshot);
    await media.join(async () => {
      const given = this.#joinToken;
      this.#joinToken = null; // Good for once: later joins ask for a fresh one.
      if (given !== null) return given;
      const params = { path: { call: call.id } };
      const answer = await this.#request((api) => api.POST("/v1/calls/{call}/media", { params }));
      if (answer.media === null) throw new ApiError("call_closed", 410, "no room");
      return answer.media;
    });
  }

  #onRoom(media: HelpMedia, snapshot: CallSnapshot): void {
    if (this.media.get() !== media) return;
    this.room.set(snapshot);
    const before = this.state.get().media;
    if (snapshot.phase === "connected") {
      if (before === "reconnecting") this.#notice({ kind: "restored" });
      this.#failures = 0;
      this.#dispatch({ type: "media", media: "joined" });
      this.#tune();
    } else if (snapshot.phase === "reconnecting") {
      this.#dispatch({ type: "media", media: "reconnecting" });
    } else if (snapshot.phase === "ended") {
      this.media.set(null);
      this.room.set(null);
      this.#lostRoom(snapshot.problem);
    }
  }

  #lostRoom(problem: ProblemKind | null): void {
    if (problem === "duplicateIdentity") {
      this.#dispatch({ type: "media", media: "elsewhere" });
      return;
    }
    this.#failures += 1;
    if (problem === "mediaBlocked" && this.#failures >= BLOCKED_AFTER) {
      this.#dispatch({ type: "media", media: "blocked" });
      return;
    }
    this.#dispatch({ type: "media", media: "reconnecting" });
    clearTimeout(this.#rejoinTimer);
    const pause = REJOIN_MS[Math.min(this.#failures - 1, REJOIN_MS.length - 1)] ?? 0;
    this.#rejoinTimer = setTimeout(() => void this.#rejoin(), pause);
  }

  async #rejoin(): Promise<void> {
    try {
      await this.#readCall();
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status < 500 && error.status !== 429)) return;
      this.#lostRoom("serverUnreachable");
      return;
    }
    if (wantsMedia(this.state.get()) && this.media.get() === null) {
      this.#dispatch({ type: "media", media: "none" });
      if (this.state.get().media === "none") void this.#join();
    }
  }

  #leaveRoom(): void {
    const media = this.media.get();
    clearTimeout(this.#rejoinTimer);
    this.media.set(null);
    this.room.set(null);
    this.#dispatch({ type: "media", media: "none" });
    void media?.leave();
  }

  /** Brings the microphone (and, in a video call, the camera) in line with what is wanted and allowed. */
  #tune(): void {
    const state = this.state.get();
    const media = this.media.get();
    const room = this.room.get();
    if (media === null || room?.phase !== "connected" || !room.canPublish || state.phase === "waiting") return;
    const may = state.microphone === "granted" && this.#microphoneWanted !== false;
    if (may && room.microphone === "off" && !this.#microphoneTurns && !state.microphoneInterrupted) {
      this.#microphoneWanted = true;
      void this.setMicrophone(true);
    }
    if (this.#cameraWanted && room.camera === "off" && state.microphone !== "asking" && state.microphone !== "explain") {
      this.#cameraWanted = false;
      void this.setCamera(true);
    }
  }

  // Events -----------------------------------------------------------------------------------------------------------

  #openStream(): void {
    if (this.#stream !== null) return;
    this.#stream = new EventStream({
      base: this.options.base,
      token: () => this.options.credentials.current,
      after: null,
      onEvent: (event) => {
        this.#dispatch({ type: "event", event, self: this.self });
        const own = event.call === this.state.get().call?.id;
        if (event.type === "call.summoned" && !own && event.call !== null) void this.#quietly(() => this.#readCall(event.call));
        else if (own && event.type !== "call.position" && event.type !== "message.created") this.#readSoon();
      },
      onReady: () => {
        // Whether resumed or not: what happened before the stream was open is read once.
        if (isOpen(this.state.get())) this.#readSoon();
        void this.#quietly(() => this.#readMessages());
      },
      onState: (state) => {
        this.#dispatch({ type: "stream", state });
        if (state === "refused") void this.#renewStream();
      },
    });
  }

  async #renewStream(): Promise<void> {
    this.#stream?.close();
    this.#stream = null;
    if (!this.options.credentials.renewable) {
      this.#dispatch({ type: "problem", code: "unauthenticated" });
      return;
    }
    await this.#attempt(async () => {
      await this.options.credentials.renew();
      this.#openStream();
    });
  }

  #readSoon(): void {
    clearTimeout(this.#readTimer);
    this.#readTimer = setTimeout(() => void this.#quietly(() => this.#readCall()), READ_MS);
  }

  async #readCall(id: string | null = null): Promise<void> {
    const call = id ?? this.state.get().call?.id;
    if (call === undefined) return;
    const read = await this.#request((api) => api.GET("/v1/calls/{call}", { params: { path: { call } } }));
    this.#dispatch({ type: "read", call: read, self: this.self });
    if (this.state.get().phase === "waiting" && this.state.get().place === null) await this.#readPlace();
  }

  async #readPlace(): Promise<void> {
    const call = this.state.get().call?.id;
    if (call === undefined) return;
    const place = await this.#request((api) => api.GET("/v1/calls/{call}/queue", { params: { path: { call } } }));
    this.#dispatch({ type: "placed", place });
  }

  async #readMessages(): Promise<void> {
    const call = this.state.get().call?.id;
    if (call === undefined) return;
    const page = await this.#request((api) =>
      api.GET("/v1/calls/{call}/messages", { params: { path: { call }, query: { limit: 200 } } }),
    );
    this.#dispatch({ type: "messages", messages: page.items.map((item) => this.#messageOf(item)) });
  }

  /** When we have promised to come back. */
  async #readPromise(): Promise<void> {
    const ticket = this.state.get().call?.ticket_id;
    if (ticket === undefined) return;
    const read = await this.#request((api) => api.GET("/v1/tickets/{ticket}", { params: { path: { ticket } } }));
    const next = read.dues.map((due) => due.at).sort()[0];
    this.#dispatch({ type: "promised", at: next ?? null });
  }

  #messageOf(item: Schemas["MessageAnswer"]): Message {
    const people = this.state.get().call?.participants ?? [];
    return {
      id: item.id,
      author: item.author,
      name: people.find((each) => each.identity === item.author)?.name ?? agentName(this.state.get(), item.author),
      role: item.role,
      own: item.author === this.self,
      text: item.text,
      files: item.files.map((file) => fileView(file)),
      atMs: Date.parse(item.at),
      state: "sent",
    };
  }

  // Requests ---------------------------------------------------------------------------------------------------------

  /** One request with a token that holds; a refused token is renewed once. Throws `ApiError`. */
  async #request<Data>(
    send: (api: ApiClient) => Promise<{ data?: Data; error?: unknown; response: Response }>,
  ): Promise<Data> {
    await this.#renewed(this.options.credentials.fresh());
    try {
      return await unwrap(send(this.#api));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || !this.options.credentials.renewable) throw error;
      await this.#renewed(this.options.credentials.renew());
      return unwrap(send(this.#api));
    }
  }

  async #renewed(token: Promise<string>): Promise<void> {
    try {
      await token;
    } catch (error) {
      throw new ApiError("unauthenticated", 401, error instanceof Error ? error.message : String(error));
    }
  }

  /** Does something to the call and takes its new state over. */
  async #command(act: (params: { path: { call: string } }) => Promise<Schemas["CallAnswer"]>): Promise<void> {
    const { call } = this.state.get();
    if (call === null) return;
    await this.#attempt(async () => {
      this.#dispatch({ type: "read", call: await act({ path: { call: call.id } }), self: this.self });
    });
  }

  /** Runs a step that a person waits for; what goes wrong is shown with a way to try again. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    this.#problemRetry = step;
    try {
      await step();
    } catch (error) {
      const code = problemCode(error);
      if (code === "call_closed" || code === "not_found") await this.#quietly(() => this.#readCall());
      this.#dispatch({ type: "problem", code });
    }
  }

  /** Runs a step that nobody waits for: it will be tried again when the stream is back. */
  async #quietly(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#noteError(error);
    }
  }

  #noteError(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) this.#dispatch({ type: "problem", code: "unauthenticated" });
    else if (!(error instanceof ApiError)) throw error;
  }

  #notice(notice: Notice): void {
    this.#dispatch({ type: "notice", notice });
  }

  #noticeDevice(problem: ProblemKind): void {
    if (problem === "cameraDenied" || problem === "cameraMissing" || problem === "cameraBusy") this.#notice({ kind: problem });
    else if (problem === "screenFailed") this.#notice({ kind: problem });
  }

  #keep(change: Partial<Remembered>): void {
    this.#remembered = { ...this.#remembered, ...change };
    remember(this.options.memory, this.#remembered);
  }
}

/** Whether the room is to be joined now. */
function wantsMedia(state: HelpState): boolean {
  if (state.guest === "invited" || state.guest === "left") return false;
  return state.kind !== "chat" && (state.phase === "waiting" || state.phase === "connecting" || state.phase === "talking");
}

function microphoneState(problem: ProblemKind | null): HelpState["microphone"] {
  switch (problem) {
    case null:
      return "granted";
    case "microphoneMissing":
      return "missing";
    case "microphoneBusy":
      return "busy";
    case "insecurePage":
      return "insecure";
    default:
      return "denied";
  }
}

function problemCode(error: unknown): ProblemCode {
  if (!(error instanceof ApiError)) return "unexpected";
  return PROBLEM_CODES.find((code) => code === error.code) ?? "unexpected";
}

function agentName(state: HelpState, id: string): string {
  const agent = agentOf(state.call);
  return agent?.id === id ? agent.name : "";
}
