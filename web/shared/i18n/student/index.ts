import type { Catalogues } from "..";
import { en } from "./en";
import type { Keys } from "./translate";
import { zhCN } from "./zh-CN";

/** All languages at once; the widget loads one (`loadCatalogue`). */
export const catalogues: Catalogues<Keys> = { "zh-CN": zhCN, en };
