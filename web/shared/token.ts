import { ProblemError } from "./call/problem";

/** Where the page may get a token from. */
export type TokenSource = "server" | "paste";

export interface JoinToken {
  /** WebSocket address of the signalling server. */
  url: string;
  token: string;
}

export interface TokenRequest {
  room: string;
  name: string;
  /** Kept on rejoining; otherwise the server chooses one. */
  identity?: string;
}

/** The claims of a LiveKit access token that a page shows before joining. Not verified here. */
export interface TokenClaims {
  identity: string | null;
  name: string | null;
  room: string | null;
  /** Expiry, milliseconds since 1970. */
  expiresAtMs: number | null;
}

/** Path of the token endpoint; it exists only on a server started with `--dev`. */
const DEV_TOKEN_PATH = "dev/token";

/** The signalling address of the page's own origin. `base` is the page's address. */
export function signalUrl(base: string): string {
  const url = new URL("./", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url.toString().replace(/\/$/, "");
}

/**
 * Asks whether this server mints tokens for anyone (`--dev`).
 * Throws `ProblemError("serverUnreachable")` when nothing answers.
 */
export async function findTokenSource(base: string, fetcher: typeof fetch = fetch): Promise<TokenSource> {
  const response = await reach(fetcher, new URL(DEV_TOKEN_PATH, base), { method: "GET" });
  if (response.status >= 500) throw new ProblemError("serverUnreachable");
  return response.status === 404 ? "paste" : "server";
}

/**
 * Gets a token from a `--dev` server.
 * Throws `ProblemError`: `serverUnreachable`, or `tokenUnavailable` when the server mints none.
 */
export async function requestToken(
  base: string,
  request: TokenRequest,
  fetcher: typeof fetch = fetch,
): Promise<JoinToken> {
  const response = await reach(fetcher, new URL(DEV_TOKEN_PATH, base), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  if (response.status >= 500) throw new ProblemError("serverUnreachable");
  if (!response.ok) throw new ProblemError("tokenUnavailable");
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    throw new ProblemError("tokenUnavailable");
  }
  const token = (body as { token?: unknown } | null)?.token;
  if (typeof token !== "string" || token === "") throw new ProblemError("tokenUnavailable");
  // The page talks to its own origin whatever address the server would advise.
  return { url: signalUrl(base), token };
}

/** Reads the claims of a token without checking its signature; null when it is not a token at all. */
export function readClaims(token: string): TokenClaims | null {
  const parts = token.trim().split(".");
  if (parts.length !== 3) return null;
  let claims: unknown;
  try {
    const base64 = (parts[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  if (typeof claims !== "object" || claims === null) return null;
  const from = claims as { sub?: unknown; name?: unknown; exp?: unknown; video?: { room?: unknown } | null };
  const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
  return {
    identity: text(from.sub),
    name: text(from.name),
    room: text(from.video?.room),
    expiresAtMs: typeof from.exp === "number" ? from.exp * 1000 : null,
  };
}

async function reach(fetcher: typeof fetch, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetcher(url, { ...init, cache: "no-store", credentials: "same-origin" });
  } catch {
    throw new ProblemError("serverUnreachable");
  }
}
