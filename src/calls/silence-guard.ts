import type { ClipName } from "./clips.ts";

/** What the caller waits for. */
export interface Wait {
  /** `answer`: sound of the model's; `tool`: a tool's result; `engine`: a session that opens, or opens again. */
  readonly for: "answer" | "tool" | "engine";
  /**
   * When it began, or when the model last gave sound. A retry does not begin it anew; another engine that takes over
   * after we gave up does.
   */
  readonly sinceMs: number;
}

/** What the guard looks at on each tick. All times are on one clock, in milliseconds. */
export interface SilenceFacts {
  /**
   * Since when the waiting caller hears nothing, by playout; in the future while sound that was sent still plays.
   * Absent: nobody waits. `SilenceMeter.silentSinceMs` tells it.
   */
  readonly silentSinceMs: number | undefined;
  /** Whether the caller has the turn: nothing is played over them. */
  readonly callerSpeaks: boolean;
  /** Whether audio of the model's is queued or plays; clips do not count. */
  readonly agentAudio: boolean;
  /** What we owe the caller, if anything. */
  readonly wait: Wait | undefined;
}

/** What to do now. */
export type GuardAction =
  | { readonly play: ClipName }
  /**
   * The wait was too long. `engine`: the conversation cannot go on; the call ends once `play` was heard. `tool`: the
   * tool is to be aborted, and the model goes on without its result. `play` is absent when somebody speaks.
   */
  | { readonly giveUp: "engine" | "tool"; readonly play?: ClipName };

/** How long is how long, in milliseconds. */
export interface SilenceLimits {
  /** Silence after which something is played: 1.5 s less one tick and the way to the carrier. */
  readonly cueAfterMs: number;
  /** Least time from the beginning of one phrase to that of the next. */
  readonly phraseEveryMs: number;
  /** How long an answer or a session may take. */
  readonly engineMs: number;
  /** How long a tool may take. */
  readonly toolMs: number;
}

export const SILENCE_LIMITS: SilenceLimits = {
  cueAfterMs: 1_400,
  phraseEveryMs: 6_000,
  engineMs: 12_000,
  toolMs: 65_000,
};

/** The first phrase of a wait, and those after it; each list is gone through in turn. */
const OPENERS = ["one-moment", "just-a-moment"] as const satisfies readonly ClipName[];
const REASSURANCES = ["still-working", "thank-you"] as const satisfies readonly ClipName[];

/**
 * Decides what breaks the silence while the caller waits for us: a cue, a phrase, cues and phrases, and an end to the
 * waiting. Pure: whoever owns it calls `tick` on every beat and does what comes back at once.
 */
export class SilenceGuard {
  readonly #limits: SilenceLimits;
  /** Whether this stretch of waiting has had its first cue. */
  #cued = false;
  /** When the last phrase of this stretch began. */
  #phraseAtMs: number | undefined;
  #playedAtMs = Number.NEGATIVE_INFINITY;
  #opened = 0;
  #reassured = 0;
  /** Whose limit runs, and since when without a break. */
  #running: { readonly kind: "engine" | "tool"; readonly sinceMs: number } | undefined;
  /** The wait that was given up: its kind and beginning. */
  #gaveUpOn: { readonly kind: "engine" | "tool"; readonly sinceMs: number } | undefined;

  constructor(limits: SilenceLimits = SILENCE_LIMITS) {
    this.#limits = limits;
  }

  /** What to do at `nowMs`, if anything. */
  tick(nowMs: number, facts: SilenceFacts): GuardAction | undefined {
    return this.#giveUp(nowMs, facts) ?? this.#fill(nowMs, facts);
  }

  #giveUp(nowMs: number, facts: SilenceFacts): GuardAction | undefined {
    const { wait, callerSpeaks, agentAudio, silentSinceMs } = facts;
    const kind = kindOf(wait);
    if (kind !== this.#running?.kind) this.#running = kind && { kind, sinceMs: nowMs };
    if (wait === undefined || this.#running === undefined || this.#gaveUp(wait)) return undefined;
    // An answer that was due all the while is waited for anew once the tool has its result.
    const waitedMs = nowMs - Math.max(wait.sinceMs, this.#running.sinceMs);
    const { engineMs, toolMs } = this.#limits;
    const spoken = callerSpeaks || agentAudio;
    // The last words of a call are not said over somebody, but a line on which somebody always speaks ends as well.
    if (waitedMs < (kind === "tool" ? toolMs : spoken ? 2 * engineMs : engineMs)) return undefined;
    this.#gaveUpOn = { kind: this.#running.kind, sinceMs: wait.sinceMs };
    if (kind === "engine") return { giveUp: "engine", ...(!spoken && this.#played("apology", nowMs)) };
    return { giveUp: "tool", ...(!spoken && silentSinceMs !== undefined && this.#played("too-long", nowMs)) };
  }

  #gaveUp(wait: Wait): boolean {
    return this.#gaveUpOn?.kind === kindOf(wait) && this.#gaveUpOn?.sinceMs === wait.sinceMs;
  }

  #fill(nowMs: number, { wait, callerSpeaks, agentAudio, silentSinceMs }: SilenceFacts): GuardAction | undefined {
    if (callerSpeaks || agentAudio || silentSinceMs === undefined) {
      this.#cued = false;
      this.#phraseAtMs = undefined;
      return undefined;
    }
    if (kindOf(wait) === "engine" && this.#gaveUp(wait as Wait)) return undefined; // the last words are said
    // What was just played may not have been sent yet.
    if (nowMs - Math.max(silentSinceMs, this.#playedAtMs) < this.#limits.cueAfterMs) return undefined;
    return this.#played(this.#next(nowMs), nowMs);
  }

  #next(nowMs: number): ClipName {
    const phraseDue = this.#phraseAtMs === undefined || nowMs - this.#phraseAtMs >= this.#limits.phraseEveryMs;
    if (!this.#cued || !phraseDue) {
      this.#cued = true;
      return "cue";
    }
    const opens = this.#phraseAtMs === undefined;
    this.#phraseAtMs = nowMs;
    return opens ? inTurn(OPENERS, this.#opened++) : inTurn(REASSURANCES, this.#reassured++);
  }

  #played(name: ClipName, nowMs: number): { play: ClipName } {
    this.#playedAtMs = nowMs;
    return { play: name };
  }
}

// --- Internal helpers ---

/** Whose limit a wait has: an answer and a session come from the same side. */
function kindOf(wait: Wait | undefined): "engine" | "tool" | undefined {
  return wait && (wait.for === "tool" ? "tool" : "engine");
}

const inTurn = (names: readonly ClipName[], count: number): ClipName => names[count % names.length] as ClipName;
