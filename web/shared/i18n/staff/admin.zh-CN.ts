/** Keys begin with `admin.`. */
export const zhCN = {
  "admin.title": "设置",
} as const;
