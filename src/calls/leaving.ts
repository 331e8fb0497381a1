import type { Clock, Timer } from "../core/clock.ts";
import type { VoiceError } from "../core/errors.ts";
import type { EndReason } from "../core/events.ts";

/** Why a conversation cannot go on. `said`: whether the caller has been told. */
export interface Leave {
  readonly reason: EndReason;
  readonly said: boolean;
  readonly error?: VoiceError;
}

/** A call that is to end with a sentence ends after so long, heard or not. */
const HEARD_WITHIN_MS = 15_000;

/** Ends a conversation, once: not before its last sentence has been heard. */
export class Leaving {
  readonly #clock: Clock;
  readonly #onLeave: (why: Leave) => void;
  #why: Leave | undefined;
  #itemId: string | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, onLeave: (why: Leave) => void) {
    this.#clock = clock;
    this.#onLeave = onLeave;
  }

  /** Whether the conversation is being left. */
  get begun(): boolean {
    return this.#why !== undefined;
  }

  /** Begins to leave; `lastItemId` is the sentence, when one is `said`. Says whether it is the first to do so. */
  begin(why: Leave, lastItemId: string): boolean {
    if (this.#why) return false;
    this.#why = why;
    this.#itemId = why.said ? lastItemId : undefined;
    this.#timer = this.#clock.after(why.said ? HEARD_WITHIN_MS : 0, () => this.#leave());
    return true;
  }

  /** An item is over for the caller's ears. */
  over(itemId: string): void {
    if (itemId === this.#itemId) this.#leave();
  }

  /** The caller has more to say: an end that the agent wanted is given up. */
  cancel(): void {
    if (this.#why?.reason !== "agent_ended") return;
    this.stop();
    this.#why = undefined;
  }

  /** The call is over. */
  stop(): void {
    this.#timer?.stop();
    this.#itemId = undefined;
  }

  #leave(): void {
    this.stop();
    if (this.#why) this.#onLeave(this.#why);
  }
}
