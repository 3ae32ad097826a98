/** What the button on the host page says before anything else is loaded. */
export const buttonTexts = {
  "zh-CN": {
    "button.label": "求助",
    "button.hint": "上课遇到问题了？点一下，真人客服来帮您。",
    "button.hint.child": "上课遇到问题了吗？点一下，老师来帮你。",
  },
  en: {
    "button.label": "Help",
    "button.hint": "Trouble in class? One tap, and a real person helps you.",
    "button.hint.child": "Trouble in class? One tap, and a teacher helps you.",
  },
} as const;
