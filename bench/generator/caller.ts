import type { Exchange } from "./exchange.ts";
import type { Loudspeaker } from "./loudspeaker.ts";
import type { ModelSession } from "./session.ts";

/** How the caller takes each answer: to its end, or breaking in after so much of it has played. */
export interface Manner {
  readonly bargeInAfterMs?: number;
}

/** How answers are taken in turn: every other one is broken into, while it is still made or long after. */
const MANNERS: readonly Manner[] = [{}, { bargeInAfterMs: 500 }, {}, { bargeInAfterMs: 1_500 }];

const SPEECH_FRAMES = 30;
const PAUSE_MS = 300;
/** A caller who has heard nothing for so long speaks again. */
const PATIENCE_MS = 8_000;
/** What is missing of an answer so long after its end is lost. */
const LATE_MS = 2_000;
/** Frames of speech that a bridge must have for evidence of its own. */
const EVIDENCE_FRAMES = 3;
/** A barge-in that is so old is judged as it is. */
const SETTLE_AFTER_MS = 3_000;

type Phase = "listening" | "pausing" | "speaking";

interface BargeIn {
  readonly response: number;
  readonly atMs: number;
  evidenceAtMs?: number;
  speechStartedAtMs?: number;
  clearedAtMs?: number;
  /** What had played when the sound stopped. */
  playedMs?: number;
  toldAtMs?: number;
  toldMs?: number;
}

/** What the caller can see of the call. */
export interface CallerView {
  readonly loudspeaker: Loudspeaker;
  readonly session: () => ModelSession | undefined;
  /** How many blocks of the newest response have come. */
  readonly arrivedBlocks: () => number;
  /** Blocks of the newest response that have not come are given up. */
  readonly giveUpRest: (blocks: number) => void;
}

/** The person on one call: speaks, listens, breaks in, and judges how the bridge took it. */
export class Caller {
  readonly #exchange: Exchange;
  readonly #view: CallerView;
  readonly #offset: number;
  #phase: Phase = "listening";
  #turn = 0;
  #sinceMs: number;
  #frames = 0;
  /** The newest response that this caller is done with. */
  #doneWith = 0;
  #bargeIn: BargeIn | undefined;
  /** Responses up to this one were thrown away: nothing of them may come any more. */
  clearedThrough = 0;

  constructor(exchange: Exchange, view: CallerView, offset: number) {
    this.#exchange = exchange;
    this.#view = view;
    this.#offset = offset;
    this.#sinceMs = exchange.schedule.now();
  }

