import { DeleteOutlined, MessageOutlined, PaperClipOutlined, SendOutlined } from "@ant-design/icons";
import { Button, Input, Popover, Switch, Tooltip } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { type DragEvent, type RefObject, useEffect, useRef, useState } from "react";
import type { Schemas } from "../../shared/api/client";
import { MAXIMUM_CHAT_LENGTH } from "../../shared/call/chat";
import type { Call, Message } from "../../shared/desk/model";
import { formatClock } from "../../shared/format";
import { useAmbience, useSelected, useSession, useStore } from "../context";
import { useProblems } from "../problems";

type FileInfo = Schemas["FileAnswer"];

const TEAM = ["canned.hello", "canned.checking", "canned.share", "canned.refresh", "canned.network", "canned.bye"] as const;
/** Closer than this to the end counts as reading the newest, in pixels. */
const NEAR_END_PX = 60;

export function ChatPanel({
  call,
  messages,
  visible,
  input,
}: {
  call: Call;
  messages: readonly Message[];
  /** Whether it is on the screen: then what comes counts as seen. */
  visible: boolean;
  input: RefObject<TextAreaRef | null>;
}) {
  const { t } = useAmbience();
  const { desk, me } = useSession();
  const [staffOnly, setStaffOnly] = useState(false);
  const { uploading, upload } = useUpload(call, staffOnly);
  const [over, setOver] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [below, setBelow] = useState(false);
  const count = messages.length;

  useEffect(() => {
    const box = scroller.current;
    if (box === null || !visible) return;
    if (atEnd.current || messages.at(-1)?.author === me.id) {
      box.scrollTop = box.scrollHeight;
      setBelow(false);
    } else setBelow(true);
    if (!document.hidden) desk.markSeen(call.id);
  }, [count, visible, desk, call.id, me.id, messages]);

  const scrolled = (): void => {
    const box = scroller.current;
    if (box === null) return;
    atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    if (atEnd.current) setBelow(false);
  };
  const toEnd = (): void => {
    const box = scroller.current;
    if (box !== null) box.scrollTop = box.scrollHeight;
  };
  const closed = call.state === "closed";
  const dragOver = (event: DragEvent): void => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    setOver(true);
  };
  const dragLeave = (event: DragEvent<HTMLElement>): void => {
    if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void upload([...event.dataTransfer.files]);
  };
  return (
    <div className="rh-chat" {...(closed ? {} : { onDragOver: dragOver, onDragLeave: dragLeave, onDrop: drop })}>
      {over ? <p className="rh-drop">{t("chat.drop")}</p> : null}
      <div className="rh-chat-log" ref={scroller} role="log" aria-label={t("chat.title")} onScroll={scrolled} tabIndex={0}>
        {count === 0 ? <p className="rh-chat-none">{t("chat.none")}</p> : null}
        <ol>
          {messages.map((message) => (
            <Line key={message.id} call={call} message={message} mine={message.author === me.id} />
          ))}
        </ol>
      </div>
      {below ? (
        <button type="button" className="rh-chat-new" onClick={toEnd}>
          {t("chat.new")}
        </button>
      ) : null}
      {closed ? (
        <p className="rh-muted rh-chat-closed">{t("chat.closed")}</p>
      ) : (
        <Composer call={call} input={input} staffOnly={staffOnly} onStaffOnly={setStaffOnly} uploading={uploading} upload={upload} />
      )}
    </div>
  );
}

/** Sends files one after the other, each as a message of its own. */
function useUpload(call: Call, staffOnly: boolean): { uploading: string | null; upload: (files: readonly File[]) => Promise<void> } {
  const { desk } = useSession();
  const { guard } = useProblems();
  const [uploading, setUploading] = useState<string | null>(null);
  const upload = async (files: readonly File[]): Promise<void> => {
    for (const file of files) {
      setUploading(file.name);
      await guard(async () => {
        const kept = await desk.upload(call.id, file);
        await desk.say(call.id, "", [kept.id], staffOnly);
      });
    }
    setUploading(null);
  };
  return { uploading, upload };
}

function Line({ call, message, mine }: { call: Call; message: Message; mine: boolean }) {
  const { t, locale } = useAmbience();
  const { desk } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const name =
    call.participants.find((person) => person.identity === message.author)?.name ??
    (message.author === call.student?.id ? call.student.name : (agents.get(message.author)?.name ?? message.author));
  return (
    <li className={`rh-line${mine ? " rh-line-mine" : ""}${message.staff_only ? " rh-line-staff" : ""}`} data-message={message.id}>
      <p className="rh-line-head">
        {mine ? null : <span>{name}</span>}
        {message.staff_only ? <span className="rh-line-tag">{t("chat.staff")}</span> : null}
        <time>{formatClock(Date.parse(message.at), locale)}</time>
      </p>
      {message.text === "" ? null : <p className="rh-line-text">{message.text}</p>}
      {message.files.map((file) => (
        <Attachment key={file.id} call={call.id} file={file} />
      ))}
    </li>
  );
}

