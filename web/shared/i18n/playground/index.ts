import { type Catalogues, type Locale, type Translator, translatorOf } from "..";
import { en } from "./en";
import { zhCN } from "./zh-CN";

export type MessageKey = keyof typeof zhCN;
export type Translate = Translator<typeof zhCN>;

export const catalogues: Catalogues<typeof zhCN> = { "zh-CN": zhCN, en };

export function translator(locale: Locale): Translate {
  return translatorOf<typeof zhCN>(catalogues[locale]);
}
