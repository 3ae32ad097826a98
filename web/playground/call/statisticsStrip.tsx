import { useState } from "preact/hooks";
import { type ParticipantStatistics, summarise, type TrackMeasures } from "../../shared/call/statistics";
import { formatBitrate, formatMilliseconds, formatPicture, formatRatio, UNKNOWN } from "../../shared/format";
import { useAmbience } from "../context";

interface StatisticsStripProps {
  name: string;
  statistics: ParticipantStatistics;
  /** A screen's strip tells of the screen alone. */
  source: "camera" | "screen";
}

/** From this loss on a figure is coloured, ratio. */
const LOSS_NOTABLE = 0.02;
/** From this round trip on a figure is coloured, milliseconds. */
const ROUND_TRIP_NOTABLE_MS = 300;

/** One quiet line of figures; a click opens the table of all tracks. */
export function StatisticsStrip({ name, statistics, source }: StatisticsStripProps) {
  const { t } = useAmbience();
  const [open, setOpen] = useState(false);
  const of: ParticipantStatistics =
    source === "screen" ? { ...statistics, audio: null, camera: null } : { ...statistics, screen: null };
  if (of.audio === null && of.camera === null && of.screen === null) return null;
  const line = summarise(of);
  const picture = formatPicture(line.width, line.height, line.framesPerSecond);
  const title = t("stats.title", { name });
  return (
    <div class="stats" data-stats={statistics.direction} role="group" aria-label={title}>
      {open && <StatisticsTable statistics={of} />}
      <button
        type="button"
        class="stats-line"
        aria-expanded={open}
        title={title}
        onClick={() => setOpen(!open)}
        onDblClick={(event) => event.stopPropagation()}
      >
        <Figure
          label={t(statistics.direction === "up" ? "stats.up" : "stats.down")}
          value={formatBitrate(line.bitrateBps)}
          arrow={statistics.direction}
        />
        <Figure label={t("stats.loss")} value={formatRatio(line.lossRatio)} notable={(line.lossRatio ?? 0) >= LOSS_NOTABLE} />
        <Figure label={t("stats.jitter")} value={formatMilliseconds(line.jitterMs)} rank={3} />
        <Figure
          label={t("stats.roundTripShort")}
          value={formatMilliseconds(line.roundTripMs)}
          notable={(line.roundTripMs ?? 0) >= ROUND_TRIP_NOTABLE_MS}
        />
        {picture !== null && <Figure label={t("stats.picture")} value={picture} rank={2} silent />}
        {line.codec !== null && <Figure label={t("stats.codec")} value={line.codec} rank={3} silent />}
      </button>
    </div>
  );
}

interface FigureProps {
  label: string;
  value: string;
  arrow?: "up" | "down";
  notable?: boolean;
  /** The label is clear from the value and only read aloud. */
  silent?: boolean;
  /** 3 goes first when the tile is narrow. */
  rank?: 1 | 2 | 3;
}

function Figure({ label, value, arrow, notable = false, silent = false, rank = 1 }: FigureProps) {
  return (
    <span class={`figure rank-${rank}${notable ? " notable" : ""}`}>
      {arrow !== undefined && <i class={`arrow ${arrow}`} aria-hidden="true" />}
      <span class={silent || arrow !== undefined ? "visually-hidden" : "figure-label"}>{label} </span>
      <b>{value}</b>
    </span>
  );
}

function StatisticsTable({ statistics }: { statistics: ParticipantStatistics }) {
  const { t } = useAmbience();
  const columns = (["audio", "camera", "screen"] as const).flatMap((kind) => {
    const measures = statistics[kind];
    return measures === null ? [] : [{ kind, measures }];
  });
  const row = (label: string, value: (measures: TrackMeasures) => string) => (
    <tr>
      <th scope="row">{label}</th>
      {columns.map(({ kind, measures }) => (
        <td key={kind}>{value(measures)}</td>
      ))}
    </tr>
  );
  return (
    <table class="stats-table">
      <thead>
        <tr>
          <th scope="col">{t(statistics.direction === "up" ? "stats.up" : "stats.down")}</th>
          {columns.map(({ kind }) => (
            <th key={kind} scope="col">
              {t(`stats.${kind}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {row(t("stats.bitrate"), (track) => formatBitrate(track.bitrateBps))}
        {row(t("stats.loss"), (track) => formatRatio(track.lossRatio))}
        {row(t("stats.jitter"), (track) => formatMilliseconds(track.jitterMs))}
        {row(t("stats.roundTrip"), (track) => formatMilliseconds(track.roundTripMs))}
        {row(t("stats.picture"), (track) => formatPicture(track.width, track.height, track.framesPerSecond) ?? UNKNOWN)}
        {row(t("stats.codec"), (track) => track.codec ?? UNKNOWN)}
      </tbody>
    </table>
  );
}
