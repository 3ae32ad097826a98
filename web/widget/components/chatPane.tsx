import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { SendIcon } from "../../playground/icons";
import { formatClock } from "../../shared/format";
import type { FileView, HelpState, Message } from "../../shared/help/model";
import { canShareScreen } from "../../shared/help/permission";
import { MESSAGE_CHARACTERS } from "../../shared/help/reducer";
import { useAmbience } from "../context";
import { ClipIcon, FileIcon, ScreenshotIcon } from "../icons";
import { captureScreenshot } from "../screenshot";

/** The chat of the call: also before it is answered, and without a microphone. */
export function ChatPane({ state, focus = false }: { state: HelpState; focus?: boolean }) {
  const { t, controller } = useAmbience();
  const [text, setText] = useState("");
  const [dragging, setDragging] = useState(false);
  const log = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);

  useEffect(() => controller.chat.seen(), [controller, state.unread]);
  useEffect(() => {
    if (focus) field.current?.focus();
  }, [focus]);
  useLayoutEffect(() => {
    const element = log.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, [state.messages.length, state.uploading]);

  const send = (): void => {
    void controller.chat.send(text);
    setText("");
    field.current?.focus();
  };
  const sendFiles = (files: Iterable<File>): void => {
    for (const file of files) void controller.chat.sendFile(file, file.name === "" ? "image.png" : file.name);
  };

  return (
    <section
      class={`chat${dragging ? " dragging" : ""}`}
      aria-label={t("chat.title")}
      onDragOver={(event) => {
        event.preventDefault();
        setDragging(true);
      }}
      onDragLeave={() => setDragging(false)}
      onDrop={(event) => {
        event.preventDefault();
        setDragging(false);
        sendFiles(event.dataTransfer?.files ?? []);
      }}
    >
      <div class="chat-log" role="log" aria-label={t("chat.log")} ref={log} tabindex={0}>
        {state.messages.length === 0 && <p class="chat-empty">{t("chat.empty")}</p>}
        {state.messages.map((message) => (
          <Bubble key={message.id} message={message} />
        ))}
        {state.uploading !== null && <p class="chat-note">{t("chat.uploading", { name: state.uploading })}</p>}
      </div>
      <div class="chat-tools">
        <button
          type="button"
          class="icon-button"
          aria-label={t("chat.attach")}
          title={t("chat.attach")}
          data-action="attach"
          onClick={() => picker.current?.click()}
        >
          <ClipIcon />
        </button>
        {canShareScreen() && (
          <button
            type="button"
            class="icon-button"
            aria-label={t("chat.screenshot")}
            title={t("chat.screenshot")}
            data-action="screenshot"
            onClick={() => void captureScreenshot().then((shot) => shot && controller.chat.sendFile(shot, "screenshot.png"))}
          >
            <ScreenshotIcon />
          </button>
        )}
        <textarea
          ref={field}
          class="field"
          rows={1}
          maxLength={MESSAGE_CHARACTERS}
          placeholder={t("chat.placeholder")}
          aria-label={t("chat.placeholder")}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // While a word is being composed (Chinese input), Enter chooses it.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
          onPaste={(event) => {
            const files = [...(event.clipboardData?.files ?? [])];
            if (files.length === 0) return;
            event.preventDefault();
            sendFiles(files);
          }}
        />
        <button type="button" class="icon-button send" aria-label={t("chat.send")} data-action="send" disabled={text.trim() === ""} onClick={send}>
          <SendIcon />
        </button>
        <input
          ref={picker}
          class="visually-hidden"
          type="file"
          multiple
          tabindex={-1}
          aria-hidden="true"
          accept="image/*,application/pdf,video/mp4,video/webm,audio/*,text/plain,.log"
          onChange={(event) => {
            sendFiles(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
      </div>
      {dragging && <p class="chat-drop">{t("chat.drop")}</p>}
    </section>
  );
}

function Bubble({ message }: { message: Message }) {
  const { t, locale, controller } = useAmbience();
  const who = message.own ? t("call.you") : message.name === "" ? t(message.role === "service" ? "chat.service" : "call.agent") : message.name;
  return (
    <div class={`bubble${message.own ? " own" : ""}`}>
      <span class="bubble-head">
        <span>{who}</span>
        <time>{formatClock(message.atMs, locale)}</time>
      </span>
      {message.text !== "" && <p class="bubble-text">{message.text}</p>}
      {message.files.map((file) => (
        <Attachment key={file.id} file={file} />
      ))}
      {message.state === "sending" && <span class="bubble-state">{t("chat.sending")}</span>}
      {message.state === "failed" && (
        <span class="bubble-state failed">
          {t("chat.failed")}
          <button type="button" class="link" onClick={() => void controller.chat.resend(message.id)}>
            {t("chat.resend")}
          </button>
        </span>
      )}
    </div>
  );
}

/** A file of the chat: pictures are shown, everything else is opened by a tap. */
function Attachment({ file }: { file: FileView }) {
  const { t, controller } = useAmbience();
  const [address, setAddress] = useState<string | null>(null);
  const picture = file.mediaType.startsWith("image/") && file.mediaType !== "image/heic";

  useEffect(() => {
    if (!picture) return undefined;
    let made: string | null = null;
    let gone = false;
    controller.chat.file(file.id).then(
      (blob) => {
        if (gone) return;
        made = URL.createObjectURL(blob);
        setAddress(made);
      },
      () => undefined, // Its name stands there, and opening it tries again.
    );
    return () => {
      gone = true;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [controller, file.id, picture]);

  const open = (): void => {
    void controller.chat.file(file.id).then((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
  };
  return (
    <button type="button" class={`attachment${address === null ? "" : " picture"}`} aria-label={t("chat.open", { name: file.name })} onClick={open}>
      {address === null ? (
        <>
          <FileIcon />
          <span>{file.name}</span>
        </>
      ) : (
        <img src={address} alt={t("chat.picture", { name: file.name })} />
      )}
    </button>
  );
}
