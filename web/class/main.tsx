import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isLocale, type Locale, preferredLocale } from "../shared/i18n";
import { catalogues } from "../shared/i18n/student";
import { translate } from "../shared/i18n/student/translate";
import { Lesson } from "./lesson";
import { RaisehandHelp } from "../widget/loader";
import "./page.css";

interface Student {
  readonly id: string;
  readonly name: string;
  readonly class_id?: string;
}

/** Of the sample lesson, in milliseconds. */
const LESSON_LEFT_MS = 22 * 60_000;
const query = new URLSearchParams(location.search);

/** What a platform's own backend would answer; ours does it in development only. */
async function askForToken(student: string): Promise<string> {
  const answer = await fetch("../dev/platform-token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ student }),
  });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

async function toggleFullScreen(board: HTMLElement | null): Promise<void> {
  await (document.fullscreenElement === null ? board?.requestFullscreen() : document.exitFullscreen());
}

function ClassPage({ students, locale }: { students: readonly Student[]; locale: Locale }) {
  const t = translate(catalogues[locale], false);
  const [student, setStudent] = useState(() => students.find((each) => each.id === query.get("student")) ?? students[0]);
  const [inside, setInside] = useState(false);
  const [microphone, setMicrophone] = useState<MediaStreamTrack | null>(null);
  const [endsAt] = useState(() => new Date(Date.now() + LESSON_LEFT_MS).toISOString());
  const lesson = useRef<Lesson | null>(null);
  const video = useRef<HTMLVideoElement>(null);
  const board = useRef<HTMLElement>(null);
  const help = useRef<RaisehandHelp | null>(null);
  const [, look] = useState(0);

  // What the help button changes is seen here.
  useEffect(() => {
    const timer = setInterval(() => look((count) => count + 1), 250);
    return () => clearInterval(timer);
  }, []);
  // As a host page does it: one element, a token, and what it may borrow and change.
  useEffect(() => {
    const element = new RaisehandHelp();
    const attributes = {
      "class-id": student?.class_id ?? "301",
      "lesson-id": "math-6-12",
      "lesson-ends-at": endsAt,
      "class-media": "video.lesson",
      "position": query.get("position"),
      "colour": query.get("colour"),
      "theme": query.get("theme"),
      "language": query.get("lang"),
    };
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
    if (student !== undefined) element.getToken = () => askForToken(student.id);
    help.current = element;
    document.body.append(element);
    return () => element.remove();
  }, []);
  useEffect(() => {
    if (help.current === null || student === undefined) return;
    help.current.getToken = () => askForToken(student.id);
    help.current.hooks = { microphone: () => microphone };
  }, [student, microphone]);

  const enter = (): void => {
    setInside(true);
    lesson.current ??= new Lesson(t("class.lesson"));
    lesson.current.wake();
    if (video.current !== null) {
      video.current.srcObject = lesson.current.stream;
      void video.current.play();
    }
    if (query.get("microphone") === "none") return;
    navigator.mediaDevices.getUserMedia({ audio: true }).then(
      (stream) => setMicrophone(stream.getAudioTracks()[0] ?? null),
      () => setMicrophone(null), // A class without a microphone: that too is to be tried.
    );
  };
  const percent = Math.round((video.current?.muted === true ? 0 : (video.current?.volume ?? 1)) * 100);
  const key = microphone === null ? "class.microphoneNone" : microphone.enabled ? "class.microphoneOn" : "class.microphoneOff";

  return (
    <div class="class" lang={locale}>
      <header>
        <h1>{t("class.title")}</h1>
        <span class="class-lead">{t("class.lead")}</span>
        <label>
          {t("class.student")}
          <select
            value={student?.id}
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              const next = new URLSearchParams(location.search);
              next.set("student", chosen);
              sessionStorage.removeItem("raisehand.help");
              location.search = next.toString();
              setStudent(students.find((each) => each.id === chosen));
            }}
          >
            {students.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
      </header>
      <main>
        <section ref={board} class="class-board" aria-label={t("class.board")}>
          <video ref={video} class="lesson" playsinline aria-label={t("class.lesson")} />
          {!inside && (
            <button type="button" class="class-enter" data-action="enter" onClick={enter}>
              {t("class.join")}
            </button>
          )}
          <button type="button" class="class-full-screen" data-action="full-screen" onClick={() => void toggleFullScreen(board.current)}>
            {t("class.fullScreen")}
          </button>
        </section>
        <aside>
          <p data-class="microphone" data-enabled={microphone === null ? "none" : String(microphone.enabled)}>
            {t(key)}
          </p>
          <p data-class="volume" data-percent={percent}>
            {t("class.volume", { percent })}
          </p>
          <p data-raisehand-private>{t("class.secret")}</p>
          <label>
            {t("class.note")}
            <textarea rows={6} placeholder={t("class.notePlaceholder")} />
          </label>
        </aside>
      </main>
    </div>
  );
}

async function begin(place: HTMLElement): Promise<void> {
  const asked = query.get("lang");
  const locale = isLocale(asked) ? asked : preferredLocale(navigator.languages);
  const t = translate(catalogues[locale], false);
  document.documentElement.lang = locale;
  document.title = t("class.title");
  const answer = await fetch("../dev/students");
  if (!answer.ok) {
    render(<p class="class-note">{t("class.noDev")}</p>, place);
    return;
  }
  const { items } = (await answer.json()) as { items: Student[] };
  render(<ClassPage students={items} locale={locale} />, place);
}

const place = document.getElementById("app");
if (place !== null) void begin(place);
