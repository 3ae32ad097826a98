import { Segmented } from "antd";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Diagnostics, type Direction, Line, MEASURES, type Measure, type Sample, SHOWN_S } from "../../shared/desk/line";
import type { Call } from "../../shared/desk/model";
import { formatBitrate, formatMilliseconds, formatRatio, UNKNOWN } from "../../shared/format";
import { useAmbience, useSession, useStore } from "../context";
import { useNow } from "../desk/now";
import { Curve, type CurveColours } from "./chart";
import { Facts } from "./studentPanel";

const FORMATS: Readonly<Record<Measure, (value: number | null) => string>> = {
  bitrate: formatBitrate,
  loss: formatRatio,
  jitter: formatMilliseconds,
  rtt: formatMilliseconds,
};
/** A curve's scale reaches at least so far, lest a calm line looks wild. */
const FLOORS: Readonly<Record<Measure, number>> = { bitrate: 200_000, loss: 0.05, jitter: 30, rtt: 100 };
/** From here on a figure is marked, as the diagnosis does: fair, poor. */
const MARKS: Readonly<Partial<Record<Measure, readonly [number, number]>>> = { loss: [0.02, 0.08], jitter: [30, 80], rtt: [200, 400] };
/** Figures older than this are said to be old, seconds. */
const OLD_S = 4;

type Person = Diagnostics["participants"][number];

/** The line of everybody in the call, each second, both directions. */
export default function LinePanel({ call }: { call: Call }) {
  const { t } = useAmbience();
  const { api, me } = useSession();
  const line = useMemo(() => new Line(api, call.id), [api, call.id]);
  useEffect(() => {
    line.start();
    return () => line.stop();
  }, [line]);
  const state = useStore(line.state);
  const now = useNow(1000);
  const [chosen, setChosen] = useState<string | null>(null);
  const people = [...state.series.keys()];
  const student = call.student?.id ?? "";
  people.sort((one, other) => rank(one, student, me.id) - rank(other, student, me.id));
  const who = chosen !== null && people.includes(chosen) ? chosen : (people[0] ?? null);
  if (who === null) return <p className="rh-muted rh-pane-note">{t("figures.none")}</p>;
  const nameOf = (identity: string): string =>
    identity === me.id ? t("call.you") : (call.participants.find((each) => each.identity === identity)?.name ?? identity);
  const samples = state.series.get(who) ?? [];
  const person = state.latest?.participants.find((each) => each.identity === who) ?? null;
  const age = state.readMs === null ? 0 : Math.round((now - state.readMs) / 1000);
  return (
    <div className="rh-lines" data-line={who}>
      {people.length > 1 ? (
        <Segmented
          block
          value={who}
          onChange={setChosen}
          options={people.map((identity) => ({ value: identity, label: nameOf(identity) }))}
        />
      ) : null}
      <p className="rh-row rh-muted">
        {person === null ? null : (
          <>
            <span className={`rh-quality rh-quality-${person.quality}`} />
            {t(`call.quality.${qualityOf(person)}`)}
          </>
        )}
        <span className={age > OLD_S ? "rh-end rh-warn" : "rh-end"}>
          {age > OLD_S ? t("figures.stopped", { n: age }) : t("figures.age", { n: Math.max(0, age) })}
        </span>
      </p>
      <p className="rh-legend" aria-hidden="true">
        <span className="rh-legend-up">{t("figures.up")}</span>
        <span className="rh-legend-down">{t("figures.down")}</span>
      </p>
      {MEASURES.map((measure) => (
        <MeasureChart key={measure} measure={measure} samples={samples} name={nameOf(who)} />
      ))}
      {person === null ? null : <Client person={person} />}
    </div>
  );
}

function rank(identity: string, student: string, me: string): number {
  return identity === student ? 0 : identity === me ? 2 : 1;
}

function qualityOf(person: Person): "excellent" | "good" | "poor" | "lost" | "unknown" {
  const known = ["excellent", "good", "poor", "lost"] as const;
  return known.find((each) => each === person.quality) ?? "unknown";
}

function MeasureChart({ measure, samples, name }: { measure: Measure; samples: readonly Sample[]; name: string }) {
  const { t, dark } = useAmbience();
  const box = useRef<HTMLDivElement>(null);
  const curve = useRef<Curve | null>(null);
  const format = FORMATS[measure];
  const up = t("figures.up");
  const down = t("figures.down");
  useEffect(() => {
    if (box.current === null) return undefined;
    const made = new Curve(box.current, { up, down }, format, FLOORS[measure]);
    curve.current = made;
    const sizes = new ResizeObserver(() => made.resize());
    sizes.observe(box.current);
    return () => {
      sizes.disconnect();
      made.close();
      curve.current = null;
    };
  }, [measure, format, up, down]);
  useEffect(() => {
    const values = (direction: Direction) => samples.map((each) => [each.atMs, each[direction][measure]] as const);
    curve.current?.draw({ nowMs: samples.at(-1)?.atMs ?? 0, up: values("uplink"), down: values("downlink") }, coloursOf(dark));
  }, [samples, measure, dark, up, down, format]);
  const last = samples.at(-1);
  const value = (direction: Direction): number | null => last?.[direction][measure] ?? null;
  return (
    <figure className="rh-measure">
      <figcaption>
        <span>{t(`figures.${measure}`)}</span>
        {(["uplink", "downlink"] as const).map((direction) => (
          <strong key={direction} className={`rh-figures rh-measure-${direction} ${markOf(measure, value(direction))}`}>
            {value(direction) === null ? UNKNOWN : format(value(direction))}
          </strong>
        ))}
      </figcaption>
      <div ref={box} className="rh-curve" role="img" aria-label={t("figures.chart", { name, what: t(`figures.${measure}`), n: SHOWN_S })} />
    </figure>
  );
}

function markOf(measure: Measure, value: number | null): string {
  const marks = MARKS[measure];
  if (marks === undefined || value === null) return "";
  return value >= marks[1] ? "rh-mark-poor" : value >= marks[0] ? "rh-mark-fair" : "";
}

/** Canvas knows no variables: the same colours as in styles/tokens.css. */
function coloursOf(dark: boolean): CurveColours {
  return dark
    ? { up: "#2bb8a6", down: "#e0a04a", line: "#2c343d", text: "#eef1f4", surface: "#1d232a" }
    : { up: "#0f766e", down: "#c06a12", line: "#e3e8ec", text: "#161b22", surface: "#ffffff" };
}

function Client({ person }: { person: Person }) {
  const { t } = useAmbience();
  const { device } = person;
  return (
    <Facts
      rows={[
        [t("student.device.device"), device.device_model],
        [t("student.device.os"), [device.os, device.os_version].filter((each) => each !== "").join(" ")],
        [t("student.device.browser"), [device.browser, device.browser_version].filter((each) => each !== "").join(" ")],
        [t("student.device.network"), device.network],
        [t("figures.client"), [device.sdk, device.version].filter((each) => each !== "").join(" ")],
        [t("figures.transport"), person.protocol.toUpperCase()],
        [t("figures.streams"), person.uplink.streams.map((stream) => `${stream.codec} ${formatBitrate(stream.bitrate_bps)}`).join(" · ")],
      ]}
    />
  );
}
