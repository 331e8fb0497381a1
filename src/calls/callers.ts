import { type Call, callerNumber } from "../core/call.ts";
import { StoreError } from "../core/errors.ts";
import type { CallOutcome, Commitment } from "../core/events.ts";
import { parseE164 } from "../core/numbers.ts";
import type { Store } from "../stores/store.ts";
import { quoteLine } from "./context/quote.ts";

/** Something that was said on a call and is to be kept: the words as one line, and how far to believe them. */
export interface CallerNote {
  readonly text: string;
  /** Milliseconds since the epoch when it was said. */
  readonly atMs: number;
  readonly callId: string;
  /** Whether who said it was verified by more than their number. */
  readonly verified: boolean;
}

/** A message that the agent took. */
export interface CallerMessage extends CallerNote {
  /** Whom it is for, when the caller said so. */
  readonly for?: string;
}

/** Something that was promised on a call with this person. */
export interface CallerPromise {
  readonly by: Commitment["by"];
  readonly what: string;
  /** When it is due, in the words that were used. */
  readonly due?: string;
  readonly callId: string;
  /** Milliseconds since the epoch when it was promised. */
  readonly atMs: number;
  readonly open: boolean;
}

/** One earlier call, as it is remembered. */
export interface PastCall {
  readonly callId: string;
  /** Milliseconds since the epoch when it began. */
  readonly atMs: number;
  readonly summary: string;
  readonly outcome: string;
}

/** What is kept of a caller, oldest first everywhere. Every text is one bounded line that somebody else said: data, never an order. */
export interface CallerProfile {
  /** The host's name for the person, once a call had one. */
  readonly name?: string;
  readonly facts: readonly CallerNote[];
  readonly messages: readonly CallerMessage[];
  readonly promises: readonly CallerPromise[];
  readonly lastCalls: readonly PastCall[];
}

/** What a caller asked for on one call. */
export interface AskedOnCall {
  readonly remembered: readonly string[];
  readonly messages: readonly { readonly for?: string; readonly text: string }[];
}

const KIND = "caller";
const MAX_FACTS = 50;
const MAX_MESSAGES = 50;
const MAX_PROMISES = 20;
const MAX_CALLS = 20;
const MAX_FACT = 300;
const MAX_MESSAGE = 600;
const MAX_NAME = 80;
const NOBODY: CallerProfile = { facts: [], messages: [], promises: [], lastCalls: [] };
/** Two calls of one person seldom end at once; more writers than this do not meet. */
const ATTEMPTS = 10;

/**
 * What is remembered of the people on the telephone, a document for each number and account. Who hides their number has
 * none: what they ask for is kept with the call alone, so that nobody else is taken for them.
 */
export class CallerBook {
  readonly #store: Pick<Store, "document" | "keep">;

  constructor(store: Pick<Store, "document" | "keep">) {
    this.#store = store;
  }

