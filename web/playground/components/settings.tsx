import { LOCALES } from "../../shared/i18n";
import type { Theme } from "../../shared/preferences";
import { useAmbience } from "../context";
import { MenuChoice, MenuGroup } from "./menu";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

export function LanguageChoices({ close }: { close: () => void }) {
  const { t, locale, remember } = useAmbience();
  return (
    <MenuGroup label={t("language.choose")}>
      {LOCALES.map((one) => (
        <MenuChoice
          key={one}
          chosen={one === locale}
          label={t(`language.${one}`)}
          onChoose={() => {
            remember({ locale: one });
            close();
          }}
        />
      ))}
    </MenuGroup>
  );
}

export function ThemeChoices({ close }: { close: () => void }) {
  const { t, preferences, remember } = useAmbience();
  return (
    <MenuGroup label={t("theme.label")}>
      {THEMES.map((theme) => (
        <MenuChoice
          key={theme}
          chosen={theme === preferences.theme}
          label={t(`theme.${theme}`)}
          onChoose={() => {
            remember({ theme });
            close();
          }}
        />
      ))}
    </MenuGroup>
  );
}
