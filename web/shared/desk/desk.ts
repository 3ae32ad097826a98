import { type ApiClient, ApiError, type Schemas, unwrap } from "../api/client";
import { type DeskEvent, EventStream } from "../api/events";
import { Store } from "../store";
import { signalUrl } from "../token";
import { type Agent, type AgentState, type Call, type DeskState, EMPTY_DESK, type Message, type Offer } from "./model";
import { changeCall, NOTHING, reduce, type Wanted, withAgent, withAnswered, withCall, withMessages, withOffer, withoutOffer, withoutUnsure } from "./reduce";
import { CallRoom, type Media } from "./room";
import { Topics } from "./topics";

export interface DeskOptions {
  readonly api: ApiClient;
  /** Origin (and path prefix) of the server. */
  readonly base: string;
  readonly me: Schemas["Me"];
  /** The session is no longer accepted. */
  readonly onRefused: () => void;
  readonly devices?: () => Partial<Record<MediaDeviceKind, string>>;
  readonly camera?: () => boolean;
}

type Listener = (event: DeskEvent) => void;

/** Changes of one call that come in a burst are read once, after this pause in milliseconds. */
const GATHER_MS = 40;
/** Contacts within this time count on the offer card: seven days, in milliseconds. */
const CONTACTS_MS = 7 * 24 * 3600 * 1000;
/** A reading that failed is tried again after this pause, in milliseconds. */
const AGAIN_MS = 1500;
/** How long an offer's event may take after the agent's, milliseconds. */
const LISTEN_MS = 250;
const PAGE = 200;
/** Longest name of a file that is sent along. */
const NAME_CHARACTERS = 200;

/** Staff state of one person signed in: fed by events and routes, never touching the page. */
export class StaffDesk {
  readonly state = new Store<DeskState>(EMPTY_DESK);
  /** The media of my voice and video calls, by call. */
  readonly rooms = new Map<string, CallRoom>();
  /** Calls that are entered only to listen: with microphone and camera closed. */
  readonly listening = new Set<string>();
  readonly topics: Topics;
  readonly api: ApiClient;
  readonly #listeners = new Set<Listener>();
  readonly #stale = new Set<string>();
  readonly #gave = new Map<string, Media>();
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** Questions for the queues, counted, and the latest of them whose answer is shown. */
  #queuesAsked = 0;
  #queuesKnown = 0;
  #listening: ReturnType<typeof setTimeout> | undefined;
  #stream: EventStream | null = null;
  #ended = false;

  constructor(readonly options: DeskOptions) {
    this.api = options.api;
    this.topics = new Topics(options.api);
  }

  /** Whether this role has a place at the desk: takes calls or supervises them. */
  get works(): boolean {
    return this.options.me.role === "agent" || this.options.me.role === "supervisor";
  }

