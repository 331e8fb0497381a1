import type { Call } from "../core/call.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Removable } from "../core/events.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { CallerProfile } from "./callers.ts";
import { dayOf } from "./context/days.ts";
import type { FilesOfCalls, NotesOfCalls } from "./erasure.ts";

/** How long an account keeps what, in days; 0: for ever. */
export interface RetentionRules {
  readonly transcriptDays: number;
  readonly recordingDays: number;
  readonly journalDays: number;
  readonly flightRecordDays: number;
  readonly callerHistoryDays: number;
  readonly noteDays: number;
}

/** An account as far as retention needs it. */
export interface RetentionAccount {
  readonly id: string;
  /** IANA zone: decides which day a note is of. */
  readonly timeZone: string;
  readonly retention: RetentionRules;
}

export interface RetentionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accounts: () => readonly RetentionAccount[];
  readonly recordings: FilesOfCalls;
  readonly flightRecords: FilesOfCalls;
  readonly notes: NotesOfCalls;
  /** Where an account's agent keeps its files, if anywhere. */
  readonly workspace: (accountId: string) => Promise<string | undefined>;
  /** Whether nobody is on the telephone. */
  readonly isIdle: () => boolean;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** A process that starts has better things to do at first. */
const FIRST_AFTER_MS = 60_000;
/** A sweep that had enough to do goes on after this. */
const MORE_AFTER_MS = 60_000;
/** So many calls, callers and notes are looked after in one sweep. */
const MOST_AT_ONCE = 500;
/** And so many in one commit: others wait for it. */
const CALLS_AT_ONCE = 5;
const CALLER = "caller";

/**
 * Takes away what accounts do not want to keep, soon after the start and once a day, a little at a time. What it has
 * done is in the store, so that a process that is killed goes on with the rest. Calls that are open, or after which
 * there is work left, are never touched.
 */
