import { Fragment } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Call, CallSnapshot } from "../../shared/call/model";
import { unreadCount } from "../../shared/call/chat";
import { formatDuration } from "../../shared/format";
import { shareLink } from "../../shared/query";
import { Sound } from "../components/media";
import { useAmbience, useStore } from "../context";
import { HandIcon } from "../icons";
import { Banners } from "./banners";
import { ChatPanel } from "./chatPanel";
import { ControlBar } from "./controlBar";
import { PeoplePanel } from "./peoplePanel";
import { Stage } from "./stage";

export type Panel = "chat" | "people" | null;

interface CallPageProps {
  call: Call;
  state: CallSnapshot;
  base: string;
}

export function CallPage({ call, state, base }: CallPageProps) {
  const { t, preferences, remember } = useAmbience();
  const statistics = useStore(call.statistics);
  const [panel, setPanel] = useState<Panel>(null);
  const [lastSeen, setLastSeen] = useState<string | null>(null);
  const link = shareLink(base, state.room);

  useEffect(() => {
    if (panel === "chat") setLastSeen(state.chat.at(-1)?.id ?? null);
  }, [panel, state.chat]);

  useEffect(() => {
    const before = document.title;
    document.title = state.room;
    return () => {
      document.title = before;
    };
  }, [state.room]);

  const toggle = useCallback((which: Panel) => setPanel((current) => (current === which ? null : which)), []);
  useShortcuts(call, state, toggle, () => setPanel(null));

  return (
    <div class="call" data-phase={state.phase}>
      <header class="call-head">
        <span class="brand-mark">
          <HandIcon />
        </span>
        <h1 class="call-room">{state.room}</h1>
        <CallTime since={state.connectedAtMs} />
      </header>

      <div class="call-body">
        <main class="call-main">
          <Banners call={call} state={state} />
          <Stage call={call} state={state} statistics={statistics} showStatistics={preferences.statistics} link={link} />
        </main>
        {panel === "chat" && (
          <ChatPanel messages={state.chat} onSend={(text) => void call.sendChat(text)} onClose={() => setPanel(null)} />
        )}
        {panel === "people" && (
          <PeoplePanel participants={state.participants} link={link} onClose={() => setPanel(null)} />
        )}
      </div>

      <ControlBar
        call={call}
        state={state}
        link={link}
        panel={panel}
        unread={panel === "chat" ? 0 : unreadCount(state.chat, lastSeen)}
        statistics={preferences.statistics}
        onPanel={toggle}
        onStatistics={() => remember({ statistics: !preferences.statistics })}
      />

      <div hidden>
        {state.participants.map((participant) => (
          <Fragment key={participant.identity}>
            {participant.audio !== null && <Sound key={participant.audio.key} handle={participant.audio} />}
            {participant.screenAudio !== null && (
              <Sound key={participant.screenAudio.key} handle={participant.screenAudio} />
            )}
          </Fragment>
        ))}
      </div>
      <p class="visually-hidden" role="status">
        {t("call.people", { count: state.participants.length })}
      </p>
    </div>
  );
}

function CallTime({ since }: { since: number | null }) {
  const { t } = useAmbience();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  if (since === null) return null;
  const time = formatDuration((Date.now() - since) / 1000);
  return (
    <span class="call-time" title={t("call.duration", { time })}>
      {time}
    </span>
  );
}

/** Alt and a letter, so that no typing and no reading aid is disturbed; see the buttons' titles. */
function useShortcuts(call: Call, state: CallSnapshot, toggle: (panel: Panel) => void, closePanel: () => void): void {
  const latest = useRef({ state, toggle, closePanel });
  latest.current = { state, toggle, closePanel };
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const now = latest.current;
      if (event.key === "Escape") {
        now.closePanel();
        return;
      }
      if (!event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
      if (event.code === "KeyM") void call.setMicrophone(now.state.microphone === "off");
      else if (event.code === "KeyV") void call.setCamera(now.state.camera === "off");
      else if (event.code === "KeyS") void call.setScreen(now.state.screen === "off");
      else if (event.code === "KeyC") now.toggle("chat");
      else if (event.code === "KeyP") now.toggle("people");
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [call]);
}
