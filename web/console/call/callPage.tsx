import { Alert, App, Button, Input, Modal, Result, Spin, Tabs, type TabsProps } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { lazy, Suspense, useCallback, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useNavigate } from "react-router";
import { unwrap } from "../../shared/api/client";
import type { CallSnapshot } from "../../shared/call/model";
import type { CallSession } from "../../shared/call/session";
import { type Draft, loadDraft, saveDraft } from "../../shared/desk/draft";
import { lessonMinutesLeft, levelOf } from "../../shared/desk/facts";
import { History } from "../../shared/desk/history";
import type { Call, MyCall } from "../../shared/desk/model";
import { unread } from "../../shared/desk/reduce";
import { formatDuration } from "../../shared/format";
import { lookup } from "../../shared/i18n/staff";
import { useAmbience, useSelected, useSession } from "../context";
import { useNow } from "../desk/now";
import { useGuide } from "../guide";
import { useProblems } from "../problems";
import { useShortcuts } from "../shell/shortcuts";
import { browserStorage } from "../storage";
import { useTopicName } from "../topicName";
import { useMedia } from "../useMedia";
import { ChatPanel } from "./chatPanel";
import { type Acts, ControlBar } from "./controls";
import { HistoryPanel } from "./historyPanel";
import { MUSIC, useMyCall, useRoom, useSnapshot } from "./hooks";
import { InviteDialog } from "./inviteDialog";
import { Stage } from "./stage";
import { StudentPanel } from "./studentPanel";
import { isTransferring, TransferBanner, TransferDialog } from "./transferDialog";
import { WrapupForm } from "./wrapup";

const LinePanel = lazy(() => import("./linePanel"));
/** Below this width one pane holds all tabs. */
const NARROW = "(max-width: 1279px)";
const HAND_CHARACTERS = 300;

export function CallPage({ id }: { id: string }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  const navigate = useNavigate();
  const mine = useMyCall(id);
  const loaded = useSelected(desk.state, (state) => state.loaded);
  if (mine === null) {
    if (!loaded) return <Loading />;
    return (
      <div className="rh-centre">
        <Result
          status="success"
          title={t("call.closed.title")}
          subTitle={t("call.closed.text")}
          extra={
            <Button type="primary" onClick={() => void navigate("/desk")}>
              {t("call.back")}
            </Button>
          }
        />
      </div>
    );
  }
  if (mine.call === null) return <Loading />;
  return <OpenCall mine={mine} call={mine.call} />;
}

function Loading() {
  return (
    <div className="rh-centre">
      <Spin size="large" />
    </div>
  );
}

