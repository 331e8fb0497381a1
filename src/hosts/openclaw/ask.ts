import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { createChannelPairingController } from "openclaw/plugin-sdk/channel-pairing";
import type { Clock } from "../../core/clock.ts";
import { HostError } from "../../core/errors.ts";
import type { Logger, TurnRequest } from "../host.ts";
import { resolveAccount } from "./accounts.ts";
import { callerIdentity } from "./admission.ts";
import { callSessionKey, isSharedSession } from "./caller-route.ts";
import { CHANNEL } from "./channel-id.ts";
import { currentConfig } from "./raw-config.ts";
import { readSentences } from "./sentences.ts";
import type { SessionActivity } from "./session-activity.ts";
import { kindOfReply } from "./spoken.ts";

/** What asking works with. */
export interface AskParts {
  readonly runtime: PluginRuntime;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly activity: Pick<SessionActivity, "idle">;
}

/** Has the agent take a turn; see `Host.ask`. */
export type AskAgent = (request: TurnRequest, onWords: (words: string) => void, signal: AbortSignal) => Promise<void>;

/** So long the run of a turn that was given up may take to end. */
const LONGEST_END_MS = 3_000;

const MANNER =
  "This is a live phone call: your reply is read out to the caller. Answer in one to three short sentences of plain " +
  "spoken words, without Markdown, links, lists or emoji.";

/**
 * Has the agent take a caller's turns as messages of its own channel, through the whole of the host's inbound
 * pipeline. Turns of one session follow each other: the host would else feed a second one into the first.
 */
export function agentAsker(parts: AskParts): AskAgent {
  const running = new Map<string, Promise<void>>();
  return async (request, onWords, signal) => {
    const sessionKey = sessionOfTurn(parts.runtime, request);
    for (let before = running.get(sessionKey); before; before = running.get(sessionKey)) await before;
    signal.throwIfAborted();
    const turn = takeTurn(parts, { ...request, sessionKey }, onWords, signal);
    const over = turn
      .catch(() => ended(parts, sessionKey)) // its own caller is told
      .then(() => void running.delete(sessionKey));
    running.set(sessionKey, over);
    await turn;
  };
}

/**
 * The session in which a turn is taken. Only a verified owner talks in the person's own: what was said in it in other
 * channels is there to be told, and a number can be forged. Everybody else talks in a session of the call's own.
 */
export function sessionOfTurn(
  runtime: PluginRuntime,
  request: Pick<TurnRequest, "agentId" | "accountId" | "callId" | "sessionKey" | "trust">,
): string {
  return request.trust === "owner" ? request.sessionKey : callSessionKey(runtime, request);
}

// --- Internal helpers ---

/**
 * A turn that is given up is over for its caller before its run has ended, or even begun, and the host would feed the
 * next one into a run that ends. It has a moment for that.
 */
async function ended({ activity, clock }: AskParts, sessionKey: string): Promise<void> {
  const enough = new AbortController();
  const timer = clock.after(LONGEST_END_MS, () => enough.abort());
  await activity.idle(sessionKey, enough.signal).catch(() => undefined); // it took too long: the host must cope
  timer.stop();
}

