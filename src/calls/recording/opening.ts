import type { Clock, Timer } from "../../core/clock.ts";
import { readConsent } from "../../core/consent.ts";
import type { ConsentBy } from "../../core/events.ts";
import type { Logger } from "../../hosts/host.ts";
import type { CallJournal } from "../journal.ts";
import type { ItemPlayout } from "../playout.ts";

/** An answer is waited for so long once the question was heard. */
const ANSWER_WITHIN_MS = 8_000;
/** The conversation goes on after so long, whatever became of the question. */
const AT_MOST_MS = 60_000;
/** An announcement that was cut after so much of it counts as heard. */
const ENOUGH = 0.9;
/** How often it is said, or asked, at most. */
const MOST_TIMES = 2;

export interface OpeningParts {
  readonly how: "announce" | "ask";
  /** What is said, word for word. */
  readonly text: string;
  readonly journal: Pick<CallJournal, "write" | "note" | "call">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Has the text said as soon as nobody speaks; whether it can. */
  readonly say: (text: string) => boolean;
  /** Begins to record. Resolves with whether it does. */
  readonly record: () => Promise<boolean>;
  /** Whether the sentence that announces the recording is in it: whoever records can then drop it again. */
  readonly keepsAnnouncement: boolean;
  /** The announcement was not said after all: nothing of the recording is kept. */
  readonly discard: () => void;
  /** The conversation may begin. */
  readonly goOn: () => void;
}

/**
 * What stands before the conversation of a call that is to be recorded: the sentence that says so, or the question
 * whether it may be. It decides nothing on its own: only a clear yes, by voice or with the key 1, has the call recorded
 * that was asked for it. Whatever happens, the conversation goes on.
 */
export class Opening {
  readonly #parts: OpeningParts;
  #state: "due" | "busy" | "saying" | "waiting" | "over" = "due";
  #times = 0;
  /** Whether it is to be said once more when the caller has finished. */
  #again = false;
  #answerTimer: Timer | undefined;
  #limit: Timer | undefined;

  constructor(parts: OpeningParts) {
    this.#parts = parts;
  }

  /**
   * Both sides are there, or a turn of the caller's is over. Whether the conversation may go on; if not, `goOn` is called
   * once it may.
   */
  mayGoOn(): boolean {
    if (this.#state === "due") void this.#begin();
    else if (this.#state === "saying" && this.#again) this.#say();
    return this.#state === "over";
  }

  /** Something of the agent's is over for the caller's ears. */
  heard({ heardMs, producedMs }: ItemPlayout): void {
    if (this.#state !== "saying") return;
    const enough = heardMs >= ENOUGH * producedMs;
    if (this.#parts.how === "announce") {
      if (enough || this.#times >= MOST_TIMES) this.#announced();
      else this.#again = true;
      return;
    }
    this.#state = "waiting";
    this.#answerTimer = this.#parts.clock.after(ANSWER_WITHIN_MS, () => this.#unclear("nobody"));
  }

  /** The words of a finished turn of the caller's. */
  words(text: string): void {
    if (this.#parts.how !== "ask" || (this.#state !== "saying" && this.#state !== "waiting")) return;
    const answer = readConsent(text);
    if (answer !== "unsure") void this.#decide(answer === "yes", "words");
    // What was said before the question was over is no answer to it, unless it is one.
    else if (this.#state === "waiting") this.#unclear("words");
  }

  /** The caller pressed a key. Whether it was meant for this. */
  pressed(key: string): boolean {
    const isAsked = this.#parts.how === "ask" && (this.#state === "saying" || this.#state === "waiting");
    if (!isAsked || (key !== "1" && key !== "2")) return false;
    void this.#decide(key === "1", "keys");
    return true;
  }

  /** The call is over. */
  close(): void {
    this.#stopTimers();
    this.#state = "over";
  }

  async #begin(): Promise<void> {
    const { how, journal, clock, record, keepsAnnouncement } = this.#parts;
    this.#state = "busy";
    this.#limit = clock.after(AT_MOST_MS, () => void this.#decide(false, "nobody"));
    if (how === "ask") {
      journal.note({ type: "consent.asked", how });
      return this.#say();
    }
    const isKept = await this.#written(() => journal.write({ type: "consent.asked", how }));
    const records = isKept && (!keepsAnnouncement || (await record()));
    if (this.#state === "busy" && records) this.#say();
    else if (this.#state === "busy") this.#end();
    else if (records) this.#parts.discard(); // it took too long
  }

  /** They know of it, and stay: from now on what was recorded is kept. The conversation does not wait for the disk. */
  #announced(): void {
    const { journal, record, keepsAnnouncement, discard } = this.#parts;
    const decided = this.#written(() => journal.write({ type: "consent.decided", ok: true, by: "announcement" }));
    void decided.then((isKept) => {
      if (!isKept) discard();
      else if (!keepsAnnouncement) void record();
    });
    this.#end();
  }

  #say(): void {
    this.#again = false;
    this.#times += 1;
    this.#state = "saying";
    if (this.#parts.say(this.#parts.text)) return;
    if (this.#parts.how === "announce") this.#parts.discard();
    this.#end();
  }

  /** No answer, or none that is clear: it is asked once more, and then taken for a no. */
  #unclear(by: "nobody" | "words"): void {
    this.#answerTimer?.stop();
    if (this.#times < MOST_TIMES) this.#say();
    else void this.#decide(false, by);
  }

  async #decide(ok: boolean, by: ConsentBy): Promise<void> {
    if (this.#state === "over" || (this.#state === "busy" && by !== "nobody")) return;
    const wasSaying = this.#state === "saying";
    this.#stopTimers();
    this.#state = "busy";
    if (this.#parts.how === "announce") {
      if (wasSaying) this.#parts.discard();
    } else {
      const isKept = await this.#written(() => this.#parts.journal.write({ type: "consent.decided", ok, by }));
      if (ok && isKept && this.#state === "busy") await this.#parts.record();
    }
    if (this.#state === "busy") this.#end();
  }

  async #written(write: () => Promise<void>): Promise<boolean> {
    const { logger, journal } = this.#parts;
    try {
      await write();
      return true;
    } catch (error) {
      logger.warn("A call is not recorded, because its consent could not be written down.", {
        callId: journal.call.id,
        error: String(error),
      });
      return false;
    }
  }

  #end(): void {
    this.#stopTimers();
    this.#state = "over";
    this.#parts.goOn();
  }

  #stopTimers(): void {
    this.#answerTimer?.stop();
    this.#limit?.stop();
  }
}
