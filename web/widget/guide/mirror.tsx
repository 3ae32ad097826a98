import { useEffect, useRef, useState } from "preact/hooks";
import { EMPTY_BOARD, keyOf, type Surface } from "../../shared/guide/model";
import type { Guide } from "../../shared/guide/guide";
import type { GuideTranslate } from "../../shared/i18n/guide";
import type { Store } from "../../shared/store";
import { MirrorPicture } from "./mirrorPicture";
import type { GuidedSharing } from "./sharing";

interface MirrorProps {
  sharing: GuidedSharing;
  t: GuideTranslate;
  /** The own camera's track while it is on: agents may draw on it too. */
  camera?: MediaStreamTrack | null;
}

/** The student's own picture with the agent's marks, there when the marks cannot be seen on the page itself: while a
 * window or screen is shared, while the agent holds the picture still, and when the agent draws on the camera's
 * picture. Also says to screen readers that there are marks. Give it the styles of mirror.css. */
export function GuideMirror({ sharing, t, camera = null }: MirrorProps) {
  const { guide } = sharing;
  const state = useStore(sharing.state);
  const boards = useStore(guide.boards);
  const cameraSurface: Surface = { owner: sharing.surface.owner, source: "camera" };
  const cameraBoard = boards.get(keyOf(cameraSurface)) ?? EMPTY_BOARD;
  const onCamera = camera !== null && (cameraBoard.marks.length > 0 || cameraBoard.frozenBy !== null);
  const screen = state.phase === "on" && (state.where === "mirror" || state.frozenBy !== null) ? sharing.track : null;
  useEffect(() => {
    if (camera !== null) guide.tellShown(cameraSurface, "mirror", 0);
  }, [guide, camera]);
  return (
    <>
      <Said t={t} marks={state.marks + cameraBoard.marks.length} />
      {screen !== null && (
        <Picture guide={guide} surface={sharing.surface} track={screen} frozenBy={state.frozenBy} t={t}
          title={t("guide.mirror")} nameOf={sharing.nameOf} onThaw={() => sharing.thaw()} />
      )}
      {onCamera && (
        <Picture guide={guide} surface={cameraSurface} track={camera} frozenBy={cameraBoard.frozenBy} t={t}
          title={t("guide.camera")} nameOf={sharing.nameOf} onThaw={() => guide.thaw(cameraSurface)} />
      )}
    </>
  );
}

interface PictureProps {
  guide: Guide;
  surface: Surface;
  track: MediaStreamTrack;
  frozenBy: string | null;
  title: string;
  t: GuideTranslate;
  nameOf: (identity: string) => string;
  onThaw: () => void;
}

function Picture({ guide, surface, track, frozenBy, title, t, nameOf, onThaw }: PictureProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (box.current === null) return undefined;
    const picture = new MirrorPicture(box.current, guide, surface, track, nameOf);
    return () => picture.close();
  }, [guide, track, surface.source]);
  return (
    <figure class="guide-mirror" data-guide-mirror={surface.source} data-frozen={frozenBy !== null} style={{ margin: 0 }}>
      <div class="guide-mirror-box" ref={box} />
      <figcaption class="guide-mirror-foot">
        <p>
          <strong>{title}</strong>
          <span>{frozenBy === null ? t("guide.mirrorHint") : t("guide.frozen", { name: nameOf(frozenBy) })}</span>
        </p>
        {frozenBy === null ? (
          document.fullscreenEnabled && (
            // Refused (by the host page's policy): the small picture stays.
            <button type="button" onClick={() => void box.current?.requestFullscreen().catch(() => undefined)}>
              {t("guide.larger")}
            </button>
          )
        ) : (
          <button type="button" onClick={onThaw}>
            {t("guide.thaw")}
          </button>
        )}
      </figcaption>
    </figure>
  );
}

function Said({ t, marks }: { t: GuideTranslate; marks: number }) {
  const [before, remember] = useState(0);
  const [text, say] = useState("");
  useEffect(() => {
    if (marks > 0 && before === 0) say(t("guide.marked"));
    if (marks === 0 && before > 0) say(t("guide.wiped"));
    remember(marks);
  }, [marks]);
  return (
    <p class="guide-said" role="status">
      {text}
    </p>
  );
}

function useStore<T>(store: Store<T>): T {
  const [value, set] = useState(store.get());
  useEffect(() => {
    set(store.get());
    return store.subscribe(() => set(store.get()));
  }, [store]);
  return value;
}
