import type { Call } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { NotAllowedError, StoreError } from "../core/errors.ts";
import type { CallEvent } from "../core/events.ts";
import { blotted, isNamed, mentionFinder } from "../core/mentions.ts";
import { NO_CODES, type OwnerCodes } from "../core/owner-code.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import { allCalls } from "./all-calls.ts";
import type { DayNote, NoteChange } from "./context/note-file.ts";

/** Whom to erase. */
export interface ErasureOrder {
  /** E.164. */
  readonly number: string;
  /** What this account knows of them; every account unless told. */
  readonly accountId?: string;
}

/** Something of the person that is outside our hands. */
export interface OutsideTrace {
  /**
   * `session`: rows in a session of the host. `message`: one that was sent. `carrier`, `engine`: what the provider keeps
   * of a leg or session. `recording`: sound that lies elsewhere. `copy`: backups and logs.
   */
  readonly kind: "session" | "message" | "carrier" | "engine" | "recording" | "copy";
  /** Its name where it is. */
  readonly where: string;
}

/** What became of an erasure. */
export interface ErasureReceipt extends ErasureOrder {
  /** Milliseconds since the epoch when nothing was left. */
  readonly erasedAtMs: number;
  readonly callIds: readonly string[];
  readonly removed: ErasedCounts;
  readonly outside: readonly OutsideTrace[];
}

/** How much was removed, by kind. */
export interface ErasedCounts {
  readonly calls: number;
  readonly journalEntries: number;
  readonly recordings: number;
  readonly flightRecords: number;
  readonly notes: number;
  readonly documents: number;
  readonly claims: number;
  /** Entries of other people's calls, and what is kept of them, in which the number was made unreadable. */
  readonly mentions: number;
  /** Rows and files that had been set aside as damaged: what stands in them cannot be known. */
  readonly damaged: number;
}

/** What is kept of calls in files of their own. */
export interface FilesOfCalls {
  /** Deletes what is kept of a call. Resolves with how many files that were; none is fine. */
  deleteFilesOf(callId: string): Promise<number>;
}

/** Notes of calls in workspaces' daily files. */
export interface NotesOfCalls {
  notes(workspaceDir: string): Promise<readonly DayNote[]>;
  /** Each note becomes what `change` makes of it; nothing stays of one for which that is `undefined`. */
  changeNotes(workspaceDir: string, change: NoteChange): Promise<number>;
}

export interface ErasureParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recordings: FilesOfCalls;
  readonly flightRecords: FilesOfCalls;
  readonly notes: NotesOfCalls;
  /** Where the accounts' agents keep their files. */
  readonly workspaces: () => Promise<readonly string[]>;
  /** Whether this process works on a call: it is live, or what comes after it is not done. */
  readonly isBusy: (callId: string) => boolean;
}

/** An erasure that was begun, as it is kept until it is done. */
interface Begun {
  /** Absent once nothing but the traces on the disk is left to do. */
  readonly order?: ErasureOrder;
  readonly callIds: readonly string[];
  readonly legIds: readonly string[];
  readonly workspaces: readonly string[];
  readonly outside: readonly OutsideTrace[];
}

const KIND = "erasure";
const OWNER_CODE = "owner-code";
const PAGE = 500;
/** Calls whose journals are removed in one commit: others wait for it. */
const CALLS_AT_ONCE = 10;
const COPIES: readonly OutsideTrace[] = [
  { kind: "copy", where: "backups of the state directory and of the workspace" },
  { kind: "copy", where: "logs of this program and of its host" },
];

/**
 * Erases people: every trace of a number that lies in our hands. What is to be done is written down before it begins,
 * so that a process that is killed goes on where it was after its next start.
 */
export class Erasure {
  readonly #parts: ErasureParts;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when nothing of the number is left. Asked again, it finds what has come since.
   * @throws NotAllowedError a call with the number is not over and done with; nothing was erased
   * @throws StoreError @throws HostError what is left is erased by asking again, or after the next start
   */
  erase(order: ErasureOrder): Promise<ErasureReceipt> {
    return this.#inTurn(async () => {
      const calls = await this.#callsOf(order);
      const busy = calls.find(({ id, state }) => state !== "ended" || this.#parts.isBusy(id));
      if (busy) {
        throw new NotAllowedError(
          `The call ${busy.id} with this number is live, or what follows it is not done. End it, or wait, and ask again.`,
        );
      }
      // What was begun and not ended may be of the same number.
      for (const { key } of await this.#parts.store.documents<Begun>(KIND)) await this.#finish(key);
      return this.#finish(await this.#begin(order, calls));
    });
  }

