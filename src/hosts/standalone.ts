import { HostError } from "../core/errors.ts";
import { trustOfNumber } from "../core/trust.ts";
import { bareHost } from "./bare.ts";
import type {
  Admission,
  AdmissionPolicy,
  AnswerVerdict,
  CallerRef,
  ChannelAddress,
  ChannelAnswer,
  CompletionRequest,
  ConsultRequest,
  Host,
  HostFinding,
  Logger,
  OutgoingMessage,
  RecordResult,
  Route,
  SessionRecord,
  SessionTurn,
  TurnRequest,
} from "./host.ts";

/** An agent of one's own behind the voice: every part may be left out. */
export interface StandaloneHostOptions {
  /** Unless told, the messages of warnings and errors go to standard error, without their fields. */
  readonly logger?: Logger;
  /** Folder with MEMORY.md and memory/; without it calls know the persona alone and no notes are written. */
  readonly workspaceDir?: string;
  /** The agent's name; the account's `agentId` unless told. */
  readonly agentId?: string;
  /** Where a caller belongs; unless told by the account's scope: `voice:<accountId>:<number>` for each caller. */
  readonly route?: (caller: CallerRef) => Route | Promise<Route>;
  /** Who may ring; unless told `dmPolicy` and `allowFrom` decide, and a listed number is `known`. */
  readonly admit?: (caller: CallerRef, policy: AdmissionPolicy) => Admission | Promise<Admission>;
  /**
   * Takes the turns of a call that is over. Told each turn once while the process lives; after a restart a call may be
   * told again, so keep turns by call id and entry id. A rejection makes the call be told again later.
   */
  readonly record?: (record: SessionRecord, signal: AbortSignal) => void | Promise<void>;
  /** Answers a question that the speech model cannot; without it the model is told that it cannot ask. */
  readonly consult?: (
    request: ConsultRequest,
    signal: AbortSignal,
    onProgress: (words: string) => void,
  ) => string | Promise<string>;
  /** Sends a message to a person in another channel; without it nobody gets cards, codes and questions. */
  readonly send?: (
    address: ChannelAddress,
    message: OutgoingMessage,
    signal: AbortSignal,
  ) => MessageName | Promise<MessageName>;
  /** Whether `send` can put buttons under a message; true unless told. */
  readonly buttons?: boolean;
  /**
   * Given whom to tell what people answer to messages of `send`. Returns how to end that. Is called once for each
   * listener; the verdict says what to reply, and whether the answer was meant for the call.
   */
  readonly answers?: (listener: (answer: ChannelAnswer) => Promise<AnswerVerdict>) => () => void;
  /** Where else the person of a number is reached. */
  readonly linked?: (caller: CallerRef) => readonly ChannelAddress[] | Promise<readonly ChannelAddress[]>;
  /** What was said last in a session, oldest first. */
  readonly recentTurns?: (
    session: { readonly agentId: string; readonly sessionKey: string },
    limit: number,
  ) => readonly SessionTurn[] | Promise<readonly SessionTurn[]>;
  /** Has a text model write; without it summaries are extracts. */
  readonly complete?: (request: CompletionRequest, signal: AbortSignal) => string | Promise<string>;
  /** Has an agent take a turn of the call, for `brain: agent`: tells its words as they come, sentence by sentence. */
  readonly ask?: (request: TurnRequest, onWords: (words: string) => void, signal: AbortSignal) => void | Promise<void>;
  /** Has an agent look at a note by itself; a note with the same key is told again when it is not known to be taken. */
  readonly wake?: (
    session: { readonly agentId: string; readonly sessionKey: string },
    note: { readonly text: string; readonly key: string },
  ) => void | Promise<void>;
}

/** The name by which answers refer to a message, where there is one. */
type MessageName = { readonly messageId?: string };

/** How many calls are remembered as told; a repetition comes within minutes, not hundreds of calls later. */
const REMEMBERED_CALLS = 200;

/**
 * A host without OpenClaw: callbacks where there are agents of one's own, plain rules where there are none.
 * @example
 * const host = standaloneHost({ consult: async ({ question }) => myAgent.answer(question) });
 */
export function standaloneHost(options: StandaloneHostOptions = {}): Host {
  const logger = options.logger ?? bareLogger;
  const tell = options.record && recordOnce(options.record);
  return {
    ...bareHost,
    ...otherChannels(options, logger),
    logger,
    capabilities: {
      send: options.send !== undefined,
      buttons: options.send !== undefined && options.buttons !== false,
      answers: options.answers !== undefined,
      complete: options.complete !== undefined,
      ask: options.ask !== undefined,
      wake: options.wake !== undefined,
      recentTurns: options.recentTurns !== undefined,
    },
    async route(caller) {
      if (options.route) return ask("route", () => options.route?.(caller) as Route | Promise<Route>);
      return {
        agentId: options.agentId ?? caller.agentId,
        sessionKey: ownKey(caller),
        ...(options.workspaceDir !== undefined && { workspaceDir: options.workspaceDir }),
      };
    },
    async admit(caller, policy) {
      const { admit = byPolicy } = options;
      return ask("admit", () => admit(caller, policy));
    },
    async record(record, signal) {
      return tell ? tell(record, signal) : { how: "callback", rows: 0 };
    },
    async consult(request, signal, onProgress = () => {}) {
      const { consult } = options;
      if (!consult) throw new HostError("Nobody answers questions here. Pass `consult` to standaloneHost().");
      const answer = await ask("consult", () => untilAborted(() => consult(request, signal, onProgress), signal));
      if (answer.trim() === "") throw new HostError("The callback `consult` of standaloneHost() answered nothing.");
      return answer;
    },
    report: async () => findings(options),
  };
}

