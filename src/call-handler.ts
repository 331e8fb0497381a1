import type { Account } from "./calls/account.ts";
import type { AgentBrainParts } from "./calls/agent-brain.ts";
import { Briefing } from "./calls/briefing.ts";
import { callerRef } from "./calls/caller-ref.ts";
import type { AskedOnCall } from "./calls/callers.ts";
import { quoteLine } from "./calls/context/quote.ts";
import type { ContextRequest } from "./calls/context/sources.ts";
import type { Conversation } from "./calls/conversation.ts";
import type { CallSound, ConversationParts, Emit } from "./calls/conversation-parts.ts";
import type { OpenSession } from "./calls/engine-line-opening.ts";
import type { Finaliser } from "./calls/finalise.ts";
import type { CallJournal } from "./calls/journal.ts";
import type { LinkProposals } from "./calls/links.ts";
import type { LiveCall } from "./calls/live-calls.ts";
import { PHRASES } from "./calls/phrases.ts";
import { finishAfterwards } from "./calls/post-call.ts";
import type { Ticker } from "./calls/ticker.ts";
import { Toolbox, type ToolboxParts } from "./calls/toolbox.ts";
import { offeredTools } from "./calls/tools/offer.ts";
import type { VoiceContextManager } from "./context-manager.ts";
import { type Call, callerNumber, summarise } from "./core/call.ts";
import { sleep } from "./core/clock.ts";
import type { EndReason } from "./core/events.ts";
import { mayUse } from "./core/trust.ts";
import type { CallerRef, SessionTurn } from "./hosts/host.ts";
import type { VoiceSessionManager } from "./session-manager.ts";

/** What the handler works with. */
export interface CallHandlerParts extends Omit<ToolboxParts, "linked" | "search"> {
  readonly sessions: VoiceSessionManager;
  readonly contexts: VoiceContextManager;
  readonly finaliser: Finaliser;
  readonly ticker: Ticker;
  readonly emit: Emit;
  readonly links: LinkProposals;
  /** Keeps the sound of a call, once it may; nothing where calls are not recorded. */
  readonly soundOf: (account: Account, journal: CallJournal, live: () => LiveCall) => CallSound | undefined;
  /** Makes the talk of a call. */
  readonly talk: (parts: ConversationParts) => Conversation;
}

/** How many earlier calls with the same person the model is told of. */
const HISTORY = 3;
/** The most of one turn of another channel that an outbound call which goes on with it is told. */
const MAX_TURN = 300;
/** Whoever gave the right code is not kept waiting longer for what the model may tell them now. */
const TOLD_WITHIN_MS = 1_000;

/** Opens the speech model for a call, and routes what was said back to the person's session when the call is over. */
export class VoiceCallHandler {
  readonly #parts: CallHandlerParts;

  constructor(parts: CallHandlerParts) {
    this.#parts = parts;
  }

