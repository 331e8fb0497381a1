import type { Call } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import { CarrierUnreachableError, VoiceError } from "../core/errors.ts";
import type { EndReason } from "../core/events.ts";
import type { Logger } from "../hosts/host.ts";
import { faultOf } from "./fault.ts";
import type { LiveCall, LiveCalls } from "./live-calls.ts";

/** How often the carrier is asked whether a leg is really over. */
const ASK_EVERY_MS = 400;
/** An order to hang up that did not arrive is repeated so much later. */
const ORDER_AGAIN_MS = 2_000;
/** What a caller said last is still being written down when they hang up: it is waited for so long. */
const LAST_WORDS_MS = 1_000;
/** When the carrier stopped the media it may take so long to say that the leg has ended too; when the media broke, the leg may live. */
const SAY_WITHIN_MS = { stopped: 3_000, lost: 800 };
/** The carrier has so long to confirm; then the call is closed on our side, with a fault that says so. */
const CONFIRM_WITHIN_MS = 15_000;

export interface EndOrder {
  readonly reason: EndReason;
  /** A sentence that the carrier speaks before it hangs up, when the model cannot. */
  readonly farewell?: string;
  /** Milliseconds that the carrier may take to confirm; less when the process stops. */
  readonly confirmWithinMs?: number;
}

export interface FinaliserParts {
  readonly calls: LiveCalls;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The call is over and stored. What comes after the call starts here. */
  readonly onEnded: (live: LiveCall) => void;
  /** The media of a call is gone, and the carrier says that its leg lives: it is to be taken up again. */
  readonly onMediaLost: (live: LiveCall) => Promise<void>;
}

/** An order to hang up, and whether the carrier has it. */
interface HangUp {
  readonly order: () => Promise<boolean>;
  isTaken: boolean;
}

/** The one end of calls: every ending arrives here, the first decides, all wait for the same. */
export class Finaliser {
  readonly #parts: FinaliserParts;

  constructor(parts: FinaliserParts) {
    this.#parts = parts;
  }

  /** Ends a call. Resolves with the ended call once the carrier has confirmed, or its time to do so is over. Never rejects. */
  end(live: LiveCall, order: EndOrder): Promise<Call> {
    if (live.successor) return this.end(live.successor, order);
    live.ending ??= this.#end(live, order);
    return live.ending;
  }

