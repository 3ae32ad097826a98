import { ApiError, type Schemas } from "../api/client";
import type { HelpCore } from "./core";
import { newId } from "./ids";
import type { FileView, Message } from "./model";
import { fileView, MESSAGE_CHARACTERS } from "./reducer";
import type { Terms } from "./terms";

const MEGABYTE = 1_048_576;
/** The newest messages that are read at once; the server gives no more. */
const PAGE = 200;

/** What is written, and the files. */
export class Chat {
  constructor(
    private readonly core: HelpCore,
    private readonly terms: Terms,
  ) {}

  async send(text: string): Promise<void> {
    const trimmed = text.trim().slice(0, MESSAGE_CHARACTERS);
    if (trimmed === "" || this.core.path === null) return;
    await this.#post(this.#draft(trimmed, []));
  }

  async resend(id: string): Promise<void> {
    const draft = this.core.state.get().messages.find((message) => message.id === id);
    if (draft?.state === "failed") await this.#post({ ...draft, state: "sending" });
  }

  /** Uploads a file and says so in the chat. */
  async sendFile(file: Blob, name: string): Promise<void> {
    const { call } = this.core.state.get();
    if (call === null) return;
    const limit = this.terms.info.get()?.file_bytes ?? Number.POSITIVE_INFINITY;
    const tooLarge = { kind: "fileTooLarge", size: Math.floor(limit / MEGABYTE) } as const;
    if (file.size > limit) {
      this.core.notice(tooLarge);
      return;
    }
    this.core.dispatch({ type: "uploading", name });
    try {
      const stored = await this.core.requests.upload(call.id, file, name);
      await this.#post(this.#draft("", [fileView(stored)]));
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      this.core.notice(status === 413 ? tooLarge : status === 415 ? { kind: "fileUnsupported" } : { kind: "fileFailed", name });
    } finally {
      this.core.dispatch({ type: "uploading", name: null });
    }
  }

  /** A file of the chat; throws `ApiError`. */
  async file(id: string): Promise<Blob> {
    return this.core.requests.download(this.core.state.get().call?.id ?? "", id);
  }

  /** Everything was read by the person. */
  seen(): void {
    this.core.dispatch({ type: "seen" });
  }

  /** Reads what was written so far; throws `ApiError`. */
  async read(): Promise<void> {
    const params = this.core.path;
    if (params === null) return;
    const page = await this.core.requests.send((api) =>
      api.GET("/v1/calls/{call}/messages", { params: { ...params, query: { limit: PAGE } } }),
    );
    this.core.dispatch({ type: "messages", messages: page.items.map((item) => this.#messageOf(item)) });
  }

  #draft(text: string, files: readonly FileView[]): Message {
    return {
      id: `draft-${newId()}`,
      author: this.core.self,
      name: "",
      role: "student",
      own: true,
      text,
      files,
      atMs: Date.now(),
      state: "sending",
    };
  }

  async #post(draft: Message): Promise<void> {
    const params = this.core.path;
    if (params === null) return;
    this.core.dispatch({ type: "message", message: draft });
    try {
      const body = { text: draft.text, files: draft.files.map((file) => file.id), staff_only: false };
      const sent = await this.core.requests.send((api) => api.POST("/v1/calls/{call}/messages", { params, body }));
      this.core.dispatch({ type: "messageSent", id: draft.id, message: this.#messageOf(sent) });
    } catch (error) {
      this.core.dispatch({ type: "messageFailed", id: draft.id });
      this.core.attempts.forgive(error);
    }
  }

  #messageOf(item: Schemas["MessageAnswer"]): Message {
    const people = this.core.state.get().call?.participants ?? [];
    return {
      id: item.id,
      author: item.author,
      name: people.find((each) => each.identity === item.author)?.name ?? "",
      role: item.role,
      own: item.author === this.core.self,
      text: item.text,
      files: item.files.map((file) => fileView(file)),
      atMs: Date.parse(item.at),
      state: "sent",
    };
  }
}
