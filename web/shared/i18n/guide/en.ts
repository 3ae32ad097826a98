import type { Catalogue } from "..";
import type { zhCN } from "./zh-CN";

export const en: Catalogue<typeof zhCN> = {
  "guide.private": "Hidden from the agent",
  "guide.private.child": "Hidden from the agent",
  "guide.mirror": "What you share",
  "guide.mirror.child": "What you share",
  "guide.mirrorHint": "The agent’s marks show up here",
  "guide.mirrorHint.child": "The agent’s marks show up here",
  "guide.camera": "Your camera",
  "guide.camera.child": "Your camera",
  "guide.frozen": "{name} is holding the picture still to explain something",
  "guide.frozen.child": "{name} is holding the picture still to explain something",
  "guide.someone": "The agent",
  "guide.someone.child": "The agent",
  "guide.thaw": "Let it move again",
  "guide.larger": "Enlarge",
  "guide.marked": "The agent marked something on your picture.",
  "guide.marked.child": "The agent marked something on your picture.",
  "guide.wiped": "The marks are gone.",
};
