import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { PROBLEM_KINDS } from "../shared/call/problem";
import { type Locale, LOCALES, preferredLocale } from "../shared/i18n";
import { catalogues as guide } from "../shared/i18n/guide";
import { catalogues as playground, translator } from "../shared/i18n/playground";
import { catalogues as student } from "../shared/i18n/student";
import { catalogues as staff } from "../shared/i18n/staff";

/** The pages' catalogues; each must keep all promises. */
const PAGES: Readonly<Record<string, Readonly<Record<Locale, Readonly<Record<string, string>>>>>> = { playground, staff, guide, student };
/** Keys of texts for people who know the engineers' words. */
const FIGURES = /^(stats|figures)\./;

const slots = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((name) => /\.tsx?$/.test(name) && !/[\\/](i18n|mock)[\\/]/.test(name));
}

describe.each(Object.entries(PAGES))("message catalogue of %s", (_page, catalogues) => {
  const chinese = Object.entries(catalogues["zh-CN"]);

  it.each(LOCALES)("is complete in %s", (locale) => {
    expect(Object.keys(catalogues[locale]).sort()).toEqual(chinese.map(([key]) => key).sort());
    for (const [key, text] of Object.entries(catalogues[locale])) expect(text.trim(), key).not.toBe("");
  });

  it("fills in the same values in every language", () => {
    for (const [key, text] of chinese) expect(slots(catalogues.en[key] ?? ""), key).toEqual(slots(text));
  });

  it("keeps engineers' words to the figures, and never says just wait", () => {
    for (const [key, text] of chinese) {
      if (!FIGURES.test(key)) expect(text, key).not.toMatch(/码率|帧率|协议|抖动|丢包/);
      expect(text, key).not.toMatch(/马上|请您等待/);
    }
  });

  it("uses Chinese punctuation in Chinese", () => {
    for (const [key, text] of chinese) expect(text, key).not.toMatch(/[\u4e00-\u9fff][,;:?!(]/);
  });
});

describe("texts", () => {
  it("has a title and a remedy for every problem", () => {
    for (const kind of PROBLEM_KINDS) {
      expect(playground["zh-CN"]).toHaveProperty([`problem.${kind}.title`]);
      expect(playground["zh-CN"]).toHaveProperty([`problem.${kind}.text`]);
    }
  });

  it("is the only place with text", () => {
    const found: string[] = [];
    for (const file of ["shared", "guide", "playground", "widget", "help", "class", "console"].flatMap(sources)) {
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
  }, 30_000); // reads every source file

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
