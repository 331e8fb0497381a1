import { dayOf } from "./calls/context/days.ts";
import type { Filled } from "./calls/context/fill.ts";
import { BudgetFiller } from "./calls/context/filler.ts";
import { noteOf, provenance } from "./calls/context/note.ts";
import { NoteFiles } from "./calls/context/note-file.ts";
import { type ContextRequest, gatherSources, KEPT_OUT } from "./calls/context/sources.ts";
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
}

/** What the agent knows becomes a call's instructions; what happened on the call becomes a note. */
export class VoiceContextManager {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #filler: BudgetFiller;
  readonly #notes = new NoteFiles();

  constructor({ clock, logger }: ContextManagerParts) {
    this.#clock = clock;
    this.#logger = logger;
    this.#filler = new BudgetFiller(logger);
  }

  /**
   * The instructions of a call: manner and persona, purpose, identity, history, memory, daily files, in this order,
   * as far as the caller's trust allows and the budget reaches. A file that cannot be used is left out and logged.
   * @throws NotRunningError the manager is closed
   */
  async build(request: ContextRequest): Promise<CallContext> {
    const { sources, refused } = await gatherSources(request, this.#clock.now());
    const filled = await this.#filler.fill(sources, request.budgetTokens);
    for (const { source, reason } of refused) {
      if (reason === KEPT_OUT) continue; // the owner's wish is nothing to warn of
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
    return { ...filled, omitted: [...refused, ...filled.omitted] };
  }

  /**
   * Writes the call into `memory/YYYY-MM-DD.md` of the day it was answered, in the account's time zone, and returns the
   * file's path. Written once, however often it is asked for; durable when it resolves.
   * @throws HostError the workspace did not take it; trying again later is safe
   */
  writeNote({ call, workspaceDir, timeZone, personName }: NoteRequest): Promise<string> {
    const day = dayOf(call.answeredAtMs ?? call.createdAtMs, timeZone);
    return this.#notes.append(workspaceDir, day, provenance(call.id), noteOf(call, timeZone, personName));
  }

  /** Waits for notes that are being written, and ends the tokeniser's thread. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#notes.idle(), this.#filler.close()]);
  }
}