// --- Internal helpers ---

/** The verbs whose callbacks were given; the others stay what a bare host answers. */
function otherChannels(options: StandaloneHostOptions, logger: Logger): Partial<Host> {
  const { send, answers, linked, recentTurns, complete, ask: takeTurn, wake } = options;
  return {
    ...(send && {
      send: (address, message, signal) => ask("send", () => untilAborted(() => send(address, message, signal), signal)),
    }),
    ...(answers && { onAnswer: (listener) => answers(harmless(listener, logger)) }),
    ...(linked && { linked: (caller) => ask("linked", () => linked(caller)) }),
    ...(recentTurns && { recentTurns: (session, limit) => ask("recentTurns", () => recentTurns(session, limit)) }),
    ...(complete && {
      async complete(request, signal) {
        const text = await ask("complete", () => untilAborted(() => complete(request, signal), signal));
        if (text.trim() === "") throw new HostError("The callback `complete` of standaloneHost() wrote nothing.");
        return text;
      },
    }),
    ...(takeTurn && {
      ask: (request, onWords, signal) =>
        ask("ask", () =>
          untilAborted(() => takeTurn(request, (words) => signal.aborted || onWords(words), signal), signal),
        ),
    }),
    ...(wake && { wake: (session, note) => ask("wake", () => wake(session, note)) }),
  };
}

/** What a listener throws is ours to log: an embedder's chat must not fail because of it. */
function harmless(listener: (answer: ChannelAnswer) => Promise<AnswerVerdict>, logger: Logger): typeof listener {
  return async (answer) => {
    try {
      return await listener(answer);
    } catch (error) {
      logger.error("An answer from another channel could not be taken.", { channel: answer.channel, error });
      return { taken: false };
    }
  };
}

function ownKey({ accountId, number, scope, callId }: CallerRef): string {
  if (scope === "main") return `voice:${accountId}`;
  return scope === "per-call" && callId !== undefined ? `voice:${accountId}:${callId}` : `voice:${accountId}:${number}`;
}

/** Shows no fields: nothing here knows which of them may be seen. `jsonLogger` does. */
const bareLogger: Logger = {
  debug() {},
  info() {},
  warn: (message) => void process.stderr.write(`voice: warning: ${message}\n`),
  error: (message) => void process.stderr.write(`voice: error: ${message}\n`),
};

function byPolicy({ number }: CallerRef, { dmPolicy, allowFrom }: AdmissionPolicy): Admission {
  const trust = trustOfNumber(number, allowFrom);
  if (dmPolicy === "disabled") return { allowed: false, reason: "disabled", trust: "stranger" };
  if (trust === "known") return { allowed: true, reason: "allowlisted", trust };
  if (dmPolicy === "open") return { allowed: true, reason: "open", trust };
  const everybody = allowFrom.includes("*");
  return { allowed: everybody, reason: everybody ? "open" : "not_allowlisted", trust };
}

/** Calls an embedder's callback; what it throws becomes a HostError that names it. */
async function ask<T>(callback: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw new HostError(`The callback \`${callback}\` of standaloneHost() failed.`, { cause });
  }
}

async function untilAborted<T>(start: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([start(), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Hands each turn over once: a turn counts as told when the callback has taken it. */
function recordOnce(callback: NonNullable<StandaloneHostOptions["record"]>) {
  const told = new Map<string, Set<string>>();
  const running = new Map<string, Promise<RecordResult>>();

  async function tell(record: SessionRecord, signal: AbortSignal): Promise<RecordResult> {
    const before = told.get(record.callId) ?? new Set();
    const entries = record.entries.filter(({ id }) => !before.has(id));
    if (entries.length === 0) return { how: "callback", rows: 0 };
    await ask("record", () => untilAborted(() => callback({ ...record, entries }, signal), signal));
    told.delete(record.callId);
    told.set(record.callId, new Set([...before, ...entries.map(({ id }) => id)]));
    for (const oldest of told.keys()) if (told.size > REMEMBERED_CALLS) told.delete(oldest);
    return { how: "callback", rows: entries.length };
  }

  return async (record: SessionRecord, signal: AbortSignal): Promise<RecordResult> => {
    // Its outcome is its own caller's; here only the turn to go counts.
    for (let other = running.get(record.callId); other; other = running.get(record.callId)) await other.catch(() => {});
    const mine = tell(record, signal).finally(() => running.delete(record.callId));
    running.set(record.callId, mine);
    return mine;
  };
}

function findings(options: StandaloneHostOptions): HostFinding[] {
  const { consult, record, admit, route, workspaceDir, send, answers } = options;
  const found: HostFinding[] = [];
  if (!consult) {
    found.push({
      level: "warning",
      check: "consult",
      message: "The speech model cannot ask an agent: it answers from its instructions alone.",
      remedy: "Pass `consult` to standaloneHost().",
    });
  }
  if (send && !answers) {
    found.push({
      level: "warning",
      check: "answers",
      message: "Messages are sent to other channels, and what people answer does not arrive: questions stay open.",
      remedy: "Pass `answers` to standaloneHost().",
    });
  }
  if (!record) {
    found.push({
      level: "ok",
      check: "record",
      message: "Transcripts stay in the store: no `record` callback takes them.",
    });
  }
  if (!route && workspaceDir === undefined) {
    found.push({
      level: "warning",
      check: "workspace",
      message: "There is no workspace: calls know no memory files, and no notes of calls are written.",
      remedy: "Pass `workspaceDir` to standaloneHost().",
    });
  }
  if (!admit) {
    found.push({
      level: "ok",
      check: "pairing",
      message: "Nobody can pair a number without a host: `dmPolicy: pairing` is treated like `allowlist`.",
    });
  }
  return found;
}
