import { type Call, callerNumber } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { ChannelAddress, Host } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { Account } from "./account.ts";
import type { OwnerQuestions } from "./ask-owner.ts";
import type { Callbacks } from "./callbacks.ts";
import { type CallerBook, keptNumber } from "./callers.ts";
import { Consults } from "./consult.ts";
import { spokenDayOf, timeOf } from "./context/days.ts";
import type { Conversation } from "./conversation.ts";
import type { Handoffs } from "./handoff.ts";
import type { CallJournal } from "./journal.ts";
import { OwnerCheck } from "./owner-code.ts";
import { endCallTool, lookUpMemoryTool, rememberTool, takeMessageTool } from "./tools/built-in.ts";
import { callMeBackTool } from "./tools/call-me-back.ts";
import type { VoiceTool } from "./tools.ts";

/** What the tools of all calls work with. */
export interface ToolboxParts {
  readonly host: Host;
  readonly store: Store;
  readonly clock: Clock;
  readonly callers: CallerBook;
  readonly owner: OwnerQuestions;
  readonly handoffs: Handoffs;
  readonly callbacks: Callbacks;
  /** Where else the person of a call is reached. */
  readonly linked: (call: Call, account: Account) => Promise<readonly ChannelAddress[]>;
  /** Searches the agent's notes; "" for nothing. */
  readonly search: (call: Call, account: Account, query: string, signal: AbortSignal) => Promise<string>;
  /** Tools of the embedder. */
  readonly tools: readonly VoiceTool[];
  /** Aborted when the channel stops. */
  readonly stopping: AbortSignal;
}

/** One call, as its tools see it. */
export interface ToolboxCall {
  readonly account: Account;
  readonly journal: CallJournal;
  /** The talk, once it is there. */
  readonly conversation: () => Conversation;
  /** The caller was verified: what they may know and use changes now. Resolves when it has. */
  readonly onRaised: () => void | Promise<void>;
}

/** Texts that tools send are cut at what any channel takes. */
const MAX_TEXT = 3_500;

/**
 * All tools that there are on one call, whoever calls; what is offered, and what runs, is decided by trust when it is
 * asked for. An agent that thinks itself has tools of its own: the voice then only ends the call.
 */
export class Toolbox {
  readonly #tools: () => readonly VoiceTool[];

  constructor(parts: ToolboxParts, call: ToolboxCall) {
    const { account, journal } = call;
    const fixed = account.brain === "agent" ? [endTool(call)] : makeTools(parts, call);
    const check = new OwnerCheck({
      account,
      journal,
      host: parts.host,
      store: parts.store,
      clock: parts.clock,
      logger: parts.host.logger,
      collectKeys: (request) => call.conversation().collectKeys(request),
      tell: (text) => void call.conversation().instruct(text, true),
      onRaised: call.onRaised,
    });
    this.#tools = () => [...check.tools(), ...fixed];
  }

  get all(): readonly VoiceTool[] {
    return this.#tools();
  }
}

// --- Internal helpers ---

const endTool = ({ conversation }: ToolboxCall): VoiceTool => endCallTool(() => conversation().leave());

function makeTools(parts: ToolboxParts, call: ToolboxCall): readonly VoiceTool[] {
  const { account, journal } = call;
  const { clock, callers, callbacks, owner, handoffs, search } = parts;
  const note = () => ({ atMs: Math.round(clock.now()), callId: journal.call.id, verified: isOwner(journal.call) });
  const who = () => [account.id, keptNumber(journal.call)] as const;
  const asking = [owner.tool(journal, account), handoffs.tool(journal, account)].filter((tool) => tool !== undefined);
  return [
    consultTool(parts, call),
    endTool(call),
    takeMessageTool((message) => callers.takeMessage(...who(), { ...message, ...note() })),
    rememberTool((text) => callers.remember(...who(), { text, ...note() })),
    lookUpMemoryTool((query, signal) => search(journal.call, account, query, signal)),
    callMeBackTool({
      clock,
      schedule: ({ dueAtMs, why }) =>
        callbacks.schedule({
          accountId: account.id,
          to: callerNumber(journal.call),
          dueAtMs,
          purpose: `The other person asked you to ring them: "${why}"`,
          fromCallId: journal.call.id,
        }),
      say: (atMs) => `${spokenDayOf(atMs, account.timeZone)} at ${timeOf(atMs, account.timeZone)}`,
    }),
    ...asking,
    ...account.tools,
    ...parts.tools,
  ];
}

/** The tool that asks the agent. */
function consultTool(parts: ToolboxParts, { account, journal, conversation }: ToolboxCall): VoiceTool {
  const consults = new Consults({
    host: parts.host,
    clock: parts.clock,
    callId: journal.call.id,
    timeoutMs: account.consult.timeoutSeconds * 1_000,
    isOver: () => conversation().over.aborted,
    stopped: parts.stopping,
    onLate: (text) => conversation().instruct(text, true),
    sendText: async (text) => {
      const [address] = await addressesOf(parts, account, journal.call);
      if (address) await parts.host.send(address, { text: text.slice(0, MAX_TEXT) }, parts.stopping);
    },
  });
  return consults.tool(() => {
    const { agentId, sessionKey } = journal.call;
    if (agentId === undefined || sessionKey === undefined) throw new Error("There is nobody to ask on this call.");
    return { agentId, sessionKey };
  });
}

/** Where the person on a call reads, the best place first. */
async function addressesOf(
  { linked, host }: ToolboxParts,
  account: Account,
  call: Call,
): Promise<readonly ChannelAddress[]> {
  if (!host.capabilities.send || call.trust === "stranger") return [];
  const own = isOwner(call) && account.owner ? [account.owner] : [];
  return [...own, ...(await linked(call, account))];
}

const isOwner = ({ trust }: Call): boolean => trust === "owner";
