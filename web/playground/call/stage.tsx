import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Call, CallSnapshot, ParticipantView } from "../../shared/call/model";
import type { ParticipantStatistics } from "../../shared/call/statistics";
import { bestGrid, chooseFocus, itemKey, type StageItem } from "../../shared/layout";
import { EmptyState } from "./emptyState";
import { Tile } from "./tile";

interface StageProps {
  call: Call;
  state: CallSnapshot;
  statistics: ReadonlyMap<string, ParticipantStatistics>;
  showStatistics: boolean;
  link: string;
}

interface Item extends StageItem {
  readonly participant: ParticipantView;
}

/** Below this width a call of two shows the other large and ourselves in a corner. */
const PHONE_WIDTH = 600;

export function Stage({ call, state, statistics, showStatistics, link }: StageProps) {
  const [pinned, setPinned] = useState<string | null>(null);
  const [putBack, setPutBack] = useState<ReadonlySet<string>>(new Set());
  const stage = useRef<HTMLDivElement>(null);
  const size = useSize(stage);

  const items = useMemo(() => listItems(state.participants), [state.participants]);
  const focus = chooseFocus(items, pinned, putBack);

  // A screen shared anew is shown large again, even if its predecessor was put back.
  useEffect(() => {
    const present = new Set(items.map(itemKey));
    setPutBack((keys) => {
      const kept = [...keys].filter((key) => present.has(key));
      return kept.length === keys.size ? keys : new Set(kept);
    });
  }, [items]);

  const togglePin = (item: Item): void => {
    const key = itemKey(item);
    if (focus !== null && itemKey(focus) === key) {
      setPinned(null);
      if (item.source === "screen") setPutBack((keys) => new Set([...keys, key]));
    } else {
      setPinned(key);
    }
  };

  const alone = state.phase !== "connecting" && state.participants.length === 1 && state.screen !== "on";
  const others = items.filter((item) => !item.isLocal);
  const corner =
    size.width < PHONE_WIDTH && focus === null && items.length === 2 && others.length === 1 && state.participants.length === 2;
  const grid = bestGrid(corner ? 1 : items.length + (alone ? 1 : 0), size.width, size.height);

  const thumbs = focus === null ? 0 : items.length - 1;

  // Layout figures are set through the CSSOM: a strict content policy refuses style attributes.
  useLayoutEffect(() => {
    const shown = stage.current;
    if (shown === null) return;
    shown.style.setProperty("--columns", String(grid.columns));
    shown.style.setProperty("--thumbs", String(Math.max(1, thumbs)));
    shown.style.setProperty("--stage-width", `${size.width}px`);
    shown.style.setProperty("--stage-height", `${size.height}px`);
    // A last row that is not full stands in the middle; each tile spans two grid columns.
    const cells = [...shown.children].filter((child) => child instanceof HTMLElement);
    const lastRow = (grid.rows - 1) * grid.columns;
    const indent = grid.columns * grid.rows - cells.length;
    cells.forEach((cell, index) => {
      const moved = !corner && focus === null && index === lastRow && indent > 0;
      cell.style.gridColumnStart = moved ? String(indent + 1) : "";
    });
  });

  const placeOf = (item: Item): "grid" | "focus" | "strip" | "corner" => {
    if (focus !== null) return item === focus ? "focus" : "strip";
    return corner && item.isLocal ? "corner" : "grid";
  };

  // One flat list in every layout: a tile that changes its place keeps its video element playing.
  return (
    <div
      ref={stage}
      class={`stage ${focus === null ? "grid" : "focused"}${thumbs === 0 ? " single" : ""}${corner ? " with-corner" : ""}`}
    >
      {items.map((item) => (
        <Tile
          key={itemKey(item)}
          call={call}
          participant={item.participant}
          source={item.source}
          place={placeOf(item)}
          pinned={item === focus}
          statistics={showStatistics ? (statistics.get(item.identity) ?? null) : null}
          onPin={() => togglePin(item)}
        />
      ))}
      {alone && focus === null && <EmptyState link={link} />}
    </div>
  );
}

/** The others first, ourselves last: the eye belongs to the others. */
function listItems(participants: readonly ParticipantView[]): Item[] {
  const ordered = [...participants.filter((one) => !one.isLocal), ...participants.filter((one) => one.isLocal)];
  return ordered.flatMap((participant): Item[] => {
    const { identity, isLocal } = participant;
    const camera: Item = { identity, isLocal, source: "camera", participant };
    return participant.screen === null ? [camera] : [{ identity, isLocal, source: "screen", participant }, camera];
  });
}

/** The stage is one element whatever it shows, so observing it once is enough. */
function useSize(element: { readonly current: HTMLElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const observed = element.current;
    if (observed === null) return undefined;
    const read = (): void => setSize({ width: observed.clientWidth, height: observed.clientHeight });
    read();
    const observer = new ResizeObserver(read);
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return size;
}