  /** Goes on with the conversation. Says whether the frame that is sent now is speech. */
  speaks(nowMs: number): boolean {
    if (this.#bargeIn && nowMs - this.#bargeIn.atMs > SETTLE_AFTER_MS) this.#settle();
    if (this.#phase === "listening") this.#listen(nowMs);
    else if (this.#phase === "pausing" && nowMs - this.#sinceMs >= PAUSE_MS) this.#begin("speaking", nowMs);
    if (this.#phase !== "speaking") return false;
    if (this.#frames < SPEECH_FRAMES) {
      this.#frames += 1;
      return true;
    }
    this.#turn += 1;
    this.#begin("listening", nowMs);
    return false;
  }

  /** A frame of speech is on its way to the bridge. */
  spoke(nowMs: number): void {
    if (this.#bargeIn && this.#frames === EVIDENCE_FRAMES) this.#bargeIn.evidenceAtMs ??= nowMs;
  }

  /** The model has found that the caller speaks. */
  speechStarted(nowMs: number): void {
    if (this.#bargeIn) this.#bargeIn.speechStartedAtMs ??= nowMs;
  }

  /** A new response begins to come. */
  answered(): void {
    this.#settle();
  }

  /** The bridge throws away what has not played; the loudspeaker has not done so yet. */
  cleared(nowMs: number): void {
    const { loudspeaker } = this.#view;
    if (!loudspeaker.hasToPlay(nowMs)) return;
    const bargeIn = this.#bargeIn;
    const response = loudspeaker.playing?.response ?? 0;
    if (bargeIn?.response !== response) {
      this.#exchange.fault("cutWrongly");
      return;
    }
    bargeIn.clearedAtMs ??= nowMs;
    bargeIn.playedMs ??= loudspeaker.playedMs(nowMs);
    this.clearedThrough = response;
  }

  /** The model was told how much of a response was heard. */
  truncated(response: number, heardMs: number, nowMs: number): void {
    if (this.#bargeIn?.response !== response) return;
    this.#bargeIn.toldAtMs ??= nowMs;
    this.#bargeIn.toldMs ??= heardMs;
  }

  /** The call is about to end. */
  finish(nowMs: number): void {
    // What began just now has no verdict yet.
    if (this.#bargeIn && nowMs - this.#bargeIn.atMs > 1_500) this.#settle();
    this.#bargeIn = undefined;
  }

  /** Whether the rest of a response need not come, because the caller has broken into it. */
  hasBrokenInto(response: number): boolean {
    return this.#bargeIn?.response === response;
  }

  #begin(phase: Phase, nowMs: number): void {
    this.#phase = phase;
    this.#sinceMs = nowMs;
    this.#frames = 0;
  }

  #listen(nowMs: number): void {
    const { loudspeaker, session, arrivedBlocks, giveUpRest } = this.#view;
    const playing = loudspeaker.playing;
    if (!playing || playing.response <= this.#doneWith) {
      if (nowMs - this.#sinceMs < PATIENCE_MS) return;
      this.#exchange.fault("unanswered");
      this.#begin("speaking", nowMs);
      return;
    }
    const { bargeInAfterMs } = this.#manner;
    if (bargeInAfterMs !== undefined && nowMs - (playing.starts[0] ?? nowMs) >= bargeInAfterMs) {
      this.#breakIn(playing.response, nowMs);
      return;
    }
    const answer = session()?.answer(playing.response);
    if (!answer?.isOver || nowMs < loudspeaker.playsUntilMs) return;
    if (arrivedBlocks() < answer.blocks) {
      if (nowMs < loudspeaker.playsUntilMs + LATE_MS) return;
      giveUpRest(answer.blocks);
    }
    this.#exchange.tally.counts.responses += 1;
    this.#doneWith = playing.response;
    this.#begin("pausing", nowMs);
  }

  /** The greeting is heard to its end. */
  get #manner(): Manner {
    if (this.#turn === 0) return {};
    return MANNERS[(this.#turn + this.#offset) % MANNERS.length] as Manner;
  }

  #breakIn(response: number, nowMs: number): void {
    this.#exchange.tally.counts.bargeIns += 1;
    this.#exchange.tally.time("queuedAtBargeIn", this.#view.loudspeaker.queuedMs(nowMs));
    this.#bargeIn = { response, atMs: nowMs };
    this.#doneWith = response;
    this.#begin("speaking", nowMs);
  }

  /** Judges the last barge-in. */
  #settle(): void {
    const bargeIn = this.#bargeIn;
    if (!bargeIn) return;
    this.#bargeIn = undefined;
    const { tally } = this.#exchange;
    const { atMs, evidenceAtMs, speechStartedAtMs, clearedAtMs, playedMs, toldAtMs, toldMs } = bargeIn;
    if (evidenceAtMs === undefined || speechStartedAtMs === undefined) return;
    const dueAtMs = Math.max(evidenceAtMs, speechStartedAtMs);
    if (clearedAtMs === undefined || playedMs === undefined) this.#exchange.fault("notCleared");
    else {
      tally.time("clear", clearedAtMs - dueAtMs);
      tally.time("stop", clearedAtMs - atMs);
    }
    if (toldAtMs === undefined || toldMs === undefined) {
      this.#exchange.fault("notTruncated");
      return;
    }
    tally.time("truncate", toldAtMs - dueAtMs);
    if (playedMs !== undefined) tally.time("truncateError", Math.abs(toldMs - playedMs));
  }
}
