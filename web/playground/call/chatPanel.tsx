import type { TargetedKeyboardEvent } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { MAXIMUM_CHAT_LENGTH } from "../../shared/call/chat";
import type { ChatMessage } from "../../shared/call/model";
import { formatClock } from "../../shared/format";
import { useAmbience } from "../context";
import { ChatIcon, SendIcon } from "../icons";
import { SidePanel } from "./panel";

interface ChatPanelProps {
  messages: readonly ChatMessage[];
  onSend: (text: string) => void;
  onClose: () => void;
}

/** Messages of one person within this time stand under one name. */
const GROUPING_MS = 120_000;

export function ChatPanel({ messages, onSend, onClose }: ChatPanelProps) {
  const { t, locale } = useAmbience();
  const [draft, setDraft] = useState("");
  const log = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    if (log.current !== null) log.current.scrollTop = log.current.scrollHeight;
  }, [messages]);

  const send = (): void => {
    const text = draft.trim();
    if (text === "") return;
    onSend(text);
    setDraft("");
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    // Enter also ends the choice of a Chinese word: that is not yet sending.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <SidePanel title={t("chat.title")} kind="chat" onClose={onClose}>
      <div ref={log} class="chat-log" role="log" aria-label={t("chat.log")} tabIndex={0}>
        {messages.length === 0 && (
          <div class="chat-empty">
            <ChatIcon />
            <p>{t("chat.empty")}</p>
            <small>{t("chat.emptyHint")}</small>
          </div>
        )}
        {messages.map((message, index) => {
          const before = messages[index - 1];
          const follows =
            before?.identity === message.identity && message.atMs - before.atMs < GROUPING_MS;
          return (
            <div key={message.id} class={`message${message.isLocal ? " own" : ""}${follows ? " follows" : ""}`}>
              {!follows && (
                <div class="message-head">
                  <b>{message.isLocal ? t("chat.you") : message.name}</b>
                  <time dateTime={new Date(message.atMs).toISOString()}>{formatClock(message.atMs, locale)}</time>
                </div>
              )}
              <p class="bubble">{message.text}</p>
              {message.failed && <small class="message-failed">{t("chat.failed")}</small>}
            </div>
          );
        })}
      </div>
      <form
        class="chat-form"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          class="input"
          rows={1}
          maxLength={MAXIMUM_CHAT_LENGTH}
          placeholder={t("chat.placeholder")}
          aria-label={t("chat.placeholder")}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="button primary icon-only" aria-label={t("chat.send")} title={t("chat.send")} disabled={draft.trim() === ""}>
          <SendIcon />
        </button>
      </form>
    </SidePanel>
  );
}
