import type { Catalogue } from "..";
import type { zhCN } from "./admin.zh-CN";

export const en: Catalogue<typeof zhCN> = {
  "admin.title": "Settings",
};