  /** Goes on with erasures that were begun and not ended. Never rejects: what fails waits for the next time. */
  resume(): Promise<void> {
    return this.#inTurn(async () => {
      const { store, logger } = this.#parts;
      for (const { key } of await store.documents<Begun>(KIND)) {
        const { callIds, removed } = await this.#finish(key);
        logger.info("An erasure that had been begun is done.", { callIds, removed });
      }
    }).catch((error: unknown) => {
      this.#parts.logger.error("An erasure that was begun is not done yet.", { error: String(error) });
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#queue.catch(() => {}).then(work); // whoever asked for the one before was told
    this.#queue = mine;
    return mine;
  }

  #callsOf({ number, accountId }: ErasureOrder): Promise<readonly Call[]> {
    const query = { caller: number, limit: PAGE, ...(accountId !== undefined && { accountId }) };
    return Array.fromAsync(allCalls(this.#parts.store, query));
  }

  /** Writes down what is to be erased, and what has to be known of it afterwards. */
  async #begin(order: ErasureOrder, calls: readonly Call[]): Promise<string> {
    const { store, clock } = this.#parts;
    const traces: OutsideTrace[] = [];
    const workspaces = new Set<string>();
    for (const call of calls) {
      const events = (await store.journal(call.id)).map(({ event }) => event);
      traces.push(...outsideOf(call, events));
      for (const event of events) {
        const workspace = event.type === "memory.written" ? workspaceOf(event.file) : undefined;
        if (workspace !== undefined) workspaces.add(workspace);
      }
    }
    const begun: Begun = {
      order,
      callIds: calls.map(({ id }) => id),
      legIds: calls.flatMap(({ legId }) => legId ?? []),
      workspaces: [...workspaces],
      outside: [...unique(traces), ...COPIES],
    };
    // The key says nothing of the number: it is the last thing to go.
    for (let key = Math.round(clock.now()); ; key++) if (await store.keep(KIND, String(key), begun, 0)) return `${key}`;
  }

  async #finish(key: string): Promise<ErasureReceipt> {
    const { store, clock } = this.#parts;
    const begun = await store.document<Begun>(KIND, key);
    if (!begun) throw new StoreError("What was to be erased is not known any more. Ask again.");
    const { order, callIds, outside } = begun.value;
    const removed = order ? await this.#remove(order, begun.value) : NOTHING;
    if (order) {
      // From here on nothing that is kept names the person.
      const rest: Begun = { callIds, legIds: [], workspaces: [], outside: [] };
      await store.keep(KIND, key, rest, begun.version);
    }
    await store.compact();
    const damaged = removed.damaged + (await store.dropDamage());
    const last = await store.document<Begun>(KIND, key);
    if (last) await store.keep(KIND, key, undefined, last.version);
    const erasedAtMs = Math.round(clock.now());
    return { number: "", ...order, erasedAtMs, callIds, removed: { ...removed, damaged }, outside };
  }

  async #remove(order: ErasureOrder, { callIds, legIds, workspaces }: Begun): Promise<ErasedCounts> {
    const { store, recordings, flightRecords } = this.#parts;
    const files = { recordings: 0, flightRecords: 0 };
    for (const callId of callIds) {
      files.recordings += await recordings.deleteFilesOf(callId);
      files.flightRecords += await flightRecords.deleteFilesOf(callId);
    }
    const notes = await this.#removeNotes(order, callIds, workspaces);
    let journalEntries = 0;
    for (let from = 0; from < callIds.length; from += CALLS_AT_ONCE)
      journalEntries += await store.remove(callIds.slice(from, from + CALLS_AT_ONCE));
    return {
      calls: callIds.length,
      journalEntries,
      ...files,
      notes,
      ...(await this.#removeMentions(order, [...callIds, ...legIds])),
      damaged: await store.dropDamage(),
    };
  }

  /**
   * Notes of the calls, and of calls that are gone and name the number. In the note of somebody else's call only the
   * number goes.
   */
  async #removeNotes({ number, accountId }: ErasureOrder, callIds: readonly string[], more: readonly string[]) {
    const { notes, workspaces, store } = this.#parts;
    const theirs = new Set(callIds.map((callId) => callId.replace(/[^\w-]/g, "_")));
    const isMentioned = mentionFinder([number]);
    let removed = 0;
    for (const workspace of unique([...(await workspaces()), ...more])) {
      const others = new Map<string, string>();
      for (const { callId, text } of await notes.notes(workspace)) {
        const call = theirs.has(callId) || !isMentioned(text) ? undefined : await store.call(callId);
        if (call) others.set(callId, call.accountId);
      }
      await notes.changeNotes(workspace, ({ callId, text }) => {
        const other = others.get(callId);
        if (other !== undefined) return accountId === undefined || accountId === other ? blotted(text, number) : text;
        const isTheirs = theirs.has(callId) || isMentioned(text);
        if (isTheirs) removed += 1;
        return isTheirs ? undefined : text;
      });
    }
    return removed;
  }

  async #removeMentions({ number, accountId }: ErasureOrder, ids: readonly string[]) {
    const { store } = this.#parts;
    const found = await store.mentions([number, ...ids]);
    let documents = 0;
    let mentions = 0;
    for (const { kind, key, value, version } of found.documents) {
      if (kind === KIND || !isOf(accountId, key, value, ids)) continue;
      const isTheirs = mentionFinder([number, ...ids])(key) || isNamed(value, [number, ...ids]);
      // An account's codes are the owner's: only what they say of the call goes, and a lock stays locked.
      const codes = kind === OWNER_CODE ? withoutCode(value as OwnerCodes) : undefined;
      const rest = isTheirs ? codes : blotted(value, number);
      // One that somebody changes at this moment is found by the next look.
      if (!(await store.keep(kind, key, rest, version))) continue;
      if (isTheirs) documents += 1;
      else mentions += 1;
    }
    await store.unclaim(found.claims);
    mentions += await store.blot(number, accountId);
    return { documents, claims: found.claims.length, mentions };
  }
}

