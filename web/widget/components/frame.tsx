import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { CloseIcon, HandIcon } from "../../playground/icons";
import type { CallSnapshot } from "../../shared/call/model";
import { type HelpState, isOpen } from "../../shared/help/model";
import { useAmbience, useStore } from "../context";
import { makeMovable, type Offset } from "../drag";
import { BackIcon, MinimiseIcon } from "../icons";
import { captureScreenshot } from "../screenshot";
import type { HelpMedia } from "../../shared/help/media";
import type { ScreenSharing } from "../sharing";
import { CallPage, ChatCallHead, NetworkBadge } from "./callPage";
import { ChatPane } from "./chatPane";
import { CallbackPage, DonePage, LostPage, RatingPage, SummonedPage } from "./endPages";
import { GuestPage } from "./guestPage";
import { MiniWindow } from "./miniWindow";
import { Banners } from "./banners";
import { Buttons, Card, Sound } from "./parts";
import { StartPage } from "./startPage";
import { WaitingPage } from "./waitingPage";

export type View = "open" | "small" | "closed";

const MUSIC = "raisehand-music";

interface FrameProps {
  view: View;
  offset: Offset;
  miniOffset: Offset;
  onView: (view: View) => void;
  /** Above the panel's pages, on the whole page: the way out of a web view. */
  hint?: preact.ComponentChildren;
  returnLink?: preact.ComponentChildren;
}

/** The panel: one page at a time, and the sound, which goes on whatever is shown. */
export function Frame(props: FrameProps) {
  const { view } = props;
  const { controller, locale, child, page } = useAmbience();
  const state = useStore(controller.state);
  const room = useStore(controller.room.snapshot);
  const media = useStore(controller.room.media);
  const [sharing, setSharing] = useState<ScreenSharing | null>(null);
  const [chat, setChat] = useState(false);
  const [ending, setEnding] = useState(false);

  // Guiding is loaded when there is something to guide on: with the first screen or camera that is shown.
  const guided = useRef<{ media: HelpMedia; sharing: Promise<ScreenSharing> } | null>(null);
  const loadSharing = async (): Promise<ScreenSharing | null> => {
    if (media === null) return null;
    if (guided.current?.media !== media) {
      const made = import("../sharing").then(({ screenSharing }) => screenSharing(media, locale, child));
      guided.current = { media, sharing: made };
      setSharing(await made);
    }
    return guided.current.sharing;
  };
  const camera = room?.camera === "on";
  useEffect(() => {
    if (camera) void loadSharing();
  }, [camera, media]);
  useEffect(
    () => () => {
      const used = guided.current;
      guided.current = null;
      setSharing(null);
      void used?.sharing.then((made) => made.close());
    },
    [media],
  );
  useEffect(() => {
    if (isOpen(state)) return;
    setChat(false);
    setEnding(false);
  }, [state.phase]);

  const talking = state.phase === "talking" || state.phase === "connecting";
  return (
    <>
      {(view === "open" || page) && (
        <Panel {...props} state={state} room={room} sharing={sharing} onShare={loadSharing} chat={chat} onChat={setChat} ending={ending} onEnding={setEnding} />
      )}
      {view === "small" && !page && talking && (
        <MiniWindow
          state={state}
          room={room}
          offset={props.miniOffset}
          onExpand={() => props.onView("open")}
          onEnd={() => {
            setEnding(true);
            setChat(false);
            props.onView("open");
          }}
          onChat={() => {
            setChat(true);
            props.onView("open");
          }}
        />
      )}
      <div hidden>
        {(room?.participants ?? []).map((participant) => (
          <Fragment key={participant.identity}>
            {participant.audio !== null && (
              <Sound key={participant.audio.key} handle={participant.audio} muted={participant.identity === MUSIC && state.musicMuted} />
            )}
            {participant.screenAudio !== null && <Sound key={participant.screenAudio.key} handle={participant.screenAudio} />}
          </Fragment>
        ))}
      </div>
    </>
  );
}

interface PanelProps extends FrameProps {
  state: HelpState;
  room: CallSnapshot | null;
  sharing: ScreenSharing | null;
  onShare: () => Promise<ScreenSharing | null>;
  chat: boolean;
  onChat: (on: boolean) => void;
  ending: boolean;
  onEnding: (ending: boolean) => void;
}