function OpenCall({ mine, call }: { mine: MyCall; call: Call }) {
  const { t } = useAmbience();
  const { desk, api, me } = useSession();
  const { guard } = useProblems();
  const narrow = useMedia(NARROW);
  const room = useRoom(desk.room(call.id));
  const snapshot = withoutMusic(useSnapshot(room.session));
  const guide = useGuide(room.session, call.id);
  const wrapping = mine.engagement.state === "wrapping";
  const [draft, setDraft] = useState(() => loadDraft(browserStorage(), call.id));
  const [tab, setTab] = useState("chat");
  const [leftTab, setLeftTab] = useState("student");
  const input = useRef<TextAreaRef>(null);
  const popping = useRef<(() => void) | null>(null);
  const student = call.student?.id ?? null;
  const history = useMemo(() => (student === null ? null : new History(api, student)), [api, student]);
  const change = useCallback(
    (part: Partial<Draft>) =>
      setDraft((now) => {
        const next = { ...now, ...part };
        saveDraft(browserStorage(), call.id, next);
        return next;
      }),
    [call.id],
  );
  const dialogs = useDialogs(call);
  const acts = useActs(call, mine, room.session, snapshot, dialogs, me.role === "supervisor");
  const toChat = (): void => {
    flushSync(() => setTab("chat")); // The next key is for the message already.
    input.current?.focus();
  };
  useShortcuts({
    m: acts.mic,
    v: acts.camera,
    h: acts.hold,
    i: acts.invite,
    t: acts.transfer,
    r: acts.hand,
    e: acts.end,
    p: () => popping.current?.(),
    c: toChat,
  });

  const fresh = unread(mine, me.id);
  const panes = {
    student: { key: "student", label: t("student.title"), children: <StudentPanel call={call} /> },
    history: {
      key: "history",
      label: t("history.title"),
      children: history === null ? null : <HistoryPanel history={history} current={call.id} />,
    },
    chat: {
      key: "chat",
      label: (
        <span>
          {t("chat.title")}
          {fresh > 0 && tab !== "chat" ? <span className="rh-badge rh-tab-badge">{fresh}</span> : null}
        </span>
      ),
      children: <ChatPanel call={call} messages={mine.messages} visible={tab === "chat"} input={input} />,
    },
    notes: {
      key: "notes",
      label: t("notes.title"),
      children: (
        <div className="rh-notes">
          <p className="rh-muted">{t("notes.hint")}</p>
          <Input.TextArea
            value={draft.notes}
            maxLength={4000}
            aria-label={t("notes.label")}
            data-control="notes"
            onChange={(event) => change({ notes: event.target.value })}
          />
        </div>
      ),
    },
    line: {
      key: "line",
      label: t("figures.title"),
      destroyOnHidden: true,
      children: (
        <Suspense fallback={<Loading />}>
          <LinePanel call={call} />
        </Suspense>
      ),
    },
  } satisfies Record<string, NonNullable<TabsProps["items"]>[number]>;
  const media = call.kind !== "chat";
  const right = [
    ...(media || wrapping ? [panes.chat] : []),
    ...(media && !wrapping ? [panes.line] : []),
    ...(wrapping ? [] : [panes.notes]),
    ...(narrow ? [panes.student, panes.history] : []),
  ];
  const shownRight = right.some((each) => each.key === tab) ? tab : (right[0]?.key ?? "");
  return (
    <div className={`rh-call${narrow ? " rh-call-narrow" : ""}`} data-call-state={call.state} data-room={room.is}>
      <CallHeader call={call} mine={mine} />
      <Banners call={call} room={room.session} snapshot={snapshot} />
      <div className="rh-call-body">
        {narrow ? null : (
          <aside className="rh-pane rh-pane-left">
            <Tabs activeKey={leftTab} onChange={setLeftTab} items={[panes.student, panes.history]} />
          </aside>
        )}
        <div className="rh-call-centre">
          {wrapping ? (
            <div className="rh-wrapup-scroll">
              <WrapupForm mine={mine} draft={draft} onDraft={change} />
            </div>
          ) : (
            <>
              {media ? (
                <Stage call={call} room={room} snapshot={snapshot} guide={guide} popping={popping} onEnter={() => desk.room(call.id)?.enter()} />
              ) : (
                <div className="rh-card rh-chat-card">
                  <ChatPanel call={call} messages={mine.messages} visible input={input} />
                </div>
              )}
              <div className="rh-controls-row">
                {media ? (
                  <ControlBar
                    snapshot={snapshot}
                    session={room.session}
                    acts={acts}
                    held={call.state === "held"}
                    handRaised={call.hand_raised_by === me.id}
                    leaves={acts.leaves}
                  />
                ) : (
                  <ChatControls call={call} acts={acts} guard={guard} />
                )}
              </div>
            </>
          )}
        </div>
        <aside className="rh-pane rh-pane-right">
          <Tabs activeKey={shownRight} onChange={setTab} items={right} />
        </aside>
      </div>
      {dialogs.element}
    </div>
  );
}

function withoutMusic(snapshot: CallSnapshot | null): CallSnapshot | null {
  if (snapshot?.participants.some((person) => person.identity === MUSIC) !== true) return snapshot;
  return { ...snapshot, participants: snapshot.participants.filter((person) => person.identity !== MUSIC) };
}

