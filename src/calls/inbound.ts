import type { CarrierEvent, CarrierReply } from "../carriers/carrier.ts";
import { type Clock, sleep } from "../core/clock.ts";
import { VoiceError } from "../core/errors.ts";
import type { EndReason } from "../core/events.ts";
import { lowered } from "../core/trust.ts";
import type { Account } from "./account.ts";
import { type CallParts, connection, goLive, newCallId, openJournal, reply, view, watch } from "./desk.ts";
import { faultOf } from "./fault.ts";
import type { LiveCall } from "./live-calls.ts";
import { PHRASES } from "./phrases.ts";
import type { Recovery } from "./recover.ts";

/** A leg that waits for an answer. */
export type WaitingLeg = Extract<CarrierEvent, { type: "leg.waiting" }>;

/** An accepted webhook has its answer verb after so long at the latest, whatever else is slow. */
const ANSWER_WITHIN_MS = 950;
/** A repeated webhook gets the answer of the first for a day. */
const REMEMBER_MS = 86_400_000;

/** One answer in the making. */
interface Answering {
  readonly leg: WaitingLeg;
  readonly sinceMs: number;
  /** Aborted when the leg got its apology: whatever becomes ready later must not act. */
  readonly tooLate: AbortSignal;
}

/** Answers legs that wait: each once, however often the carrier asks. */
export class Reception {
  readonly #parts: CallParts;
  readonly #recovery: Pick<Recovery, "knows" | "returned" | "pickedUp">;
  /** Answers in the making, by key: a repetition waits for the same one. */
  readonly #answering = new Map<string, Promise<CarrierReply>>();

  constructor(parts: CallParts, recovery: Pick<Recovery, "knows" | "returned" | "pickedUp">) {
    this.#parts = parts;
    this.#recovery = recovery;
  }

  /** The reply to a waiting leg. Never empty and never later than a second, whatever fails. */
  async answer(account: Account, leg: WaitingLeg): Promise<CarrierReply> {
    const key = `${account.id}:${leg.key}`;
    let answering = this.#answering.get(key);
    if (!answering) {
      answering = this.#answerOnce(account, leg, key).finally(() => this.#answering.delete(key));
      this.#answering.set(key, answering);
    }
    return answering;
  }

  async #answerOnce(account: Account, leg: WaitingLeg, key: string): Promise<CarrierReply> {
    const { store, clock, logger } = this.#parts;
    const apology = speak(account, PHRASES.apology);
    const tooLate = new AbortController();
    const sinceMs = clock.now();
    const answer = async (): Promise<CarrierReply> => {
      const claim = await store.claim(key, sinceMs, sinceMs + REMEMBER_MS);
      if (!claim.first && claim.answer !== undefined) return JSON.parse(claim.answer) as CarrierReply;
      // Whoever was to answer is no more; the call is there to be taken up if it was written down.
      if (!claim.first && leg.direction === "inbound") {
        return this.#recovery.knows(account, leg.legId) ? this.#recovery.returned(account, leg.legId) : apology;
      }
      const work = { leg, sinceMs, tooLate: tooLate.signal };
      const given = await (leg.direction === "inbound" ? this.#receive(account, work) : this.#pickedUp(account, work));
      await store.settle(key, JSON.stringify(given));
      return given;
    };
    try {
      return await within(clock, ANSWER_WITHIN_MS, answer());
    } catch (error) {
      tooLate.abort(error);
      logger.error("A waiting leg could not be answered.", {
        accountId: account.id,
        legId: leg.legId,
        error: String(error),
      });
      const live = this.#parts.calls.byLeg(leg.legId);
      return live ? this.#turnAway(live, "engine_error", PHRASES.apology) : apology;
    }
  }

