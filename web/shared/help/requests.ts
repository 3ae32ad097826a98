import { type ApiClient, apiClient, ApiError, type Schemas, unwrap } from "../api/client";
import type { Credentials } from "./credentials";

/** How long a file may take, in milliseconds. */
const UPLOAD_MS = 120_000;

/** The server's routes with a token that holds: renewed before it ends, and once after it was refused. */
export class Requests {
  readonly #api: ApiClient;
  readonly #base: string;

  constructor(
    base: string,
    private readonly credentials: Credentials,
  ) {
    this.#base = base.replace(/\/+$/, "");
    this.#api = apiClient({ base, token: () => credentials.current });
  }

  /** Makes sure of a token; throws `ApiError` when there is none to be had. */
  async ready(): Promise<void> {
    await asked(this.credentials.fresh());
  }

  /** One request; throws `ApiError`. */
  async send<Data>(request: (api: ApiClient) => Promise<{ data?: Data; error?: unknown; response: Response }>): Promise<Data> {
    await this.ready();
    try {
      return await unwrap(request(this.#api));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || !this.credentials.renewable) throw error;
      await asked(this.credentials.renew());
      return unwrap(request(this.#api));
    }
  }

  /** Stores a file with a call; throws `ApiError`. */
  async upload(call: string, file: Blob, name: string): Promise<Schemas["FileAnswer"]> {
    const answer = await this.#fetch(`/v1/calls/${call}/files?name=${encodeURIComponent(name)}`, {
      method: "POST",
      headers: new Headers({ "Content-Type": file.type === "" ? "application/octet-stream" : file.type }),
      body: file,
      signal: AbortSignal.timeout(UPLOAD_MS),
    });
    return (await answer.json()) as Schemas["FileAnswer"];
  }

  /** A file of a call; throws `ApiError`. */
  async download(call: string, file: string): Promise<Blob> {
    return (await this.#fetch(`/v1/calls/${call}/files/${file}`, { headers: new Headers() })).blob();
  }

  async #fetch(path: string, init: RequestInit & { headers: Headers }): Promise<Response> {
    init.headers.set("Authorization", `Bearer ${await asked(this.credentials.fresh())}`);
    let answer: Response;
    try {
      answer = await fetch(this.#base + path, { ...init, credentials: "omit" });
    } catch (error) {
      throw new ApiError("unreachable", 0, String(error));
    }
    if (!answer.ok) throw new ApiError("unexpected", answer.status, answer.statusText);
    return answer;
  }
}

async function asked(token: Promise<string>): Promise<string> {
  try {
    return await token;
  } catch (error) {
    throw new ApiError("unauthenticated", 401, error instanceof Error ? error.message : String(error));
  }
}
