import { App, ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { useEffect, useMemo, useState } from "react";
import { HashRouter } from "react-router";
import { preferredLocale } from "../shared/i18n";
import { loadPreferences, type Preferences, savePreferences } from "../shared/preferences";
import { parseQuery } from "../shared/query";
import { type Ambience, AmbienceContext, translator } from "./context";
import { NONCE } from "./nonce";
import { SignedIn } from "./signedIn";
import { browserStorage } from "./storage";
import { themeOf } from "./theme";
import { useMedia } from "./useMedia";

const DARK = "(prefers-color-scheme: dark)";
const CALM = "(prefers-reduced-motion: reduce)";

export function ConsoleApp() {
  const [preferences, setPreferences] = useState(() => loadPreferences(browserStorage()));
  const [asked, setAsked] = useState(() => parseQuery(window.location.search).locale);
  const systemDark = useMedia(DARK);
  const calm = useMedia(CALM);
  const dark = preferences.theme === "system" ? systemDark : preferences.theme === "dark";
  const locale = asked ?? preferences.locale ?? preferredLocale(navigator.languages);
  const ambience = useMemo<Ambience>(
    () => ({
      t: translator(locale),
      locale,
      dark,
      preferences,
      remember: (change: Partial<Preferences>) => {
        if (change.locale !== undefined) setAsked(null);
        setPreferences((current) => {
          const next = { ...current, ...change };
          savePreferences(browserStorage(), next);
          return next;
        });
      },
    }),
    [locale, dark, preferences],
  );
  useEffect(() => {
    document.documentElement.lang = locale;
    document.title = translator(locale)("app.title");
  }, [locale]);
  useEffect(() => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }, [dark]);
  const theme = useMemo(() => ({ ...themeOf(dark), ...(calm ? { token: { ...themeOf(dark).token, motion: false } } : {}) }), [dark, calm]);
  return (
    <ConfigProvider csp={{ nonce: NONCE }} locale={locale === "zh-CN" ? zhCN : enUS} theme={theme} button={{ autoInsertSpace: false }}>
      <App className="rh-app" message={{ maxCount: 3 }}>
        <AmbienceContext.Provider value={ambience}>
          <HashRouter>
            <SignedIn />
          </HashRouter>
        </AmbienceContext.Provider>
      </App>
    </ConfigProvider>
  );
}
