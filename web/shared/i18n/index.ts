export const LOCALES = ["zh-CN", "en"] as const;
export type Locale = (typeof LOCALES)[number];

/** One page's texts of one language. `Source` is the Chinese one: its keys and values are the ones there are. */
export type Catalogue<Source> = Readonly<Record<keyof Source & string, string>>;

/** One page's texts of every language. */
export type Catalogues<Source> = Readonly<Record<Locale, Catalogue<Source>>>;

/** The names between braces of a text. */
type Slots<Text> = Text extends `${string}{${infer Slot}}${infer Rest}` ? Slot | Slots<Rest> : never;

/** The values that a key needs: none, or an object with exactly the named ones. */
export type Values<Source, Key extends keyof Source> = [Slots<Source[Key]>] extends [never]
  ? []
  : [values: Readonly<Record<Slots<Source[Key]>, string | number>>];

/** Turns the keys of one page into texts of one language. */
export type Translator<Source> = <Key extends keyof Source & string>(key: Key, ...values: Values<Source, Key>) => string;

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
export function translatorOf<Source>(catalogue: Catalogue<Source>): Translator<Source> {
  return (key, ...values) => {
    const filled: Readonly<Record<string, string | number>> = values[0] ?? {};
    return catalogue[key].replace(/\{(\w+)\}/g, (slot, name: string) => String(filled[name] ?? slot));
  };
}
