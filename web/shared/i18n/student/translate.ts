import { type Catalogue, type Locale, type Translator, translatorOf } from "..";
import type { zhCN } from "./zh-CN";

export type Keys = typeof zhCN;
export type MessageKey = keyof Keys;
/** Keys without the child's variants, which are chosen by the translator. */
export type PlainKey = Exclude<MessageKey, `${string}.child`>;
type PlainKeys = Pick<Keys, PlainKey>;
export type Translate = Translator<PlainKeys>;

const CHILD = ".child";

/** The texts of one language, for an adult or for a child's account. */
export function translate(catalogue: Catalogue<Keys>, child: boolean): Translate {
  if (!child) return translatorOf<PlainKeys>(catalogue);
  const spoken: Record<string, string> = { ...catalogue };
  for (const [key, text] of Object.entries(catalogue)) {
    if (key.endsWith(CHILD)) spoken[key.slice(0, -CHILD.length)] = text;
  }
  return translatorOf<PlainKeys>(spoken as Catalogue<Keys>);
}

/** Brings one language only: the help page is opened on phones. */
export async function loadCatalogue(locale: Locale): Promise<Catalogue<Keys>> {
  return locale === "en" ? (await import("./en")).en : (await import("./zh-CN")).zhCN;
}
