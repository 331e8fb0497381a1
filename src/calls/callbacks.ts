import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store, StoredDocument } from "../stores/store.ts";
import { untilAborted } from "./until-aborted.ts";

/** A call to be made later. */
export interface Callback {
  /** Names the call: placed with it twice, it is placed once. */
  readonly id: string;
  readonly accountId: string;
  /** E.164 of whom to ring. */
  readonly to: string;
  /** Milliseconds since the epoch; moves on with each try. */
  readonly dueAtMs: number;
  /** Milliseconds since the epoch when it was asked for. */
  readonly askedAtMs: number;
  /** What it is about, in the words of who asked for it. */
  readonly purpose: string;
  /** The call on which it was asked for. */
  readonly fromCallId: string;
  readonly state: "due" | "placing" | "done" | "failed";
  /** How often it was rung without anybody answering. */
  readonly tries: number;
}

/** A call that somebody wants to get. */
export type CallbackWish = Pick<Callback, "accountId" | "to" | "dueAtMs" | "purpose" | "fromCallId">;

/** What became of a try: `unanswered` when it was busy or nobody took the call. */
export type CallbackResult = "reached" | "unanswered" | "refused";

/** A call as it is to be placed now. */
export interface CallbackOrder {
  readonly accountId: string;
  readonly to: string;
  readonly purpose: string;
  /** The same for the same try, also after a restart. */
  readonly requestId: string;
}

export interface CallbacksParts {
  readonly store: Pick<Store, "document" | "documents" | "keep">;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Places a call and resolves when it is over or somebody has answered, with what came of it; for a request that was
   * placed before, with what came of that. Rejects when it cannot be known yet: it is asked again later.
   */
  readonly place: (order: CallbackOrder, signal: AbortSignal) => Promise<CallbackResult>;
}

const KIND = "callback";
const LOOK_EVERY_MS = 10_000;
const RETRY_AFTER_MS = 5 * 60_000;
/** What could not be placed, as every line is taken or the account does not run, is tried again so much later. */
const PLACE_AGAIN_AFTER_MS = 60_000;
/** The first try, and two more. */
const MOST_TRIES = 3;
/** One caller's calls that are still to be made. */
const MOST_OPEN = 3;
/** What was asked for so long before it could be done is forgotten, and what is over with it. */
const FORGOTTEN_AFTER_MS = 7 * 24 * 60 * 60_000;

/**
 * Calls to be made later. Each is a document in the store: a process that is killed at any instant places each try once,
 * because the try is written down before it is made and its call bears its name.
 */
export class Callbacks {
  readonly #parts: CallbacksParts;
  readonly #running = new Map<string, Promise<void>>();
  #stopped = new AbortController();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #scheduling: Promise<unknown> = Promise.resolve();

  constructor(parts: CallbacksParts) {
    this.#parts = parts;
  }

  /** Begins to place what comes due, and what came due meanwhile. */
  start(): void {
    if (this.#timer) return;
    this.#stopped = new AbortController();
    this.#timer = this.#parts.clock.every(LOOK_EVERY_MS, () => void this.look());
    void this.look();
  }

  /** Places nothing more; calls that run go on without us. Resolves when nothing of ours runs. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#stopped.abort(new Error("The voice channel stops."));
    await this.#looking;
    await Promise.all(this.#running.values());
  }

  /** Notes a call to be made. The same moment asked for twice on one call is noted once. @throws StoreError */
  schedule(wish: CallbackWish): Promise<"scheduled" | "too-many"> {
    const scheduled = this.#scheduling.catch(() => {}).then(() => this.#schedule(wish)); // one by one: they are counted
    this.#scheduling = scheduled;
    return scheduled;
  }

  /** A person's calls that are still to be made. @throws StoreError */
  async open(accountId: string, to: string): Promise<readonly Callback[]> {
    const all = await this.#parts.store.documents<Callback>(KIND);
    return all.map(({ value }) => value).filter((one) => one.accountId === accountId && one.to === to && isOpen(one));
  }

  /** Looks for what is due. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #schedule(wish: CallbackWish): Promise<"scheduled" | "too-many"> {
    const { store, clock } = this.#parts;
    const id = `${wish.fromCallId}:${wish.dueAtMs}`;
    const others = (await this.open(wish.accountId, wish.to)).filter((one) => one.id !== id);
    if (others.length >= MOST_OPEN) return "too-many";
    const callback: Callback = { ...wish, id, askedAtMs: clock.now(), state: "due", tries: 0 };
    await store.keep(KIND, id, callback, 0); // it is there already when the same was asked for before
    return "scheduled";
  }

  async #look(): Promise<void> {
    const { store, clock, logger } = this.#parts;
    try {
      for (const document of await store.documents<Callback>(KIND)) {
        if (this.#stopped.signal.aborted) return;
        const { id, dueAtMs, askedAtMs } = document.value;
        const nowMs = clock.now();
        if (this.#running.has(id)) continue;
        if (nowMs - Math.max(askedAtMs, dueAtMs) >= FORGOTTEN_AFTER_MS) {
          await store.keep(KIND, id, undefined, document.version);
        } else if (isOpen(document.value) && dueAtMs <= nowMs) {
          this.#begin(document);
        }
      }
    } catch (error) {
      logger.error("Calls to be made later could not be read.", { error: String(error) });
    }
  }

  #begin(document: StoredDocument<Callback>): void {
    const { id } = document.value;
    const run = this.#ring(document)
      .catch((error: unknown) => {
        if (this.#stopped.signal.aborted) return;
        this.#parts.logger.warn("A promised call could not be written down.", { callback: id, error: String(error) });
      })
      .finally(() => this.#running.delete(id));
    this.#running.set(id, run);
  }

  async #ring({ key, value, version }: StoredDocument<Callback>): Promise<void> {
    const { store, clock } = this.#parts;
    let held = version;
    if (value.state === "due") {
      if (!(await store.keep(KIND, key, { ...value, state: "placing" }, held))) return; // somebody else has it
      held += 1;
    }
    const result = await this.#place(value);
    const tries = value.tries + 1;
    const change: Partial<Callback> =
      result === "unknown"
        ? { state: "placing", dueAtMs: clock.now() + PLACE_AGAIN_AFTER_MS }
        : result === "unanswered" && tries < MOST_TRIES
          ? { state: "due", dueAtMs: clock.now() + RETRY_AFTER_MS, tries }
          : { state: result === "reached" ? "done" : "failed", tries };
    await store.keep(KIND, key, { ...value, ...change }, held);
  }

  async #place({ id, accountId, to, purpose, tries }: Callback): Promise<CallbackResult | "unknown"> {
    const { place, logger } = this.#parts;
    const { signal } = this.#stopped;
    try {
      return await untilAborted(place({ accountId, to, purpose, requestId: `${KIND}:${id}:${tries}` }, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      logger.warn("A promised call could not be placed yet.", { callback: id, error: String(error) });
      return "unknown";
    }
  }
}

// --- Internal helpers ---

const isOpen = ({ state }: Callback): boolean => state === "due" || state === "placing";
