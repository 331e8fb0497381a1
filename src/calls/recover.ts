import type { CarrierReply, LegState } from "../carriers/carrier.ts";
import type { Call } from "../core/call.ts";
import { sleep } from "../core/clock.ts";
import { VoiceError } from "../core/errors.ts";
import type { CallEvent, EndReason } from "../core/events.ts";
import type { Account } from "./account.ts";
import { allCalls } from "./all-calls.ts";
import { type CallParts, connection, goLive, openJournal, reply, watch } from "./desk.ts";
import { dialledLeg, learnLeg } from "./dialled-leg.ts";
import { faultOf } from "./fault.ts";
import type { CallJournal, Unstamped } from "./journal.ts";
import type { LegStatus } from "./leg-status.ts";
import type { LiveCall } from "./live-calls.ts";
import { PHRASES } from "./phrases.ts";

/** Calls of an earlier process: those it left open, and those after which it left work undone. */
export interface Leftovers {
  readonly open: readonly Call[];
  readonly unfinished: readonly Call[];
}

export interface RecoveryParts extends CallParts {
  /** A call is over and stored; what comes after it starts here. */
  readonly onEnded: (journal: CallJournal, account: Account) => Promise<void>;
  /** Does what an earlier process did not get done after a call. */
  readonly finish: (journal: CallJournal, account: Account) => Promise<void>;
}

/** A call that is neither live here nor over. */
interface Left {
  readonly call: Call;
  readonly account: Account;
}

const PAGE = 500;
/** A carrier that cannot be asked, or says that a leg is on its way, is asked again this much later. */
const ASK_AGAIN_MS = 2_000;
/** A carrier says nothing of a leg that it was ordered to dial for so long at most. */
const HEARD_OF_WITHIN_MS = 100_000;
/** No leg that nobody can be asked about lives longer than its account allows, and this. */
const AT_MOST_LATER_MS = 600_000;
/** A call that is lost again and again is given up. */
const MOST_RESUMES = 8;
/** So many calls are looked after at once: a carrier's API takes no more. */
const AT_ONCE = 10;
const CARRIER_WITHIN_MS = 8_000;
const REDIRECTS = 3;

/**
 * Takes up what was left: calls of an earlier process, and calls whose media broke while their leg lives. The carrier
 * is asked, not our memory: a leg that lives is brought back to us and goes on in a new engine session that knows what
 * was heard, one that is over gives its reason. Age alone ends no call.
 */
