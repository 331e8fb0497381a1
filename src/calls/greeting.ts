import type { Call } from "../core/call.ts";
import type { EngineSession } from "../engines/engine.ts";
import { BACK_AGAIN, SAY_BACK_AGAIN } from "./phrases.ts";
import type { ItemPlayout } from "./playout.ts";

export interface GreetingParts {
  readonly call: () => Call;
  /** The first sentence of an inbound call, word for word; empty: the model greets. */
  readonly text: string;
  /** Whether the model only gives its voice to somebody else's words. */
  readonly readsOut: boolean;
}

/**
 * The first words of a call, or of its continuation in a new process: given once, and once more if nobody heard them.
 */
export class Greeting {
  readonly #parts: GreetingParts;
  /** `asked` until its first sound is heard. */
  #state: "due" | "asked" | "given" = "due";

  constructor(parts: GreetingParts) {
    this.#parts = parts;
  }

  get due(): boolean {
    return this.#state === "due";
  }

  get given(): boolean {
    return this.#state === "given";
  }

  /** Has the model begin. Says whether that was still to be done. */
  give(model: Pick<EngineSession, "say" | "respond" | "instruct">): boolean {
    if (this.#state !== "due") return false;
    this.#state = "asked";
    const { call, text: greeting, readsOut } = this.#parts;
    const { direction, message, resumes, transcript } = call();
    if (resumes > 0 && transcript.length > 0) {
      if (!readsOut) model.instruct(BACK_AGAIN);
      model.respond({ cause: "turn", ...(readsOut && { instructions: SAY_BACK_AGAIN }) });
      return true;
    }
    const text = direction === "outbound" ? message : greeting;
    if (text) model.say(text, "greeting");
    else model.respond({ cause: "greeting" });
    return true;
  }

  /** Something of the agent's was over for the caller's ears. */
  heard({ heardMs }: ItemPlayout): void {
    if (this.#state === "asked" && heardMs > 0) this.#state = "given";
  }

  /** The agent was interrupted: a greeting of which nothing was heard is due again. */
  interrupted(cuts: readonly ItemPlayout[]): void {
    if (this.#state === "asked") this.#state = cuts.some(({ heardMs }) => heardMs > 0) ? "given" : "due";
  }
}
