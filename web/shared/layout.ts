/** Width over height of a camera tile when there is room to choose. */
const PREFERRED_ASPECT = 16 / 9;
/** A tile may be this much narrower or wider than preferred before it counts as cropped too far. */
const ASPECT_RANGE = { min: 0.8, max: 2.1 } as const;

export interface Grid {
  columns: number;
  rows: number;
}

/**
 * The grid that shows `count` tiles largest in a `width` x `height` box (CSS pixels).
 *
 * Tiles fill their cells, so what counts is the area that a picture of the preferred aspect keeps
 * in a cell; cells far from it lose, and so do empty cells.
 */
export function bestGrid(count: number, width: number, height: number): Grid {
  if (count <= 1 || width <= 0 || height <= 0) return { columns: 1, rows: Math.max(1, count) };
  let best: Grid = { columns: 1, rows: count };
  let bestScore = -1;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const aspect = width / columns / (height / rows);
    const clamped = Math.min(ASPECT_RANGE.max, Math.max(ASPECT_RANGE.min, aspect));
    const distance = Math.abs(Math.log(aspect / clamped)) + 0.25 * Math.abs(Math.log(clamped / PREFERRED_ASPECT));
    const score = (count / (columns * rows)) * Math.exp(-1.6 * distance);
    if (score > bestScore + 1e-9) {
      bestScore = score;
      best = { columns, rows };
    }
  }
  return best;
}

/** One rectangle of the stage: somebody's camera (or their initials) or their screen. */
export interface StageItem {
  readonly identity: string;
  readonly source: "camera" | "screen";
  readonly isLocal: boolean;
}

/** Names an item for pinning. */
export function itemKey(item: Pick<StageItem, "identity" | "source">): string {
  return `${item.source}:${item.identity}`;
}

/**
 * The item to show large, or null for an even grid: what the person pinned, else the newest screen
 * of somebody else that the person has not put back.
 */
export function chooseFocus<Item extends StageItem>(
  items: readonly Item[],
  pinned: string | null,
  putBack: ReadonlySet<string>,
): Item | null {
  const chosen = items.find((item) => itemKey(item) === pinned);
  if (chosen !== undefined) return chosen;
  return items.findLast((item) => item.source === "screen" && !item.isLocal && !putBack.has(itemKey(item))) ?? null;
}
