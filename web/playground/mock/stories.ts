/**
 * Every state of the page without a server, for development: `?mock=<story>`, see STORIES.
 * The built page does not contain this file.
 */
import type { ChatMessage, Call, CallSnapshot, Devices, LayerChoice, MediaHandle, ParticipantView } from "../../shared/call/model";
import { withMessage } from "../../shared/call/chat";
import { PROBLEM_KINDS, ProblemError, type ProblemKind } from "../../shared/call/problem";
import type { ParticipantStatistics, TrackMeasures } from "../../shared/call/statistics";
import type { Preview, PreviewSnapshot } from "../../shared/media/preview";
import { parseQuery } from "../../shared/query";
import { Store } from "../../shared/store";
import type { Environment, JoinableCall } from "../environment";
import { personPicture, screenPicture } from "./pictures";

const NAMES = ["王小明", "李老师", "Amelia Carter", "陈思远", "Noor", "赵一鸣", "Jonas Weber", "孙晓彤", "Priya Raman"];

/** Story names; `problem-<kind>` and `ended-<kind>` exist for every kind of problem. */
export const STORIES = [
  "join", "join-live", "join-paste", "join-unreachable", "joining", "alone", "two", "four", "nine", "screen",
  "sharing", "chat", "people", "reconnecting", "muted", "left", "hostile", "sound", "listen", "connecting",
] as const;

export function storyEnvironment(story: string): Environment {
  const query = { ...parseQuery(window.location.search), token: null };
  const [head, ...rest] = story.split("-");
  const kind = PROBLEM_KINDS.find((one) => one === rest.join("-")) ?? null;
  const call = new StoryCall(story, head === "ended" || head === "problem" ? kind : null);
  const inCall = !story.startsWith("join") && head !== "problem";
  return {
    query: { ...query, room: query.room ?? "数学答疑", name: query.name ?? "王小明", join: story === "joining" || inCall || (head === "problem" && !isDevice(kind)) },
    base: "https://call.example.com/",
    storage: window.localStorage,
    openPreview: () => new StoryPreview(story === "join-live" || story === "joining", isDevice(kind) ? kind : null),
    devicesAllowed: () => Promise.resolve(story === "join-live" || story === "joining" || isDevice(kind)),
    openCall: () => call,
    findTokenSource: () =>
      story === "join-unreachable"
        ? Promise.reject(new ProblemError("serverUnreachable"))
        : Promise.resolve(story === "join-paste" ? "paste" : "server"),
    requestToken: () => Promise.resolve({ url: "wss://call.example.com", token: "a.b.c" }),
    givenToken: (token) => ({ url: "wss://call.example.com", token }),
  };
}

function isDevice(kind: ProblemKind | null): boolean {
  return kind !== null && (/^(microphone|camera)/.test(kind) || kind === "insecurePage");
}

class StoryPreview implements Preview {
  readonly state: Store<PreviewSnapshot>;

  constructor(live: boolean, problem: ProblemKind | null) {
    this.state = new Store<PreviewSnapshot>({
      microphone: live ? "on" : "off",
      camera: live ? "on" : "off",
      picture: live ? personPicture(0) : null,
      problem,
      devices: DEVICES,
      activeDevices: {},
    });
  }

  level(): number {
    return 0.35 + 0.3 * Math.sin(Date.now() / 160);
  }

  setMicrophone(on: boolean): Promise<void> {
    this.state.update((state) => ({ ...state, microphone: on ? "on" : "off" }));
    return Promise.resolve();
  }

  setCamera(on: boolean): Promise<void> {
    if (this.state.get().problem === null) {
      this.state.update((state) => ({ ...state, camera: on ? "on" : "off", picture: on ? personPicture(0) : null }));
    }
    return Promise.resolve();
  }

  selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    this.state.update((state) => ({ ...state, activeDevices: { ...state.activeDevices, [kind]: deviceId } }));
    return Promise.resolve();
  }

  wake(): void {
    // Nothing sleeps in a story.
  }

  handOver(): { audio: null; video: null } {
    return { audio: null, video: null };
  }

  close(): void {
    // Nothing runs in a story.
  }
}

class StoryCall implements Call, JoinableCall {
  readonly state: Store<CallSnapshot>;
  readonly statistics = new Store<ReadonlyMap<string, ParticipantStatistics>>(new Map());

  constructor(
    private readonly story: string,
    private readonly problem: ProblemKind | null,
  ) {
    this.state = new Store<CallSnapshot>({
      phase: "connecting",
      room: "数学答疑",
      participants: [],
      microphone: "on",
      camera: "on",
      screen: "off",
      canPublish: true,
      canPlayAudio: true,
      chat: [],
      notices: [],
      devices: DEVICES,
      activeDevices: {},
      connectedAtMs: null,
      problem: null,
    });
  }

  join(): Promise<void> {
    const { story } = this;
    if (story === "joining") return Promise.resolve();
    if (story.startsWith("problem")) {
      this.#change({ phase: "ended", problem: this.problem });
      return Promise.resolve();
    }
    const count = story === "alone" ? 1 : story === "two" || story === "reconnecting" ? 2 : story === "nine" ? 9 : 4;
    const people = Array.from({ length: count }, (_, index) => this.#person(index));
    this.#change({
      phase: "connected",
      connectedAtMs: Date.now() - 754_000,
      participants: people,
      canPlayAudio: story !== "sound",
      canPublish: story !== "listen",
    });
    if (story === "muted") this.#change({ microphone: "off", camera: "off" });
    if (story === "sharing") this.#change({ screen: "on" });
    if (story === "reconnecting") this.#change({ phase: "reconnecting" });
    if (story === "chat" || story === "people" || story === "hostile") this.#talk();
    if (story === "notice") {
      this.#change({ notices: [{ id: "1", kind: "microphoneDenied" }], microphone: "off" });
    }
    if (story === "left" || story.startsWith("ended")) this.#change({ phase: "ended", problem: this.problem });
    else this.#measure(people);
    return Promise.resolve();
  }

  setMicrophone(on: boolean): Promise<void> {
    this.#change({ microphone: on ? "on" : "off" });
    this.#self({ microphone: on ? "on" : "muted" });
    return Promise.resolve();
  }

  setCamera(on: boolean): Promise<void> {
    this.#change({ camera: on ? "on" : "off" });
    this.#self({ camera: on ? personPicture(0) : null });
    return Promise.resolve();
  }

  setScreen(on: boolean): Promise<void> {
    this.#change({ screen: on ? "on" : "off" });
    this.#self({ screen: on ? screenPicture() : null });
    return Promise.resolve();
  }

  selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    this.#change({ activeDevices: { ...this.state.get().activeDevices, [kind]: deviceId } });
    return Promise.resolve();
  }

  setLayer(identity: string, source: "camera" | "screen", choice: LayerChoice): void {
    const field = source === "camera" ? "cameraLayer" : "screenLayer";
    this.#change({
      participants: this.state.get().participants.map((one) => (one.identity === identity ? { ...one, [field]: choice } : one)),
    });
  }

  sendChat(text: string): Promise<void> {
    this.#say(0, text, Date.now());
    return Promise.resolve();
  }

  startAudio(): Promise<void> {
    this.#change({ canPlayAudio: true });
    return Promise.resolve();
  }

  dismissNotice(id: string): void {
    this.#change({ notices: this.state.get().notices.filter((notice) => notice.id !== id) });
  }

  leave(): Promise<void> {
    this.#change({ phase: "ended", problem: null });
    return Promise.resolve();
  }

  #person(index: number): ParticipantView {
    const { story } = this;
    const off = (story === "muted" && index === 0) || index === 3 || index === 7;
    const picture: MediaHandle | null = off ? null : personPicture(index);
    const name = story === "hostile" && index > 0 ? HOSTILE : (NAMES[index] ?? "");
    return {
      identity: `person-${index}`,
      name,
      isLocal: index === 0,
      isSpeaking: index === 1,
      microphone: (story === "muted" && index === 0) || index === 2 ? "muted" : "on",
      audio: null,
      screenAudio: null,
      camera: picture,
      screen: (story === "screen" && index === 1) || (story === "sharing" && index === 0) ? screenPicture() : null,
      cameraPaused: false,
      quality: index === 2 ? "poor" : index === 3 ? "good" : "excellent",
      cameraLayer: "auto",
      screenLayer: "auto",
      joinedAtMs: index,
    };
  }

  #measure(people: readonly ParticipantView[]): void {
    const audio: TrackMeasures = {
      bitrateBps: 38_000, lossRatio: 0, jitterMs: 2.4, roundTripMs: 24, framesPerSecond: null, width: null, height: null, codec: "opus",
    };
    const video: TrackMeasures = {
      bitrateBps: 1_640_000, lossRatio: 0.001, jitterMs: 4.1, roundTripMs: 24, framesPerSecond: 30, width: 1280, height: 720, codec: "VP8",
    };
    this.statistics.set(
      new Map(
        people.map((person, index) => [
          person.identity,
          {
            direction: person.isLocal ? "up" : "down",
            audio,
            camera: person.camera === null ? null : index === 2 ? { ...video, lossRatio: 0.064, roundTripMs: 340, bitrateBps: 410_000, width: 640, height: 360, framesPerSecond: 22 } : video,
            screen: person.screen === null ? null : { ...video, bitrateBps: 920_000, width: 1920, height: 1080, framesPerSecond: 15 },
          },
        ]),
      ),
    );
  }

  #talk(): void {
    const start = Date.now() - 300_000;
    this.#say(1, "大家好,今天先把上次的第三题讲完。", start);
    this.#say(1, "屏幕上能看清吗?", start + 20_000);
    this.#say(2, "Yes, very clear. Could you zoom in on the second step?", start + 60_000);
    this.#say(0, "可以看清。老师,我想问一下这里为什么要分两种情况?", start + 130_000);
    this.#say(1, "好问题,因为 x 可能是负数:\n1. x ≥ 0 时直接开方\n2. x < 0 时要先取相反数", start + 190_000);
    if (this.story === "hostile") this.#say(2, `${HOSTILE} javascript:alert(1)`, start + 200_000);
  }

  #say(index: number, text: string, atMs: number): void {
    const person = this.state.get().participants[index];
    const message: ChatMessage = {
      id: crypto.randomUUID(), identity: `person-${index}`, name: person?.name ?? "", isLocal: index === 0, text, atMs, failed: false,
    };
    this.#change({ chat: withMessage(this.state.get().chat, message) });
  }

  #self(change: Partial<ParticipantView>): void {
    this.#change({ participants: this.state.get().participants.map((one) => (one.isLocal ? { ...one, ...change } : one)) });
  }

  #change(change: Partial<CallSnapshot>): void {
    this.state.update((current) => ({ ...current, ...change }));
  }
}

const HOSTILE = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`;

function device(kind: MediaDeviceKind, deviceId: string, label: string): MediaDeviceInfo {
  return { kind, deviceId, label, groupId: "", toJSON: () => ({}) };
}

const DEVICES: Devices = {
  audioinput: [device("audioinput", "default", ""), device("audioinput", "a1", "MacBook Pro Microphone"), device("audioinput", "a2", "Jabra Evolve2 65")],
  audiooutput: [device("audiooutput", "default", ""), device("audiooutput", "o1", "MacBook Pro Speakers")],
  videoinput: [device("videoinput", "v1", "FaceTime HD Camera"), device("videoinput", "v2", "Logitech C920")],
};
