import { ExportOutlined, ImportOutlined } from "@ant-design/icons";
import { App, Button, Spin } from "antd";
import { useCallback, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import type { CallSnapshot, MediaHandle } from "../../shared/call/model";
import type { Call } from "../../shared/desk/model";
import type { RoomState } from "../../shared/desk/room";
import type { Guide } from "../../shared/guide";
import { useAmbience, useSession } from "../context";
import { Avatar } from "../desk/avatar";
import { GuideStage } from "../guide";
import { Video } from "./media";
import { PeopleStrip, PersonMenu } from "./people";
import { openPopout, type Popout } from "./popout";

/** What is large: the student's screen, else the student's face, else the name. */
interface Main {
  readonly source: "screen" | "camera";
  readonly media: MediaHandle;
}

export interface StageProps {
  readonly call: Call;
  readonly room: RoomState;
  readonly snapshot: CallSnapshot | null;
  readonly guide: Guide | null;
  readonly onEnter: () => void;
  /** Set while mounted, so that a key can pop the picture out. */
  readonly popping: { current: (() => void) | null };
}

export function Stage({ call, room, snapshot, guide, onEnter, popping }: StageProps) {
  const { t } = useAmbience();
  const { message } = App.useApp();
  const [popout, setPopout] = useState<Popout | null>(null);
  const student = call.student?.id ?? "";
  const name = call.student?.name ?? "";
  const view = snapshot?.participants.find((person) => person.identity === student) ?? null;
  const [preferred, setPreferred] = useState<"screen" | "camera">("screen");
  const main: Main | null = chooseMain(view?.screen ?? null, view?.camera ?? null, preferred);
  const second = main?.source === "screen" ? (view?.camera ?? null) : main?.source === "camera" ? (view?.screen ?? null) : null;

  const pop = useCallback(() => {
    if (popout !== null) {
      popout.close();
      return;
    }
    const opened = openPopout(t("call.screen", { name }), () => setPopout(null));
    if (opened === null) void message.warning(t("call.popout.blocked"));
    else setPopout(opened);
  }, [popout, t, name, message]);
  useEffect(() => {
    popping.current = main === null ? null : pop;
    return () => {
      popping.current = null;
    };
  }, [popping, pop, main]);
  useEffect(() => () => popout?.close(), [popout]);

  const label = main?.source === "screen" ? t("call.screen", { name }) : t("call.camera", { name });
  const secondLabel = main?.source === "screen" ? t("call.camera", { name }) : t("call.screen", { name });
  const picture = main === null ? null : <Picture main={main} student={student} label={label} guide={guide} call={call} />;
  return (
    <div className="rh-stage">
      <div className="rh-stage-main" data-stage={main?.source ?? "none"}>
        {popout !== null ? (
          <div className="rh-stage-empty">
            <p>{t("call.popout.shown")}</p>
            <Button ghost icon={<ImportOutlined />} onClick={pop}>
              {t("call.popin")}
            </Button>
          </div>
        ) : (
          (picture ?? (
            <div className="rh-stage-empty">
              <Avatar id={student} name={name} size={96} />
              <p>{t("call.noPicture")}</p>
            </div>
          ))
        )}
        {popout !== null && picture !== null ? createPortal(picture, popout.container) : null}
        {main === null ? null : (
          <div className="rh-stage-corner">
            <span className="rh-stage-label">{label}</span>
            {popout === null ? (
              <button type="button" className="rh-stage-button" title={t("call.popout")} aria-label={t("call.popout")} data-control="popout" onClick={pop}>
                <ExportOutlined />
              </button>
            ) : null}
          </div>
        )}
        {second === null || main === null ? null : (
          <button
            type="button"
            className="rh-stage-second"
            aria-label={secondLabel}
            onClick={() => setPreferred(main.source === "screen" ? "camera" : "screen")}
          >
            <Video media={second} label={secondLabel} cover={main.source === "screen"} />
          </button>
        )}
        <StudentMenu call={call} view={view} />
        <Overlay call={call} room={room} snapshot={snapshot} onEnter={onEnter} />
      </div>
      <PeopleStrip call={call} snapshot={snapshot} large={student} />
    </div>
  );
}

function chooseMain(screen: MediaHandle | null, camera: MediaHandle | null, preferred: "screen" | "camera"): Main | null {
  if (preferred === "camera" && camera !== null) return { source: "camera", media: camera };
  if (screen !== null) return { source: "screen", media: screen };
  return camera === null ? null : { source: "camera", media: camera };
}

/** The large picture with the tools for pointing and drawing over it; the same in a window of its own. */
function Picture({ main, student, label, guide, call }: { main: Main; student: string; label: string; guide: Guide | null; call: Call }) {
  const { me } = useSession();
  const [element, setElement] = useState<HTMLVideoElement | null>(null);
  const mode = call.participants.find((person) => person.identity === me.id)?.mode ?? "talk";
  return (
    <div className="rh-picture">
      <Video media={main.media} label={label} onElement={setElement} />
      {guide !== null && (mode === "talk" || mode === "barge") ? (
        <GuideStage
          guide={guide}
          surface={{ owner: student, source: main.source }}
          video={element}
          me={me.id}
          nameOf={(identity) => call.participants.find((person) => person.identity === identity)?.name ?? identity}
        />
      ) : null}
    </div>
  );
}

function StudentMenu({ call, view }: { call: Call; view: CallSnapshot["participants"][number] | null }) {
  const person = call.participants.find((each) => each.kind === "student");
  if (person === undefined) return null;
  return (
    <div className="rh-stage-menu">
      <PersonMenu call={call} person={person} view={view} />
    </div>
  );
}

/** What keeps the talk from going on, with the way back. */
function Overlay({ call, room, snapshot, onEnter }: Pick<StageProps, "call" | "room" | "snapshot" | "onEnter">) {
  const { t } = useAmbience();
  if (room.is === "elsewhere") {
    return (
      <div className="rh-overlay" role="status">
        <p>{t("call.elsewhere")}</p>
        <Button type="primary" onClick={onEnter}>
          {t("call.elsewhere.here")}
        </Button>
      </div>
    );
  }
  if (room.is === "cut") {
    return (
      <div className="rh-overlay" role="alert">
        <Spin />
        <p>{t("call.cut")}</p>
        <Button type="primary" onClick={onEnter}>
          {t("call.cut.now")}
        </Button>
      </div>
    );
  }
  if (room.is === "joining") {
    return (
      <div className="rh-overlay rh-overlay-soft" role="status">
        <Spin />
        <p>{t("call.joining")}</p>
      </div>
    );
  }
  if (snapshot?.phase === "reconnecting") {
    return (
      <div className="rh-overlay rh-overlay-soft" role="status">
        <Spin />
        <p>{t("call.reconnecting")}</p>
      </div>
    );
  }
  const student = call.participants.find((person) => person.kind === "student");
  if (student !== undefined && student.state !== "present") {
    return (
      <div className="rh-overlay rh-overlay-soft" role="status">
        <p>{t(student.state === "away" ? "call.away.student" : "call.wait.student")}</p>
      </div>
    );
  }
  return null;
}
