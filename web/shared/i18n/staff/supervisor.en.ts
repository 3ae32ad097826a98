import type { Catalogue } from "..";
import type { zhCN } from "./supervisor.zh-CN";

export const en: Catalogue<typeof zhCN> = {
  "supervisor.title": "Floor",
};
