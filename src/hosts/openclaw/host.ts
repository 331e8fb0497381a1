import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import type { Clock } from "../../core/clock.ts";
import type { AnswerVerdict, ChannelAnswer, Host } from "../host.ts";
import { admitCaller } from "./admission.ts";
import { answerListeners } from "./answer-listeners.ts";
import { agentAsker, sessionOfTurn } from "./ask.ts";
import { isSharedSession, routeCaller } from "./caller-route.ts";
import { completeText } from "./complete.ts";
import { consultAgent } from "./consult.ts";
import { hostFindings } from "./findings.ts";
import { linkedAddresses, principalsOf } from "./linked.ts";
import { type HostLog, hostLogger, type Showing } from "./logger.ts";
import { currentConfig } from "./raw-config.ts";
import { recentTurns } from "./recent-turns.ts";
import { findAppendRows, recordCall } from "./recorder.ts";
import { sendMessage } from "./send.ts";
import { watchSessions } from "./session-activity.ts";
import { wakeAgent } from "./wake.ts";
import { warmAgent } from "./warm-up.ts";

/** The OpenClaw host, and the end of its watch over the sessions. */
export interface OpenClawHost extends Host {
  /** Tells whoever listens what somebody did in another channel; `undefined` when that failed. */
  answered(answer: ChannelAnswer): Promise<AnswerVerdict | undefined>;
  /** A turn of the agent is about to begin in a session. */
  turnComes(sessionKey: string): void;
  close(): void;
}

/** How many calls are remembered as talked with by the agent itself, until they are recorded. */
const REMEMBERED_CALLS = 200;

/**
 * Opens OpenClaw as the host of calls: its agents, its sessions, its rules about who may talk, its other channels.
 * `ready` resolves once the gateway has started: what is only to be warmed up waits for it.
 */
export async function openclawHost(
  api: OpenClawPluginApi,
  log: HostLog,
  showing: Showing,
  clock: Clock,
  ready: Promise<void>,
): Promise<OpenClawHost> {
  const { runtime } = api;
  const logger = hostLogger(log, showing);
  const appendRows = await findAppendRows();
  const activity = watchSessions((listener) => runtime.events.onAgentEvent(listener), clock);
  const enqueueNextTurn = api.session.workflow.enqueueNextTurnInjection;
  const listeners = answerListeners(logger);
  const ask = agentAsker({ runtime, logger, clock, activity });
  /** Calls whose turns stand in a session already, because they were taken in it. */
  const taken = new Map<string, string>();
  const closed = Promise.withResolvers<"closed">();
  return {
    logger,
    capabilities: {
      send: true,
      buttons: true,
      answers: true,
      complete: true,
      ask: true,
      wake: true,
      recentTurns: true,
    },
    route: async (caller) => routeCaller(runtime, caller),
    admit: (caller, policy) => admitCaller(runtime, caller, policy, logger),
    async record(record, signal) {
      // One session for everybody: a forged number must not be able to write into it.
      if (isSharedSession(runtime, record) && record.trust !== "owner") return { how: "withheld", rows: 0 };
      if (taken.get(record.callId) === record.sessionKey) return { how: "rows", rows: 0 };
      return recordCall({ runtime, enqueueNextTurn, appendRows, activity, clock }, record, signal);
    },
    consult: (request, signal, onProgress) => consultAgent(runtime, request, signal, onProgress),
    async warmUp() {
      if ((await Promise.race([ready, closed.promise])) !== "closed") await warmAgent(runtime, logger);
    },
    send: (address, message, signal) => sendMessage(currentConfig(runtime), address, message, signal),
    onAnswer: (listener) => listeners.add(listener),
    answered: (answer) => listeners.tell(answer),
    turnComes: (sessionKey) => activity.comes(sessionKey),
    linked: async ({ number }) => linkedAddresses(currentConfig(runtime).session?.identityLinks, number),
    principals: async () => principalsOf(currentConfig(runtime).session?.identityLinks),
    recentTurns: (session, limit) => recentTurns(session, limit, logger),
    complete: (request, signal) => completeText(runtime, request, signal),
    async ask(request, onWords, signal) {
      await ask(request, onWords, signal);
      taken.set(request.callId, sessionOfTurn(runtime, request));
      for (const oldest of taken.keys()) if (taken.size > REMEMBERED_CALLS) taken.delete(oldest);
    },
    wake: (session, note) => wakeAgent(runtime, session, note),
    report: async () => hostFindings(currentConfig(runtime), appendRows !== undefined),
    close() {
      activity.stop();
      closed.resolve("closed");
    },
  };
}
