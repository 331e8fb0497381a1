import type { Call } from "../core/call.ts";
import type { EngineSession } from "../engines/engine.ts";
import type { Prelude } from "./conversation-parts.ts";
import { BACK_AGAIN, SAY_BACK_AGAIN } from "./phrases.ts";
import type { ItemPlayout } from "./playout.ts";

export interface GreetingParts {
  readonly call: () => Call;
  /** The first sentence of an inbound call, word for word; empty: the model greets. */
  readonly text: string;
  /** Whether the model only gives its voice to somebody else's words. */
  readonly readsOut: boolean;
  /** What has to be said and answered before: that the call is recorded. */
  readonly opening: Prelude | undefined;
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
    const { opening } = this.#parts;
    if (this.#state !== "due" || (opening && !opening.mayGoOn())) return false;
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
  heard(item: ItemPlayout): void {
    this.#parts.opening?.heard(item);
    if (this.#state === "asked" && item.heardMs > 0) this.#state = "given";
  }

  /** The final words of a turn of the caller's. */
  words(text: string): void {
    this.#parts.opening?.words(text);
  }

  /** The caller pressed a key. Says whether it was the answer to what stands before the greeting. */
  pressed(key: string): boolean {
    return this.#parts.opening?.pressed(key) ?? false;
  }

  /** The call is over. */
  close(): void {
    this.#parts.opening?.close();
  }

  /** The agent was interrupted: a greeting of which nothing was heard is due again. */
  interrupted(cuts: readonly ItemPlayout[]): void {
    if (this.#state === "asked") this.#state = cuts.some(({ heardMs }) => heardMs > 0) ? "given" : "due";
  }
}
