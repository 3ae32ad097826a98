import tseslint from "typescript-eslint";

const pageGlobals = ["window", "document", "location", "localStorage", "sessionStorage", "history"];

export default tseslint.config(
  { ignores: ["dist", "node_modules", "shared/api/schema.ts"] },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ["./tsconfig.json", "./console/tsconfig.json"] } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from people is set as text, never as markup." },
        { property: "outerHTML", message: "Text from people is set as text, never as markup." },
        { property: "dangerouslySetInnerHTML", message: "Text from people is set as text, never as markup." },
      ],
    },
  },
  {
    files: ["shared/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        ...pageGlobals.map((name) => ({ name, message: "web/shared does not touch the page." })),
      ],
    },
  },
);