  /** The talk of a call. It opens nothing before its `prepare`. */
  converse(account: Account, journal: CallJournal, live: () => LiveCall): Conversation {
    const { clock, ticker, emit, host, finaliser } = this.#parts;
    const toolbox: Toolbox = new Toolbox(this.#toolboxParts(), {
      account,
      journal,
      conversation: () => conversation,
      onRaised: async () => {
        conversation.update(offered(account, journal.call, toolbox));
        const longEnough = sleep(clock, TOLD_WITHIN_MS, conversation.over).catch(() => undefined); // the call is over
        await Promise.race([briefing.refresh("the caller was verified"), longEnough]);
      },
    });
    const recording = this.#parts.soundOf(account, journal, live);
    const conversation: Conversation = this.#parts.talk({
      account,
      journal,
      clock,
      ticker,
      emit,
      logger: host.logger,
      tools: () => toolbox.all,
      openers: this.#openers(
        account,
        () => briefing.told(),
        () => offered(account, journal.call, toolbox),
      ),
      ...(recording && { recording }),
      ...(account.brain === "agent" && { askAgent: this.#askAgent(account, journal) }),
      onMediaClosed: (how) => void finaliser.mediaEnded(live(), how),
      onLeave: ({ reason, said, error }) => {
        if (error) emit("error", error, summarise(journal.call, clock.now()));
        const farewell = said ? undefined : farewellFor(reason);
        void finaliser.end(live(), { reason, ...(farewell && { farewell: PHRASES[farewell] }) });
      },
    });
    const briefing = new Briefing({
      contexts: this.#parts.contexts,
      journal,
      logger: host.logger,
      request: () => this.#request(account, journal.call, toolbox),
      onChange: (instructions) => void conversation.update({ instructions }),
      over: conversation.over,
    });
    return conversation;
  }

  /** What comes after a call: rows, outcome, note, history, card, notices, wake; then whose number it may be. Resumable. */
  async afterwards(journal: CallJournal, account: Account, signal: AbortSignal): Promise<void> {
    const { host, store, callers, clock, links } = this.#parts;
    const writeNote = (call: Call, asked: AskedOnCall) => this.#writeNote(call, account, asked);
    const linked = (call: Call) => this.#parts.sessions.linked(refOf(call, account));
    await finishAfterwards(journal, { host, store, callers, account, clock, signal, writeNote, linked });
    if (signal.aborted || !account.owner || !host.capabilities.answers) return;
    try {
      await links.propose(journal.call, account, await host.principals());
    } catch (error) {
      host.logger.warn("Whose number it was could not be asked.", { callId: journal.call.id, error: String(error) });
    }
  }

  #toolboxParts(): ToolboxParts {
    const { sessions, contexts } = this.#parts;
    return {
      ...this.#parts,
      linked: (call, account) => sessions.linked(refOf(call, account)),
      search: async (call, account, query, signal) => {
        const { workspaceDir } = await sessions.route(refOf(call, account));
        return workspaceDir === undefined ? "" : contexts.search(workspaceDir, query, signal);
      },
    };
  }

  /** What the model may be told now. */
  async #request(account: Account, call: Call, toolbox: Toolbox): Promise<ContextRequest> {
    const { sessions, callers, host } = this.#parts;
    const number = callerNumber(call);
    const route = await sessions.route(refOf(call, account));
    const { linkedTurns } = account.context;
    const [history, profile, past, recentTurns, before] = await Promise.all([
      sessions.history(account.id, number, HISTORY),
      callers.profile(account.id, number),
      callers.pastOutcomes(account.id, number, HISTORY),
      call.trust === "owner" && linkedTurns > 0 ? host.recentTurns(route, linkedTurns) : [],
      this.#before(account, call, route.agentId),
    ]);
    const outcomes = new Map(past.map((one) => [one.callId, one]));
    const purpose = [call.purpose, before].filter((part) => part !== undefined).join("\n\n");
    return {
      persona: account.persona,
      budgetTokens: account.context.budgetTokens,
      dailyFiles: account.context.dailyFiles,
      timeZone: account.timeZone,
      direction: call.direction,
      trust: call.trust,
      callerNumber: number,
      history: history.map((one) => ({ ...one, ...outcomeOf(outcomes.get(one.callId)) })),
      profile,
      promises: profile.promises.filter(({ open }) => open),
      recentTurns,
      hasConsult: offeredTools(toolbox.all, call.trust).some(({ name }) => name === "ask_openclaw"),
      ...(route.workspaceDir !== undefined && { workspaceDir: route.workspaceDir }),
      ...(purpose !== "" && { purpose }),
      ...(call.message !== undefined && { message: call.message }),
    };
  }

  /** What was said in the conversation that an outbound call goes on with: whoever placed it wanted that told. */
  async #before(account: Account, call: Call, agentId: string): Promise<string | undefined> {
    const { linkedTurns } = account.context;
    if (call.continues === undefined || call.trust === "stranger" || linkedTurns === 0) return undefined;
    const turns = await this.#parts.host.recentTurns({ agentId, sessionKey: call.continues }, linkedTurns);
    return turns.length === 0 ? undefined : ["You go on with this conversation:", ...turns.map(turnLine)].join("\n");
  }

  /** Opens sessions with each engine of the account, best first. What the model is told is put together once. */
  #openers(
    account: Account,
    told: () => Promise<string>,
    tools: () => ReturnType<typeof offered>,
  ): readonly OpenSession[] {
    const { turns, persona } = account;
    return [account.engine, ...account.fallbackEngines].map((engine) => async (history, signal) => {
      const instructions = await told();
      signal.throwIfAborted();
      return engine.open({ instructions, ...tools(), turns, language: persona.language, history }, signal);
    });
  }

  /** Has the agent itself take the caller's turns. */
  #askAgent(account: Account, journal: CallJournal): AgentBrainParts["ask"] {
    const { host } = this.#parts;
    return async ({ turnId, text }, onWords, signal) => {
      const { id: callId, agentId = account.agentId, sessionKey = "", trust } = journal.call;
      const turn = { callId, agentId, sessionKey, accountId: account.id, number: callerNumber(journal.call), trust };
      await host.ask({ ...turn, turnId, text }, onWords, signal);
    };
  }

  async #writeNote(call: Call, account: Account, asked: AskedOnCall): Promise<string | undefined> {
    if (!account.context.writeBack || call.answeredAtMs === undefined) return undefined;
    const { workspaceDir } = await this.#parts.sessions.route(refOf(call, account));
    if (workspaceDir === undefined) return undefined;
    return this.#parts.contexts.writeNote({
      call,
      workspaceDir,
      timeZone: account.timeZone,
      asked,
      ...(call.principal !== undefined && { personName: call.principal }),
    });
  }
}

// --- Internal helpers ---

/** What this caller is offered now. */
function offered(account: Account, { trust }: Call, toolbox: Toolbox) {
  return {
    tools: offeredTools(toolbox.all, trust),
    // An agent that thinks itself has servers of its own; the voice would use these behind its back.
    mcpServers: (account.brain === "agent" ? [] : account.mcpServers)
      .filter((one) => mayUse(trust, one.trust))
      .map(({ server }) => server),
  };
}

/** The sentence that the carrier says when the model cannot; none when the agent itself has said goodbye. */
function farewellFor(reason: EndReason): "nobodyThere" | "apology" | undefined {
  if (reason === "agent_ended") return undefined;
  return reason === "idle" ? "nobodyThere" : "apology";
}

function refOf(call: Call, account: Account): CallerRef {
  return callerRef(account, { number: callerNumber(call), direction: call.direction, callId: call.id });
}

const turnLine = ({ role, text }: SessionTurn) =>
  `- ${role === "agent" ? "you" : "they"} wrote: "${quoteLine(text, MAX_TURN)}"`;

const outcomeOf = (past: { readonly summary: string; readonly outcome: string } | undefined) =>
  past && { outcome: { summary: past.summary, outcome: past.outcome } };
