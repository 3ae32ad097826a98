import { type Catalogues, type Locale, type Translator, translatorOf } from "..";
import { en } from "./en";
import { zhCN } from "./zh-CN";

type Keys = typeof zhCN;
type PlainKeys = Pick<Keys, Exclude<keyof Keys, `${string}.child`>>;
export type GuideTranslate = Translator<PlainKeys>;

export const catalogues: Catalogues<Keys> = { "zh-CN": zhCN, en };

/** The texts of one language, for an adult or for a child's account. */
export function guideTranslator(locale: Locale, child: boolean): GuideTranslate {
  const plain = translatorOf<Keys>(catalogues[locale]) as (key: string, values?: object) => string;
  return ((key: string, values?: object) =>
    plain(child && Object.hasOwn(zhCN, `${key}.child`) ? `${key}.child` : key, values));
}
