import { en } from "./en";
import { zhCN } from "./zh-CN";

export const LOCALES = ["zh-CN", "en"] as const;
export type Locale = (typeof LOCALES)[number];

export type MessageKey = keyof typeof zhCN;
/** One language's texts: every key, nothing else. */
export type Catalogue = Readonly<Record<MessageKey, string>>;

export const catalogues: Readonly<Record<Locale, Catalogue>> = { "zh-CN": zhCN, en };

/** The names between braces of a text. */
type Slots<Text extends string> = Text extends `${string}{${infer Slot}}${infer Rest}` ? Slot | Slots<Rest> : never;

/** The values that a key needs: none, or an object with exactly the named ones. */
type Values<Key extends MessageKey> = [Slots<(typeof zhCN)[Key]>] extends [never]
  ? []
  : [values: Readonly<Record<Slots<(typeof zhCN)[Key]>, string | number>>];

export type Translate = <Key extends MessageKey>(key: Key, ...values: Values<Key>) => string;

export function isLocale(value: unknown): value is Locale {
  return LOCALES.some((locale) => locale === value);
}

/** The first of the browser's languages that is spoken here; English otherwise. */
export function preferredLocale(languages: readonly string[]): Locale {
  for (const language of languages) {
    const lower = language.toLowerCase();
    if (lower.startsWith("zh")) return "zh-CN";
    if (lower.startsWith("en")) return "en";
  }
  return "en";
}

/** The function that turns keys into texts of one language. */
export function translator(locale: Locale): Translate {
  const catalogue = catalogues[locale];
  return (key, ...values) => {
    const filled: Readonly<Record<string, string | number>> = values[0] ?? {};
    return catalogue[key].replace(/\{(\w+)\}/g, (slot, name: string) => String(filled[name] ?? slot));
  };
}
