import { type Call, type CallSummary, summarise } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import { heardText, withEntry } from "../core/transcript.ts";
import type { Emit } from "./conversation-parts.ts";
import type { HeardTurn } from "./engine-line-opening.ts";
import type { CallJournal } from "./journal.ts";
import type { ItemPlayout } from "./playout.ts";

export interface ScribeParts {
  readonly journal: Pick<CallJournal, "call" | "note">;
  readonly clock: Clock;
  readonly emit: Emit;
}

const PRICED_EVERY_MS = 1_000;

/** Writes the transcript of a call: what each side said, in the words that were heard. */
export class Scribe {
  readonly #parts: ScribeParts;
  readonly #agentWords = new Map<string, string>();
  readonly #callerSpeech = new Map<string, { startedAtMs: number; endedAtMs: number }>();
  /** Caller turns whose words are still to come. */
  readonly #unwritten = new Set<string>();
  #allWritten: (() => void) | undefined;
  /** What the transcript of an earlier life of the call holds stays part of it. */
  #entries: readonly TranscriptEntry[];
  #answeredAtMs: number | undefined;
  #speakingItem: string | undefined;
  #summed: { readonly call: Call; readonly atMs: number; readonly summary: CallSummary } | undefined;

  constructor(parts: ScribeParts) {
    this.#parts = parts;
    this.#entries = parts.journal.call.transcript;
  }

  /** When the call was answered: the transcript's zero. */
  answered(atMs: number): void {
    this.#answeredAtMs = atMs;
  }

  /** What was heard so far, as a model is told of it. */
  history(): readonly HeardTurn[] {
    return this.#entries;
  }

  /** Words of the agent, heard or not: the item's whole text so far. */
  agentWords(itemId: string, text: string): void {
    this.#agentWords.set(itemId, text);
    if (itemId !== this.#speakingItem) this.#parts.journal.note({ type: "speech.started", speaker: "agent" });
    this.#speakingItem = itemId;
    this.#parts.emit("partial", { speaker: "agent", text }, this.#summary());
  }

  /** An item of the agent is over for the caller's ears: played out, or cut. */
  agentHeard({ itemId, heardMs, producedMs, startedAtMs }: ItemPlayout, cut: boolean): void {
    const words = this.#agentWords.get(itemId) ?? "";
    this.#agentWords.delete(itemId);
    if (!cut) this.#parts.journal.note({ type: "speech.stopped", speaker: "agent" });
    const text = heardText(words, heardMs, producedMs).trim();
    if (text === "" || startedAtMs === undefined) return;
    const startMs = this.#sinceAnswer(startedAtMs);
    this.#add({ id: itemId, speaker: "agent", text, startMs, heardMs, cut: heardMs < producedMs });
  }

  /** The caller began to speak. */
  callerStarted(itemId: string, startedAtMs: number): void {
    this.#callerSpeech.set(itemId, { startedAtMs, endedAtMs: this.#parts.clock.now() });
  }

  /** The caller's speech ended. */
  callerStopped(itemId: string, endedAtMs: number): void {
    const speech = this.#callerSpeech.get(itemId);
    if (speech) speech.endedAtMs = endedAtMs;
  }

  /** A turn of the caller stands in the conversation; its words are to come. */
  callerTurn(itemId: string): void {
    this.#unwritten.add(itemId);
  }

  /** Words of the caller. */
  callerWords(itemId: string, text: string, final: boolean): void {
    if (!final) {
      this.#parts.emit("partial", { speaker: "caller", text }, this.#summary());
      return;
    }
    this.written(itemId);
    const words = text.trim();
    const speech = this.#callerSpeech.get(itemId);
    this.#callerSpeech.delete(itemId);
    if (words === "") return;
    const startedAtMs = speech?.startedAtMs ?? this.#parts.clock.now();
    const heardMs = Math.max(0, Math.round((speech?.endedAtMs ?? startedAtMs) - startedAtMs));
    const startMs = this.#sinceAnswer(startedAtMs);
    this.#add({ id: itemId, speaker: "caller", text: words, startMs, heardMs, cut: false });
  }

  /** A turn of the caller has its words, or will have none. */
  written(itemId: string): void {
    this.#unwritten.delete(itemId);
    if (this.#unwritten.size === 0) this.#allWritten?.();
  }

  /** Resolves when the words of every finished caller turn are there, or after `limitMs`. */
  async lastWords(limitMs: number): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const enough = new AbortController();
    const written = new Promise<void>((resolve) => {
      this.#allWritten = resolve;
    });
    await Promise.race([written, sleep(this.#parts.clock, limitMs, enough.signal).catch(() => {})]);
    enough.abort();
  }

  #add(entry: TranscriptEntry): void {
    this.#entries = withEntry(this.#entries, entry);
    this.#parts.journal.note({ type: "transcript.added", entry });
    this.#parts.emit("transcript", entry, this.#summary());
  }

  #sinceAnswer(atMs: number): number {
    return Math.max(0, Math.round(atMs - (this.#answeredAtMs ?? atMs)));
  }

  /** The call at a glance. Words come many times a second: what it costs is priced once a second. */
  #summary(): CallSummary {
    const { call } = this.#parts.journal;
    const now = this.#parts.clock.now();
    if (call !== this.#summed?.call || now - this.#summed.atMs >= PRICED_EVERY_MS) {
      this.#summed = { call, atMs: now, summary: summarise(call, now) };
    }
    return this.#summed.summary;
  }
}
