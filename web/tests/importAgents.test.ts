import { describe, expect, it } from "vitest";
import type { Schemas } from "../shared/api/client";
import { agentsCsv, decodeCsv, type Known, MAXIMUM_ROWS, readAgents, templateCsv } from "../shared/admin/importAgents";

const chen: Schemas["AgentAnswer"] = {
  id: "chen", name: "陈老师", state: "offline", reason: "", activity: "idle", queues: ["technical", "vip"],
  skills: { audio: 5, network: 4 }, languages: ["zh", "en"], max_chats: 3, supervisor: false, routable: true,
  idle_since: null, engagements: null, version: 1,
};
const known: Known = {
  agents: new Map([["chen", chen]]),
  queues: new Map([["technical", "技术支持"], ["vip", "VIP 专属"], ["teaching", "教学服务"]]),
};
const kinds = (text: string): string[][] => readAgents(text, known).rows.map((row) => row.problems.map((problem) => problem.kind));

describe("CSV import of agents", () => {
  it("reads the template", () => {
    const { rows, problem, unknown } = readAgents(templateCsv(), known);
    expect([problem, unknown]).toEqual([null, []]);
    expect(rows[0]).toEqual({
      line: 2, id: "mei", is: "new", problems: [],
      body: {
        name: "Mei", queues: ["technical", "vip"], skills: { audio: 4, network: 3 }, languages: ["zh", "en"],
        max_chats: 3, supervisor: false, routable: true,
      },
    });
  });

  it("takes what it has written for unchanged", () => {
    const { rows } = readAgents(agentsCsv([chen]), known);
    expect(rows.map((row) => [row.is, row.problems])).toEqual([["same", []]]);
  });

  it("leaves alone what a row does not say", () => {
    const { rows } = readAgents("id,skills\nchen,audio:2\n", known);
    expect(rows[0]?.is).toBe("changed");
    expect(rows[0]?.body).toMatchObject({ name: "陈老师", queues: ["technical", "vip"], skills: { audio: 2 }, max_chats: 3 });
  });

  it("knows queues by their names, Chinese separators and flags", () => {
    const { rows } = readAgents("ID,Queues,Skills,Routable\nbo,技术支持、教学服务,audio：3；video,否\n", known);
    expect(rows[0]?.problems).toEqual([]);
    expect(rows[0]?.body).toMatchObject({ queues: ["technical", "teaching"], skills: { audio: 3, video: 1 }, routable: false });
  });

  it("tells what is wrong in which row", () => {
    const text = [
      "id,name,queues,skills,languages,max_chats,routable",
      ",Nobody,,,,,",
      "a b,,,,,,",
      "bo,,nowhere,audio:9,chinese,99,perhaps",
      "bo,,,<b>,,-1,",
      "chen,Chen,technical",
    ].join("\n");
    expect(kinds(text)).toEqual([
      ["idMissing"],
      ["idWrong"],
      ["queueUnknown", "skillWrong", "languageWrong", "chatsWrong", "flagWrong"],
      ["skillWrong", "chatsWrong", "idTwice"],
      ["cellsWrong"],
    ]);
    expect(readAgents(text, known).rows[2]?.line).toBe(4);
  });

  it.each([
    ["", "empty"],
    ["id,name\n", "empty"],
    ["name,skills\nBo,audio\n", "noId"],
    [`id\n${"x\n".repeat(MAXIMUM_ROWS + 1)}`, "tooMany"],
  ])("refuses a file that is none: %j", (text, problem) => {
    expect(readAgents(text, known).problem).toBe(problem);
  });

  it("names headings that it does not know", () => {
    expect(readAgents("id,salary\nbo,1\n", known).unknown).toEqual(["salary"]);
  });

  it("reads what Chinese Excel writes", () => {
    const gbk = new Uint8Array([0x69, 0x64, 0x2c, 0x6e, 0x61, 0x6d, 0x65, 0x0a, 0x62, 0x6f, 0x2c, 0xb3, 0xc2, 0x0a]);
    expect(readAgents(decodeCsv(gbk), known).rows[0]?.body.name).toBe("陈");
    expect(decodeCsv(new TextEncoder().encode("陈"))).toBe("陈");
  });

  it("writes nothing that a spreadsheet would run", () => {
    expect(agentsCsv([{ ...chen, name: "=HYPERLINK(1)" }])).toContain("'=HYPERLINK(1)");
  });
});