// --- Internal helpers ---

const NOTHING: ErasedCounts = {
  calls: 0,
  journalEntries: 0,
  recordings: 0,
  flightRecords: 0,
  notes: 0,
  documents: 0,
  claims: 0,
  mentions: 0,
  damaged: 0,
};

/** Where else a call has left something. */
function outsideOf(call: Call, events: readonly CallEvent[]): OutsideTrace[] {
  const traces: OutsideTrace[] = [];
  const add = (kind: OutsideTrace["kind"], where: string) => traces.push({ kind, where });
  const owner = "the owner's own chat";
  if (call.legId !== undefined) add("carrier", call.legId);
  for (const event of events) {
    if (event.type === "session.recorded" && event.rows > 0 && call.sessionKey) add("session", call.sessionKey);
    if (event.type === "engine.opened") add("engine", event.sessionId);
    if (event.type === "handoff.made") add("message", `${event.channel}: ${event.to}`);
    if (event.type === "code.sent" || event.type === "owner.asked") add("message", owner);
    if (event.type === "afterwards.done" && event.result === "sent")
      add("message", event.step === "card" ? owner : "the person's other channels");
    if (event.type === "recording.stored" && /^[a-z0-9]+:\/\//i.test(event.location)) add("recording", event.location);
  }
  return traces;
}

/** Where a daily file's workspace is. */
function workspaceOf(file: string): string | undefined {
  return /^(.*)[/\\]memory[/\\][^/\\]+$/.exec(file)?.[1];
}

function unique<Item>(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

/** Whether a document is one of the account's, or of one of the calls; every one when no account is named. */
function isOf(accountId: string | undefined, key: string, value: unknown, ids: readonly string[]): boolean {
  if (accountId === undefined || key.startsWith(`${accountId}:`)) return true;
  const { accountId: owner } = (value ?? {}) as { readonly accountId?: unknown };
  return owner === accountId || ids.some((id) => JSON.stringify(value).includes(id));
}

function withoutCode({ current: _current, ...codes }: OwnerCodes): OwnerCodes {
  return { ...NO_CODES, ...codes };
}
