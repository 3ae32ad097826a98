/** Keys begin with `supervisor.`. */
export const zhCN = {
  "supervisor.title": "现场",
} as const;
