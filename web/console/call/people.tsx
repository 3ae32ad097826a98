import { AudioMutedOutlined, MoreOutlined, PhoneOutlined } from "@ant-design/icons";
import { App, Button, Dropdown } from "antd";
import { unwrap } from "../../shared/api/client";
import type { CallSnapshot, ParticipantView } from "../../shared/call/model";
import type { Call, Participant } from "../../shared/desk/model";
import { useAmbience, useSelected, useSession } from "../context";
import { Avatar } from "../desk/avatar";
import { useProblems } from "../problems";
import { Video } from "./media";

type Source = "microphone" | "camera" | "screen";

/** Everybody but the student, small, with what may be done about them; offers that ring as well. */
export function PeopleStrip({ call, snapshot, large }: { call: Call; snapshot: CallSnapshot | null; large: string | null }) {
  const { t } = useAmbience();
  const { me, desk, api } = useSession();
  const { guard } = useProblems();
  const agents = useSelected(desk.state, (state) => state.agents);
  const offers = (call.offers ?? []).filter((offer) => offer.agent !== me.id);
  const shown = call.participants.filter((person) => person.identity !== large);
  return (
    <ul className="rh-people" aria-label={t("call.people")}>
      {shown.map((person) => (
        <Person
          key={person.identity}
          call={call}
          person={person}
          view={snapshot?.participants.find((each) => each.identity === person.identity) ?? null}
        />
      ))}
      {offers.map((offer) => {
        const name = agents.get(offer.agent)?.name ?? offer.agent;
        const withdraw = async (): Promise<void> => {
          const answer = await unwrap(
            api.DELETE("/v1/calls/{call}/participants/{identity}", { params: { path: { call: call.id, identity: offer.agent } } }),
          );
          desk.adopt(answer);
        };
        return (
          <li key={offer.id} className="rh-person rh-person-asked" data-asked={offer.agent}>
            <div className="rh-person-picture">
              <Avatar id={offer.agent} name={name} size={44} pulsing staff />
            </div>
            <p className="rh-person-name">
              <PhoneOutlined /> {name}
            </p>
            <p className="rh-person-role">{t("call.people.asking")}</p>
            {call.transfer?.state === "ringing" ? null : (
              <Button size="small" onClick={() => void guard(withdraw)}>
                {t("call.people.withdraw")}
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Person({ call, person, view }: { call: Call; person: Participant; view: ParticipantView | null }) {
  const { t } = useAmbience();
  const { me } = useSession();
  const mine = person.identity === me.id;
  const name = person.name === "" ? person.identity : person.name;
  const away = person.state === "away";
  return (
    <li
      className={`rh-person${view?.isSpeaking === true ? " rh-speaking" : ""}${away ? " rh-person-away" : ""}`}
      data-person={person.identity}
    >
      <div className="rh-person-picture">
        {view?.camera == null ? (
          <Avatar id={person.identity} name={name} size={44} staff={person.role !== null} />
        ) : (
          <Video media={view.camera} label={t("call.camera", { name })} mirrored={mine} cover />
        )}
        {view !== null && view.microphone !== "on" ? (
          <span className="rh-person-muted" title={t("call.people.muted")}>
            <AudioMutedOutlined />
          </span>
        ) : null}
        {mine ? null : <PersonMenu call={call} person={person} view={view} />}
      </div>
      <p className="rh-person-name">{mine ? t("call.you") : name}</p>
      <p className="rh-person-role">
        {[roleText(t, person), person.mode === "talk" ? "" : t(`mode.${person.mode}`), stateText(t, person)]
          .filter((each) => each !== "")
          .join(" · ")}
      </p>
    </li>
  );
}

type T = ReturnType<typeof useAmbience>["t"];

function roleText(t: T, person: Participant): string {
  if (person.kind === "student") return t("callRole.student");
  if (person.kind === "guest" || person.kind === "guardian") return t("callRole.guest");
  return person.role === null ? "" : t(`callRole.${person.role}`);
}

function stateText(t: T, person: Participant): string {
  switch (person.state) {
    case "connecting":
    case "expected":
    case "away":
      return t(`call.state.${person.state}`);
    default:
      return "";
  }
}

/** Muting and removing, as far as one's right goes; the server decides again. */
export function PersonMenu({ call, person, view }: { call: Call; person: Participant; view: ParticipantView | null }) {
  const { t } = useAmbience();
  const { me, desk, api } = useSession();
  const { guard } = useProblems();
  const { modal, message } = App.useApp();
  const own = call.participants.find((each) => each.identity === me.id);
  const leads = me.role === "supervisor";
  const responsible = own?.role === "primary" || leads;
  if (!responsible || (person.role === "supervisor" && !leads)) return null;
  const name = person.name === "" ? person.identity : person.name;
  const mute = (source: Source) => (): void => {
    void guard(async () => {
      const { tracks } = await unwrap(
        api.POST("/v1/calls/{call}/participants/{identity}/mute", {
          params: { path: { call: call.id, identity: person.identity } },
          body: { source },
        }),
      );
      if (tracks.length === 0) void message.info(t("call.people.nothing"));
    });
  };
  const remove = (): void => {
    modal.confirm({
      title: t("call.people.remove.title", { name }),
      okText: t("call.people.remove"),
      okButtonProps: { danger: true },
      onOk: () =>
        guard(async () => {
          const answer = await unwrap(
            api.DELETE("/v1/calls/{call}/participants/{identity}", {
              params: { path: { call: call.id, identity: person.identity } },
            }),
          );
          desk.adopt(answer);
        }),
    });
  };
  const removable = person.kind !== "student" && person.role !== "primary";
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          { key: "mute", label: t("call.people.mute"), disabled: view?.microphone !== "on", onClick: mute("microphone") },
          { key: "camera", label: t("call.people.camera"), disabled: view?.camera == null, onClick: mute("camera") },
          ...(view?.screen == null ? [] : [{ key: "screen", label: t("call.people.screen"), onClick: mute("screen") }]),
          ...(removable ? [{ type: "divider" as const }, { key: "remove", danger: true, label: t("call.people.remove"), onClick: remove }] : []),
        ],
      }}
    >
      <button type="button" className="rh-person-menu" aria-label={`${t("call.more")}: ${name}`} data-menu={person.identity}>
        <MoreOutlined />
      </button>
    </Dropdown>
  );
}
