import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { GuideRenderer, PALETTE } from "../../guide/renderer";
import { drawStill, encodeStill } from "../../guide/still";
import {
  EMPTY_BOARD,
  type Guide,
  keyOf,
  letterbox,
  type Point,
  type Rect,
  type Stroke,
  type Surface,
  TEXT_CHARACTERS,
  type Tool,
  toPicture,
  toPictureClamped,
} from "../../shared/guide";
import { useAmbience, useStore } from "../context";
import "./guide.css";
import { ArrowIcon, BoxIcon, ClearIcon, FreezeIcon, LaserIcon, PenIcon, PlayIcon, TextIcon, UndoIcon } from "./icons";

const TOOLS: readonly { tool: Tool; key: string; icon: ReactNode }[] = [
  { tool: "laser", key: "L", icon: <LaserIcon /> },
  { tool: "pen", key: "P", icon: <PenIcon /> },
  { tool: "arrow", key: "A", icon: <ArrowIcon /> },
  { tool: "box", key: "B", icon: <BoxIcon /> },
  { tool: "text", key: "T", icon: <TextIcon /> },
];

export interface GuideStageProps {
  guide: Guide;
  surface: Surface;
  /** The playing element below, of the same size as this, `object-fit: contain`; null: none yet. */
  video: HTMLVideoElement | null;
  /** Our own identity in the call. */
  me: string;
  nameOf: (identity: string) => string;
}

