import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { PROBLEM_KINDS } from "../shared/call/problem";
import { catalogues, LOCALES, type MessageKey, preferredLocale, translator } from "../shared/i18n";

const keys = Object.keys(catalogues["zh-CN"]) as MessageKey[];
const slots = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((name) => /\.tsx?$/.test(name) && !/[\\/](i18n|mock)[\\/]/.test(name));
}

describe("message catalogue", () => {
  it.each(LOCALES)("is complete in %s", (locale) => {
    expect(Object.keys(catalogues[locale]).sort()).toEqual([...keys].sort());
    for (const key of keys) expect(catalogues[locale][key].trim(), key).not.toBe("");
  });

  it("fills in the same values in every language", () => {
    for (const key of keys) expect(slots(catalogues.en[key]), key).toEqual(slots(catalogues["zh-CN"][key]));
  });

  it("has a title and a remedy for every problem", () => {
    for (const kind of PROBLEM_KINDS) {
      expect(keys).toContain(`problem.${kind}.title`);
      expect(keys).toContain(`problem.${kind}.text`);
    }
  });

  it("keeps engineers' words to the figures, and never says just wait", () => {
    for (const key of keys) {
      const text = catalogues["zh-CN"][key];
      if (!key.startsWith("stats.")) expect(text, key).not.toMatch(/码率|帧率|协议|抖动|丢包/);
      expect(text, key).not.toMatch(/马上|请您等待/);
    }
  });

  it("uses Chinese punctuation in Chinese", () => {
    for (const key of keys) expect(catalogues["zh-CN"][key], key).not.toMatch(/[\u4e00-\u9fff][,;:?!(]/);
  });

  it("is the only place with text", () => {
    const found: string[] = [];
    for (const file of [...sources("shared"), ...sources("playground")]) {
      const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
      const visit = (node: ts.Node): void => {
        if (ts.isJsxText(node) && /\p{L}/u.test(node.text)) found.push(`${file}: ${node.text.trim()}`);
        if (ts.isJsxAttribute(node) && node.initializer !== undefined && ts.isStringLiteral(node.initializer)) {
          const name = node.name.getText();
          if (/^(aria-label|title|placeholder|alt|label|hint)$/.test(name)) found.push(`${file}: ${node.initializer.text}`);
        }
        if (ts.isStringLiteralLike(node) && /\p{Script=Han}/u.test(node.text)) found.push(`${file}: ${node.text}`);
        ts.forEachChild(node, visit);
      };
      visit(source);
    }
    expect(found).toEqual([]);
  });

  it("translates", () => {
    expect(translator("en")("call.people", { count: 3 })).toBe("3 people");
    expect(translator("zh-CN")("tile.you", { name: "{name}<b>" })).toBe("{name}<b>\uff08您\uff09");
  });

  it("chooses by the browser's languages", () => {
    expect(preferredLocale(["zh-TW", "en"])).toBe("zh-CN");
    expect(preferredLocale(["fr", "en-GB"])).toBe("en");
    expect(preferredLocale([])).toBe("en");
  });
});
