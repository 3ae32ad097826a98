import type { ChatMessage } from "./model";

/** Topic under which LiveKit's own components exchange chat. */
export const CHAT_TOPIC = "lk.chat";
/** Longest message sent or shown, characters. */
export const MAXIMUM_CHAT_LENGTH = 4000;
/** Messages kept; older ones fall off. */
const MAXIMUM_MESSAGES = 500;

/** Appends; a message whose id is known replaces the older form of itself. */
export function withMessage(log: readonly ChatMessage[], message: ChatMessage): readonly ChatMessage[] {
  const text = message.text.length > MAXIMUM_CHAT_LENGTH ? `${message.text.slice(0, MAXIMUM_CHAT_LENGTH)}…` : message.text;
  const entry = { ...message, text };
  const index = log.findIndex((known) => known.id === message.id);
  if (index >= 0) return log.map((known, at) => (at === index ? entry : known));
  return [...log, entry].slice(-MAXIMUM_MESSAGES);
}

/** How many messages of others came after the last one that was seen. */
export function unreadCount(log: readonly ChatMessage[], lastSeenId: string | null): number {
  const seen = lastSeenId === null ? -1 : log.findIndex((message) => message.id === lastSeenId);
  return log.slice(seen + 1).filter((message) => !message.isLocal).length;
}