/** A file of the chat: pictures are shown, everything else can be saved. */
function Attachment({ call, file }: { call: string; file: FileInfo }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  const [address, setAddress] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  const picture = file.media_type.startsWith("image/");
  const { base } = desk.options;
  const source = `${base.replace(/\/+$/, "")}/v1/calls/${encodeURIComponent(call)}/files/${encodeURIComponent(file.id)}`;
  useEffect(() => {
    if (!picture) return undefined;
    // The server hands files out as downloads only; the picture is shown from memory.
    let made: string | null = null;
    const stop = new AbortController();
    fetch(source, { credentials: "same-origin", signal: stop.signal })
      .then((answer) => (answer.ok ? answer.blob() : Promise.reject(new Error(String(answer.status)))))
      .then((blob) => {
        made = URL.createObjectURL(blob);
        setAddress(made);
      })
      .catch(() => {
        if (!stop.signal.aborted) setFailed(true);
      });
    return () => {
      stop.abort();
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [picture, source]);
  return (
    <a className="rh-file" href={source} download={file.name}>
      {address === null ? null : <img src={address} alt={file.name} />}
      <span>
        <PaperClipOutlined /> {file.name}
        <small>{failed ? t("chat.file.failed") : sizeText(file.size_bytes)}</small>
      </span>
    </a>
  );
}

function sizeText(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function Composer({
  call,
  input,
  staffOnly,
  onStaffOnly,
  uploading,
  upload,
}: {
  call: Call;
  input: RefObject<TextAreaRef | null>;
  /** Whether only colleagues are to see what is sent. */
  staffOnly: boolean;
  onStaffOnly: (staffOnly: boolean) => void;
  /** The file on its way. */
  uploading: string | null;
  upload: (files: readonly File[]) => Promise<void>;
}) {
  const { t } = useAmbience();
  const { desk, me, settings } = useSession();
  const { guard } = useProblems();
  const own = useStore(settings).replies;
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [canned, setCanned] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);

  const send = async (): Promise<void> => {
    const said = text.trim();
    if (said === "" || busy) return;
    setBusy(true);
    if (await guard(() => desk.say(call.id, said, [], staffOnly))) setText("");
    setBusy(false);
    input.current?.focus();
  };
  const put = (reply: string): void => {
    setText((now) => (now.trim() === "" ? reply : `${now.trimEnd()} ${reply}`).slice(0, MAXIMUM_CHAT_LENGTH));
    setCanned(false);
    input.current?.focus();
  };
  return (
    <div className={`rh-composer${staffOnly ? " rh-composer-staff" : ""}`}>
      {uploading === null ? null : <p className="rh-muted">{t("chat.uploading", { name: uploading })}</p>}
      <Input.TextArea
        ref={input}
        value={text}
        className="rh-grow"
        maxLength={MAXIMUM_CHAT_LENGTH}
        placeholder={t(staffOnly ? "chat.placeholder.staff" : "chat.placeholder")}
        aria-label={t(staffOnly ? "chat.placeholder.staff" : "chat.placeholder")}
        data-control="message"
        onChange={(event) => setText(event.target.value)}
        onPaste={(event) => {
          const files = [...event.clipboardData.files];
          if (files.length === 0) return;
          event.preventDefault();
          void upload(files);
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          void send();
        }}
      />
      <div className="rh-composer-bar">
        <Popover
          open={canned}
          onOpenChange={setCanned}
          trigger="click"
          placement="topLeft"
          title={t("chat.canned")}
          content={
            <div className="rh-canned">
              <div className="rh-canned-list">
              <h4>{t("chat.canned.team")}</h4>
              {TEAM.map((key) => {
                const reply = key === "canned.hello" ? t(key, { name: me.name }) : t(key);
                return (
                  <button key={key} type="button" onClick={() => put(reply)}>
                    {reply}
                  </button>
                );
              })}
              <h4>{t("chat.canned.mine")}</h4>
              {own.length === 0 ? <p className="rh-muted">{t("chat.canned.none")}</p> : null}
              {own.map((reply) => (
                <p key={reply} className="rh-canned-own">
                  <button type="button" onClick={() => put(reply)}>
                    {reply}
                  </button>
                  <Tooltip title={t("chat.canned.remove")}>
                    <Button
                      type="text"
                      size="small"
                      icon={<DeleteOutlined />}
                      aria-label={t("chat.canned.remove")}
                      onClick={() => settings.removeReply(reply)}
                    />
                  </Tooltip>
                </p>
              ))}
              </div>
              <Button size="small" block disabled={text.trim() === ""} onClick={() => settings.addReply(text)}>
                {t("chat.canned.add")}
              </Button>
            </div>
          }
        >
          <Tooltip title={canned ? "" : t("chat.canned")}>
            <Button type="text" icon={<MessageOutlined />} aria-label={t("chat.canned")} data-control="canned" />
          </Tooltip>
        </Popover>
        <Tooltip title={t("chat.attach")}>
          <Button
            type="text"
            icon={<PaperClipOutlined />}
            aria-label={t("chat.attach")}
            onClick={() => chooser.current?.click()}
          />
        </Tooltip>
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            void upload([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
        <Tooltip title={t("chat.staff.hint")}>
          <label className="rh-composer-staff-switch">
            <Switch size="small" checked={staffOnly} onChange={onStaffOnly} data-control="staff-only" />
            {t("chat.staff")}
          </label>
        </Tooltip>
        <Button
          type="primary"
          className="rh-end"
          icon={<SendOutlined />}
          loading={busy}
          disabled={text.trim() === ""}
          data-control="send"
          onClick={() => void send()}
        >
          {t("chat.send")}
        </Button>
      </div>
    </div>
  );
}
