import type { Call } from "../core/call.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { snippetOf, wordsOf } from "../core/search.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import type { SearchHit, SearchQuery } from "./store.ts";

/** A place in a list of hits: a turn of a call. */
export interface HitPlace {
  readonly createdAtMs: number;
  readonly callId: string;
  readonly startMs: number;
  readonly entryId: string;
}

/** A query with its text read, its defaults filled in and its cursor read. */
export interface HitQuery {
  /** One at least. */
  readonly words: readonly string[];
  readonly accountId?: string;
  readonly caller?: string;
  readonly limit: number;
  readonly after?: HitPlace;
}

const DEFAULT_LIMIT = 20;
const MOST = 100;
/** More words than anybody remembers of a sentence; what comes after them is ignored. */
const MOST_WORDS = 32;

/** @throws InvalidRequestError the text names no word, `after` is no `next` of a page, or `limit` is below 1 */
export function hitQuery({ text, accountId, caller, limit = DEFAULT_LIMIT, after }: SearchQuery): HitQuery {
  const words = [...new Set(wordsOf(text))].slice(0, MOST_WORDS);
  if (words.length === 0) throw new InvalidRequestError("text", "names no word: letters or digits are looked for");
  if (!(limit >= 1)) throw new InvalidRequestError("limit", `must be a whole number from 1 to ${MOST}`);
  return {
    words,
    limit: Math.min(Math.floor(limit), MOST),
    ...(accountId !== undefined && { accountId }),
    ...(caller !== undefined && { caller }),
    ...(after !== undefined && { after: readPlace(after) }),
  };
}

/** Sorts the newest call first, the turns of a call as they were spoken. */
export function inHitOrder(a: HitPlace, b: HitPlace): number {
  if (a.createdAtMs !== b.createdAtMs) return b.createdAtMs - a.createdAtMs;
  if (a.callId !== b.callId) return a.callId < b.callId ? 1 : -1;
  if (a.startMs !== b.startMs) return a.startMs - b.startMs;
  return a.entryId === b.entryId ? 0 : a.entryId < b.entryId ? -1 : 1;
}

export function hitOf(call: Call, entry: TranscriptEntry, words: readonly string[]): SearchHit {
  return {
    callId: call.id,
    entryId: entry.id,
    speaker: entry.speaker,
    atMs: (call.answeredAtMs ?? call.createdAtMs) + entry.startMs,
    snippet: snippetOf(entry.text, words),
  };
}

/** The place as text that clients hand back and need not understand. */
export function writePlace({ createdAtMs, callId, startMs, entryId }: HitPlace): string {
  return Buffer.from(JSON.stringify([createdAtMs, callId, startMs, entryId])).toString("base64url");
}

// --- Internal helpers ---

function readPlace(cursor: string): HitPlace {
  try {
    const [createdAtMs, callId, startMs, entryId]: unknown[] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (
      typeof createdAtMs === "number" &&
      typeof callId === "string" &&
      typeof startMs === "number" &&
      typeof entryId === "string"
    )
      return { createdAtMs, callId, startMs, entryId };
  } catch {
    // Not ours: said below.
  }
  throw new InvalidRequestError("after", "is not the `next` of a page of hits");
}
