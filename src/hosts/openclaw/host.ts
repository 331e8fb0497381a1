import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import type { Clock } from "../../core/clock.ts";
import { bareHost } from "../bare.ts";
import type { Host } from "../host.ts";
import { admitCaller } from "./admission.ts";
import { routeCaller } from "./caller-route.ts";
import { consultAgent } from "./consult.ts";
import { hostFindings } from "./findings.ts";
import { type HostLog, hostLogger, type Showing } from "./logger.ts";
import { currentConfig } from "./raw-config.ts";
import { findAppendRows, recordCall } from "./recorder.ts";
import { watchSessions } from "./session-activity.ts";

/** The OpenClaw host, and the end of its watch over the sessions. */
export interface OpenClawHost extends Host {
  close(): void;
}

/** Opens OpenClaw as the host of calls: its agents, its sessions, its rules about who may talk. */
export async function openclawHost(
  api: OpenClawPluginApi,
  log: HostLog,
  showing: Showing,
  clock: Clock,
): Promise<OpenClawHost> {
  const { runtime } = api;
  const logger = hostLogger(log, showing);
  const appendRows = await findAppendRows();
  const activity = watchSessions((listener) => runtime.events.onAgentEvent(listener), clock);
  const enqueueNextTurn = api.session.workflow.enqueueNextTurnInjection;
  return {
    ...bareHost,
    logger,
    async route(caller) {
      const { shared: _, ...route } = routeCaller(runtime, caller);
      return route;
    },
    admit: (caller, policy) => admitCaller(runtime, caller, policy, logger),
    async record(record, signal) {
      // One session for everybody: a forged number must not be able to write into it.
      if (routeCaller(runtime, record).shared && record.trust !== "owner") return { how: "withheld", rows: 0 };
      return recordCall({ runtime, enqueueNextTurn, appendRows, activity, clock }, record, signal);
    },
    consult: (request, signal) => consultAgent(runtime, request, signal),
    report: async () => hostFindings(currentConfig(runtime), appendRows !== undefined),
    close: () => activity.stop(),
  };
}
