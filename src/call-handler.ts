import type { Account } from "./calls/account.ts";
import { consultTool } from "./calls/consult.ts";
import { Conversation } from "./calls/conversation.ts";
import type { Emit } from "./calls/conversation-parts.ts";
import type { OpenSession } from "./calls/engine-line-opening.ts";
import type { Finaliser } from "./calls/finalise.ts";
import type { CallJournal } from "./calls/journal.ts";
import type { LiveCall } from "./calls/live-calls.ts";
import { PHRASES } from "./calls/phrases.ts";
import { finishAfterwards } from "./calls/post-call.ts";
import type { Ticker } from "./calls/ticker.ts";
import type { VoiceTool } from "./calls/tools.ts";
import type { VoiceContextManager } from "./context-manager.ts";
import { type Call, callerNumber, summarise } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { EndReason } from "./core/events.ts";
import type { CallerRef, Host } from "./hosts/host.ts";
import type { VoiceSessionManager } from "./session-manager.ts";

/** What the handler works with. */
export interface CallHandlerParts {
  readonly host: Host;
  readonly sessions: VoiceSessionManager;
  readonly contexts: VoiceContextManager;
  readonly finaliser: Finaliser;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly emit: Emit;
  /** Tools of the embedder, offered on every call of a caller who is known. */
  readonly tools: readonly VoiceTool[];
}

/** How many earlier calls with the same person the model is told of. */
const HISTORY = 3;

/** Opens the speech model for a call, and routes what was said back to the person's session when the call is over. */
export class VoiceCallHandler {
  readonly #parts: CallHandlerParts;

  constructor(parts: CallHandlerParts) {
    this.#parts = parts;
  }

  /** The talk of a call. It opens nothing before its `prepare`. */
  converse(account: Account, journal: CallJournal, live: () => LiveCall): Conversation {
    const { clock, ticker, emit, host, finaliser } = this.#parts;
    return new Conversation({
      account,
      journal,
      clock,
      ticker,
      emit,
      logger: host.logger,
      tools: () => this.#tools(journal.call),
      openers: this.#openers(account, () => journal.call),
      onMediaClosed: (how) => void finaliser.mediaEnded(live(), how),
      onLeave: ({ reason, said, error }) => {
        if (error) emit("error", error, summarise(journal.call, clock.now()));
        void finaliser.end(live(), { reason, ...(!said && { farewell: PHRASES[farewellFor(reason)] }) });
      },
    });
  }

  /** Routes a finished call's turns into the person's session and its note into the daily file. Resumable. */
  async afterwards(journal: CallJournal, account: Account, signal: AbortSignal): Promise<void> {
    const { host, clock } = this.#parts;
    await finishAfterwards(journal, { host, clock, signal, writeNote: (call) => this.#writeNote(call, account) });
  }

  /** What the model is told before the call. */
  async #instructions(account: Account, call: Call): Promise<string> {
    const { sessions, contexts, host } = this.#parts;
    const number = callerNumber(call);
    const [route, history] = await Promise.all([
      host.route(refOf(call, account)),
      sessions.history(account.id, number, HISTORY),
    ]);
    const context = await contexts.build({
      persona: account.persona,
      budgetTokens: account.context.budgetTokens,
      dailyFiles: account.context.dailyFiles,
      timeZone: account.timeZone,
      direction: call.direction,
      trust: call.trust,
      callerNumber: number,
      history,
      hasConsult: this.#tools(call).some(({ name }) => name === "ask_openclaw"),
      ...(route.workspaceDir !== undefined && { workspaceDir: route.workspaceDir }),
      ...(call.purpose !== undefined && { purpose: call.purpose }),
      ...(call.message !== undefined && { message: call.message }),
    });
    host.logger.debug("The context of a call is built.", {
      callId: call.id,
      tokens: context.tokens,
      used: context.used,
    });
    return context.instructions;
  }

  /** Opens sessions with each engine of the account, best first. What the model is told is put together once. */
  #openers(account: Account, call: () => Call): readonly OpenSession[] {
    const { turns, persona } = account;
    let building: Promise<string> | undefined;
    const instructions = () => {
      building ??= this.#instructions(account, call()).catch((error: unknown) => {
        building = undefined; // tried again with the next session
        throw error;
      });
      return building;
    };
    return [account.engine, ...account.fallbackEngines].map((engine) => async (history, signal) => {
      const told = await instructions();
      signal.throwIfAborted();
      const tools = this.#tools(call());
      return engine.open({ instructions: told, tools, turns, language: persona.language, history }, signal);
    });
  }

  /** Nobody who is a stranger gets a tool: what it does or tells is the owner's. */
  #tools(call: Call): readonly VoiceTool[] {
    const { agentId, sessionKey } = call;
    if (call.trust === "stranger" || agentId === undefined || sessionKey === undefined) return [];
    return [consultTool(this.#parts.host, { agentId, sessionKey }), ...this.#parts.tools];
  }

  async #writeNote(call: Call, account: Account): Promise<string | undefined> {
    if (!account.context.writeBack || call.answeredAtMs === undefined) return undefined;
    const { workspaceDir, principal } = await this.#parts.host.route(refOf(call, account));
    if (workspaceDir === undefined) return undefined;
    return this.#parts.contexts.writeNote({
      call,
      workspaceDir,
      timeZone: account.timeZone,
      ...(principal !== undefined && { personName: principal }),
    });
  }
}

// --- Internal helpers ---

const farewellFor = (reason: EndReason) => (reason === "idle" ? "nobodyThere" : "apology");

function refOf(call: Call, account: Account): CallerRef {
  return { accountId: call.accountId, agentId: account.agentId, number: callerNumber(call), direction: call.direction };
}