async function takeTurn(
  parts: AskParts,
  request: TurnRequest,
  onWords: (words: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, logger } = parts;
  const { accountId, agentId, sessionKey, callId } = request;
  let spoken = false;
  let failed = false;
  const reader = readSentences((words) => {
    if (signal.aborted || failed) return;
    spoken = true;
    onWords(words);
  });
  const queued = Promise.withResolvers<void>();
  try {
    const { message, dmScope } = await inbound(parts, request);
    const result = await runtime.channel.inbound.dispatch({
      cfg: currentConfig(runtime),
      channel: CHANNEL,
      accountId,
      route: { agentId, dmScope, sessionKey },
      ctxPayload: message,
      delivery: {
        deliver: async (payload, { kind }) => {
          const what = kindOfReply(payload);
          if (what === "failure") failed = true;
          if (what === "words" && kind !== "tool") reader.whole(payload.text ?? "");
          return { visibleReplySent: what === "words", messageIds: [request.turnId] };
        },
        onError: (error) => logger.warn("The agent's reply could not be handed on.", { callId, error }),
      },
      record: { onRecordError: (error) => logger.warn("The turn could not be recorded.", { callId, error }) },
      replyOptions: {
        abortSignal: signal,
        disableBlockStreaming: true, // its blocks are paragraphs; sentences come from what is being written
        onPartialReply: ({ text }) => {
          if (text !== undefined) reader.growing(text);
          return false; // heard or not, the host delivers the whole in the end
        },
        onAssistantMessageStart: () => {
          reader.next();
          return false;
        },
        onAgentRunTerminalOutcome: (outcome) => {
          if (outcome === "failed") failed = true;
        },
        onQueuedFollowupSettled: () => queued.resolve(),
        ...(request.trust !== "owner" && { disableTools: true, toolsAllow: [], bootstrapContextMode: "lightweight" }),
      },
    });
    if (result.dispatched && result.dispatchResult.deferredToActiveRun === "followup") {
      await untilAborted(queued.promise, signal);
    }
  } catch (cause) {
    if (signal.aborted || cause instanceof HostError) throw cause;
    throw new HostError("The agent could not take the turn.", { cause });
  }
  signal.throwIfAborted();
  if (failed) throw new HostError("The agent failed to answer.");
  if (!spoken) throw new HostError("The agent answered nothing.");
}

/** The turn as the host's inbound pipeline takes it. */
async function inbound({ runtime, clock }: AskParts, request: TurnRequest) {
  const { accountId, agentId, sessionKey, number, turnId } = request;
  const cfg = currentConfig(runtime);
  const account = resolveAccount(cfg, accountId);
  const pairing = createChannelPairingController({ core: runtime, channel: CHANNEL, accountId });
  const dmScope = isSharedSession(runtime, { agentId, sessionKey }) ? ("main" as const) : ("per-peer" as const);
  const channelIngress = await runtime.channel.inbound.ingress.resolve({
    channelId: CHANNEL,
    accountId,
    identity: callerIdentity,
    subject: { stableId: number },
    conversation: { kind: "direct", id: number },
    contextBinding: { agentId, sessionKey, messageId: turnId, inboundEventKind: "user_request" },
    event: { kind: "message", authMode: "inbound", mayPair: false },
    policy: { dmPolicy: "allowlist", groupPolicy: "disabled", minIdentifierAuthentication: "unverified" },
    // Who may talk was decided when the call began, and whom the agent rang itself stands on no list.
    allowFrom: [...account.allowFrom, number],
    groupAllowFrom: [],
    ...(cfg.accessGroups && { accessGroups: cfg.accessGroups }),
    readStoreAllowFrom: pairing.readAllowFromStore,
  });
  if (!channelIngress.senderAccess.allowed) {
    throw new HostError(`The host does not let the caller talk: ${channelIngress.senderAccess.reasonCode}.`);
  }
  const text = unlikeCommand(request.text);
  const message = runtime.channel.inbound.buildContext({
    channelIngress,
    channel: CHANNEL,
    accountId,
    messageId: turnId,
    timestamp: Math.round(clock.now()),
    from: `${CHANNEL}:${number}`,
    sender: { id: number, name: number },
    conversation: { kind: "direct", id: number, label: number },
    route: { agentId, dmScope, accountId, routeSessionKey: sessionKey },
    reply: { to: `${CHANNEL}:${number}` },
    message: { body: text, bodyForAgent: text, rawBody: text, commandBody: text },
    extra: { GroupSystemPrompt: MANNER },
  });
  return { message, dmScope };
}

/**
 * Words that are spoken are never a command of the host's: neither "/new" as somebody spelled it, nor the bare
 * "Stop." by which a chat would abort the agent.
 */
function unlikeCommand(text: string): string {
  const words = text.replace(/^[\s/!#]+/, "");
  return /^[^\s]+(?:\s+[^\s]+){0,4}$/.test(words.trim()) && STOPS.test(words)
    ? `The caller says: "${words.trim()}"`
    : words;
}

/** The first words of the host's ways to abort a run, in the languages that it knows them. */
const STOPS =
  /^\s*(?:stop|stopp|esc|abort|exit|interrupt|halt|pare|anhalten|aufhören|hoer auf|det[eé]n|arr[eê]te|detente|please stop|do not do that|openclaw stop|停|暂停|やめて|止めて|रुको|توقف|стоп|останов|прекрати)/iu;

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