/** Lies over a video of the student: shows all marks, and points and draws with the tool that is chosen. */
export function GuideStage({ guide, surface, video, me, nameOf }: GuideStageProps) {
  const { t } = useAmbience();
  const board = useStore(guide.boards).get(keyOf(surface)) ?? EMPTY_BOARD;
  const [tool, setTool] = useState<Tool | null>(null);
  const [colour, setColour] = useState(0);
  const [writing, setWriting] = useState<Point | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const still = useRef<HTMLCanvasElement>(null);
  const picture = useRef<Rect | null>(null);
  const stroke = useRef<Stroke | null>(null);
  const named = useRef(nameOf);
  named.current = nameOf;
  const { owner, source } = surface;
  const { frozenBy, still: held } = board;
  const frozen = frozenBy !== null;

  useEffect(() => {
    const [box, paper] = [root.current, canvas.current];
    if (box === null || paper === null) return undefined;
    const calm = (box.ownerDocument.defaultView ?? window).matchMedia("(prefers-reduced-motion: reduce)").matches;
    const renderer = new GuideRenderer(paper, { nameOf: (identity) => (identity === me ? "" : named.current(identity)), calm });
    const place = (): void => {
      const size = { width: box.clientWidth, height: box.clientHeight };
      picture.current = video === null ? null : letterbox({ width: video.videoWidth, height: video.videoHeight }, size);
      renderer.place(size.width, size.height, picture.current);
    };
    const key = keyOf({ owner, source });
    const draw = (): void => {
      renderer.show({ board: guide.boards.get().get(key) ?? EMPTY_BOARD, pointers: guide.pointers.get().get(key) ?? [] });
    };
    const sizes = new ResizeObserver(place);
    sizes.observe(box);
    video?.addEventListener("resize", place);
    video?.addEventListener("loadedmetadata", place);
    const stops = [guide.boards.subscribe(draw), guide.pointers.subscribe(draw)];
    place();
    draw();
    return () => {
      sizes.disconnect();
      video?.removeEventListener("resize", place);
      video?.removeEventListener("loadedmetadata", place);
      for (const stop of stops) stop();
      renderer.close();
    };
  }, [guide, owner, source, video, me]);

  // The picture stops here at once. Whoever has stopped it then sends what it shows: all are to see the same frame.
  useEffect(() => {
    const paper = still.current;
    if (frozenBy === null || paper === null) return undefined;
    if (held !== null) {
      void drawStill(paper, held);
      return undefined;
    }
    if (video === null) return undefined;
    paper.width = video.videoWidth;
    paper.height = video.videoHeight;
    paper.getContext("2d")?.drawImage(video, 0, 0);
    if (frozenBy !== me) return undefined;
    let current = true;
    void encodeStill(paper).then((picture) => {
      if (current && picture !== null) guide.showStill({ owner, source }, picture);
    });
    return () => {
      current = false;
    };
  }, [frozenBy, held, video, me, guide, owner, source]);

  useEffect(() => {
    if (tool !== "laser") guide.point({ owner, source }, null);
  }, [tool, guide, owner, source]);
  useEffect(() => () => guide.point({ owner, source }, null), [guide, owner, source]);

  const choose = (next: Tool): void => {
    setWriting(null);
    setTool((now) => (now === next ? null : next));
  };
  const place = (event: { clientX: number; clientY: number }): { left: number; top: number } => {
    const box = root.current?.getBoundingClientRect();
    return { left: event.clientX - (box?.left ?? 0), top: event.clientY - (box?.top ?? 0) };
  };

  const down = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (tool === null || picture.current === null || event.button !== 0) return;
    const at = toPicture(place(event), picture.current);
    if (at === null) return;
    event.preventDefault();
    if (tool === "text") {
      setWriting(at);
      return;
    }
    event.currentTarget.setPointerCapture(event.pointerId);
    if (tool === "laser") guide.point(surface, at);
    else stroke.current = guide.begin(surface, tool, colour, at);
  };
  const move = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (picture.current === null) return;
    if (tool === "laser") {
      guide.point(surface, toPicture(place(event), picture.current));
      return;
    }
    if (stroke.current === null) return;
    const steps = tool === "pen" ? event.nativeEvent.getCoalescedEvents() : [];
    for (const step of steps.length > 0 ? steps : [event.nativeEvent]) {
      stroke.current.extend(toPictureClamped(place(step), picture.current));
    }
  };
  const up = (event: PointerEvent<HTMLCanvasElement>): void => {
    stroke.current?.end();
    stroke.current = null;
    if (tool === "laser" && event.pointerType !== "mouse") guide.point(surface, null);
  };
  const cancel = (): void => {
    stroke.current?.cancel();
    stroke.current = null;
  };

  const keyed = (event: KeyboardEvent): void => {
    if (event.target instanceof HTMLInputElement || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const wanted = command ? undefined : TOOLS.find((each) => each.key.toLowerCase() === key);
    if (wanted !== undefined) choose(wanted.tool);
    else if (command && key === "z") guide.undo(surface);
    else if (!command && key === "f") guide.freeze(surface, !frozen);
    else if (key === "escape" && (stroke.current !== null || tool !== null)) {
      cancel();
      setTool(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const keyTitle = (label: string, key: string): string => t("guide.key", { label, key });
  const waiting = board.shown === null ? null : t(`guide.shown.${board.shown}`);
  return (
    <div className="rh-guide" ref={root} data-tool={tool ?? "none"} data-frozen={frozen} onKeyDown={keyed}>
      <canvas className="rh-guide-still" ref={still} hidden={!frozen} />
      <canvas
        className="rh-guide-marks"
        ref={canvas}
        role="img"
        aria-label={t("guide.canvas")}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={cancel}
        onPointerLeave={() => tool === "laser" && guide.point(surface, null)}
      />
      {writing !== null && picture.current !== null && (
        <Writer
          at={writing}
          picture={picture.current}
          colour={PALETTE[colour] ?? ""}
          label={t("guide.write")}
          onDone={(text) => {
            if (text !== null) guide.write(surface, colour, writing, text);
            setWriting(null);
          }}
        />
      )}
      <p className="rh-guide-note rh-guide-shown" role="status" data-shown={board.shown ?? "unknown"}>
        {frozenBy !== null && <strong>{frozenBy === me ? t("guide.frozen") : t("guide.frozenBy", { name: nameOf(frozenBy) })}</strong>}
        {waiting !== null && <span>{waiting}</span>}
        {board.covered > 0 && <span>{t("guide.covered", { n: board.covered })}</span>}
      </p>
      <div className="rh-guide-bar" role="toolbar" aria-label={t("guide.toolbar")}>
        {TOOLS.map((each) => (
          <ToolButton
            key={each.tool}
            name={each.tool}
            title={keyTitle(t(`guide.${each.tool}`), each.key)}
            pressed={tool === each.tool}
            onClick={() => choose(each.tool)}
          >
            {each.icon}
          </ToolButton>
        ))}
        {tool !== null && tool !== "laser" && (
          <span className="rh-guide-colours" role="radiogroup" aria-label={t("guide.colour")}>
            {PALETTE.map((paint, index) => (
              <button
                key={paint}
                type="button"
                role="radio"
                aria-checked={index === colour}
                aria-label={t(`guide.colour.${index as 0}`)}
                title={t(`guide.colour.${index as 0}`)}
                data-colour={index}
                ref={(button) => button?.style.setProperty("--paint", paint)}
                onClick={() => setColour(index)}
              />
            ))}
          </span>
        )}
        <span className="rh-guide-rule" />
        <ToolButton name="undo" title={keyTitle(t("guide.undo"), "Ctrl+Z")} disabled={!guide.canUndo(surface)} onClick={() => guide.undo(surface)}>
          <UndoIcon />
        </ToolButton>
        <ToolButton name="clear" title={t("guide.clear")} disabled={board.marks.length === 0} onClick={() => guide.clear(surface)}>
          <ClearIcon />
        </ToolButton>
        <ToolButton
          name="freeze"
          title={keyTitle(t(frozen ? "guide.thaw" : "guide.freeze"), "F")}
          pressed={frozen}
          onClick={() => guide.freeze(surface, !frozen)}
        >
          {frozen ? <PlayIcon /> : <FreezeIcon />}
        </ToolButton>
      </div>
    </div>
  );
}

interface ToolButtonProps {
  name: string;
  title: string;
  pressed?: boolean;
  disabled?: boolean;
  onClick: () => void;
  children: ReactNode;
}

function ToolButton({ name, title, pressed, disabled = false, onClick, children }: ToolButtonProps) {
  return (
    <button
      type="button"
      className="rh-guide-tool"
      data-guide={name}
      title={title}
      aria-label={title}
      {...(pressed === undefined ? {} : { "aria-pressed": pressed })}
      disabled={disabled}
      onClick={onClick}
    >
      {children}
    </button>
  );
}

interface WriterProps {
  at: Point;
  picture: Rect;
  colour: string;
  label: string;
  onDone: (text: string | null) => void;
}

function Writer({ at, picture, colour, label, onDone }: WriterProps) {
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  const finish = (text: string | null): void => {
    if (done.current) return;
    done.current = true;
    onDone(text);
  };
  useEffect(() => {
    const element = input.current;
    if (element === null) return;
    element.style.left = `${Math.min(picture.left + at.x * picture.width, picture.left + picture.width - 180)}px`;
    element.style.top = `${Math.min(picture.top + at.y * picture.height, picture.top + picture.height - 36)}px`;
    element.style.borderColor = colour;
    // The press that opened it would take the focus away again.
    const timer = setTimeout(() => element.focus());
    return () => clearTimeout(timer);
  }, [at, picture, colour]);
  return (
    <input
      className="rh-guide-write"
      ref={input}
      maxLength={TEXT_CHARACTERS}
      placeholder={label}
      aria-label={label}
      onKeyDown={(event) => {
        event.stopPropagation();
        // While a Chinese word is being chosen, Enter belongs to the input method.
        if (event.key === "Enter" && !event.nativeEvent.isComposing) finish(event.currentTarget.value);
        if (event.key === "Escape") finish(null);
      }}
      onBlur={(event) => finish(event.currentTarget.value)}
    />
  );
}