function Panel({ state, room, sharing, onShare, chat, ending, offset, onChat, onEnding, onView, hint, returnLink }: PanelProps) {
  const { t, controller, page } = useAmbience();
  const frame = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const outside = state.guest === "invited" || state.guest === "left";
  const talking = (state.phase === "talking" || state.phase === "connecting") && !outside;
  const chatOnly = state.kind === "chat" && talking;
  const shown = chatOnly ? "chat" : chat && isOpen(state) && state.phase !== "summoned" ? "aside" : state.phase;

  useEffect(() => {
    if (page || frame.current === null || head.current === null) return undefined;
    if (!window.matchMedia("(min-width: 561px)").matches) return undefined;
    return makeMovable(frame.current, head.current, offset);
  }, [page, offset]);
  // A new page is read from its heading; the focus never leaves the panel for it, nor comes from outside.
  useEffect(() => {
    const root = frame.current?.getRootNode();
    const inside = root instanceof ShadowRoot && root.activeElement !== null;
    if (inside || page) body.current?.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
    body.current?.scrollTo({ top: 0 });
  }, [shown]);

  const takeScreenshot = (): void => {
    void captureScreenshot().then((shot) => {
      if (shot === null) onChat(true);
      else void controller.chat.sendFile(shot, "screenshot.png");
    });
  };
  const leave = (): void => onView(isOpen(state) ? "small" : "closed");

  return (
    <div
      class={`panel${page ? " whole" : ""}`}
      ref={frame}
      role={page ? "main" : "dialog"}
      aria-label={t("panel.label")}
      data-phase={state.phase}
      data-view="open"
      onKeyDown={(event) => {
        if (event.key === "Escape" && !page) leave();
      }}
    >
      <header class="head" ref={head} title={page ? undefined : t("panel.move")}>
        {shown === "aside" ? (
          <button type="button" class="icon-button" data-action="back" aria-label={t("panel.back")} onClick={() => onChat(false)}>
            <BackIcon />
          </button>
        ) : (
          <span class="brand-mark">
            <HandIcon />
          </span>
        )}
        <h1 class={talking && returnLink !== undefined && shown !== "aside" ? "visually-hidden" : ""}>{shown === "aside" ? t("chat.title") : t("panel.label")}</h1>
        {talking && <NetworkBadge state={state} room={room} />}
        {talking && <span class="gap" />}
        {returnLink}
        {!page && (
          <button
            type="button"
            class="icon-button"
            data-action="minimise"
            aria-label={isOpen(state) ? t("panel.minimise") : t("panel.close")}
            title={isOpen(state) ? t("panel.minimise") : t("panel.close")}
            onClick={leave}
          >
            {isOpen(state) ? <MinimiseIcon /> : <CloseIcon />}
          </button>
        )}
      </header>
      {hint}
      <div class="body" ref={body}>
        {state.problem !== null && <Problem state={state} />}
        {shown === "aside" || shown === "chat" ? (
          <div class="page chat-page" data-page="chat">
            {shown === "chat" && <ChatCallHead state={state} />}
            {shown === "chat" && <Banners state={state} room={room} onChat={() => onChat(true)} onScreenshot={takeScreenshot} />}
            <ChatPane state={state} focus={shown === "aside"} />
          </div>
        ) : (
          <Page
            state={state}
            room={room}
            sharing={sharing}
            onShare={onShare}
            ending={ending}
            onEnding={onEnding}
            onChat={() => onChat(true)} onScreenshot={takeScreenshot}
            onClose={page ? null : () => onView("closed")}
          />
        )}
      </div>
    </div>
  );
}

function Page({ state, room, sharing, onShare, ending, onEnding, onChat, onScreenshot, onClose }: {
  state: HelpState;
  room: CallSnapshot | null;
  sharing: ScreenSharing | null;
  onShare: () => Promise<ScreenSharing | null>;
  ending: boolean;
  onEnding: (ending: boolean) => void;
  onChat: () => void;
  onScreenshot: () => void;
  onClose: (() => void) | null;
}) {
  if (state.guest !== null) {
    const open = isOpen(state) && state.guest === "joined";
    if (!open) return <GuestPage state={state} />;
    return <CallPage state={state} room={room} sharing={sharing} onShare={onShare} ending={ending} onEnding={onEnding} onChat={onChat} onScreenshot={onScreenshot} />;
  }
  switch (state.phase) {
    case "start":
    case "asking":
      return <StartPage state={state} />;
    case "waiting":
      return (
        <>
          <Banners state={state} room={room} onChat={onChat} onScreenshot={onScreenshot} />
          <WaitingPage state={state} onChat={onChat} />
        </>
      );
    case "connecting":
    case "talking":
      return <CallPage state={state} room={room} sharing={sharing} onShare={onShare} ending={ending} onEnding={onEnding} onChat={onChat} onScreenshot={onScreenshot} />;
    case "summoned":
      return <SummonedPage state={state} />;
    case "rating":
      return <RatingPage state={state} />;
    case "done":
      return <DonePage state={state} onClose={onClose} />;
    case "callback":
      return <CallbackPage state={state} />;
    case "lost":
      return <LostPage state={state} />;
  }
}

function Problem({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  if (state.problem === null) return null;
  return (
    <Card tone="warning" name="problem">
      <p role="alert" data-problem={state.problem}>
        {t(`problem.${state.problem}`)}
      </p>
      <Buttons>
        <button type="button" class="button primary" data-action="retry" onClick={() => void controller.retry()}>
          {t("problem.retry")}
        </button>
      </Buttons>
    </Card>
  );
}
