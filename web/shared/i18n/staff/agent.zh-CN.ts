/** The agent's desk and call. Keys begin with `desk.`, `offer.`, `call.`, `student.`, `chat.`, `line.`, `wrapup.`, `keys.`. */
export const zhCN = {
  "desk.title": "接待",
} as const;
