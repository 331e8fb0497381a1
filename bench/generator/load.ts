import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { ACCOUNT, type ChurnOrder, callerNumber, type LoadOrder, type RunResult } from "../messages.ts";
import { Samples } from "../statistics.ts";
import { connectWire } from "../wire/socket.ts";
import type { Exchange } from "./exchange.ts";
import { PhoneCall } from "./phone.ts";
import { TIMED } from "./tally.ts";
import { TwilioSide } from "./twilio.ts";

/** Calls begin so many milliseconds apart. */
const APART_MS = 20;
/** What is under way when nobody sends any more has arrived after the first time, and is lost after the second. */
const SETTLE_MS = { least: 200, most: 3_000 };
/** A bridge has let go of all its sessions within this time after the last call. */
const LET_GO_MS = 4_000;
/** How long the short calls of a churn last; the shortest end within the greeting. */
const SHORT_MS = { from: 300, to: 1_900 };

/** Holds many calls at once and measures them through a window. */
export async function runLoad(
  order: LoadOrder,
  exchange: Exchange,
  onWindow: (is: "open" | "closed") => void,
): Promise<RunResult> {
  const twilio = new TwilioSide(order.port);
  const calls = Array.from({ length: order.calls }, (_, index) => new PhoneCall(exchange, index));
  await Promise.all(
    calls.map(async (call) => {
      await wait(call.number * APART_MS);
      await place(call, order, exchange, twilio);
    }),
  );
  await wait(order.warmMs);
  const { tally, schedule } = exchange;
  const lag = new Samples();
  const before = { cpu: process.cpuUsage(), atMs: performance.now() };
  onWindow("open");
  tally.measuring = true;
  schedule.lag = lag;
  await wait(order.windowMs);
  tally.measuring = false;
  schedule.lag = undefined;
  onWindow("closed");
  const used = process.cpuUsage(before.cpu);
  const cpu = (used.user + used.system) / 1000 / (performance.now() - before.atMs);
  // Nobody speaks into the end: the last frames of every call have arrived before it hangs up.
  for (const call of calls) call.quiesce();
  await wait(SETTLE_MS.least);
  const arrived = () => calls.every((call) => call.session?.hasHeard(call.lastBlock) ?? true);
  for (let waited = SETTLE_MS.least; !arrived() && waited < SETTLE_MS.most; waited += 20) await wait(20);
  for (const call of calls) call.session?.finish(call.lastBlock);
  await Promise.all(calls.map((call) => end(call, order, exchange, twilio)));
  await letGo(exchange);
  twilio.close();
  return result(exchange, { cpu, lagP99Ms: lag.percentiles().p99 ?? 0 });
}

/** Holds many short calls, one after another on several lines. */
export async function runChurn(order: ChurnOrder, exchange: Exchange): Promise<RunResult> {
  const twilio = new TwilioSide(order.port);
  const before = { cpu: process.cpuUsage(), atMs: performance.now() };
  const lag = new Samples();
  exchange.schedule.lag = lag;
  exchange.tally.measuring = true;
  let begun = 0;
  const line = async () => {
    while (begun < order.calls) {
      const index = begun;
      begun += 1;
      await wait(Math.max(0, before.atMs + (index * 1_000) / order.perSecond - performance.now()));
      const call = new PhoneCall(exchange, index);
      await place(call, order, exchange, twilio);
      await wait(SHORT_MS.from + ((index * 37) % (SHORT_MS.to - SHORT_MS.from)));
      await end(call, order, exchange, twilio);
      exchange.forget(call);
    }
  };
  await Promise.all(Array.from({ length: order.concurrency }, line));
  exchange.schedule.lag = undefined;
  const used = process.cpuUsage(before.cpu);
  const cpu = (used.user + used.system) / 1000 / (performance.now() - before.atMs);
  await letGo(exchange);
  twilio.close();
  return result(exchange, { cpu, lagP99Ms: lag.percentiles().p99 ?? 0 });
}

// --- Internal helpers ---

type Where = Pick<LoadOrder, "port" | "door">;

async function place(call: PhoneCall, { door, port }: Where, exchange: Exchange, twilio: TwilioSide): Promise<void> {
  exchange.add(call);
  try {
    if (door === "webhook") {
      const { socket, parameters } = await twilio.ring(call.legId, call.number);
      call.stream(socket, ACCOUNT.sid, parameters);
    } else {
      const socket = await connectWire({ port, path: "/media" });
      call.stream(socket, ACCOUNT.sid, { from: callerNumber(call.number) });
    }
  } catch (error) {
    exchange.fault("callFailed");
    process.stderr.write(`call ${call.number}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

async function end(call: PhoneCall, { door }: Where, exchange: Exchange, twilio: TwilioSide): Promise<void> {
  const isStreaming = call.startedAtMs !== undefined;
  await call.hangUp();
  if (door !== "webhook" || !isStreaming) return;
  await twilio.completed(call.legId, call.number).catch((error: unknown) => {
    exchange.fault("callFailed");
    process.stderr.write(`call ${call.number}: ${error instanceof Error ? error.message : String(error)}\n`);
  });
}

/** Waits until the bridge has closed its sessions; one that stays is a call that never ended. */
async function letGo(exchange: Exchange): Promise<void> {
  for (let waited = 0; exchange.sessions.size > 0 && waited < LET_GO_MS; waited += 20) await wait(20);
  for (const session of [...exchange.sessions.values()]) {
    exchange.fault("callFailed");
    session.cut();
  }
}

function result({ tally }: Exchange, load: RunResult["load"]): RunResult {
  const times = Object.fromEntries(
    TIMED.map((kind) => [kind, [...tally.times[kind].sorted()]]),
  ) as unknown as RunResult["times"];
  return { load, faults: tally.faults, counts: tally.counts, times };
}
