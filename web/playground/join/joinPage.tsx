import type { ComponentChildren, TargetedSubmitEvent } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ProblemKind } from "../../shared/call/problem";
import type { Preview } from "../../shared/media/preview";
import { readClaims, type TokenSource } from "../../shared/token";
import type { Entry } from "../app";
import { Menu } from "../components/menu";
import { ProblemCard } from "../components/problemCard";
import { LanguageChoices, ThemeChoices } from "../components/settings";
import { useAmbience, useStore } from "../context";
import type { Environment } from "../environment";
import { DiceIcon, GlobeIcon, HandIcon, ThemeIcon } from "../icons";
import { PreviewPane } from "./previewPane";
import { suggestRoom } from "./suggestRoom";

interface JoinPageProps {
  environment: Environment;
  /** Join without waiting for the button. */
  autoJoin: boolean;
  joining: boolean;
  /** Why the last attempt failed. */
  problem: ProblemKind | null;
  onJoin: (entry: Entry, preview: Preview) => void;
  onCancel: () => void;
}

type Missing = "join.nameMissing" | "join.roomMissing" | "join.tokenMissing" | "join.tokenMalformed";

export function JoinPage({ environment, autoJoin, joining, problem, onJoin, onCancel }: JoinPageProps) {
  const { t, locale, preferences, remember } = useAmbience();
  const { query } = environment;
  const preview = useMemo(() => environment.openPreview(preferences.devices), [environment]);
  const previewState = useStore(preview.state);
  const [source, setSource] = useState<TokenSource | "unknown">(query.token === null ? "unknown" : "paste");
  const [unreachable, setUnreachable] = useState(false);
  const [dismissed, setDismissed] = useState<ProblemKind | null>(null);
  const [name, setName] = useState(query.name ?? preferences.name);
  const [room, setRoom] = useState(query.room ?? (preferences.room !== "" ? preferences.room : suggestRoom()));
  const [token, setToken] = useState(query.token ?? "");
  const [missing, setMissing] = useState<Missing | null>(null);
  const [started, setStarted] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const pasting = source === "paste";
  const claims = pasting ? readClaims(token) : null;

  const ask = (): void => {
    setUnreachable(false);
    environment.findTokenSource().then(setSource, () => setUnreachable(true));
  };

  const startPreview = (): void => {
    setStarted(true);
    preview.wake();
    if (preferences.microphone) void preview.setMicrophone(true);
    if (preferences.camera) void preview.setCamera(true);
  };

  useEffect(() => {
    if (query.token === null) ask();
    void environment.devicesAllowed().then((allowed) => {
      if (allowed) startPreview();
    });
    const wake = (): void => preview.wake();
    window.addEventListener("pointerdown", wake);
    if (autoJoin) form.current?.requestSubmit();
    return () => {
      window.removeEventListener("pointerdown", wake);
      preview.close();
    };
  }, [environment, preview]);

  useEffect(() => {
    if (problem === "tokenUnavailable") setSource("paste");
    setDismissed(null);
  }, [problem]);

  const toggle = (device: "microphone" | "camera", on: boolean): void => {
    remember({ [device]: on });
    preview.wake();
    if (!started && !on) return;
    setStarted(true);
    void (device === "microphone" ? preview.setMicrophone(on) : preview.setCamera(on));
  };

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (joining) return;
    const lacking = pasting ? lackingToken(token) : lackingFields(name, room);
    setMissing(lacking);
    if (lacking !== null) {
      const field = lacking === "join.nameMissing" ? "name" : lacking === "join.roomMissing" ? "room" : "token";
      event.currentTarget.querySelector<HTMLElement>(`[name=${field}]`)?.focus();
      return;
    }
    setDismissed(null);
    remember(pasting ? {} : { name: name.trim(), room: room.trim() });
    const devices = previewState.problem;
    onJoin(
      {
        room: pasting ? (claims?.room ?? "") : room.trim(),
        name: pasting ? (claims?.name ?? claims?.identity ?? "") : name.trim(),
        token: pasting ? token.trim() : null,
        // A device that was just refused is not asked for again on the way in.
        microphone: preferences.microphone && !(devices?.startsWith("microphone") ?? false),
        camera: preferences.camera && !(devices?.startsWith("camera") ?? false),
      },
      preview,
    );
  };

  const shownProblem = problem !== null && problem !== dismissed && !joining ? problem : null;
  const deviceProblem = previewState.problem;

  return (
    <div class="join">
      <header class="join-head">
        <span class="brand">
          <span class="brand-mark">
            <HandIcon />
          </span>
          {t("app.name")}
        </span>
        <span class="join-head-tools">
          <Menu label={t("theme.label")} buttonClass="tool" button={<ThemeIcon />}>
            {(close) => <ThemeChoices close={close} />}
          </Menu>
          <Menu
            label={`${t("language.choose")} ${t(`language.${locale}`)}`}
            buttonClass="tool with-text"
            button={
              <>
                <GlobeIcon />
                <LanguageName />
              </>
            }
          >
            {(close) => <LanguageChoices close={close} />}
          </Menu>
        </span>
      </header>

      <main class="join-card">
        <PreviewPane
          preview={preview}
          microphone={preferences.microphone}
          camera={preferences.camera}
          started={started}
          onStart={startPreview}
          onToggle={toggle}
        />

        <form ref={form} class="join-form" noValidate onSubmit={submit}>
          <div class="join-titles">
            <h1>{t("join.title")}</h1>
            <p>{t("join.subtitle")}</p>
          </div>

          {unreachable && shownProblem === null && (
            <ProblemCard kind="serverUnreachable" shape="inline">
              <button type="button" class="button small" onClick={ask}>
                {t("action.retry")}
              </button>
            </ProblemCard>
          )}
          {shownProblem !== null && (
            <ProblemCard kind={shownProblem} shape="inline">
              <JoinRemedy problem={shownProblem} pasting={pasting} onDismiss={() => setDismissed(shownProblem)} />
            </ProblemCard>
          )}
          {shownProblem === null && !unreachable && deviceProblem !== null && (
            <ProblemCard kind={deviceProblem} shape="inline">
              <button type="button" class="button small" onClick={startPreview}>
                {t("action.retry")}
              </button>
              <button type="submit" class="button small">
                {t("action.continue")}
              </button>
            </ProblemCard>
          )}

          {pasting ? (
            <Field id="token" label={t("join.token")} error={missing === null ? null : t(missing)}>
              <textarea
                id="field-token"
                name="token"
                class="input token"
                rows={3}
                spellcheck={false}
                autocomplete="off"
                placeholder={t("join.tokenPlaceholder")}
                value={token}
                disabled={joining}
                aria-describedby="note-token"
                onInput={(event) => setToken(event.currentTarget.value)}
              />
              <p class="field-note" id="note-token">
                {claims === null
                  ? t("join.tokenHint")
                  : t("join.tokenFor", { name: claims.name ?? claims.identity ?? "–", room: claims.room ?? "–" })}
              </p>
            </Field>
          ) : (
            <>
              <Field id="name" label={t("join.name")} error={missing === "join.nameMissing" ? t(missing) : null}>
                <input
                  id="field-name"
                  name="name"
                  class="input"
                  maxLength={64}
                  autocomplete="name"
                  placeholder={t("join.namePlaceholder")}
                  value={name}
                  disabled={joining}
                  aria-invalid={missing === "join.nameMissing"}
                  aria-describedby="error-name"
                  onInput={(event) => setName(event.currentTarget.value)}
                />
              </Field>
              <Field id="room" label={t("join.room")} error={missing === "join.roomMissing" ? t(missing) : null}>
                <span class="input-with-button">
                  <input
                    id="field-room"
                    name="room"
                    class="input"
                    maxLength={128}
                    autocomplete="off"
                    placeholder={t("join.roomPlaceholder")}
                    value={room}
                    disabled={joining}
                    aria-invalid={missing === "join.roomMissing"}
                    aria-describedby="error-room"
                    onInput={(event) => setRoom(event.currentTarget.value)}
                  />
                  <button
                    type="button"
                    class="tool"
                    disabled={joining}
                    aria-label={t("join.roomSuggest")}
                    title={t("join.roomSuggest")}
                    onClick={() => setRoom(suggestRoom())}
                  >
                    <DiceIcon />
                  </button>
                </span>
              </Field>
            </>
          )}

          <div class="join-actions">
            <button type="submit" class="button primary large" disabled={joining} aria-busy={joining}>
              {joining && <span class="spinner" aria-hidden="true" />}
              {t(joining ? "join.joining" : "join.button")}
            </button>
            {joining && (
              <button type="button" class="button large" onClick={onCancel}>
                {t("join.cancel")}
              </button>
            )}
          </div>
        </form>
      </main>
      <footer class="join-foot">{t("app.tagline")}</footer>
    </div>
  );
}

