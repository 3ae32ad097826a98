import type { Catalogue } from "..";
import type { zhCN } from "./agent.zh-CN";

export const en: Catalogue<typeof zhCN> = {
  "desk.title": "Desk",
};
