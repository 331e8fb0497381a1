import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { cpus } from "node:os";
import { setTimeout } from "node:timers/promises";
import { BRIDGE_CORE } from "../cores.ts";
import type { BridgeOrder, Door, FromBridge, ToBridge, Usage } from "../messages.ts";

/** A bridge that takes calls. */
export interface RunningBridge {
  readonly port: number;
  readonly door: Door;
  /** How many listeners it holds on things that outlive a call. */
  listeners?(): number;
  stop(): Promise<void>;
}

/** Makes this process the bridge's own: it is started, asked and stopped over its parent's channel. */
export function serveBridge(start: (order: BridgeOrder) => Promise<RunningBridge>): void {
  let bridge: RunningBridge | undefined;
  const tell = (message: FromBridge) => void process.send?.(message);
  process.on("message", (order: ToBridge) => {
    if (order.type === "start") {
      void start(order).then((running) => {
        bridge = running;
        tell({ type: "ready", port: running.port, door: running.door });
      });
    } else if (order.type === "usage") {
      void (order.collect ? collect() : Promise.resolve()).then(() => tell({ type: "usage", usage: usage(bridge) }));
    } else {
      void bridge?.stop().then(() => process.exit(0));
    }
  });
  // Without its parent nobody would ever stop it.
  process.on("disconnect", () => process.exit(1));
}

/** A bridge on loopback whose phones connect straight to `server`. */
export async function listening(server: Server): Promise<RunningBridge> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    door: "socket",
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

// --- Internal helpers ---

/** Collects garbage. Buffers of the first round are given back, and no longer counted, with the second. */
async function collect(): Promise<void> {
  globalThis.gc?.();
  await setTimeout(200);
  globalThis.gc?.();
}

function usage(bridge: RunningBridge | undefined): Usage {
  const { user, system } = process.cpuUsage();
  const { heapUsed, external } = process.memoryUsage();
  const handles: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) handles[name] = (handles[name] ?? 0) + 1;
  const own = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    cpuMicros: user + system,
    atMs: performance.now(),
    coreBusyMs: coreBusyMs(),
    rssBytes: process.memoryUsage.rss(),
    heapBytes: heapUsed + external,
    handles,
    listeners: own + (bridge?.listeners?.() ?? 0),
  };
}

function coreBusyMs(): number {
  const { user = 0, nice = 0, sys = 0, irq = 0 } = cpus()[BRIDGE_CORE]?.times ?? {};
  return user + nice + sys + irq;
}
