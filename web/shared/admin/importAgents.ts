import Papa from "papaparse";
import type { Schemas } from "../api/client";

export type AgentBody = Schemas["AgentBody"];

/** Columns of the file, in the template's order. Only `id` must be there. */
export const COLUMNS = ["id", "name", "queues", "skills", "languages", "max_chats", "routable"] as const;
export type Column = (typeof COLUMNS)[number];

/** What can be wrong in a row; the catalogue has words for each. */
export type RowProblem =
  | { readonly kind: "idMissing" }
  | { readonly kind: "idWrong"; readonly value: string }
  | { readonly kind: "idTwice"; readonly value: string }
  | { readonly kind: "nameLong" }
  | { readonly kind: "queueUnknown"; readonly value: string }
  | { readonly kind: "skillWrong"; readonly value: string }
  | { readonly kind: "languageWrong"; readonly value: string }
  | { readonly kind: "chatsWrong"; readonly value: string }
  | { readonly kind: "flagWrong"; readonly value: string }
  | { readonly kind: "cellsWrong" };

export interface ImportRow {
  /** Line of the file, the heading being the first. */
  readonly line: number;
  readonly id: string;
  readonly body: AgentBody;
  readonly problems: readonly RowProblem[];
  readonly is: "new" | "changed" | "same";
}

/** Why a file cannot be read at all. */
export type FileProblem = "empty" | "noId" | "tooMany" | "columnsUnknown";

export interface Imported {
  readonly rows: readonly ImportRow[];
  readonly problem: FileProblem | null;
  /** Headings that mean nothing here. */
  readonly unknown: readonly string[];
}

export interface Known {
  readonly agents: ReadonlyMap<string, Schemas["AgentAnswer"]>;
  /** Queues by id, with their names. */
  readonly queues: ReadonlyMap<string, string>;
}

export const MAXIMUM_ROWS = 2_000;
const ID = /^[A-Za-z0-9_.:@~+-]{1,128}$/;
const WORD = /^[A-Za-z0-9_.:-]{1,64}$/;
const LANGUAGE = /^[a-z]{2,3}$/;
/** Between several values of one cell: people use what is at hand. */
const SEVERAL = /[;；、|,，\s]+/;
/** The last of each are the Chinese words for yes and no, by their code points. */
const YES: ReadonlySet<string> = new Set(["1", "yes", "y", "true", String.fromCharCode(0x662f)]);
const NO: ReadonlySet<string> = new Set(["0", "no", "n", "false", String.fromCharCode(0x5426)]);
const NAME_CHARACTERS = 200;

/** Bytes as text: UTF-8 with or without mark, else what Chinese Excel writes (GB 18030). */
export function decodeCsv(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

/** Reads a file and compares it with what there is. A column that is missing leaves what is known as it is; so does an
 * empty cell of a known agent. */
export function readAgents(text: string, known: Known): Imported {
  const parsed = Papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: "greedy",
    transformHeader: (heading) => heading.trim().toLowerCase(),
  });
  const headings = parsed.meta.fields ?? [];
  const unknown = headings.filter((heading) => heading !== "" && !COLUMNS.some((column) => column === heading));
  const failed = (problem: FileProblem): Imported => ({ rows: [], problem, unknown });
  if (parsed.data.length === 0) return failed("empty");
  if (!headings.includes("id")) return failed("noId");
  if (parsed.data.length > MAXIMUM_ROWS) return failed("tooMany");
  const uneven = new Set(parsed.errors.filter((error) => error.type === "FieldMismatch").map((error) => error.row));
  const seen = new Set<string>();
  const rows = parsed.data.map((cells, index): ImportRow => {
    const row = readRow(cells, known);
    const problems = [...row.problems];
    if (uneven.has(index)) problems.push({ kind: "cellsWrong" });
    if (row.id !== "" && seen.has(row.id)) problems.push({ kind: "idTwice", value: row.id });
    seen.add(row.id);
    return { ...row, problems, line: index + 2 };
  });
  return { rows, problem: null, unknown };
}