export class Retention {
  readonly #parts: RetentionParts;
  #stopped = new AbortController();
  #timer: Timer | undefined;
  #sweeping: Promise<unknown> = Promise.resolve();

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#timer) return;
    this.#stopped = new AbortController();
    this.#wait(FIRST_AFTER_MS);
  }

  /** Resolves when nothing is being taken away any more. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#stopped.abort();
    await this.#sweeping;
  }

  /** One sweep over all accounts. Resolves with how much was taken away; never rejects. */
  async sweep(): Promise<number> {
    const { store, logger, accounts, isIdle } = this.#parts;
    let removed = 0;
    for (const account of accounts()) {
      for (const [what, work] of Object.entries(this.#works)) {
        if (this.#stopped.signal.aborted) return removed;
        try {
          removed += await work(account);
        } catch (error) {
          logger.error("What was kept long enough could not be removed.", {
            accountId: account.id,
            what,
            error: String(error),
          });
        }
      }
    }
    if (removed > 0 && isIdle()) {
      await store.compact().catch((error: unknown) => {
        logger.warn("What was removed may still be found on the disk.", { error: String(error) });
      });
    }
    return removed;
  }

  #wait(delayMs: number): void {
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#sweeping = this.sweep().then((removed) => {
        if (!this.#stopped.signal.aborted) this.#wait(removed >= MOST_AT_ONCE ? MORE_AFTER_MS : DAY_MS);
      });
    });
  }

  readonly #works: Readonly<Record<string, (account: RetentionAccount) => Promise<number>>> = {
    calls: ({ id, retention }) =>
      this.#each(id, retention.journalDays, undefined, async (calls) => {
        for (const call of calls) await this.#deleteFiles(call);
        await this.#parts.store.remove(calls.map((call) => call.id));
      }),
    words: ({ id, retention }) =>
      this.#each(id, retention.transcriptDays, "words", async (calls) => {
        const { store, clock } = this.#parts;
        await store.redact(
          calls.map((call) => call.id),
          Math.round(clock.now()),
        );
      }),
    recordings: ({ id, retention }) =>
      this.#each(id, retention.recordingDays, "recordings", async (calls) => {
        for (const call of calls) {
          await this.#parts.recordings.deleteFilesOf(call.id);
          await this.#noteRemoved(call, "recordings");
        }
      }),
    flightRecords: ({ id, retention }) =>
      this.#each(id, retention.flightRecordDays, "flight-record", async (calls) => {
        for (const call of calls) {
          await this.#parts.flightRecords.deleteFilesOf(call.id);
          await this.#noteRemoved(call, "flight-record");
        }
      }),
    callerHistory: (account) => this.#forgetCallers(account),
    notes: (account) => this.#removeNotes(account),
  };

  /** Works on calls whose time is over, some at once, until none is left or a sweep has had enough. */
  async #each(
    accountId: string,
    days: number,
    still: Removable | undefined,
    work: (calls: readonly Call[]) => Promise<void>,
  ): Promise<number> {
    const { store } = this.#parts;
    let done = 0;
    while (days > 0 && done < MOST_AT_ONCE && !this.#stopped.signal.aborted) {
      const due = { accountId, beforeMs: this.#beforeMs(days), limit: CALLS_AT_ONCE };
      const calls = await store.outdated({ ...due, ...(still !== undefined && { still }) });
      if (calls.length === 0) break;
      await work(calls);
      done += calls.length;
    }
    return done;
  }

  #beforeMs(days: number): number {
    return this.#parts.clock.now() - days * DAY_MS;
  }

  async #deleteFiles({ id }: Call): Promise<void> {
    await this.#parts.recordings.deleteFilesOf(id);
    await this.#parts.flightRecords.deleteFilesOf(id);
  }

  async #noteRemoved({ id, recordings }: Call, what: Removable): Promise<void> {
    const { store, clock } = this.#parts;
    const atMs = Math.round(clock.now());
    const left = recordings.filter(({ state }) => what === "recordings" && state !== "deleted");
    await store.append(id, [
      ...left.map((one) => ({ type: "recording.deleted", atMs, recordingId: one.id, because: "retention" }) as const),
      { type: "data.removed", atMs, what },
    ]);
  }

  async #forgetCallers({ id: accountId, retention }: RetentionAccount): Promise<number> {
    const { store } = this.#parts;
    if (retention.callerHistoryDays === 0) return 0;
    let changed = 0;
    for (const { key, value, version } of await store.documents<CallerProfile>(CALLER)) {
      if (!key.startsWith(`${accountId}:`) || changed >= MOST_AT_ONCE) continue;
      const rest = withoutOlder(value, this.#beforeMs(retention.callerHistoryDays));
      // One that is changed at this moment waits for the next sweep.
      if (rest !== value && (await store.keep(CALLER, key, rest, version))) changed += 1;
    }
    return changed;
  }

  async #removeNotes({ id: accountId, timeZone, retention }: RetentionAccount): Promise<number> {
    const { store, notes, workspace } = this.#parts;
    const workspaceDir = retention.noteDays === 0 ? undefined : await workspace(accountId);
    if (workspaceDir === undefined) return 0;
    const firstKept = dayOf(this.#beforeMs(retention.noteDays), timeZone);
    const old = (await notes.notes(workspaceDir)).filter(({ day }) => day < firstKept);
    const due = new Set<string>();
    for (const note of old) {
      if (due.size >= MOST_AT_ONCE) break;
      const call = await store.call(note.callId);
      if (call === undefined || call.accountId === accountId) due.add(note.callId); // a workspace may be of several accounts
    }
    if (due.size === 0) return 0;
    return notes.changeNotes(workspaceDir, ({ callId, text, day }) =>
      day < firstKept && due.has(callId) ? undefined : text,
    );
  }
}

/** What is kept of a caller without anything that was said before a moment; `undefined` when that is nothing. */
export function withoutOlder(profile: CallerProfile, beforeMs: number): CallerProfile | undefined {
  const lists = ["facts", "messages", "promises", "lastCalls"] as const;
  const isOld = ({ atMs }: { readonly atMs: number }) => atMs < beforeMs;
  if (!lists.some((list) => profile[list].some(isOld))) return profile;
  const rest: CallerProfile = {
    ...profile,
    facts: profile.facts.filter((one) => !isOld(one)),
    messages: profile.messages.filter((one) => !isOld(one)),
    promises: profile.promises.filter((one) => !isOld(one)),
    lastCalls: profile.lastCalls.filter((one) => !isOld(one)),
  };
  return lists.every((list) => rest[list].length === 0) ? undefined : rest;
}
