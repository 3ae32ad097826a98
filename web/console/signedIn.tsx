import { Spin } from "antd";
import { LogLevel, setLogLevel } from "livekit-client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, apiClient, unwrap } from "../shared/api/client";
import { StaffDesk } from "../shared/desk/desk";
import type { Preferences } from "../shared/preferences";
import { parseQuery } from "../shared/query";
import { type ConsoleSession, type Me, SessionContext, useAmbience } from "./context";
import { ServerAway } from "./shell/serverAway";
import { SettingsStore } from "./settings";
import { Shell } from "./shell/shell";
import { browserStorage } from "./storage";
import { SignIn } from "./shell/signIn";

// Every failure of the media has words and a button on the page; the library's own reports are for finding bugs.
if (!parseQuery(window.location.search).debug) setLogLevel(LogLevel.silent);

/** Where the server is: the console lies in its own folder below it. */
export const BASE = new URL("../", window.location.href.replace(/[?#].*$/, "")).toString();

/** Whether somebody has signed in on this device: only then is it worth asking who. The cookie itself is out of reach. */
const SIGNED_IN = "raisehand.console.signedIn";

function remembered(): boolean {
  try {
    return browserStorage()?.getItem(SIGNED_IN) === "1";
  } catch {
    return true;
  }
}

function remember(signedIn: boolean): void {
  try {
    browserStorage()?.setItem(SIGNED_IN, signedIn ? "1" : "0");
  } catch {
    // Private windows refuse; then everybody is asked.
  }
}

type State = { is: "asking" } | { is: "away" } | { is: "out"; expired: boolean } | { is: "in"; me: Me };

/** Whoever is signed in by the session cookie, or the sign-in. */
export function SignedIn() {
  const { t, preferences } = useAmbience();
  const [state, setState] = useState<State>(() => (remembered() ? { is: "asking" } : { is: "out", expired: false }));
  const expired = useCallback(() => setState((now) => (now.is === "in" ? { is: "out", expired: true } : now)), []);
  const api = useMemo(() => apiClient({ base: BASE, token: null, onUnauthenticated: expired }), [expired]);
  const [round, setRound] = useState(0);

  const asking = state.is === "asking";
  useEffect(() => {
    if (!asking) return undefined;
    let current = true;
    unwrap(api.GET("/v1/me")).then(
      (me) => current && setState({ is: "in", me }),
      (error: unknown) => {
        if (!current) return;
        const out = error instanceof ApiError && (error.status === 401 || error.status === 403);
        if (out) remember(false);
        setState(out ? { is: "out", expired: false } : { is: "away" });
      },
    );
    return () => {
      current = false;
    };
  }, [api, asking, round]);

  const me = state.is === "in" ? state.me : null;
  const wishes = useRef(preferences);
  wishes.current = preferences;
  const desk = useDesk(api, me, expired, wishes);
  const session = useMemo<ConsoleSession | null>(() => {
    if (me === null || desk === null) return null;
    return {
      api,
      me,
      desk,
      settings: new SettingsStore(browserStorage(), me.id),
      signOut: async () => {
        await unwrap(api.POST("/v1/logout"));
        remember(false);
        setState({ is: "out", expired: false });
      },
    };
  }, [api, me, desk]);

  if (state.is === "away") {
    return (
      <ServerAway
        onRetry={() => {
          setState({ is: "asking" });
          setRound((count) => count + 1);
        }}
      />
    );
  }
  if (state.is === "out") {
    return (
      <SignIn
        api={api}
        expired={state.expired}
        onSignedIn={(user) => {
          remember(true);
          setState({ is: "in", me: user });
        }}
      />
    );
  }
  if (session === null) return <Spin fullscreen description={t("app.loading")} />;
  return (
    <SessionContext.Provider value={session}>
      <Shell />
    </SessionContext.Provider>
  );
}

function useDesk(
  api: ReturnType<typeof apiClient>,
  me: Me | null,
  onRefused: () => void,
  wishes: { readonly current: Preferences },
): StaffDesk | null {
  const [desk, setDesk] = useState<StaffDesk | null>(null);
  const refused = useRef(onRefused);
  useEffect(() => {
    if (me === null) return undefined;
    const opened = new StaffDesk({
      api,
      base: BASE,
      me,
      onRefused: () => refused.current(),
      devices: () => wishes.current.devices,
      camera: () => wishes.current.camera,
    });
    setDesk(opened);
    opened.start();
    return () => {
      opened.close();
      setDesk(null);
    };
  }, [api, me, wishes]);
  return desk;
}
