import type { AskedOnCall } from "./calls/callers.ts";
import { dayOf } from "./calls/context/days.ts";
import type { Filled } from "./calls/context/fill.ts";
import { MemoryFiles } from "./calls/context/memory-files.ts";
import { noteOf, provenance } from "./calls/context/note.ts";
import { type DayNote, type NoteChange, NoteFiles } from "./calls/context/note-file.ts";
import { type ContextRequest, gatherSources } from "./calls/context/sources.ts";
import { ContextThread } from "./calls/context/thread.ts";
import type { FilesRequest } from "./calls/context/wanted.ts";
import { FileWatch } from "./calls/context/watch.ts";
import { searchMemory } from "./calls/tools/memory-search.ts";
import type { Call } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { Logger } from "./hosts/host.ts";

export type { ContextRequest } from "./calls/context/sources.ts";

/** What the manager works with. */
export interface ContextManagerParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the model is told before a call, and what it was made from. */
export type CallContext = Filled;

/** A call that is over and is to be remembered. */
export interface NoteRequest {
  readonly call: Call;
  readonly workspaceDir: string;
  /** IANA zone of the account: decides whose day it is. */
  readonly timeZone: string;
  /** The person's name, when the host knows one. */
  readonly personName?: string;
  /** What the caller asked for on it. */
  readonly asked?: AskedOnCall;
}

/** What the agent knows becomes a call's instructions; what happened on the call becomes a note. */
export class VoiceContextManager {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #thread: ContextThread;
  readonly #files: MemoryFiles;
  readonly #watch: FileWatch;
  readonly #notes = new NoteFiles();

  constructor({ clock, logger }: ContextManagerParts) {
    this.#clock = clock;
    this.#logger = logger;
    this.#thread = new ContextThread(logger);
    this.#files = new MemoryFiles({ readFrontMatter: (block) => this.#thread.readFrontMatter(block) });
    this.#watch = new FileWatch({ clock, logger });
  }

  /**
   * The instructions of a call: manner and persona, purpose, identity, the caller's own records, memory, daily files and
   * recent turns, in this order, as far as the caller's trust allows and the budget reaches. Built anew each time; files
   * that are as they were are not read again. A file that cannot be used is left out and logged.
   * @throws NotRunningError the manager is closed
   */
  async build(request: ContextRequest): Promise<CallContext> {
    const { sources, refused } = await gatherSources(request, this.#clock.now(), this.#files);
    const filled = await this.#thread.fill(sources, request.budgetTokens);
    for (const { source, reason, wished } of refused) {
      if (wished) continue;
      this.#logger.warn("memory file not used on the call", {
        file: source,
        reason,
        workspaceDir: request.workspaceDir,
      });
    }
    for (const { source, bytes } of filled.omitted) {
      if (source !== "persona" && source !== "purpose") continue;
      this.#logger.warn(`the ${source} is longer than the token budget: its end was cut`, {
        bytes,
        budgetTokens: request.budgetTokens,
      });
    }
    const unused = refused.map(({ source, bytes, reason }) => ({ source, bytes, reason }));
    return { ...filled, omitted: [...unused, ...filled.omitted] };
  }

  /**
   * Tells `onChange` which files that such a call may use have changed, within about two seconds and at most that often,
   * until the signal is aborted or the manager is closed. Resolves once it knows how the files are now: what is built
   * after that misses no change. Never rejects.
   */
  watch(request: FilesRequest, onChange: (files: readonly string[]) => void, signal: AbortSignal): Promise<void> {
    return this.#watch.add(request, onChange, signal);
  }

  /**
   * Writes the call into `memory/YYYY-MM-DD.md` of the day it was answered, in the account's time zone, and returns the
   * file's path. Written once, however often it is asked for; durable when it resolves.
   * @throws HostError the workspace did not take it; trying again later is safe
   */
  writeNote({ call, workspaceDir, timeZone, personName, asked }: NoteRequest): Promise<string> {
    const day = dayOf(call.answeredAtMs ?? call.createdAtMs, timeZone);
    return this.#notes.append(workspaceDir, day, provenance(call.id), noteOf(call, timeZone, personName, asked));
  }

  /** The notes of calls in a workspace's daily files. @throws HostError they could not be read */
  notes(workspaceDir: string): Promise<readonly DayNote[]> {
    return this.#notes.list(workspaceDir);
  }

  /**
   * Rewrites notes in the daily files, or takes them out where `change` says `undefined`; every byte of others stays.
   * Durable when it resolves, with how many were changed.
   * @throws HostError a file could not be rewritten; trying again later is safe
   */
  changeNotes(workspaceDir: string, change: NoteChange): Promise<number> {
    return this.#notes.change(workspaceDir, change);
  }

  /**
   * Sections of MEMORY.md and the daily files that hold such words, the best first, 2,000 characters at most; empty when
   * nothing does.
   */
  search(workspaceDir: string, query: string, signal: AbortSignal): Promise<string> {
    const readFrontMatter = (block: string) => this.#thread.readFrontMatter(block);
    return searchMemory({ workspaceDir, query, readFrontMatter, signal });
  }

  /** Waits for notes that are being written, and ends the thread and all watching. Idempotent. */
  async close(): Promise<void> {
    this.#watch.close();
    await Promise.all([this.#notes.idle(), this.#thread.close()]);
  }
}
