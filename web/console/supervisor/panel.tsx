import { AudioMutedOutlined, AudioOutlined, CloseOutlined, ExpandOutlined, LogoutOutlined } from "@ant-design/icons";
import { Alert, Button, Empty, Spin, Tooltip } from "antd";
import { useEffect } from "react";
import { useNavigate } from "react-router";
import type { CallSnapshot } from "../../shared/call/model";
import type { CallSession } from "../../shared/call/session";
import type { Call, Floor, Mode } from "../../shared/supervision/floor";
import { MUSIC, useMyCall, useRoom, useSnapshot } from "../call/hooks";
import { Sounds, Video } from "../call/media";
import { useAmbience, useSession, useStore } from "../context";
import { Avatar } from "../desk/avatar";
import { useTopicName } from "../topicName";
import { JoinButtons, QualityDot } from "./calls";
import type { Joining } from "./useJoining";

/** One call from beside: seen and heard, and with the ways to take part. */
export function CallPanel({ id, floor, joining, onClose }: { id: string; floor: Floor; joining: Joining; onClose: () => void }) {
  const { t } = useAmbience();
  const { calls, qualities } = useStore(floor.state);
  const call = calls.get(id) ?? null;
  return (
    <aside className="rh-floor-panel" aria-label={t("supervisor.panel")} data-panel-call={id}>
      <header className="rh-row">
        <h2 className="rh-floor-name">{call === null ? t("supervisor.panel") : (call.student?.name ?? "")}</h2>
        {call === null ? null : <QualityDot quality={qualities.get(id) ?? "unknown"} />}
        <Button className="rh-end" type="text" icon={<CloseOutlined />} aria-label={t("supervisor.panel.close")} onClick={onClose} />
      </header>
      {call === null ? <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("supervisor.panel.over")} /> : <Inside call={call} joining={joining} />}
    </aside>
  );
}

function Inside({ call, joining }: { call: Call; joining: Joining }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const { desk } = useSession();
  const navigate = useNavigate();
  const mine = useMyCall(call.id);
  const room = useRoom(mine === null ? null : desk.room(call.id));
  const snapshot = useSnapshot(room.session);
  const mode = joining.modeIn(call);
  const messages = mine?.messages ?? [];
  return (
    <>
      <p className="rh-muted">
        {t("call.ticket", { ticket: call.ticket })} · {topicName(call.topic)}
        {call.note === "" ? "" : ` · ${call.note}`}
      </p>
      <JoinButtons call={call} joining={joining} onOpen={() => undefined} />
      {mode === null ? (
        <p className="rh-floor-nothing">{t("supervisor.panel.notIn")}</p>
      ) : (
        <>
          <div className="rh-floor-stage">
            {snapshot === null || room.session === null || snapshot.phase === "connecting" ? (
              call.kind === "chat" ? null : (
                <div className="rh-centre">
                  <Spin description={t("supervisor.panel.joining")} />
                </div>
              )
            ) : (
              <Media call={call} session={room.session} snapshot={snapshot} mode={mode} />
            )}
          </div>
          <div className="rh-row rh-floor-doors">
            <Button icon={<ExpandOutlined />} onClick={() => void navigate(`/desk/call/${call.id}`)}>
              {t("supervisor.panel.full")}
            </Button>
            <Button
              className="rh-end"
              danger
              icon={<LogoutOutlined />}
              disabled={joining.busy !== null}
              loading={joining.busy === call.id ? { delay: 300 } : false}
              data-join="leave"
              onClick={() => void joining.leave(call.id)}
            >
              {t("supervisor.join.leave")}
            </Button>
          </div>
        </>
      )}
      <section aria-label={t("supervisor.panel.chat")} className="rh-floor-chat">
        <h3 className="rh-heading">{t("supervisor.panel.chat")}</h3>
        {messages.length === 0 ? (
          <p className="rh-muted">{t("supervisor.panel.chat.empty")}</p>
        ) : (
          <ul>
            {messages.slice(-30).map((message) => (
              <li key={message.id}>
                <strong>{call.participants.find((person) => person.identity === message.author)?.name ?? message.author}</strong> {message.text}
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}

function Media({ call, session, snapshot, mode }: { call: Call; session: CallSession; snapshot: CallSnapshot; mode: Mode }) {
  const { t } = useAmbience();
  const others = snapshot.participants.filter((person) => !person.isLocal && person.identity !== MUSIC);
  const student = others.find((person) => person.identity === call.student?.id) ?? null;
  const picture = student?.screen ?? student?.camera ?? null;
  const name = call.student?.name ?? "";
  const { microphone, canPublish } = snapshot;
  const silent = mode === "monitor";
  // Who begins to speak has the microphone opened; who only listens never has it open, however it came to be.
  useEffect(() => {
    if (!silent && canPublish && snapshot.phase === "connected") void session.setMicrophone(true);
  }, [session, silent, canPublish, snapshot.phase]);
  useEffect(() => {
    if (silent && microphone === "on") void session.setMicrophone(false);
  }, [session, silent, microphone]);
  return (
    <>
      <Sounds participants={others} />
      {snapshot.canPlayAudio ? null : (
        <Alert
          type="warning"
          title={t("supervisor.panel.blocked")}
          action={
            <Button size="small" type="primary" onClick={() => void session.startAudio()}>
              {t("supervisor.panel.play")}
            </Button>
          }
        />
      )}
      {picture === null ? null : (
        <div className="rh-floor-picture">
          <Video media={picture} label={t(student?.screen === picture ? "supervisor.panel.screen" : "supervisor.panel.camera", { name })} />
        </div>
      )}
      <ul className="rh-floor-people" aria-label={t("supervisor.panel.people")}>
        {others.map((person) => (
          <li key={person.identity} data-person={person.identity} data-speaking={person.isSpeaking}>
            <Avatar id={person.identity} name={person.name} size={28} pulsing={person.isSpeaking} staff={person !== student} />
            <span className="rh-floor-name">{person.name}</span>
            {person.isSpeaking ? <span className="rh-good rh-floor-small">{t("supervisor.panel.speaking")}</span> : null}
            {person.microphone === "on" ? null : (
              <Tooltip title={t("supervisor.panel.muted")}>
                <AudioMutedOutlined className="rh-muted" aria-label={t("supervisor.panel.muted")} />
              </Tooltip>
            )}
          </li>
        ))}
        <li data-person="me">
          {microphone === "on" ? <AudioOutlined className="rh-good" /> : <AudioMutedOutlined className="rh-muted" />}
          <span>
            {t(`mode.${mode}`)} · {t(microphone === "on" ? "supervisor.panel.mic.on" : "supervisor.panel.mic.off")}
          </span>
        </li>
      </ul>
    </>
  );
}
