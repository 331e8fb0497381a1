import { InvalidRequestError } from "../core/errors.ts";
import type { Listing } from "./folded.ts";
import type { CallQuery } from "./store.ts";

/** A place in the list of calls: everything after it is older, or as old with a smaller id. */
export interface Place {
  readonly createdAtMs: number;
  readonly id: string;
}

/** A query with its defaults filled in and its cursor read. */
export interface PageQuery {
  readonly accountId?: string;
  readonly caller?: string;
  readonly only?: "open" | "unfinished";
  readonly limit: number;
  readonly after?: Place;
}

const DEFAULT_LIMIT = 50;
const MOST = 500;

/** @throws InvalidRequestError `after` is not a `next` of a page, or `limit` is not a number from 1 on */
export function pageQuery({ accountId, caller, only, limit = DEFAULT_LIMIT, after }: CallQuery): PageQuery {
  if (!(limit >= 1)) throw new InvalidRequestError("limit", "must be a whole number from 1 to 500");
  return {
    limit: Math.min(Math.floor(limit), MOST),
    ...(accountId !== undefined && { accountId }),
    ...(caller !== undefined && { caller }),
    ...(only !== undefined && { only }),
    ...(after !== undefined && { after: readCursor(after) }),
  };
}

export function matches(listing: Listing, { accountId, caller, only }: PageQuery): boolean {
  if (accountId !== undefined && listing.accountId !== accountId) return false;
  if (caller !== undefined && listing.caller !== caller) return false;
  if (only === "open") return listing.state !== "ended";
  return only !== "unfinished" || listing.unfinished;
}

/** Sorts newest first; calls of the same millisecond by id. */
export function newestFirst(a: Place, b: Place): number {
  if (a.createdAtMs !== b.createdAtMs) return b.createdAtMs - a.createdAtMs;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}

/** The place as text that clients hand back and need not understand. */
export function writeCursor({ createdAtMs, id }: Place): string {
  return Buffer.from(JSON.stringify([createdAtMs, id])).toString("base64url");
}

// --- Internal helpers ---

function readCursor(cursor: string): Place {
  try {
    const [createdAtMs, id]: unknown[] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (typeof createdAtMs === "number" && typeof id === "string") return { createdAtMs, id };
  } catch {
    // Not ours: said below.
  }
  throw new InvalidRequestError("after", "is not the `next` of a page of calls");
}
