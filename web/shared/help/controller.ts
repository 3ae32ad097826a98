import type { Store } from "../store";
import { Asking } from "./asking";
import { Chat } from "./chat";
import { Consent } from "./consent";
import { HelpCore } from "./core";
import { Devices } from "./devices";
import { CallFeed } from "./feed";
import type { Remembered } from "./memory";
import { type HelpState, isOpen, type Notice } from "./model";
import type { HelpOptions } from "./options";
import { Rating } from "./rating";
import { recover } from "./recovery";
import { belongsInRoom, HelpRoom } from "./room";
import { Talk } from "./talk";
import { Terms } from "./terms";
import { TopicList } from "./topicList";

/** A notice goes away by itself after this, in milliseconds. */
const NOTICE_MS = 6_000;

/** A request for help, from the press to the rating: its parts, and what follows from a change of its state. */
export class HelpController {
  readonly state: Store<HelpState>;
  readonly terms: Terms;
  readonly list: TopicList;
  readonly chat: Chat;
  readonly room: HelpRoom;
  readonly devices: Devices;
  readonly asking: Asking;
  readonly talk: Talk;
  readonly consent: Consent;
  readonly rating: Rating;
  readonly #core: HelpCore;
  readonly #feed: CallFeed;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #inClass = false;

  constructor(private readonly options: HelpOptions) {
    const core = new HelpCore(options, {
      follow: (before, after) => this.#follow(before, after),
      reread: () => this.#feed.read(),
    });
    this.#core = core;
    this.state = core.state;
    this.terms = new Terms(core);
    this.list = new TopicList(core);
    this.chat = new Chat(core, this.terms);
    this.#feed = new CallFeed(core, () => this.chat.read());
    this.room = new HelpRoom(core, this.#feed);
    this.devices = new Devices(core, this.room);
    this.asking = new Asking(core, {
      feed: this.#feed,
      room: this.room,
      devices: this.devices,
      terms: this.terms,
      list: this.list,
    });
    this.talk = new Talk(core, { room: this.room, devices: this.devices, chat: this.chat });
    this.consent = new Consent(core, this.terms);
    this.rating = new Rating(core, this.#feed);
  }

  /** How the panel was shown last, also before a reload. */
  get view(): Remembered["view"] {
    return this.#core.kept.now.view;
  }

  set view(view: Remembered["view"]) {
    this.#core.kept.change({ view });
  }

  /** Reads what there is: a call that was open before a reload, or on another device. */
  async start(): Promise<void> {
    const { credentials } = this.options;
    if (credentials.current === "" && !credentials.renewable) {
      this.#core.dispatch({ type: "problem", code: "noToken" });
      return;
    }
    await this.#core.attempts.openly(async () => {
      await this.#core.requests.ready();
      await recover(this.#core, { feed: this.#feed, chat: this.chat, asking: this.asking, talk: this.talk });
      this.terms.read();
    });
  }

  /** Tries again what went wrong. */
  async retry(): Promise<void> {
    this.#core.dispatch({ type: "calm" });
    if (this.state.get().media === "blocked") {
      this.room.forgive();
      this.#core.dispatch({ type: "media", media: "none" });
      return;
    }
    await this.#core.attempts.again();
  }

  /** Says something in one line; null: takes it away. */
  notify(notice: Notice | null): void {
    clearTimeout(this.#noticeTimer);
    this.#core.dispatch({ type: "notice", notice });
  }

  /** The page comes to the front, or the network is back. */
  wake(): void {
    if (this.state.get().microphoneInterrupted) void this.devices.revive();
    this.#feed.wake();
  }

  setOnline(online: boolean): void {
    this.#core.dispatch({ type: "online", online });
    if (online) this.wake();
  }

  /** Ends everything on this page; the call itself stays for the next page. */
  close(): void {
    this.#core.close();
    clearTimeout(this.#noticeTimer);
    this.asking.close();
    this.#feed.close();
    this.#leaveClass();
    this.room.leave();
  }

  /** What has to happen because the state has changed. */
  #follow(before: HelpState, after: HelpState): void {
    const found = after.call?.id !== before.call?.id && after.guest === null;
    if (found && after.call !== null) this.#core.kept.change({ call: after.call.id });
    if (after.phase !== before.phase) this.#followPhase(before, after);
    else if (after.kind !== before.kind && isOpen(after)) void this.devices.checkMicrophone(); // A chat became a talk.
    if (after.unread > before.unread) this.options.onAlert("message");
    if (after.notice !== before.notice && after.notice !== null) this.#takeNoticeAwayLater();
    this.#followClass(after);
    if (!belongsInRoom(after)) {
      if (this.room.media.get() !== null) this.room.leave();
    } else if (after.media === "none") void this.room.join();
    else if (after.media === "joined") this.devices.tune();
  }

  #followPhase(before: HelpState, after: HelpState): void {
    if (after.phase === "waiting" || after.phase === "talking") void this.devices.checkMicrophone();
    // Both events may be read at once: then there is no step between waiting and talking.
    const wasTaken = before.phase === "connecting" || before.phase === "talking";
    if ((after.phase === "connecting" || after.phase === "talking") && !wasTaken) this.options.onAlert("accepted");
    if (after.phase === "talking") this.options.onAlert("connected");
    if (after.phase === "summoned") this.options.onAlert("summoned");
    if (isOpen(before) && !isOpen(after) && after.phase !== "start") this.options.onAlert("ended");
    if (after.phase === "start") this.#core.kept.change({ call: null, answers: {} });
  }

  #takeNoticeAwayLater(): void {
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => this.#core.dispatch({ type: "notice", notice: null }), NOTICE_MS);
  }

  /** The class hears nothing of a talk; who cannot be reached for long gets the class back meanwhile. */
  #followClass(state: HelpState): void {
    const cut = state.media === "elsewhere" || state.media === "blocked" || state.outOfReach;
    const talks = belongsInRoom(state) && state.phase !== "waiting" && !cut;
    if (talks && !this.#inClass) {
      this.#inClass = true;
      this.options.classroom.enter();
    } else if (!talks) this.#leaveClass();
  }

  #leaveClass(): void {
    if (!this.#inClass) return;
    this.#inClass = false;
    if (this.options.classroom.leave()) this.#core.dispatch({ type: "classRestored" });
  }
}