  start(): void {
    void this.#read();
    void this.topics.start();
    this.#stream = new EventStream({
      base: this.options.base,
      token: null,
      after: null,
      onEvent: (event) => {
        this.#receive(event);
      },
      onReady: () => {
        // After a long absence events may be missing, and the first reading may be older than the stream.
        void this.#read();
      },
      onState: (stream) => {
        this.state.update((state) => ({ ...state, stream }));
        if (stream === "refused") this.options.onRefused();
      },
    });
  }

  /** Every event that this person may see, as it comes. Returns the function that ends the subscription. */
  onEvent(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  retryNow(): void {
    this.#stream?.retryNow();
  }

  close(): void {
    this.#ended = true;
    this.#stream?.close();
    this.#stream = null;
    this.topics.close();
    clearTimeout(this.#gathering);
    clearTimeout(this.#again);
    clearTimeout(this.#listening);
    for (const room of this.rooms.values()) room.leave();
    this.rooms.clear();
  }

  room(call: string): CallRoom | null {
    return this.rooms.get(call) ?? null;
  }

  // What an agent does --------------------------------------------------------------------------------------

  async setState(state: AgentState, reason: string): Promise<void> {
    const agent = await unwrap(
      this.api.PUT("/v1/agents/{agent}/state", { params: { path: { agent: this.options.me.id } }, body: { state, reason } }),
    );
    this.#take(agent);
  }

  /** Takes the call that rings. Throws ApiError; an offer that is gone is gone here, too. */
  async accept(offer: Offer): Promise<void> {
    try {
      const answer = await unwrap(this.api.POST("/v1/offers/{offer}/accept", { params: { path: { offer: offer.id } } }));
      if (answer.media !== null) this.#gave.set(offer.call, answer.media);
      this.#become(withoutOffer(this.state.get(), offer.id, null));
      this.#engage(answer.call);
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) {
        const why = error.code === "offer_withdrawn" ? "withdrawn" : error.status === 410 ? "expired" : null;
        this.#become(withoutOffer(this.state.get(), offer.id, why));
        if (why !== null) return; // Told as what became of the offer, not as an error.
      }
      throw error;
    }
  }

  async decline(offer: Offer, reason: string): Promise<void> {
    await unwrap(this.api.POST("/v1/offers/{offer}/decline", { params: { path: { offer: offer.id } }, body: { reason } }));
    this.#become(withoutOffer(this.state.get(), offer.id, null));
  }

  forgetMissed(): void {
    this.#become({ ...this.state.get(), missed: null });
  }

  /** The countdown is over here: the event that says so may be late. */
  expire(offer: string): void {
    this.#become(withoutOffer(this.state.get(), offer, "expired"));
  }

  /** Remembers that the chat was looked at. */
  markSeen(call: string): void {
    this.#become(
      changeCall(this.state.get(), call, (mine) => {
        const last = mine.messages.at(-1)?.id ?? null;
        return last === mine.seen ? mine : { ...mine, seen: last };
      }),
    );
  }

  /** Takes over what a route answered. */
  adopt(call: Call): void {
    this.#become(withCall(this.state.get(), call));
  }

  async say(call: string, text: string, files: readonly string[], staffOnly: boolean): Promise<void> {
    const message = await unwrap(
      this.api.POST("/v1/calls/{call}/messages", {
        params: { path: { call } },
        body: { text, files: [...files], staff_only: staffOnly },
      }),
    );
    this.#become(withMessages(this.state.get(), call, [message]));
    this.markSeen(call);
  }

  /** Keeps a file for the call's chat; a message then names it. */
  async upload(call: string, file: File): Promise<Schemas["FileAnswer"]> {
    return await unwrap(
      this.api.POST("/v1/calls/{call}/files", {
        params: { path: { call }, query: { name: file.name.slice(0, NAME_CHARACTERS) } },
        body: file as unknown as string, // The document calls bytes a string.
        bodySerializer: (body: unknown) => body,
        headers: { "Content-Type": file.type === "" ? "application/octet-stream" : file.type },
      }),
    );
  }

  /** Reads my own row, my offers and my calls anew. */
  async refresh(): Promise<void> {
    await this.#read();
  }

  /** How many wait in each queue. An answer that a later one has overtaken is dropped. */
  async refreshQueues(): Promise<void> {
    const asked = ++this.#queuesAsked;
    const { items } = await unwrap(this.api.GET("/v1/queues"));
    if (asked < this.#queuesKnown) return;
    this.#queuesKnown = asked;
    const before = new Map(this.state.get().queues.map((queue) => [queue.id, queue]));
    this.#become({
      ...this.state.get(),
      queues: items.map((queue) => ({ ...queue, calls: queue.calls ?? before.get(queue.id)?.calls ?? null })),
    });
  }

  /** Who waits in a queue. */
  async refreshQueue(id: string): Promise<void> {
    const queue = await unwrap(this.api.GET("/v1/queues/{queue}", { params: { path: { queue: id } } }));
    const { queues } = this.state.get();
    this.#become({ ...this.state.get(), queues: queues.map((each) => (each.id === id ? queue : each)) });
  }

  // Reading -------------------------------------------------------------------------------------------------

  #receive(event: DeskEvent): void {
    const [next, wanted] = reduce(this.state.get(), event, this.options.me.id, Date.now());
    this.#become(next);
    this.#want(wanted);
    for (const listener of [...this.#listeners]) listener(event);
  }

  async #read(): Promise<void> {
    clearTimeout(this.#again);
    try {
      const [agents] = await Promise.all([this.works ? this.#readMe() : null, this.refreshQueues(), this.#readAgents()]);
      if (this.#ended) return;
      if (agents !== null) this.#take(agents);
      this.#become({ ...this.state.get(), loaded: true });
      for (const mine of this.state.get().calls) this.#stale.add(mine.id);
      this.#gather();
      await this.#readOffers();
    } catch (error) {
      if (this.#ended || (error instanceof ApiError && (error.status === 401 || error.status === 403))) return;
      this.#again = setTimeout(() => void this.#read(), AGAIN_MS);
    }
  }

  async #readMe(): Promise<Agent | null> {
    try {
      const me = await unwrap(this.api.GET("/v1/agents/{agent}", { params: { path: { agent: this.options.me.id } } }));
      if (!this.#ended) this.#take(me); // At once: a call in progress waits for it.
      return me;
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_found") return null;
      throw error;
    }
  }

  async #readAgents(): Promise<void> {
    const { items } = await unwrap(this.api.GET("/v1/agents"));
    const me = this.state.get().me;
    const agents = new Map(items.map((agent) => [agent.id, agent]));
    if (me !== null) agents.set(me.id, me);
    this.#become({ ...this.state.get(), agents });
  }

  async #readOffers(): Promise<void> {
    const offered = this.state.get().me?.engagements?.some((each) => each.state === "offered") ?? false;
    if (!offered) return;
    const { items } = await unwrap(this.api.GET("/v1/offers"));
    for (const offer of items) {
      const started = Math.min(Date.parse(offer.created_at), Date.now());
      this.#become(withOffer(this.state.get(), offer, started));
      this.#want({ ...NOTHING, offer });
    }
  }

  #take(agent: Agent): void {
    const [next, wanted] = withAgent(this.state.get(), agent, this.options.me.id);
    this.#become(next);
    this.#want(wanted);
  }

  /** The call is ours from this moment, before the event says so. */
  #engage(call: Call): void {
    const own = call.participants.find((each) => each.identity === this.options.me.id);
    const answered = withAnswered(this.state.get(), {
      call: call.id,
      kind: call.kind,
      role: own?.role ?? "primary",
      state: "assigned",
      since: new Date().toISOString(),
      until: null,
    });
    this.#become(withCall(answered, call));
    this.#stale.add(call.id);
    this.#gather();
  }

  #want(wanted: Wanted): void {
    for (const call of wanted.calls) this.#stale.add(call);
    if (wanted.calls.length > 0) this.#gather();
    if (wanted.offer !== null) void this.#readOffered(wanted.offer);
    if (wanted.offers) this.#listen();
    if (wanted.queues) void this.refreshQueues().catch(() => undefined);
  }

  /** The offer's own event usually comes in the same breath; only if it does not is it asked for. */
  #listen(): void {
    clearTimeout(this.#listening);
    this.#listening = setTimeout(() => void this.#readOffers().catch(() => undefined), LISTEN_MS);
  }

  async #readOffered(offer: Offer): Promise<void> {
    try {
      const call = await unwrap(this.api.GET("/v1/calls/{call}", { params: { path: { call: offer.call } } }));
      this.#become(withCall(this.state.get(), call));
      if (call.student === null) return;
      const history = await unwrap(
        this.api.GET("/v1/students/{student}/history", { params: { path: { student: call.student.id } } }),
      );
      const since = Date.now() - CONTACTS_MS;
      const recent = (times: readonly string[]): number => times.filter((at) => Date.parse(at) >= since).length;
      const contacts =
        recent(history.calls.map((each) => each.created_at)) +
        recent(history.messages.filter((each) => each.call === null && each.role !== "agent").map((each) => each.at));
      const state = this.state.get();
      this.#become({
        ...state,
        ringing: state.ringing.map((each) => (each.offer.id === offer.id ? { ...each, contacts } : each)),
      });
    } catch {
      // The card shows what is known; accepting works without.
    }
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      const calls = [...this.#stale];
      this.#stale.clear();
      for (const call of calls) void this.#readCall(call);
    }, GATHER_MS);
  }

  async #readCall(id: string): Promise<void> {
    try {
      const call = await unwrap(this.api.GET("/v1/calls/{call}", { params: { path: { call: id } } }));
      this.#become(withCall(this.state.get(), call));
      if (!call.participants.some((each) => each.identity === this.options.me.id)) {
        this.#become(withoutUnsure(this.state.get(), id));
      }
      const mine = this.state.get().calls.find((each) => each.id === id);
      if (mine?.read === false) await this.#readMessages(id);
    } catch (error) {
      if (this.#ended || (error instanceof ApiError && error.status < 500 && error.status >= 400 && error.status !== 429)) return;
      setTimeout(() => {
        this.#stale.add(id);
        this.#gather();
      }, AGAIN_MS);
    }
  }

  async #readMessages(call: string): Promise<void> {
    const all: Message[] = [];
    let cursor: string | null = null;
    do {
      const page: Schemas["Messages"] = await unwrap(
        this.api.GET("/v1/calls/{call}/messages", {
          params: { path: { call }, query: { limit: PAGE, ...(cursor === null ? {} : { cursor }) } },
        }),
      );
      all.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    this.#become(withMessages(this.state.get(), call, all, true));
  }

  // Media ---------------------------------------------------------------------------------------------------

  /** Every change goes through here: rooms follow from the state alone. */
  #become(next: DeskState): void {
    if (next === this.state.get()) return;
    this.#followRooms(next);
    this.state.set(next);
  }

  #followRooms(next: DeskState): void {
    if (this.#ended) return;
    const wanted = new Set(
      next.calls.filter((each) => each.engagement.state === "assigned" && each.engagement.kind !== "chat").map((each) => each.id),
    );
    for (const [id, room] of this.rooms) {
      if (wanted.has(id)) continue;
      this.rooms.delete(id);
      room.leave();
    }
    for (const id of wanted) {
      const engagement = next.calls.find((each) => each.id === id)?.engagement;
      const before = this.state.get().calls.find((each) => each.id === id)?.engagement;
      if (before?.role === "supervisor" && engagement?.role === "primary") this.rooms.get(id)?.speak();
      if (this.rooms.has(id)) continue;
      const video = engagement?.kind === "video";
      const room = new CallRoom(id, {
        api: this.api,
        signalUrl: signalUrl(this.options.base),
        devices: () => this.options.devices?.() ?? {},
        camera: () => video && (this.options.camera?.() ?? true),
        // Who supervises is heard only after deciding to be: a reload of the page must not open a microphone.
        quiet: () => this.listening.has(id) || engagement?.role === "supervisor",
        check: async () => {
          await this.#readMe();
        },
        onExpelled: () => {
          void this.#read();
        },
      });
      this.rooms.set(id, room);
      room.enter(this.#gave.get(id) ?? null);
      this.#gave.delete(id);
    }
  }
}