function LanguageName() {
  const { t, locale } = useAmbience();
  return <span>{t(`language.${locale}`)}</span>;
}

function JoinRemedy(props: { problem: ProblemKind; pasting: boolean; onDismiss: () => void }) {
  const { t } = useAmbience();
  if (props.problem === "tokenUnavailable") {
    return (
      <button type="button" class="button small" onClick={props.onDismiss}>
        {t("action.dismiss")}
      </button>
    );
  }
  if (props.problem === "tokenInvalid" && props.pasting) {
    return (
      <button
        type="button"
        class="button small"
        onClick={(event) => {
          event.currentTarget.form?.querySelector<HTMLTextAreaElement>("[name=token]")?.select();
        }}
      >
        {t("action.otherToken")}
      </button>
    );
  }
  return (
    <button type="submit" class="button small">
      {t("action.retry")}
    </button>
  );
}

interface FieldProps {
  id: string;
  label: string;
  error: string | null;
  children: ComponentChildren;
}

function Field({ id, label, error, children }: FieldProps) {
  return (
    <div class="field">
      <label for={`field-${id}`}>{label}</label>
      {children}
      <p class="field-error" id={`error-${id}`} role="alert">
        {error}
      </p>
    </div>
  );
}

function lackingFields(name: string, room: string): Missing | null {
  if (name.trim() === "") return "join.nameMissing";
  return room.trim() === "" ? "join.roomMissing" : null;
}

function lackingToken(token: string): Missing | null {
  if (token.trim() === "") return "join.tokenMissing";
  return readClaims(token) === null ? "join.tokenMalformed" : null;
}
