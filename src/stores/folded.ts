import { apply, type Call, callerNumber, isSettled, newCall } from "../core/call.ts";
import { StoreError } from "../core/errors.ts";
import { EVENT_VERSION, type OldEvent, upcast } from "../core/event-versions.ts";
import { type CallEvent, REMOVABLE, type Removable } from "../core/events.ts";

/** A call folded from the first `lastSeq` entries of its journal. */
export interface Folded {
  readonly call: Call;
  readonly lastSeq: number;
}

/** What lists filter and sort by. */
export interface Listing {
  readonly accountId: string;
  readonly caller: string;
  readonly createdAtMs: number;
  readonly state: Call["state"];
  /** Ended, but the work after the call is not done. */
  readonly unfinished: boolean;
  /** One bit for each thing that may be removed. */
  readonly removed: number;
}

/** Before the first entry. */
export const NOTHING: Folded = { call: newCall(), lastSeq: 0 };

/** Folds the next entry in. An event of a later version, which this one cannot know, changes nothing but the seq. */
export function foldNext({ call }: Folded, seq: number, event: CallEvent): Folded {
  const next: unknown = apply(call, event);
  return { call: next === event ? call : (next as Call), lastSeq: seq };
}

/** Whether the journal has said which call it is of; until then there is no call to show. */
export function isCall({ call }: Folded): boolean {
  return call.id !== "";
}

export function listing(call: Call): Listing {
  return {
    accountId: call.accountId,
    caller: callerNumber(call),
    createdAtMs: call.createdAtMs,
    state: call.state,
    unfinished: call.state === "ended" && !isSettled(call),
    removed: call.removed.reduce((bits, what) => bits | bitOf(what), 0),
  };
}

/** The bit of `Listing.removed` that says that this was removed. */
export function bitOf(what: Removable): number {
  return 1 << REMOVABLE.indexOf(what);
}

/** Whether lists show both the same. */
export function isListedAlike(one: Call, other: Call): boolean {
  const [a, b] = [listing(one), listing(other)];
  return (Object.keys(a) as (keyof Listing)[]).every((key) => a[key] === b[key]);
}

/** Whether nothing is to come for this call, or only late callbacks. */
export function isFinished(call: Call): boolean {
  return call.state === "ended" && !listing(call).unfinished;
}

/** An event as it is stored. @throws TypeError it cannot be written as JSON */
export function writeEvent(event: CallEvent): string {
  const body = JSON.stringify(event) as string | undefined;
  if (body === undefined) throw new TypeError("An event of a journal is an object.");
  return body;
}

/** A document's value as it is stored. @throws StoreError JSON cannot hold it */
export function writeValue(kind: string, key: string, value: unknown): string {
  let cause: unknown;
  try {
    const body = JSON.stringify(value) as string | undefined;
    if (body !== undefined) return body;
  } catch (error) {
    cause = error;
  }
  throw new StoreError(`The ${kind} of ${key} cannot be written as JSON.`, { cause });
}

/** A stored event in today's form. @throws Error the text is torn, or is not an event */
export function readEvent(body: unknown, version: number = EVENT_VERSION): CallEvent {
  const event: unknown = JSON.parse(String(body));
  if (typeof event !== "object" || event === null || !("type" in event) || typeof event.type !== "string")
    throw new TypeError("The row holds no event.");
  return upcast(event as OldEvent, version);
}