function readRow(cells: Readonly<Record<string, string | undefined>>, { agents, queues }: Known): Omit<ImportRow, "line"> {
  const problems: RowProblem[] = [];
  const cell = (column: Column): string => (cells[column] ?? "").trim();
  const several = (column: Column): string[] => cell(column).split(SEVERAL).filter((value) => value !== "");
  const id = cell("id");
  if (id === "") problems.push({ kind: "idMissing" });
  else if (!ID.test(id)) problems.push({ kind: "idWrong", value: id });
  const before = agents.get(id);
  const body: AgentBody = before === undefined ? { ...NEW, name: id } : bodyOf(before);

  if (cell("name") !== "") body.name = cell("name");
  if (body.name.length > NAME_CHARACTERS) problems.push({ kind: "nameLong" });
  if (cell("queues") !== "") {
    const byName = new Map([...queues].map(([queue, name]) => [name, queue]));
    body.queues = [];
    for (const value of several("queues")) {
      const queue = queues.has(value) ? value : byName.get(value);
      if (queue === undefined) problems.push({ kind: "queueUnknown", value });
      else if (!body.queues.includes(queue)) body.queues.push(queue);
    }
  }
  if (cell("skills") !== "") {
    body.skills = {};
    for (const value of several("skills")) {
      // A level is written behind its skill: `audio:4`, `audio=4`; none is 1.
      const match = /^(.+?)(?:[:=\uff1a]([0-9]+))?$/.exec(value);
      const skill = match?.[1] ?? "";
      const level = Number(match?.[2] ?? "1");
      if (!WORD.test(skill) || level < 1 || level > 5) problems.push({ kind: "skillWrong", value });
      else body.skills[skill] = level;
    }
  }
  if (cell("languages") !== "") {
    body.languages = [];
    for (const value of several("languages")) {
      const language = value.toLowerCase();
      if (!LANGUAGE.test(language)) problems.push({ kind: "languageWrong", value });
      else if (!body.languages.includes(language)) body.languages.push(language);
    }
  }
  if (cell("max_chats") !== "") {
    const count = Number(cell("max_chats"));
    if (!Number.isInteger(count) || count < 0 || count > 50) problems.push({ kind: "chatsWrong", value: cell("max_chats") });
    else body.max_chats = count;
  }
  if (cell("routable") !== "") {
    const flag = cell("routable").toLowerCase();
    if (!YES.has(flag) && !NO.has(flag)) problems.push({ kind: "flagWrong", value: cell("routable") });
    else body.routable = YES.has(flag);
  }
  const is = before === undefined ? "new" : sameBody(body, bodyOf(before)) ? "same" : "changed";
  return { id, body, problems, is };
}

const NEW: AgentBody = { name: "", queues: [], skills: {}, languages: ["zh"], max_chats: 3, supervisor: false, routable: true };

export function bodyOf(agent: Schemas["AgentAnswer"]): AgentBody {
  return {
    name: agent.name,
    queues: [...agent.queues],
    skills: { ...agent.skills },
    languages: [...agent.languages],
    max_chats: agent.max_chats,
    supervisor: agent.supervisor,
    routable: agent.routable,
  };
}

function sameBody(one: AgentBody, other: AgentBody): boolean {
  const plain = (body: AgentBody): string =>
    JSON.stringify({
      ...body,
      queues: [...(body.queues ?? [])].sort(),
      languages: [...(body.languages ?? [])].sort(),
      skills: Object.entries(body.skills ?? {}).sort(([left], [right]) => (left < right ? -1 : 1)),
    });
  return plain(one) === plain(other);
}

/** What Excel opens right: a byte order mark, and cells that a spreadsheet would take for a formula made harmless. */
export function agentsCsv(agents: readonly Schemas["AgentAnswer"][]): string {
  const rows = agents.map((agent) => ({
    id: agent.id,
    name: agent.name,
    queues: agent.queues.join(";"),
    skills: Object.entries(agent.skills)
      .map(([skill, level]) => `${skill}:${level}`)
      .join(";"),
    languages: agent.languages.join(";"),
    max_chats: agent.max_chats,
    routable: agent.routable ? "yes" : "no",
  }));
  return `\ufeff${Papa.unparse(rows, { columns: [...COLUMNS], escapeFormulae: true })}\r\n`;
}

export function templateCsv(): string {
  const rows = [
    { id: "mei", name: "Mei", queues: "technical;vip", skills: "audio:4;network:3", languages: "zh;en", max_chats: 3, routable: "yes" },
  ];
  return `\ufeff${Papa.unparse(rows, { columns: [...COLUMNS] })}\r\n`;
}
