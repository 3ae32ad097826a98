import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { preferredLocale } from "../shared/i18n";
import { translator } from "../shared/i18n/playground";
import type { Preview } from "../shared/media/preview";
import { loadPreferences, type Preferences, savePreferences } from "../shared/preferences";
import { readClaims, type TokenRequest } from "../shared/token";
import { CallPage } from "./call/callPage";
import { EndedPage } from "./call/endedPage";
import { type Ambience, AmbienceContext, useAmbience, useStore } from "./context";
import { installDebugHooks } from "./debug";
import type { Environment, JoinableCall } from "./environment";
import { JoinPage } from "./join/joinPage";

/** How a call was or is to be entered; kept to enter it again. */
export interface Entry {
  readonly room: string;
  readonly name: string;
  /** null: ask the server for one. */
  readonly token: string | null;
  readonly microphone: boolean;
  readonly camera: boolean;
}

export function App({ environment }: { environment: Environment }) {
  const { query } = environment;
  const [preferences, setPreferences] = useState(() => loadPreferences(environment.storage));
  /** The address wins over memory until the person chooses. */
  const [asked, setAsked] = useState(query.locale);
  const language = asked ?? preferences.locale ?? preferredLocale(navigator.languages);
  const ambience = useMemo<Ambience>(
    () => ({
      t: translator(language),
      locale: language,
      preferences,
      remember: (change: Partial<Preferences>) => {
        if (change.locale !== undefined) setAsked(null);
        setPreferences((current) => {
          const next = { ...current, ...change };
          savePreferences(environment.storage, next);
          return next;
        });
      },
    }),
    [language, preferences, environment],
  );

  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    if (preferences.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = preferences.theme;
  }, [preferences.theme]);

  return (
    <AmbienceContext.Provider value={ambience}>
      <Views environment={environment} />
    </AmbienceContext.Provider>
  );
}

interface Current {
  readonly call: JoinableCall;
  readonly entry: Entry;
  /** Entered from the join page, which stays until the call stands. */
  readonly fromJoinPage: boolean;
}

function Views({ environment }: { environment: Environment }) {
  const { preferences } = useAmbience();
  const { query } = environment;
  const [current, setCurrent] = useState<Current | null>(null);
  const state = useStore(current?.call.state ?? null);
  /** The identity that the server gave us, so that joining again replaces instead of doubles us. */
  const identity = useRef<string | null>(query.identity);

  useEffect(() => {
    if (query.debug) installDebugHooks(current?.call ?? null);
  }, [query, current]);

  /** `join=1` joins once; coming back from a call shows the form. */
  const autoJoin = useRef(query.join);

  const begin = (entry: Entry, preview: Preview | null): void => {
    const call = environment.openCall({
      room: entry.room,
      devices: preview?.state.get().activeDevices ?? preferences.devices,
      codec: query.codec,
      singlePeerConnection: query.singlePeerConnection,
      adaptiveStream: query.adaptiveStream,
      dynacast: query.dynacast,
    });
    autoJoin.current = false;
    setCurrent({ call, entry, fromJoinPage: preview !== null });
    void call.join({
      token: async () => {
        if (entry.token !== null) return environment.givenToken(entry.token);
        const request: TokenRequest = { room: entry.room, name: entry.name };
        if (identity.current !== null) request.identity = identity.current;
        const given = await environment.requestToken(request);
        identity.current = readClaims(given.token)?.identity ?? identity.current;
        return given;
      },
      tracks: () => preview?.handOver() ?? { audio: null, video: null },
      microphone: entry.microphone,
      camera: entry.camera,
    });
  };

  const hasStood = state !== null && state.connectedAtMs !== null;
  if (current === null || state === null || (current.fromJoinPage && !hasStood)) {
    return (
      <JoinPage
        environment={environment}
        autoJoin={autoJoin.current}
        joining={state?.phase === "connecting"}
        problem={state?.phase === "ended" ? state.problem : null}
        onJoin={begin}
        onCancel={() => {
          void current?.call.leave();
          setCurrent(null);
        }}
      />
    );
  }
  if (state.phase === "ended") {
    return (
      <EndedPage
        problem={state.problem}
        connectedAtMs={state.connectedAtMs}
        onRejoin={() => begin(current.entry, null)}
        onHome={() => setCurrent(null)}
      />
    );
  }
  return <CallPage call={current.call} state={state} base={environment.base} />;
}
