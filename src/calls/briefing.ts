import type { Logger } from "../hosts/host.ts";
import type { Filled } from "./context/fill.ts";
import type { ContextRequest } from "./context/sources.ts";
import type { FilesRequest } from "./context/wanted.ts";
import type { CallJournal } from "./journal.ts";

/** Who puts instructions together, and knows when their files change. */
export interface ContextBuilder {
  build(request: ContextRequest): Promise<Filled>;
  watch(request: FilesRequest, onChange: (files: readonly string[]) => void, signal: AbortSignal): Promise<void>;
}

export interface BriefingParts {
  readonly contexts: ContextBuilder;
  readonly journal: CallJournal;
  readonly logger: Logger;
  /** What the call may be told now: it is asked anew each time, as trust can rise. */
  readonly request: () => Promise<ContextRequest>;
  /** The running model is to be told this from now on. */
  readonly onChange: (instructions: string) => void;
  /** Aborted when the call ends. */
  readonly over: AbortSignal;
}

/**
 * What the model is told on one call: built once for all its sessions, and anew when a file changes or the caller was
 * verified. The speech that runs is not cut by it.
 */
export class Briefing {
  readonly #parts: BriefingParts;
  #building: Promise<string> | undefined;
  #watching: AbortController | undefined;

  constructor(parts: BriefingParts) {
    this.#parts = parts;
    parts.over.addEventListener("abort", () => this.#watching?.abort(), { once: true });
  }

  /** The instructions as they are now. @throws VoiceError they cannot be built; it is tried again when asked again */
  told(): Promise<string> {
    this.#building ??= this.#build().catch((error: unknown) => {
      this.#building = undefined;
      throw error;
    });
    return this.#building;
  }

  /** Builds them anew, and tells the running model. Never rejects: what it knows stays as it was. */
  async refresh(because: string): Promise<void> {
    const { journal, logger, onChange, over } = this.#parts;
    const before = this.#building;
    if (over.aborted) return;
    const building = this.#build();
    this.#building = building;
    try {
      const instructions = await building;
      if (over.aborted || this.#building !== building || instructions === (await before?.catch(() => ""))) return;
      journal.note({ type: "context.refreshed", because });
      onChange(instructions);
    } catch (error) {
      if (this.#building === building) this.#building = before;
      logger.warn("What the model is told could not be renewed.", { callId: journal.call.id, error: String(error) });
    }
  }

  async #build(): Promise<string> {
    const { contexts, request, logger, journal } = this.#parts;
    const asked = await request();
    await this.#watch(asked);
    const { instructions, tokens, used } = await contexts.build(asked);
    logger.debug("The context of a call is built.", { callId: journal.call.id, tokens, used });
    return instructions;
  }

  /** From now on changes of the files that this caller may hear of are told. */
  async #watch(request: FilesRequest): Promise<void> {
    this.#watching?.abort();
    if (this.#parts.over.aborted) return;
    const watching = new AbortController();
    this.#watching = watching;
    await this.#parts.contexts.watch(request, (files) => void this.refresh(files.join(", ")), watching.signal);
  }
}
