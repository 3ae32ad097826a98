/** What the page was opened with; all of it after the `#`, so that no server and no log sees it. */
export interface Opening {
  readonly kind: "help" | "guest" | "guardian" | "none";
  readonly token: string;
  /** Where "back to class" leads; null: nowhere. */
  readonly returnTo: string | null;
  readonly language: string | null;
  readonly theme: string | null;
  readonly topic: string | null;
  readonly context: Readonly<Record<string, string>>;
}

const CONTEXT = { class: "class_id", lesson: "lesson_id", lesson_ends_at: "lesson_ends_at", app_version: "app_version" } as const;
/** Schemes that could run or read something of ours. */
const REFUSED_SCHEMES = new Set(["javascript:", "data:", "vbscript:", "blob:", "file:", "filesystem:", "about:"]);

/** Reads the fragment; null when it holds no token. */
export function readOpening(fragment: string): Opening | null {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const kinds = { token: "help", invite: "guest", consent: "guardian" } as const;
  for (const [name, kind] of Object.entries(kinds)) {
    const token = given.get(name) ?? "";
    if (token === "") continue;
    const context: Record<string, string> = {};
    for (const [key, field] of Object.entries(CONTEXT)) {
      const value = given.get(key) ?? "";
      if (value !== "") context[field] = value;
    }
    return {
      kind,
      token,
      returnTo: safeReturn(given.get("return")),
      language: given.get("lang"),
      theme: given.get("theme"),
      topic: given.get("topic"),
      context,
    };
  }
  return null;
}

/** The fragment that opens the same page elsewhere. */
export function writeOpening(opening: Opening): string {
  const names = { help: "token", guest: "invite", guardian: "consent", none: "" } as const;
  const given = new URLSearchParams({ [names[opening.kind]]: opening.token });
  for (const [key, field] of Object.entries(CONTEXT)) {
    const value = opening.context[field];
    if (value !== undefined) given.set(key, value);
  }
  if (opening.returnTo !== null) given.set("return", opening.returnTo);
  if (opening.language !== null) given.set("lang", opening.language);
  return `#${given.toString()}`;
}

/** An address to go back to: a web page, or an app's own scheme; nothing that could run here. */
export function safeReturn(address: string | null): string | null {
  if (address === null) return null;
  try {
    const url = new URL(address);
    return REFUSED_SCHEMES.has(url.protocol) ? null : url.href;
  } catch {
    return null;
  }
}