  /** A person rings: written down, admitted, routed, connected. */
  async #receive(account: Account, { leg, sinceMs, tooLate }: Answering): Promise<CarrierReply> {
    const { calls, emit } = this.#parts;
    if (tooLate.aborted) return speak(account, PHRASES.apology);
    const callId = newCallId();
    const journal = openJournal(this.#parts, callId);
    await journal.write({
      type: "call.created",
      callId,
      accountId: account.id,
      direction: "inbound",
      from: leg.from,
      to: leg.to,
      transport: "media-stream",
      ...(leg.attestation && { attestation: leg.attestation }),
    });
    const full = calls.count(account.id) >= account.limits.maxConcurrentCalls;
    const live = goLive(this.#parts, account, journal);
    if (tooLate.aborted) return this.#turnAway(live, "engine_error", PHRASES.apology);
    live.legId = leg.legId;
    await journal.write({ type: "leg.accepted", legId: leg.legId });
    if (full) return this.#turnAway(live, "rejected", PHRASES.busy);
    emit("ringing", view(this.#parts, journal.call));
    // A forged number is nobody's: what is said belongs into no session of the person whose number it is.
    const forged = leg.attestation === "failed";
    const asked = forged ? { ...account, sessionScope: "per-call" as const } : account;
    const { route, admission } = await this.#parts.identifyCaller(asked, leg.from, callId);
    if (!admission.allowed) return this.#turnAway(live, "not_allowed", PHRASES.notAllowed);
    const { agentId, sessionKey, principal } = route;
    await journal.write({
      type: "caller.routed",
      agentId,
      sessionKey,
      trust: lowered(admission.trust, leg.attestation),
      ...(principal !== undefined && !forged && { principal }),
    });
    return this.#connect(live, leg.legId, sinceMs);
  }

  /** Somebody whom we rang has answered: our order is found by its id, never guessed. */
  async #pickedUp(account: Account, { leg, sinceMs, tooLate }: Answering): Promise<CarrierReply> {
    const { callId } = leg;
    // One of an earlier process's, which has not been taken up yet, is taken up now.
    const live = this.#parts.calls.get(callId) ?? (callId ? await this.#recovery.pickedUp(callId) : undefined);
    if (!live || live.account.id !== account.id || live.ending || tooLate.aborted) {
      this.#parts.logger.warn("An unknown call was answered.", {
        accountId: account.id,
        legId: leg.legId,
        callId: leg.callId,
      });
      return speak(account, PHRASES.unknownCall);
    }
    live.legId = leg.legId;
    const { journal } = live;
    if (journal.call.answeredAtMs === undefined) {
      await journal.write({ type: "leg.accepted", legId: leg.legId }, { type: "leg.answered" });
      this.#parts.emit("answered", view(this.#parts, journal.call));
    }
    return this.#connect(live, leg.legId, sinceMs);
  }

  async #connect(live: LiveCall, legId: string, sinceMs: number): Promise<CarrierReply> {
    try {
      const answer = await connection(this.#parts, live, legId, sinceMs);
      if (live.ending) return speak(live.account, PHRASES.apology);
      watch(this.#parts, live, PHRASES.timeIsUp);
      // The model may still be getting ready while the caller is connected: they must not wait for nobody.
      live.conversation.prepare().catch((error: unknown) => {
        this.#noteFault(live, error);
        void this.#parts.finaliser.end(live, { reason: "engine_error", farewell: PHRASES.apology });
      });
      return reply(live, answer);
    } catch (error) {
      this.#noteFault(live, error);
      return this.#turnAway(live, "engine_error", PHRASES.apology);
    }
  }

  #noteFault(live: LiveCall, error: unknown): void {
    if (live.ending) return; // the call's own end stopped the preparations
    live.journal.note({ type: "fault.noted", ...faultOf(error) });
    if (error instanceof VoiceError) this.#parts.emit("error", error, view(this.#parts, live.journal.call));
  }

  /** A spoken refusal: the reply says it and hangs up, so the call is over for us. */
  #turnAway(live: LiveCall, reason: EndReason, text: string): CarrierReply {
    live.legId = undefined; // the reply itself ends the leg; there is nothing to hang up
    void this.#parts.finaliser.end(live, { reason });
    return speak(live.account, text);
  }
}

// --- Internal helpers ---

function speak({ carrier, persona }: Account, text: string): CarrierReply {
  return carrier.answer({ kind: "speak", text, language: persona.language });
}

async function within<Result>(clock: Clock, limitMs: number, work: Promise<Result>): Promise<Result> {
  const enough = new AbortController();
  const tooLate = sleep(clock, limitMs, enough.signal).then(() => {
    throw new Error(`No answer was ready after ${limitMs} ms.`);
  });
  tooLate.catch(() => {}); // cancelled: the work was done first
  work.catch(() => {}); // when it fails after the limit, the caller has been answered already
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    enough.abort();
  }
}