  /**
   * The phone's media ended and nobody here asked for it: the carrier knows why. A leg that is over ends the call with
   * the carrier's reason, one that lives is taken up again. Media of a call that was taken up already does not matter.
   * Never rejects.
   */
  mediaEnded(live: LiveCall, how: "stopped" | "lost"): Promise<void> {
    if (live.successor) return Promise.resolve();
    live.journal.note({ type: "media.stopped", reason: how });
    live.settling ??= this.#settle(live, how).finally(() => {
      live.settling = undefined;
    });
    return live.settling;
  }

  async #settle(live: LiveCall, how: "stopped" | "lost"): Promise<void> {
    if (live.ending) return;
    const state = live.legId === undefined ? undefined : await this.#askUntilEnded(live, SAY_WITHIN_MS[how]);
    if (live.ending) return;
    if (state?.state === "ended") {
      const reason = state.reason ?? "lost";
      live.journal.note({ type: "leg.ended", reason, carrierStatus: state.carrierStatus });
      await live.journal.flush();
      await this.end(live, { reason });
    } else if (state) await this.#parts.onMediaLost(live);
    else await this.end(live, { reason: "lost" });
  }

  async #end(live: LiveCall, order: EndOrder): Promise<Call> {
    const { farewell, confirmWithinMs = CONFIRM_WITHIN_MS } = order;
    const { journal, conversation } = live;
    const reason = live.legReason ?? order.reason; // the leg was over first, and the carrier has said why
    // A full disk must not keep somebody on the line: the journal notes what it can.
    await journal.write({ type: "end.requested", reason }).catch(() => {});
    if (!journal.call.legEnded && live.legId !== undefined) {
      const limit = this.#parts.clock.now() + confirmWithinMs;
      const leftMs = () => Math.max(0, limit - this.#parts.clock.now());
      const hangUp = () => this.#hangUp(live, farewell, leftMs());
      await this.#confirm(live, leftMs, { order: hangUp, isTaken: await hangUp() });
    }
    if (reason !== "shutdown") await conversation.lastWords(LAST_WORDS_MS);
    const { longestSilenceMs } = conversation.close();
    await this.#writeEnd(live, reason, longestSilenceMs);
    this.#parts.calls.remove(live);
    this.#parts.onEnded(live);
    return journal.call;
  }

  /** Says whether there is no use in ordering it again. */
  async #hangUp(live: LiveCall, farewell: string | undefined, withinMs: number): Promise<boolean> {
    const { carrier, persona } = live.account;
    const legId = live.legId as string;
    const limit = this.#limited(withinMs);
    try {
      if (farewell === undefined) await carrier.hangUp(legId, limit.signal);
      else await carrier.speakAndHangUp(legId, farewell, persona.language, limit.signal);
      return true;
    } catch (error) {
      this.#fault(live, error);
      return error instanceof VoiceError && !(error.retryable || error instanceof CarrierUnreachableError);
    } finally {
      limit.done();
    }
  }

  /** Waits for the carrier's word that the leg is over: by its status message, or by asking. Orders what did not arrive again. */
  async #confirm(live: LiveCall, leftMs: () => number, hangUp: HangUp): Promise<void> {
    if (live.journal.call.legEnded) return;
    const enough = new AbortController();
    const told = new Promise<undefined>((resolve) => {
      live.onLegEnded = () => resolve(undefined);
    });
    const state = await Promise.race([told, this.#askUntilEnded(live, leftMs(), enough.signal, hangUp)]);
    live.onLegEnded = undefined;
    enough.abort(new Error("The carrier has told us."));
    if (state === undefined) return;
    if (state.state === "ended") {
      live.journal.note({ type: "leg.ended", reason: state.reason ?? "lost", carrierStatus: state.carrierStatus });
    } else {
      live.journal.note({
        type: "fault.noted",
        code: "leg_unconfirmed",
        message: "The carrier did not confirm that the leg is over.",
      });
    }
  }

  async #askUntilEnded(live: LiveCall, withinMs: number, enough?: AbortSignal, hangUp?: HangUp) {
    const { clock } = this.#parts;
    const until = clock.now() + withinMs;
    let orderedAtMs = clock.now();
    const limit = this.#limited(withinMs);
    const signal = enough ? AbortSignal.any([limit.signal, enough]) : limit.signal;
    try {
      for (;;) {
        const state = await live.account.carrier.fetchState(live.legId as string, signal).catch(() => undefined);
        if (state?.state === "ended" || clock.now() + ASK_EVERY_MS > until || signal.aborted) {
          return state ?? { state: "unknown" as const, carrierStatus: "unreachable" };
        }
        if (hangUp && !hangUp.isTaken && clock.now() >= orderedAtMs + ORDER_AGAIN_MS) {
          hangUp.isTaken = await hangUp.order();
          orderedAtMs = clock.now();
        }
        await sleep(clock, ASK_EVERY_MS, signal).catch(() => {}); // cut short: what is known then counts
      }
    } finally {
      limit.done();
    }
  }

  async #writeEnd(live: LiveCall, reason: EndReason, longestSilenceMs: number): Promise<void> {
    const event = { type: "call.ended", reason, longestSilenceMs } as const;
    try {
      await live.journal.write(event);
    } catch {
      live.journal.note(event); // the journal goes on trying
      await live.journal.flush();
    }
  }

  #fault(live: LiveCall, error: unknown): void {
    const fault = faultOf(error);
    this.#parts.logger.warn("The carrier could not be asked to hang up.", { callId: live.id, error: fault.message });
    live.journal.note({ type: "fault.noted", ...fault });
  }

  #limited(withinMs: number): { signal: AbortSignal; done(): void } {
    const abort = new AbortController();
    const timer = this.#parts.clock.after(withinMs, () => abort.abort(new Error("The carrier took too long.")));
    return { signal: abort.signal, done: () => timer.stop() };
  }
}
