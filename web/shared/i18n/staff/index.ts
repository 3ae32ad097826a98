import { type Catalogues, type Locale, type Translator, translatorOf } from "..";
import { en as adminEn } from "./admin.en";
import { zhCN as adminZhCN } from "./admin.zh-CN";
import { en as agentEn } from "./agent.en";
import { zhCN as agentZhCN } from "./agent.zh-CN";
import { en as commonEn } from "./common.en";
import { zhCN as commonZhCN } from "./common.zh-CN";
import { en as guideEn } from "./guide.en";
import { zhCN as guideZhCN } from "./guide.zh-CN";
import { en as supervisorEn } from "./supervisor.en";
import { zhCN as supervisorZhCN } from "./supervisor.zh-CN";

/** The console's texts: what all pages share, and one part per area, each with its own prefixes. */
const zhCN = { ...commonZhCN, ...agentZhCN, ...guideZhCN, ...supervisorZhCN, ...adminZhCN };
const en: Readonly<Record<keyof typeof zhCN, string>> = { ...commonEn, ...agentEn, ...guideEn, ...supervisorEn, ...adminEn };

export type StaffSource = typeof zhCN;
export type StaffKey = keyof StaffSource;
export type StaffTranslate = Translator<StaffSource>;

export const catalogues: Catalogues<StaffSource> = { "zh-CN": zhCN, en };

export function translator(locale: Locale): StaffTranslate {
  return translatorOf<StaffSource>(catalogues[locale]);
}

/** The text of a key made from data, such as `problem.${code}`; null where the catalogue has none. */
export function lookup(t: StaffTranslate, key: string): string | null {
  return Object.hasOwn(zhCN, key) ? (t as (key: string) => string)(key) : null;
}

/** Each in its own language, so that whoever lost the way finds back. */
export const LANGUAGE_NAMES: Readonly<Record<Locale, string>> = { "zh-CN": "中文", en: "English" };