export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #left = new Map<string, Left>();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** How many calls are neither live here nor over. */
  get size(): number {
    return this.#left.size;
  }

  /** Whether this is such a call. */
  has(callId: string): boolean {
    return this.#left.has(callId);
  }

  /** What an earlier process left of an account. To be asked before the account takes calls: later ones are our own. */
  async find(accountId: string): Promise<Leftovers> {
    const { store } = this.#parts;
    const all = (only: "open" | "unfinished") => Array.fromAsync(allCalls(store, { accountId, only, limit: PAGE }));
    const [open, unfinished] = await Promise.all([all("open"), all("unfinished")]);
    return { open, unfinished };
  }

  /** Takes note of an account's leftovers, before anything can come that is about them. */
  expect(account: Account, { open }: Leftovers): void {
    for (const call of open) {
      this.#parts.feed.open(call.id);
      this.#left.set(call.id, { call, account });
    }
  }

  /** Takes up an account's leftovers, which are expected. Resolves when none is left, or the channel stops. */
  async take(account: Account, { open, unfinished }: Leftovers): Promise<void> {
    const { feed } = this.#parts;
    await inTurn(AT_ONCE, open, ({ id }) => this.#settle(id));
    await inTurn(AT_ONCE, unfinished, (call) => {
      if (this.#parts.stopping.aborted) return Promise.resolve();
      feed.open(call.id);
      return this.#parts.finish(openJournal(this.#parts, call.id, { call, seq: 0 }), account);
    });
  }

  /** The carrier brings a leg back by itself: its media ended unexpectedly, or its answer was never given. */
  async returned(account: Account, legId: string): Promise<CarrierReply> {
    const { calls, clock, logger } = this.#parts;
    const callId = calls.byLeg(legId)?.id ?? this.#byLeg(account, legId)?.call.id;
    if (callId === undefined) return this.#sorry(account);
    const sinceMs = clock.now();
    try {
      const live = await calls.oneByOne(callId, () => this.#takeUp(callId, "returned"));
      if (!live) return this.#sorry(account);
      const answer = reply(live, await connection(this.#parts, live, legId, sinceMs));
      watch(this.#parts, live, PHRASES.timeIsUp);
      return answer;
    } catch (error) {
      logger.error("A leg that came back could not be taken up.", { callId, legId, error: String(error) });
      const live = calls.get(callId);
      if (live) this.#giveUp(live, error);
      return this.#sorry(account);
    }
  }

  /** Somebody whom an earlier process rang picks up. */
  pickedUp(callId: string): Promise<LiveCall | undefined> {
    return this.#parts.calls.oneByOne(callId, () => this.#takeUp(callId, "returned"));
  }

  /** A message names the leg of a call that was left before we knew it. Durable when it resolves. */
  async named(account: Account, { callId, legId }: LegStatus): Promise<void> {
    const left = callId === undefined ? undefined : this.#left.get(callId);
    if (left?.account.id !== account.id) return;
    await this.#parts.calls.oneByOne(left.call.id, () => this.#name(left.call.id, legId));
  }

  /** Whether this leg is one of a call that an earlier process left open. */
  knows(account: Account, legId: string): boolean {
    return this.#byLeg(account, legId) !== undefined;
  }

  /** The media of a live call is gone, and the carrier says that its leg lives. Never rejects. */
  async mediaLost({ id, journal }: LiveCall): Promise<void> {
    const { calls, logger } = this.#parts;
    try {
      const live = await calls.oneByOne(id, () => this.#takeUp(id, "redirected"));
      if (live) await this.#bringBack(live);
    } catch (error) {
      const live = calls.get(id);
      logger.warn("A call whose media broke could not be taken up.", { callId: id, error: String(error) });
      if (live && journal.call.state !== "ended") this.#giveUp(live, error);
    }
  }

  /** Lets go of a live call that goes on at the carrier, or ends one that has not been answered. Never rejects. */
  release(live: LiveCall, confirmWithinMs: number): Promise<Call> {
    const { calls, finaliser, logger } = this.#parts;
    const { journal, account } = live;
    if (journal.call.answeredAtMs === undefined || !account.carrier.capabilities.mediaStream) {
      return finaliser.end(live, { reason: "shutdown", confirmWithinMs });
    }
    const letGo = async () => {
      const { longestSilenceMs } = live.conversation.close();
      await journal.write({ type: "call.released", longestSilenceMs }).catch((error: unknown) => {
        // The next process finds the call open all the same.
        logger.warn("A call was let go and that is not written down.", { callId: live.id, error: String(error) });
      });
      calls.remove(live);
      return journal.call;
    };
    live.ending ??= letGo();
    return live.ending;
  }

  #byLeg({ id }: Account, legId: string): Left | undefined {
    return [...this.#left.values()].find(({ call, account }) => call.legId === legId && account.id === id);
  }

  /** Looks at a call that was left open until it is live or over. */
  async #settle(callId: string): Promise<void> {
    const { calls, clock, logger, stopping } = this.#parts;
    while (!stopping.aborted && this.#left.has(callId)) {
      try {
        await this.#find(callId); // meanwhile they may pick up
        const live = await calls.oneByOne(callId, () => this.#look(callId));
        if (live) await this.#bringBack(live);
      } catch (error) {
        const live = calls.get(callId);
        if (live) this.#giveUp(live, error);
        else if (!stopping.aborted) logger.error("A call left open waits.", { callId, error: String(error) });
      }
      if (this.#left.has(callId)) await sleep(clock, ASK_AGAIN_MS, stopping).catch(() => {}); // the loop ends
    }
  }

  /** Asks the carrier once. A call that lives there is live here afterwards, and returned if it has to be fetched. */
  async #look(callId: string): Promise<LiveCall | undefined> {
    const left = this.#left.get(callId);
    if (!left) return undefined;
    const { call, account } = left;
    const ageMs = this.#parts.clock.now() - call.createdAtMs;
    const isOutbound = call.direction === "outbound";
    if (call.legId === undefined) {
      // The order to dial may have arrived, or be on its way: the leg's own messages name the call.
      if (isOutbound && ageMs < HEARD_OF_WITHIN_MS) await this.#revive(left, "returned");
      else await this.#close(left, call.endRequested ?? "lost");
      return undefined;
    }
    const signal = this.#soon();
    const state = await account.carrier.fetchState(call.legId, signal).catch(() => undefined);
    if (!state) {
      const oldestMs = account.limits.maxCallSeconds * 1_000 + AT_MOST_LATER_MS;
      if (ageMs > oldestMs) await this.#close(left, call.endRequested ?? "lost");
      return undefined;
    }
    if (state.state === "ended" || state.state === "unknown") {
      await this.#close(left, call.endRequested ?? state.reason ?? "lost", state);
      return undefined;
    }
    // Whoever was not admitted by then is not let in now.
    if (call.endRequested || call.agentId === undefined) {
      await account.carrier.hangUp(call.legId, signal);
      await this.#close(left, call.endRequested ?? "lost");
      return undefined;
    }
    if (state.state === "active") return this.#takeUp(callId, "redirected");
    if (isOutbound) await this.#revive(left, "returned"); // its callee has still to pick up
    return undefined;
  }

  /** Makes a call live anew: one that was left, or one that is live and has lost its media. */
  async #takeUp(callId: string, how: "redirected" | "returned"): Promise<LiveCall | undefined> {
    const { calls, finaliser, stopping } = this.#parts;
    if (stopping.aborted) return undefined;
    const left = this.#left.get(callId);
    if (left) return left.call.agentId === undefined || left.call.endRequested ? undefined : this.#revive(left, how);
    const live = calls.get(callId);
    if (!live || live.ending) return undefined;
    if (!live.hadMedia && how === "returned") return live; // it waits for its first sound
    const { journal } = live;
    if (journal.call.answeredAtMs === undefined || journal.call.resumes >= MOST_RESUMES) {
      void finaliser.end(live, { reason: "lost" });
      return undefined;
    }
    const { longestSilenceMs } = live.conversation.close();
    await journal.write({ type: "call.released", longestSilenceMs }, { type: "call.resumed", how, awayMs: 0 });
    if (live.ending) return undefined;
    calls.remove(live);
    const next = this.#goOn(journal, live.account, live.legId);
    next.lastSequence = live.lastSequence;
    if (live.legReason !== undefined) next.legReason = live.legReason;
    live.successor = next;
    return next;
  }

  async #revive(left: Left, how: "redirected" | "returned"): Promise<LiveCall> {
    const { store, clock } = this.#parts;
    const { call, account } = left;
    const entries = await store.journal(call.id);
    const last = entries.at(-1);
    const journal = openJournal(this.#parts, call.id, { call, seq: last?.seq ?? 0 });
    const awayMs = Math.max(0, Math.round(clock.now() - (last?.event.atMs ?? call.createdAtMs)));
    const undone = unfinishedTools(entries.map(({ event }) => event));
    await journal.write(...undone, { type: "call.resumed", how, awayMs });
    this.#left.delete(call.id);
    const live = this.#goOn(journal, account, call.legId);
    if (call.answeredAtMs === undefined) {
      live.timers.push(clock.after(HEARD_OF_WITHIN_MS, () => void this.#unanswered(live)));
    }
    return live;
  }

  #goOn(journal: CallJournal, account: Account, legId: string | undefined): LiveCall {
    const live = goLive(this.#parts, account, journal);
    live.legId = legId;
    this.#parts.logger.info("A call is taken up again.", { callId: live.id, resumes: journal.call.resumes });
    return live;
  }

  /** Nobody has picked up for long. */
  async #unanswered(live: LiveCall): Promise<void> {
    if (live.journal.call.answeredAtMs !== undefined) return;
    await learnLeg(this.#parts, live);
    if (live.ending) return;
    await this.#parts.finaliser.mediaEnded(live, "lost");
  }

  /** Has the carrier connect the leg of a live call to us, when the model is ready or soon after. */
  async #bringBack(live: LiveCall): Promise<void> {
    const { clock, finaliser, stopping } = this.#parts;
    const legId = live.legId as string;
    const answer = await connection(this.#parts, live, legId, clock.now());
    watch(this.#parts, live, PHRASES.timeIsUp);
    live.conversation.prepare().catch((error: unknown) => this.#giveUp(live, error));
    for (let attempt = 1; !live.ending && !live.hadMedia; attempt++) {
      try {
        if (!(await live.account.carrier.redirect(legId, answer, this.#soon())))
          await finaliser.mediaEnded(live, "lost");
        return;
      } catch (error) {
        if (stopping.aborted) return;
        live.journal.note({ type: "fault.noted", ...faultOf(error) });
        // One that is over says so when it is asked; else the carrier brings it back by itself when its patience ends.
        if (attempt === REDIRECTS || !isRetryable(error)) return finaliser.mediaEnded(live, "lost");
        await sleep(clock, ASK_AGAIN_MS, stopping).catch(() => {}); // the next attempt fails at once
      }
    }
  }

  #giveUp(live: LiveCall, error: unknown): void {
    if (live.ending) return;
    live.journal.note({ type: "fault.noted", ...faultOf(error) });
    void this.#parts.finaliser.end(live, { reason: "engine_error", farewell: PHRASES.apology });
  }

  /** Looks for the leg of a call that was placed, where it is not known. */
  async #find(callId: string): Promise<void> {
    const left = this.#left.get(callId);
    if (left?.call.direction !== "outbound" || left.call.legId !== undefined) return;
    const legId = await dialledLeg(this.#parts, left.account, left.call);
    if (legId !== undefined) await this.#parts.calls.oneByOne(callId, () => this.#name(callId, legId));
  }

  #soon(): AbortSignal {
    return AbortSignal.any([this.#parts.stopping, AbortSignal.timeout(CARRIER_WITHIN_MS)]);
  }

  async #name(callId: string, legId: string): Promise<void> {
    const left = this.#left.get(callId);
    if (!left || left.call.legId !== undefined) return;
    const journal = await this.#reopen(left);
    await journal.write({ type: "leg.accepted", legId });
    this.#left.set(callId, { ...left, call: journal.call });
  }

  async #reopen({ call }: Left): Promise<CallJournal> {
    const seq = (await this.#parts.store.journal(call.id)).at(-1)?.seq ?? 0;
    return openJournal(this.#parts, call.id, { call, seq });
  }

  async #close(left: Left, reason: EndReason, state?: LegState): Promise<void> {
    const { call, account } = left;
    const { logger } = this.#parts;
    const journal = await this.#reopen(left);
    const carrierStatus = state?.carrierStatus;
    await journal.write(
      ...(carrierStatus === undefined || call.legEnded ? [] : [{ type: "leg.ended", reason, carrierStatus } as const]),
      { type: "call.ended", reason, longestSilenceMs: call.longestSilenceMs ?? 0 },
    );
    this.#left.delete(call.id);
    logger.info("A call left open by an earlier process was closed.", { callId: call.id, reason });
    // What comes after it waits for hosts and models: the calls that still live come first.
    void this.#parts.onEnded(journal, account);
  }

  #sorry({ carrier, persona }: Account): CarrierReply {
    return carrier.answer({ kind: "speak", text: PHRASES.interrupted, language: persona.language });
  }
}

// --- Internal helpers ---

/** Tools of a process that is gone: whatever they did, nobody knows it. */
function unfinishedTools(events: readonly CallEvent[]): Unstamped[] {
  const running = new Map<string, number>();
  for (const event of events) {
    if (event.type === "tool.called") running.set(event.toolCallId, event.atMs);
    if (event.type === "tool.finished") running.delete(event.toolCallId);
  }
  return [...running.keys()].map((toolCallId) => ({ type: "tool.finished", toolCallId, ok: false, durationMs: 0 }));
}

async function inTurn<Item>(atOnce: number, items: readonly Item[], work: (item: Item) => Promise<void>) {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const isRetryable = (error: unknown): boolean => !(error instanceof VoiceError) || error.retryable;
