import type { Schemas } from "../api/client";
import { Store } from "../store";
import type { HelpCore } from "./core";

/** What the server says about the recording's notice and about limits. Read once. */
export class Terms {
  readonly info = new Store<Schemas["HelpAnswer"] | null>(null);

  constructor(private readonly core: HelpCore) {}

  /** Without it nobody is asked for consent; the next request for help tries again. */
  read(): void {
    if (this.info.get() !== null) return;
    void this.core.attempts.quietly(async () => {
      this.info.set(await this.core.requests.send((api) => api.GET("/v1/help")));
    });
  }
}