function CallHeader({ call, mine }: { call: Call; mine: MyCall }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const now = useNow(1000);
  const level = call.student === null ? "" : levelOf(call.student);
  const since = Date.parse(call.connected_at ?? call.accepted_at ?? mine.engagement.since);
  const until = call.ended_at === null ? now : Date.parse(call.ended_at);
  const minutes = lessonMinutesLeft(call, now);
  return (
    <header className="rh-call-header">
      <h1>
        {level === "" ? null : <span className="rh-vip">{lookup(t, `level.${level}`) ?? level}</span>}
        <span className="rh-call-name">{call.student?.name}</span>
      </h1>
      <span className="rh-call-topic">{topicName(call.topic)}</span>
      <span className={`rh-severity rh-severity-${call.severity}`}>{t(`severity.${call.severity}`)}</span>
      {minutes === null ? null : (
        <span className={minutes > 0 && minutes <= 10 ? "rh-warn" : "rh-muted"}>
          {minutes === 0 ? t("call.lessonOver") : t("call.minutesLeft", { n: minutes })}
        </span>
      )}
      <span className="rh-end rh-muted rh-ticket">{t("call.ticket", { ticket: call.ticket })}</span>
      <span className={`rh-call-state rh-call-state-${call.state}`}>
        {t(`callState.${call.state}`)}
        <time className="rh-figures" title={t("call.duration")}>
          {formatDuration((until - since) / 1000)}
        </time>
      </span>
    </header>
  );
}

/** What one should know at once, with the button that helps. */
function Banners({ call, room, snapshot }: { call: Call; room: CallSession | null; snapshot: CallSnapshot | null }) {
  const { t } = useAmbience();
  const { me } = useSession();
  const note = call.participants.find((person) => person.role === "supervisor" && person.mode === "whisper" && person.identity !== me.id);
  return (
    <>
      <TransferBanner call={call} />
      {call.state === "held" ? (
        <div className="rh-banner" role="status" data-banner="held">
          <strong>{t("call.held")}</strong>
          <span>{t("call.held.text")}</span>
        </div>
      ) : null}
      {note === undefined ? null : (
        <div className="rh-banner rh-banner-note" role="status">
          {t("call.whispering")}
        </div>
      )}
      {snapshot !== null && !snapshot.canPlayAudio ? (
        <Alert
          banner
          type="warning"
          title={t("call.sound.blocked")}
          action={
            <Button size="small" type="primary" onClick={() => void room?.startAudio()}>
              {t("call.sound.play")}
            </Button>
          }
        />
      ) : null}
      {snapshot?.notices.map((notice) => (
        <Alert
          key={notice.id}
          banner
          type="warning"
          title={lookup(t, `media.${notice.kind}`) ?? t("media.other")}
          action={
            <span className="rh-row">
              {notice.kind.startsWith("microphone") || notice.kind.startsWith("camera") ? (
                <Button
                  size="small"
                  type="primary"
                  onClick={() => {
                    room?.dismissNotice(notice.id);
                    void (notice.kind.startsWith("microphone") ? room?.setMicrophone(true) : room?.setCamera(true));
                  }}
                >
                  {t("action.retry")}
                </Button>
              ) : null}
              <Button size="small" onClick={() => room?.dismissNotice(notice.id)}>
                {t("action.dismiss")}
              </Button>
            </span>
          }
        />
      ))}
    </>
  );
}

interface Dialogs {
  readonly open: (which: "invite" | "transfer" | "hand" | "end") => void;
  readonly element: React.ReactNode;
}

function useDialogs(call: Call): Dialogs {
  const { t } = useAmbience();
  const { api, desk, me } = useSession();
  const { guard } = useProblems();
  const { modal } = App.useApp();
  const [open, setOpen] = useState<"invite" | "transfer" | "hand" | null>(null);
  const [note, setNote] = useState("");
  const own = call.participants.find((person) => person.identity === me.id);
  const leaves = own !== undefined && own.role !== "primary";
  const path = { call: call.id };
  const end = (): void => {
    modal.confirm({
      title: t(leaves ? "call.leave.title" : "call.end.title"),
      content: t(leaves ? "call.leave.text" : "call.end.text"),
      okText: t(leaves ? "call.leave" : "call.end"),
      okButtonProps: { danger: true, "data-control": "end-confirm" },
      focusable: { autoFocusButton: "ok" },
      onOk: () =>
        guard(async () => {
          if (leaves) {
            await unwrap(api.DELETE("/v1/calls/{call}/participants/{identity}", { params: { path: { ...path, identity: me.id } } }));
          } else desk.adopt(await unwrap(api.POST("/v1/calls/{call}/end", { params: { path } })));
          await desk.refresh();
        }),
    });
  };
  const raise = (): void => {
    void guard(async () => {
      desk.adopt(await unwrap(api.POST("/v1/calls/{call}/raise-hand", { params: { path }, body: { note } })));
      setOpen(null);
      setNote("");
    });
  };
  return {
    open: (which) => {
      if (which === "end") end();
      else setOpen(which);
    },
    element: (
      <>
        <InviteDialog call={call} open={open === "invite"} onClose={() => setOpen(null)} />
        <TransferDialog call={call} open={open === "transfer"} onClose={() => setOpen(null)} />
        <Modal
          open={open === "hand"}
          title={t("call.hand.title")}
          okText={t("call.hand")}
          okButtonProps={{ "data-control": "hand-send" }}
          onOk={raise}
          onCancel={() => setOpen(null)}
          width={440}
          destroyOnHidden
        >
          <Input.TextArea
            autoFocus
            value={note}
            maxLength={HAND_CHARACTERS}
            className="rh-grow"
            placeholder={t("call.hand.note")}
            aria-label={t("call.hand.note")}
            onChange={(event) => setNote(event.target.value)}
          />
        </Modal>
      </>
    ),
  };
}

