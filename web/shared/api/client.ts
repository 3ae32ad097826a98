import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type ApiClient = Client<paths>;

/** How long one request may take before it counts as failed, in milliseconds. */
export const REQUEST_MS = 15_000;

/** What went wrong, as the server says it (RFC 9457), or `unreachable` when it says nothing. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** Stable; texts for people come from the message catalogue by this code. */
    readonly code: string,
    readonly status: number,
    /** For engineers. */
    readonly detail: string,
    /** Which fields are not as they should be: path such as `body.note` to message. */
    readonly fields: ReadonlyMap<string, string> = new Map(),
    readonly retryAfterS: number | null = null,
  ) {
    super(`${code}: ${detail}`);
  }
}

export interface ApiOptions {
  /** Origin (and path prefix) of the server, with or without a slash at the end. */
  readonly base: string;
  /** A bearer token, asked for at every request; null where the browser's session cookie speaks. */
  readonly token: (() => string) | null;
  /** Told of every 401, so that a page can ask to sign in again. */
  readonly onUnauthenticated?: () => void;
}

/** The typed client of the server's `/v1`. */
export function apiClient(options: ApiOptions): ApiClient {
  const client = createClient<paths>({
    baseUrl: options.base.replace(/\/+$/, ""),
    credentials: options.token === null ? "same-origin" : "omit",
    fetch: (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(REQUEST_MS)]) })),
  });
  client.use({
    onRequest({ request }) {
      if (options.token !== null) request.headers.set("Authorization", `Bearer ${options.token()}`);
      return request;
    },
    onResponse({ response }) {
      if (response.status === 401) options.onUnauthenticated?.();
    },
  });
  return client;
}

interface Answer<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/** The data of an answer; every other outcome is thrown as `ApiError`. */
export async function unwrap<Data>(request: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await request;
  } catch (error) {
    throw new ApiError("unreachable", 0, error instanceof Error ? error.message : String(error));
  }
  if (!answer.response.ok) throw errorOf(answer.response, answer.error);
  return answer.data as Data;
}

function errorOf(response: Response, body: unknown): ApiError {
  const problem = isRecord(body) ? body : {};
  const fields = new Map<string, string>();
  if (Array.isArray(problem.errors)) {
    for (const each of problem.errors) {
      if (isRecord(each) && typeof each.field === "string") fields.set(each.field, String(each.message));
    }
  }
  const retry = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const code = typeof problem.code === "string" ? problem.code : response.status >= 500 ? "unavailable" : "unexpected";
  const detail = typeof problem.detail === "string" ? problem.detail : response.statusText;
  return new ApiError(code, response.status, detail, fields, Number.isFinite(retry) ? retry : null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
