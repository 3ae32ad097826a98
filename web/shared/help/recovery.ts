import type { Asking } from "./asking";
import type { Chat } from "./chat";
import type { HelpCore } from "./core";
import type { CallFeed } from "./feed";
import { isOpen } from "./model";
import type { Talk } from "./talk";

interface Parts {
  readonly feed: CallFeed;
  readonly chat: Chat;
  readonly asking: Asking;
  readonly talk: Talk;
}

/** Finds the call that was open before a reload, or on another device; throws `ApiError`. */
export async function recover(core: HelpCore, parts: Parts): Promise<void> {
  const kept = core.kept.recall(core.self);
  if (kept.musicMuted !== null) core.dispatch({ type: "music", muted: kept.musicMuted });
  for (const [question, answer] of Object.entries(kept.answers)) core.dispatch({ type: "answer", question, answer });
  const { guestOf } = core.options;
  await (guestOf === null ? recoverOwn(core, parts) : recoverGuest(core, parts, guestOf));
}

async function recoverGuest(core: HelpCore, { feed, talk }: Parts, guestOf: string): Promise<void> {
  const call = await core.requests.send((api) => api.GET("/v1/calls/{call}", { params: { path: { call: guestOf } } }));
  feed.open();
  core.dispatch({ type: "read", call, self: core.self });
  if (core.kept.now.call === call.id) talk.joinAsGuest();
}

async function recoverOwn(core: HelpCore, { feed, chat, asking }: Parts): Promise<void> {
  const kept = core.kept.now;
  const last = await core.requests.send((api) => api.GET("/v1/calls", { params: { query: { limit: 1 } } }));
  const call = last.items[0];
  if (call === undefined) return;
  const ours = call.id === kept.call;
  const open = call.state !== "wrapping" && call.state !== "closed";
  // A call that is over is shown only where the reload happened in the middle of it.
  if (!open && !(ours && call.rating === null)) {
    if (ours) core.kept.change({ call: null });
    return;
  }
  if (call.closed_reason === "cancelled") return;
  if (kept.consentRests) core.dispatch({ type: "consentRests", link: null });
  if (kept.microphoneSkipped) core.dispatch({ type: "microphoneSkipped", skipped: true });
  feed.open();
  core.dispatch({ type: "read", call, self: core.self });
  const state = core.state.get();
  // What was tapped just before the reload may not have been sent.
  if (isOpen(state) && Object.keys(state.answers).length > 0) asking.describeSoon();
  await chat.read();
  if (state.phase === "waiting") await feed.readPlace();
  if (state.phase === "callback") await feed.readPromise();
}
