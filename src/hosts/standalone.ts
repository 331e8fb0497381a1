import { HostError } from "../core/errors.ts";
import { trustOfNumber } from "../core/trust.ts";
import { bareHost } from "./bare.ts";
import type {
  Admission,
  AdmissionPolicy,
  CallerRef,
  ConsultRequest,
  Host,
  HostFinding,
  Logger,
  RecordResult,
  Route,
  SessionRecord,
} from "./host.ts";

/** An agent of one's own behind the voice: every part may be left out. */
export interface StandaloneHostOptions {
  /** Unless told, the messages of warnings and errors go to standard error, without their fields. */
  readonly logger?: Logger;
  /** Folder with MEMORY.md and memory/; without it calls know the persona alone and no notes are written. */
  readonly workspaceDir?: string;
  /** The agent's name; the account's `agentId` unless told. */
  readonly agentId?: string;
  /** Where a caller belongs; unless told a session of its own for each number: `voice:<accountId>:<number>`. */
  readonly route?: (caller: CallerRef) => Route | Promise<Route>;
  /** Who may ring; unless told `dmPolicy` and `allowFrom` decide, and a listed number is `known`. */
  readonly admit?: (caller: CallerRef, policy: AdmissionPolicy) => Admission | Promise<Admission>;
  /**
   * Takes the turns of a call that is over. Told each turn once while the process lives; after a restart a call may be
   * told again, so keep turns by call id and entry id. A rejection makes the call be told again later.
   */
  readonly record?: (record: SessionRecord, signal: AbortSignal) => void | Promise<void>;
  /** Answers a question that the speech model cannot; without it the model is told that it cannot ask. */
  readonly consult?: (request: ConsultRequest, signal: AbortSignal) => string | Promise<string>;
}

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
    logger,
    async route(caller) {
      if (options.route) return ask("route", () => options.route?.(caller) as Route | Promise<Route>);
      return {
        agentId: options.agentId ?? caller.agentId,
        sessionKey: `voice:${caller.accountId}:${caller.number}`,
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
    async consult(request, signal) {
      const { consult } = options;
      if (!consult) throw new HostError("Nobody answers questions here. Pass `consult` to standaloneHost().");
      const answer = await ask("consult", () => untilAborted(() => consult(request, signal), signal));
      if (answer.trim() === "") throw new HostError("The callback `consult` of standaloneHost() answered nothing.");
      return answer;
    },
    report: async () => findings(options),
  };
}

// --- Internal helpers ---

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
  const { consult, record, admit, route, workspaceDir } = options;
  const found: HostFinding[] = [];
  if (!consult) {
    found.push({
      level: "warning",
      check: "consult",
      message: "The speech model cannot ask an agent: it answers from its instructions alone.",
      remedy: "Pass `consult` to standaloneHost().",
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
