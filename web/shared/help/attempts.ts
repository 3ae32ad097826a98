import { ApiError } from "../api/client";
import { PROBLEM_CODES, type ProblemCode } from "./model";

/** What is done with a step that went wrong. */
export interface Failures {
  readonly onProblem: (code: ProblemCode) => void;
  /** The call is not there any more, or is over: its state is to be read. */
  readonly onCallGone: () => Promise<void>;
}

/** Runs steps that may fail: with a way to try again where a person waits for one, in silence where nobody does. */
export class Attempts {
  #last: (() => Promise<void>) | null = null;

  constructor(private readonly failures: Failures) {}

  /** Runs a step that a person waits for; what goes wrong is shown. */
  async openly(step: () => Promise<void>): Promise<void> {
    this.#last = step;
    try {
      await step();
    } catch (error) {
      const code = problemCode(error);
      if (code === "call_closed" || code === "not_found") await this.quietly(() => this.failures.onCallGone());
      this.failures.onProblem(code);
    }
  }

  /** The step that a person waited for last, once more. */
  async again(): Promise<void> {
    if (this.#last !== null) await this.openly(this.#last);
  }

  /** Runs a step that nobody waits for: it will be tried again when the stream is back. */
  async quietly(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.forgive(error);
    }
  }

  /** Lets a request's failure pass, unless only a new token helps; throws whatever is no failed request. */
  forgive(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.failures.onProblem("unauthenticated");
  }
}

function problemCode(error: unknown): ProblemCode {
  if (!(error instanceof ApiError)) return "unexpected";
  return PROBLEM_CODES.find((code) => code === error.code) ?? "unexpected";
}
