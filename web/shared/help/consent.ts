import type { HelpCore } from "./core";
import type { Decision } from "./model";
import type { Terms } from "./terms";

/** Of a server that did not say which notice it shows. */
const FIRST_NOTICE = "1";

/** Whether the call may be recorded: decided here, or by a guardian by link. */
export class Consent {
  constructor(
    private readonly core: HelpCore,
    private readonly terms: Terms,
  ) {}

  async decide(decision: Decision): Promise<void> {
    const { core } = this;
    const notice_version = this.terms.info.get()?.notice.version ?? FIRST_NOTICE;
    const body = { participant: core.self, decision, by: "self" as const, notice_version };
    await core.command(async (params) => {
      const before = core.state.get().consent;
      core.dispatch({ type: "consent", decision });
      try {
        return await core.requests.send((api) => api.POST("/v1/calls/{call}/consent", { params, body }));
      } catch (error) {
        core.dispatch({ type: "consent", decision: before }); // What is not stored was not decided.
        throw error;
      }
    });
  }

  /** Not now: the question rests, and nothing is recorded. */
  rest(): void {
    this.core.dispatch({ type: "consentRests", link: null });
    this.core.kept.change({ consentRests: true });
  }

  /** Makes a link with which a guardian decides. */
  async makeGuardianLink(): Promise<void> {
    const { core } = this;
    const params = core.path;
    if (params === null) return;
    await core.attempts.openly(async () => {
      const body = { participant: core.self, guardian: "" };
      const answer = await core.requests.send((api) => api.POST("/v1/calls/{call}/consent/link", { params, body }));
      core.dispatch({ type: "consentRests", link: answer.link });
      core.kept.change({ consentRests: true });
    });
  }

  /** The link was sent; the card makes room. */
  finishGuardianLink(): void {
    this.core.dispatch({ type: "linkDone" });
  }
}