/** What may be done now; null: not in this state, or not by this person. */
function useActs(
  call: Call,
  mine: MyCall,
  session: CallSession | null,
  snapshot: CallSnapshot | null,
  dialogs: Dialogs,
  supervises: boolean,
): Acts & { readonly leaves: boolean } {
  const { api, desk, me } = useSession();
  const { remember } = useAmbience();
  const { guard } = useProblems();
  const own = call.participants.find((person) => person.identity === me.id);
  const responsible = own?.role === "primary";
  const conducts = responsible || (supervises && own?.mode !== "monitor");
  const assigned = mine.engagement.state === "assigned";
  const talking = call.state === "active" || call.state === "held";
  const path = { call: call.id };
  const transferring = isTransferring(call);
  const connected = session !== null && snapshot?.phase === "connected" && snapshot.canPublish;
  return {
    leaves: !responsible,
    mic: connected ? () => void session.setMicrophone(snapshot.microphone !== "on") : null,
    camera: connected
      ? () => {
          const on = snapshot.camera !== "on";
          remember({ camera: on });
          void session.setCamera(on);
        }
      : null,
    hold:
      conducts && talking && !transferring
        ? () =>
            void guard(async () => {
              const route = call.state === "held" ? ("/v1/calls/{call}/resume" as const) : ("/v1/calls/{call}/hold" as const);
              desk.adopt(await unwrap(api.POST(route, { params: { path } })));
            })
        : null,
    invite: conducts && talking ? () => dialogs.open("invite") : null,
    transfer: conducts && talking && !transferring ? () => dialogs.open("transfer") : null,
    hand:
      assigned && talking && !supervises
        ? () => {
            if (call.hand_raised_by !== me.id) dialogs.open("hand");
            else
              void guard(async () => {
                desk.adopt(await unwrap(api.POST("/v1/calls/{call}/lower-hand", { params: { path } })));
              });
          }
        : null,
    end: assigned ? () => dialogs.open("end") : null,
  };
}

function ChatControls({ call, acts, guard }: { call: Call; acts: Acts; guard: (act: () => Promise<unknown>) => Promise<boolean> }) {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const upgrade = (kind: "voice" | "video") => () =>
    void guard(async () => {
      const answer = await unwrap(api.POST("/v1/calls/{call}/upgrade", { params: { path: { call: call.id } }, body: { kind } }));
      desk.adopt(answer.call);
      await desk.refresh();
    });
  return (
    <div className="rh-chat-controls">
      <Button onClick={upgrade("voice")}>{t("call.upgrade.voice")}</Button>
      <Button onClick={upgrade("video")}>{t("call.upgrade.video")}</Button>
      <Button disabled={acts.transfer === null} onClick={acts.transfer ?? undefined}>
        {t("call.transfer")}
      </Button>
      <Button disabled={acts.hand === null} onClick={acts.hand ?? undefined}>
        {t(call.hand_raised_by === null ? "call.hand" : "call.hand.lower")}
      </Button>
      <Button danger type="primary" disabled={acts.end === null} data-control="end" onClick={acts.end ?? undefined}>
        {t("call.end")}
      </Button>
    </div>
  );
}
