import { useEffect, useRef } from "preact/hooks";
import { ChatIcon, LeaveIcon, MicrophoneIcon, MicrophoneOffIcon } from "../../playground/icons";
import type { CallSnapshot } from "../../shared/call/model";
import { agentOf, type HelpState } from "../../shared/help/model";
import { useAmbience } from "../context";
import { makeMovable, type Offset } from "../drag";
import { ExpandIcon } from "../icons";
import { NetworkBadge, peopleOf } from "./callPage";
import { Avatar, Video } from "./parts";

/** The talk as a small window that can be moved, while the class goes on. */
export function MiniWindow({ state, room, offset, onExpand, onEnd, onChat }: {
  state: HelpState;
  room: CallSnapshot | null;
  offset: Offset;
  onExpand: () => void;
  onEnd: () => void;
  onChat: () => void;
}) {
  const { t, controller } = useAmbience();
  const frame = useRef<HTMLDivElement>(null);
  const grip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (frame.current === null || grip.current === null) return undefined;
    return makeMovable(frame.current, grip.current, offset);
  }, [offset]);
  const agent = agentOf(state.call);
  const person = peopleOf(room)[0];
  const name = person?.name ?? agent?.name ?? "";
  const shown = name === "" ? t("call.agent") : name;
  const held = state.call?.state === "held";
  const microphone = room?.microphone === "on" && !held;
  const live = room?.phase === "connected" && room.canPublish && !held;
  return (
    <div class="mini" ref={frame} role="region" aria-label={t("panel.label")} data-view="small">
      <div class="mini-grip" ref={grip} tabindex={0} role="group" aria-label={t("panel.move")} onDblClick={onExpand}>
        <div class={`face${person?.isSpeaking === true ? " speaking" : ""}`}>
          {person?.camera === null || person === undefined ? (
            <Avatar name={shown} identity={person?.identity ?? agent?.id ?? ""} large />
          ) : (
            <Video handle={person.camera} fit="cover" />
          )}
          <span class="face-name">{shown}</span>
        </div>
        <NetworkBadge state={state} room={room} />
      </div>
      <div class="mini-controls">
        {state.kind !== "chat" && (
          <button
            type="button"
            class={`icon-button${microphone ? "" : " off"}`}
            data-control="microphone"
            aria-pressed={microphone}
            aria-label={t(microphone ? "call.microphoneOff" : "call.microphoneOn")}
            title={t(microphone ? "call.microphoneOff" : "call.microphoneOn")}
            disabled={!live}
            onClick={() => void controller.devices.setMicrophone(!microphone)}
          >
            {microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          data-control="chat"
          aria-label={state.unread > 0 ? t("call.chatUnread", { n: state.unread }) : t("call.chat")}
          title={t("call.chat")}
          onClick={onChat}
        >
          <ChatIcon />
          {state.unread > 0 && <span class="badge">{state.unread}</span>}
        </button>
        <button type="button" class="icon-button" data-action="expand" aria-label={t("panel.expand")} title={t("panel.expand")} onClick={onExpand}>
          <ExpandIcon />
        </button>
        <button
          type="button"
          class="icon-button danger"
          data-control="hang-up"
          aria-label={t("call.hangUp")}
          title={t("call.hangUp")}
          onClick={onEnd}
        >
          <LeaveIcon />
        </button>
      </div>
    </div>
  );
}
