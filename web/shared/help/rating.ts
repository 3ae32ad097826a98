import { ApiError, type Schemas } from "../api/client";
import type { HelpCore } from "./core";
import type { CallFeed } from "./feed";
import type { RatingDraft } from "./model";

/** What the person says after the call. */
export class Rating {
  constructor(
    private readonly core: HelpCore,
    private readonly feed: CallFeed,
  ) {}

  draft(draft: Partial<RatingDraft>): void {
    this.core.dispatch({ type: "rating", draft });
  }

  /** Sends what was said: with stars the rating, without only whether it is solved. */
  async send(): Promise<void> {
    const { core } = this;
    if (core.path === null) return;
    await core.attempts.openly(async () => {
      try {
        await this.#send();
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== "already_rated") throw error;
      }
      await core.attempts.quietly(() => this.feed.readPromise());
      this.skip();
      core.options.onAlert("rated");
    });
  }

  skip(): void {
    this.core.kept.change({ call: null });
    this.core.dispatch({ type: "rated" });
  }

  async #send(): Promise<void> {
    const { call, rating } = this.core.state.get();
    if (call === null) return;
    const { stars, resolved, comment } = rating;
    if (stars > 0) {
      const params = { path: { call: call.id } };
      await this.core.requests.send((api) => api.POST("/v1/calls/{call}/rating", { params, body: { stars, resolved, comment } }));
    } else if (resolved !== null) {
      const params = { path: { ticket: call.ticket_id } };
      const body = { resolved, comment } as Schemas["TicketPatch"];
      await this.core.requests.send((api) => api.PATCH("/v1/tickets/{ticket}", { params, body }));
    }
  }
}
