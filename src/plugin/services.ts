import { readCardButton } from "../calls/afterwards/card.ts";
import { extractOutcome } from "../calls/afterwards/extract.ts";
import { AnswerDesk } from "../calls/answer-desk.ts";
import { type LateAnswer, lateAnswerNote, OwnerQuestions } from "../calls/ask-owner.ts";
import { type CallbackOrder, type CallbackResult, Callbacks } from "../calls/callbacks.ts";
import { callerRef } from "../calls/caller-ref.ts";
import { CallerBook } from "../calls/callers.ts";
import type { Emit } from "../calls/conversation-parts.ts";
import { Handoffs } from "../calls/handoff.ts";
import { LinkProposals } from "../calls/links.ts";
import type { LiveCalls } from "../calls/live-calls.ts";
import { type Call, callerNumber } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { AnswerVerdict, ChannelAnswer, Host } from "../hosts/host.ts";
import type { VoiceSessionManager } from "../session-manager.ts";
import type { Store } from "../stores/store.ts";
import type { AccountBook } from "./accounts.ts";

export interface ServicesParts {
  readonly host: Host;
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly calls: LiveCalls;
  readonly sessions: VoiceSessionManager;
  readonly accounts: AccountBook;
  /** Places a call. @throws VoiceError it could not be placed */
  readonly place: (order: CallbackOrder) => Promise<{ readonly callId: string }>;
}

/** How often it is looked whether a promised call was answered. */
const LOOK_EVERY_MS = 1_000;
/** What an owner has done is remembered so long, so that a second press does nothing more. */
const REMEMBER_MS = 7 * 24 * 60 * 60_000;
const TAKEN: AnswerVerdict = { taken: true, clearButtons: true };

/** What lasts longer than a call: what is kept of callers, questions to people in text channels, calls to be made later. */
export class Services {
  readonly callers: CallerBook;
  readonly desk: AnswerDesk;
  readonly owner: OwnerQuestions;
  readonly handoffs: Handoffs;
  readonly links: LinkProposals;
  readonly callbacks: Callbacks;
  readonly #parts: ServicesParts;

  constructor(parts: ServicesParts) {
    this.#parts = parts;
    const { host, store, clock, emit, sessions } = parts;
    this.callers = new CallerBook(store);
    this.desk = new AnswerDesk({ host, store, clock });
    this.desk.otherwise((answer) => this.#pressed(answer));
    this.owner = new OwnerQuestions({ desk: this.desk, host, clock, onLate: (late) => this.#answeredLate(late) });
    this.links = new LinkProposals({ desk: this.desk, store, clock });
    this.handoffs = new Handoffs({
      host,
      clock,
      emit,
      summary: async (call) => extractOutcome(call).summary,
      addresses: async (call) => {
        const account = parts.accounts.find(call.accountId);
        const { id: callId, direction } = call;
        return account ? sessions.linked(callerRef(account, { number: callerNumber(call), direction, callId })) : [];
      },
    });
    this.callbacks = new Callbacks({
      store,
      clock,
      logger: host.logger,
      place: (order, signal) => this.#place(order, signal),
    });
  }

  /** Begins to listen to answers and to make calls that are due. The store is open. @throws StoreError */
  async start(): Promise<void> {
    await this.desk.start();
    this.callbacks.start();
    void this.#parts.host.warmUp();
  }

  async stop(): Promise<void> {
    await Promise.all([this.desk.stop(), this.callbacks.stop()]);
  }

  /** Makes a promised call, and waits for what comes of it. */
  async #place(order: CallbackOrder, signal: AbortSignal): Promise<CallbackResult> {
    const { place, calls, store, clock } = this.#parts;
    const { callId } = await place(order);
    for (;;) {
      const call = calls.get(callId)?.journal.call ?? (await store.call(callId));
      if (call?.answeredAtMs !== undefined) return "reached";
      if (call?.state === "ended") return REFUSED.includes(call.endReason ?? "") ? "refused" : "unanswered";
      await sleep(clock, LOOK_EVERY_MS, signal);
    }
  }

  /** The owner has answered when nobody waited any more: it is told on the call, or the other person is rung. */
  async #answeredLate(late: LateAnswer): Promise<string> {
    const { calls, store } = this.#parts;
    const { callId, questionId, by, answer, question } = late;
    const live = calls.get(callId);
    if (live?.conversation.instruct(lateAnswerNote(late), true)) {
      live.journal.note({ type: "owner.answered", questionId, by, answer });
      return "I am telling them now.";
    }
    const call = await store.call(callId);
    if (!call || call.answeredAtMs === undefined) return "The call is over.";
    const purpose = `You promised to call back with an answer. They wanted to know: "${question}". The answer: "${answer}".`;
    return this.#ringBack(call, `answer:${questionId}`, purpose);
  }

  /** A button of a call's card. Only the owner whose card it was may press it, and each does its work once. */
  async #pressed({ how, value, channel, from }: ChannelAnswer): Promise<AnswerVerdict> {
    const press = how === "button" ? readCardButton(value) : undefined;
    if (!press) return { taken: false };
    const call = await this.#parts.store.call(press.callId);
    const owner = call && this.#parts.accounts.find(call.accountId)?.owner;
    if (!call || !owner) return { ...TAKEN, reply: "That call is not known any more." };
    if (owner.channel !== channel || owner.to !== from) return { taken: true, reply: "That card is not yours." };
    if (press.action === "call-back") {
      const purpose = call.outcome
        ? `You ring back about an earlier call: "${call.outcome.outcome}".`
        : "You ring back.";
      return { ...TAKEN, reply: await this.#ringBack(call, `card:${call.id}`, purpose) };
    }
    await this.callers.closePromises(call.accountId, callerNumber(call), call.id);
    return { ...TAKEN, reply: "Noted as done." };
  }

  async #ringBack(call: Call, key: string, purpose: string): Promise<string> {
    const { store, clock } = this.#parts;
    const nowMs = Math.round(clock.now());
    const claim = await store.claim(`ring-back:${key}`, nowMs, nowMs + REMEMBER_MS);
    // The moment names the call: whoever asks again after a failure means the same one.
    const dueAtMs = claim.first ? nowMs : Number(claim.answer ?? nowMs);
    await store.settle(`ring-back:${key}`, String(dueAtMs));
    const { accountId, id: fromCallId } = call;
    const noted = await this.callbacks.schedule({ accountId, to: callerNumber(call), dueAtMs, purpose, fromCallId });
    void this.callbacks.look();
    return noted === "scheduled" ? "I will ring them now." : "As many calls as may be are waiting for them already.";
  }
}

// --- Internal helpers ---

/** Ends of a call that another try would meet again. */
const REFUSED: readonly string[] = ["rejected", "invalid_number", "not_allowed"];
