import { type LocalTrack, type LocalVideoTrack, type Room, RoomEvent, Track, type TrackPublication } from "livekit-client";
import { problemOfDevice, type ProblemKind } from "../../shared/call/problem";
import type { Guide } from "../../shared/guide/guide";
import { EMPTY_BOARD, keyOf, type Shown, type Surface } from "../../shared/guide/model";
import type { GuideTranslate } from "../../shared/i18n/guide";
import { requireDevices } from "../../shared/media/preview";
import { Store } from "../../shared/store";
import { type Captured, type CapturedTrack, capturedOf, claimHandle } from "./captureHandle";
import { PrivateCovers } from "./covers";
import { PageOverlay } from "./overlay";
import { SharedTabs } from "./sharedTabs";

export interface SharingState {
  /** `asking`: the browser's chooser is open. */
  readonly phase: "off" | "asking" | "on";
  /** Where the agent's marks are seen: over this page, in the mirrored picture (`GuideMirror`), or nowhere. */
  readonly where: Shown;
  /** Private places of this page that are covered now. */
  readonly covered: number;
  /** Who holds the picture still; null: it moves. */
  readonly frozenBy: string | null;
  /** Marks on the shared screen. */
  readonly marks: number;
}

const OFF: SharingState = { phase: "off", where: "none", covered: 0, frozenBy: null, marks: 0 };

/** Sharing the screen so that agents can guide on it: hides what is private before the first picture leaves, finds out
 * whether it is this very page that is shared, and shows the marks there or in a mirrored picture. */
export class GuidedSharing {
  readonly state = new Store<SharingState>(OFF);
  readonly #covers = new PrivateCovers();
  readonly #room: Room;
  readonly #stops: (() => void)[] = [];
  #overlay: PageOverlay | null = null;
  #track: LocalVideoTrack | null = null;
  readonly #tabs = new SharedTabs();

  constructor(
    session: { readonly room: Room },
    readonly guide: Guide,
    private readonly t: GuideTranslate,
  ) {
    this.#room = session.room;
    const unpublished = (publication: TrackPublication): void => {
      if (publication.source === Track.Source.ScreenShare) this.#ended();
    };
    const gone = (): void => this.#ended();
    this.#room.on(RoomEvent.LocalTrackUnpublished, unpublished).on(RoomEvent.Disconnected, gone);
    this.#stops.push(
      () => void this.#room.off(RoomEvent.LocalTrackUnpublished, unpublished).off(RoomEvent.Disconnected, gone),
      this.guide.boards.subscribe(() => this.#look()),
    );
  }

  /** Our screen as the agents name it. */
  get surface(): Surface {
    return { owner: this.#room.localParticipant.identity, source: "screen" };
  }

  /** What is shared, for the mirrored picture; null: nothing. */
  get track(): MediaStreamTrack | null {
    return this.#track?.mediaStreamTrack ?? null;
  }

  nameOf = (identity: string): string => {
    const name = this.#room.remoteParticipants.get(identity)?.name ?? "";
    return name === "" ? this.t("guide.someone") : name;
  };

  /** Must run inside a click. Gives what went wrong; null when it is shared, or when the person changed his mind. */
  async start(): Promise<ProblemKind | null> {
    if (this.state.get().phase !== "off") return null;
    this.#change({ phase: "asking" });
    claimHandle();
    this.#covers.cover(); // Before the browser asks: the first picture is taken already without what is private.
    let tracks: LocalTrack[] = [];
    try {
      requireDevices();
      tracks = await this.#room.localParticipant.createScreenTracks({
        audio: true,
        systemAudio: "exclude",
        selfBrowserSurface: "include",
        surfaceSwitching: "include",
        contentHint: "detail",
      });
      await this.#publish(tracks);
      return null;
    } catch (error) {
      for (const track of tracks) track.stop();
      this.#ended();
      return problemOfDevice("screen", error);
    }
  }

  async stop(): Promise<void> {
    await this.#room.localParticipant.setScreenShareEnabled(false);
    this.#ended();
  }

  /** Lets the own picture move again although the agent holds it. */
  thaw(): void {
    this.guide.thaw(this.surface);
  }

  /** With the call. */
  close(): void {
    for (const stop of this.#stops) stop();
    this.#ended();
    this.#tabs.close();
  }

  async #publish(tracks: readonly LocalTrack[]): Promise<void> {
    const video = tracks.find((track) => track.kind === Track.Kind.Video) as LocalVideoTrack;
    const media = video.mediaStreamTrack as CapturedTrack;
    this.#track = video;
    let following = this.#follow(media);
    media.addEventListener("capturehandlechange", () => {
      media.enabled = false; // Black, until the tab that was chosen meanwhile is covered.
      const latest = (following = this.#follow(media));
      void latest.then(() => {
        if (latest === following) media.enabled = true;
      });
    });
    const captured = await following;
    const local = this.#room.localParticipant;
    for (const track of tracks) {
      // The sound of this very page holds the agent's own voice: he would hear himself.
      if (track.kind === Track.Kind.Audio && captured.kind !== "tab") track.stop();
      else await local.publishTrack(track, { source: track.source });
    }
    this.#change({ phase: "on" });
    this.#look();
  }

  /** Resolves when nothing private is in what is captured. */
  async #follow(media: CapturedTrack): Promise<Captured> {
    const captured = capturedOf(media);
    const own = captured.kind === "own";
    // On a shared screen or window this page may be seen too; on another tab it is not.
    if (captured.kind === "tab") this.#covers.uncover();
    else this.#covers.cover();
    if (captured.kind !== "tab" && this.#overlay === null) {
      this.#overlay = new PageOverlay(this.guide, this.surface, this.#covers, {
        nameOf: this.nameOf,
        privateLabel: this.t("guide.private"),
        pictureSize: () => {
          const { width, height } = media.getSettings();
          return width === undefined || height === undefined ? null : { width, height };
        },
        onCovered: (covered) => this.#shown(this.state.get().where, covered),
      });
    } else if (captured.kind === "tab") {
      this.#overlay?.close();
      this.#overlay = null;
    }
    if (this.#overlay !== null) this.#overlay.drawing = own;
    this.#shown(own ? "page" : "mirror", this.#covers.active ? this.#covers.places().length : 0);
    await this.#tabs.tell(captured.kind === "tab" ? captured.handle : null);
    return captured;
  }

  #shown(where: Shown, covered: number): void {
    this.#change({ where, covered });
    if (this.#track !== null) this.guide.tellShown(this.surface, where, covered);
  }

  #look(): void {
    if (this.#track === null) return;
    const board = this.guide.boards.get().get(keyOf(this.surface)) ?? EMPTY_BOARD;
    const { marks, frozenBy } = this.state.get();
    if (marks !== board.marks.length || frozenBy !== board.frozenBy) {
      this.#change({ marks: board.marks.length, frozenBy: board.frozenBy });
    }
  }

  #ended(): void {
    void this.#tabs.tell(null);
    this.#covers.uncover();
    this.#overlay?.close();
    this.#overlay = null;
    this.#track = null;
    if (this.state.get().phase !== "off") this.state.set(OFF);
  }

  #change(change: Partial<SharingState>): void {
    this.state.update((current) => ({ ...current, ...change }));
  }
}
