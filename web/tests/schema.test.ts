import { readFileSync } from "node:fs";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";
import { expect, it } from "vitest";

it("has the types of the server's document", async () => {
  const document = new URL("../shared/api/openapi.json", import.meta.url);
  const types = readFileSync(new URL("../shared/api/schema.ts", import.meta.url), "utf8");
  expect(types, "run: npm run api").toBe(COMMENT_HEADER + astToString(await openapiTS(document)));
}, 30_000);