  /** Keeps a fact that the caller wants remembered; the same words of the same call once. @throws StoreError */
  remember(accountId: string, number: string, fact: CallerNote): Promise<void> {
    const kept = { ...fact, text: quoteLine(fact.text, MAX_FACT) };
    return this.#change(keyOf(accountId, number, fact.callId), (file) => ({
      ...file,
      facts: withNote(file.facts, kept, MAX_FACTS),
    }));
  }

  /** Keeps a message that the caller leaves; the same words of the same call once. @throws StoreError */
  takeMessage(accountId: string, number: string, message: CallerMessage): Promise<void> {
    const { for: whom, ...note } = message;
    const kept: CallerMessage = {
      ...note,
      text: quoteLine(message.text, MAX_MESSAGE),
      ...(whom !== undefined && whom.trim() !== "" && { for: quoteLine(whom, MAX_NAME) }),
    };
    return this.#change(keyOf(accountId, number, message.callId), (file) => ({
      ...file,
      messages: withNote(file.messages, kept, MAX_MESSAGES),
    }));
  }

  /** Adds a call that is over to its caller's history, once, with what was promised on it. @throws StoreError */
  async afterCall(call: Call, outcome: CallOutcome): Promise<void> {
    const number = keptNumber(call);
    if (!isNumber(number)) return;
    await this.#change(keyOf(call.accountId, number, call.id), (file) => {
      if (file.lastCalls.some(({ callId }) => callId === call.id)) return file;
      const past = { callId: call.id, atMs: call.createdAtMs, summary: outcome.summary, outcome: outcome.outcome };
      return {
        ...file,
        ...(call.principal !== undefined && { name: quoteLine(call.principal, MAX_NAME) }),
        lastCalls: [...file.lastCalls, past].sort((a, b) => a.atMs - b.atMs).slice(-MAX_CALLS),
        promises: withPromises(file.promises, promisesOf(call, outcome)),
      };
    });
  }

  /** What is kept of a caller; empty for who has never rung or hides their number. @throws StoreError */
  async profile(accountId: string, number: string): Promise<CallerProfile> {
    if (!isNumber(number)) return NOBODY;
    return (await this.#read(keyOf(accountId, number, ""))).file;
  }

  /** What the last calls came to, the newest first. @throws StoreError */
  async pastOutcomes(accountId: string, number: string, limit = 3): Promise<readonly PastCall[]> {
    const { lastCalls } = await this.profile(accountId, number);
    return lastCalls.toReversed().slice(0, Math.max(0, limit));
  }

  /** What was promised on earlier calls and is not known to be done. @throws StoreError */
  async openPromises(accountId: string, number: string): Promise<readonly CallerPromise[]> {
    return (await this.profile(accountId, number)).promises.filter(({ open }) => open);
  }

  /** What was promised on a call counts as done. @throws StoreError */
  async closePromises(accountId: string, number: string, callId: string): Promise<void> {
    if (!isNumber(number)) return;
    await this.#change(keyOf(accountId, number, callId), (file) => {
      if (!file.promises.some((promise) => promise.open && promise.callId === callId)) return file;
      const promises = file.promises.map((one) => (one.callId === callId ? { ...one, open: false } : one));
      return { ...file, promises };
    });
  }

  /** What the caller asked for on this call: facts to remember, messages to pass on. @throws StoreError */
  async asked(call: Call): Promise<AskedOnCall> {
    const { file } = await this.#read(keyOf(call.accountId, keptNumber(call), call.id));
    const onCall = ({ callId }: CallerNote) => callId === call.id;
    return {
      remembered: file.facts.filter(onCall).map(({ text }) => text),
      messages: file.messages
        .filter(onCall)
        .map(({ text, for: whom }) => ({ text, ...(whom !== undefined && { for: whom }) })),
    };
  }

  /** Removes all that is kept of a caller. @throws StoreError */
  async forget(accountId: string, number: string): Promise<void> {
    if (isNumber(number)) await this.#change(keyOf(accountId, number, ""), () => undefined);
  }

  async #read(key: string): Promise<{ readonly file: CallerProfile; readonly version: number }> {
    const held = await this.#store.document<Partial<CallerProfile>>(KIND, key);
    return { file: { ...NOBODY, ...held?.value }, version: held?.version ?? 0 };
  }

  /** Changes a caller's document as it stands at that moment. The same object back means: nothing to change. */
  async #change(key: string, change: (file: CallerProfile) => CallerProfile | undefined): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { file, version } = await this.#read(key);
      const changed = change(file);
      if (changed === file || (changed === undefined && version === 0)) return;
      if (await this.#store.keep(KIND, key, changed, version)) return;
    }
    throw new StoreError("What is kept of a caller changed again and again while it was being changed.");
  }
}

/** Under whose number a call is kept; empty when the network says that the number is not the caller's. */
export function keptNumber(call: Pick<Call, "direction" | "from" | "to" | "attestation">): string {
  return call.attestation === "failed" ? "" : callerNumber(call);
}

// --- Internal helpers ---

/** Whether it names a caller; what a network sends for a hidden number does not. */
function isNumber(number: string): boolean {
  return parseE164(number) === number;
}

function keyOf(accountId: string, number: string, callId: string): string {
  return `${accountId}:${isNumber(number) ? number : callId}`;
}

/** With one more, within the bound: what nobody verified goes first, the oldest of it before the rest. */
function withNote<Note extends CallerNote>(notes: readonly Note[], note: Note, max: number): readonly Note[] {
  if (note.text === "" || notes.some((one) => one.callId === note.callId && one.text === note.text)) return notes;
  const all = [...notes, note];
  if (all.length <= max) return all;
  // The newest stays in any case: its caller was told that it is kept.
  const unverified = notes.findIndex(({ verified }) => !verified);
  return all.toSpliced(Math.max(0, unverified), 1);
}

function promisesOf(call: Call, { commitments }: CallOutcome): readonly CallerPromise[] {
  const answeredAtMs = call.answeredAtMs ?? call.createdAtMs;
  return commitments.map(({ by, what, due, atMs }) => ({
    by,
    what,
    ...(due !== undefined && { due }),
    callId: call.id,
    atMs: answeredAtMs + atMs,
    open: true,
  }));
}

/** With those of one more call, within the bound: what is done goes first, then the oldest. */
function withPromises(held: readonly CallerPromise[], added: readonly CallerPromise[]): readonly CallerPromise[] {
  const same = (a: CallerPromise, b: CallerPromise) => a.by === b.by && a.what === b.what && a.due === b.due;
  const news = added.filter((one) => !held.some((other) => other.open && same(one, other)));
  let all = [...held, ...news].sort((a, b) => a.atMs - b.atMs);
  while (all.length > MAX_PROMISES) {
    const done = all.findIndex(({ open }) => !open);
    all = all.toSpliced(Math.max(0, done), 1);
  }
  return all;
}
