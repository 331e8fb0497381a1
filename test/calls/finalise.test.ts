import { expect, test } from "vitest";
import { Finaliser, type FinaliserParts } from "../../src/calls/finalise.ts";
import { CallJournal } from "../../src/calls/journal.ts";
import { type LiveCall, LiveCalls } from "../../src/calls/live-calls.ts";
import type { LegState } from "../../src/carriers/carrier.ts";
import { CarrierUnreachableError, StoreError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "./clock.ts";

const ENDED: LegState = { state: "ended", reason: "caller_hangup", carrierStatus: "completed" };
const ACTIVE: LegState = { state: "active", carrierStatus: "in-progress" };

interface Carrier {
  hangUp(): Promise<void>;
  fetchState(): Promise<LegState>;
}

/** A call that is live on a carrier that does as it is told. */
async function bench(carrier: Partial<Carrier> = {}) {
  const store = memoryStore();
  await store.start();
  const clock = handClock();
  const told: string[] = [];
  let broken = false;
  const journal = new CallJournal({
    callId: "call_1",
    store: {
      ...store,
      append: (...order) => (broken ? Promise.reject(new StoreError("full")) : store.append(...order)),
    },
    clock,
    logger: silentLogger,
    signal: new AbortController().signal,
    onDurable: () => {},
  });
  await journal.write({
    type: "call.created",
    callId: "call_1",
    accountId: "default",
    direction: "inbound",
    from: "+15550005678",
    to: "+15550001234",
    transport: "media-stream",
  });
  const asked = (verb: string) => told.push(verb);
  const calls = new LiveCalls();
  const live = {
    id: "call_1",
    journal,
    legId: "CA1",
    timers: [{ stop: () => asked("timers stop") }],
    conversation: {
      lastWords: async () => void asked("last words"),
      close: () => {
        asked("conversation closes");
        return { longestSilenceMs: 1_200 };
      },
    },
    account: {
      id: "default",
      persona: { language: "en" },
      carrier: {
        hangUp: async () => {
          asked("hang up");
          await carrier.hangUp?.();
        },
        speakAndHangUp: async (_leg: string, text: string) => void asked(`say "${text}" and hang up`),
        fetchState: async (_leg: string, signal: AbortSignal) => {
          signal.throwIfAborted();
          asked("ask");
          return (await carrier.fetchState?.()) ?? ENDED;
        },
      },
    },
  } as unknown as LiveCall;
  calls.add(live);
  const parts: FinaliserParts = {
    calls,
    clock,
    logger: silentLogger,
    onEnded: () => asked("ended"),
    onMediaLost: async () => void asked("taken up again"),
  };
  const events = async () => (await store.journal("call_1")).slice(1).map(({ event }) => event);
  const settle = async (ms = 0) => {
    for (let passed = 0; passed <= ms; passed += 100) {
      for (let turn = 0; turn < 60; turn++) await undefined;
      if (passed < ms) clock.pass(100);
    }
  };
  return {
    live,
    calls,
    clock,
    told,
    journal,
    events,
    settle,
    finaliser: new Finaliser(parts),
    breakStore: (is = true) => {
      broken = is;
    },
  };
}

test("an end is written down, asked for, confirmed by the carrier, and then told", async () => {
  const { finaliser, live, told, events, calls, clock } = await bench();
  const call = await finaliser.end(live, { reason: "agent_ended" });
  expect(call).toMatchObject({ state: "ended", endReason: "agent_ended", longestSilenceMs: 1_200, legEnded: true });
  expect(told).toEqual(["hang up", "ask", "last words", "conversation closes", "timers stop", "ended"]);
  expect((await events()).map(({ type }) => type)).toEqual(["end.requested", "leg.ended", "call.ended"]);
  expect(calls.size).toBe(0);
  expect(clock.running).toBe(0);
});

test("cases 26 and 27: all endings are one: the first reason stays, and everybody gets the same call", async () => {
  const { finaliser, live, told, events } = await bench();
  const endings = [
    finaliser.end(live, { reason: "max_duration", farewell: "Goodbye." }),
    finaliser.end(live, { reason: "shutdown" }),
    finaliser.mediaEnded(live, "lost").then(() => live.ending),
  ];
  const [first, ...others] = await Promise.all(endings);
  for (const other of others) expect(other).toBe(first);
  expect(first?.endReason).toBe("max_duration");
  expect(told.filter((verb) => verb === "ended")).toHaveLength(1);
  expect(told[0]).toBe('say "Goodbye." and hang up');
  expect((await events()).filter(({ type }) => type === "call.ended")).toHaveLength(1);
});

test("a call that was taken up again ends once, whichever of the two somebody has in hand", async () => {
  const { finaliser, live, told, events, calls } = await bench();
  const next = { ...live } as LiveCall;
  calls.add(next);
  live.successor = next;
  await finaliser.mediaEnded(live, "lost");
  expect(told).toEqual([]);
  const [first, second] = await Promise.all([
    finaliser.end(live, { reason: "callee_hangup" }),
    finaliser.end(next, { reason: "lost" }),
  ]);
  expect(second).toBe(first);
  expect(live.ending).toBeUndefined();
  expect(told.filter((verb) => verb === "ended")).toHaveLength(1);
  expect((await events()).flatMap((event) => (event.type === "call.ended" ? event.reason : []))).toEqual([
    "callee_hangup",
  ]);
});

test("a leg that the carrier has ended already is not hung up again", async () => {
  const { finaliser, live, told, journal } = await bench();
  await journal.write({ type: "leg.ended", reason: "caller_hangup", carrierStatus: "completed" });
  await finaliser.end(live, { reason: "caller_hangup" });
  expect(told).not.toContain("hang up");
  expect(told).not.toContain("ask");
});

test("the carrier's own message confirms as well as an answer, and ends the asking", async () => {
  const { finaliser, live, told, settle, clock } = await bench({ fetchState: async () => ACTIVE });
  const ending = finaliser.end(live, { reason: "agent_ended" });
  await settle(1_000);
  expect(told.filter((verb) => verb === "ask").length).toBeGreaterThan(1);
  live.onLegEnded?.();
  const asked = told.filter((verb) => verb === "ask").length;
  expect((await ending).endReason).toBe("agent_ended");
  await settle(5_000);
  expect(told.filter((verb) => verb === "ask")).toHaveLength(asked);
  expect(clock.running).toBe(0);
});

test("a carrier that never confirms has 15 s; then the call is closed with a fault that says so", async () => {
  const { finaliser, live, settle, clock, events, calls } = await bench({ fetchState: async () => ACTIVE });
  const ending = finaliser.end(live, { reason: "agent_ended" });
  await settle(14_000);
  expect(calls.size).toBe(1);
  await settle(1_500);
  expect((await ending).state).toBe("ended");
  expect(await events()).toContainEqual(expect.objectContaining({ type: "fault.noted", code: "leg_unconfirmed" }));
  expect(clock.running).toBe(0);
});

test("a carrier that cannot be reached is a fault, and no reason to keep the call", async () => {
  const down = async () => {
    throw new CarrierUnreachableError("No answer.");
  };
  const { finaliser, live, settle, events } = await bench({ hangUp: down, fetchState: down });
  const ending = finaliser.end(live, { reason: "agent_ended", confirmWithinMs: 800 });
  await settle(1_000);
  expect((await ending).state).toBe("ended");
  const faults = (await events()).flatMap((event) => (event.type === "fault.noted" ? [event.code] : []));
  expect(faults).toEqual(["carrier_unreachable", "leg_unconfirmed"]);
});

test("a disk that is full keeps nobody on the line, and the end is written once it is not", async () => {
  const { finaliser, live, told, journal, settle, breakStore, events } = await bench();
  breakStore();
  const ending = finaliser.end(live, { reason: "caller_hangup" });
  await settle();
  expect(told).toContain("hang up");
  await ending;
  expect(told.at(-1)).toBe("ended");
  breakStore(false);
  await settle(600);
  expect(journal.call.state).toBe("ended");
  expect((await events()).filter(({ type }) => type === "call.ended")).toHaveLength(1);
});

test("when the media ended by itself the carrier's reason is the call's, without a hang-up of ours", async () => {
  const { finaliser, live, told, events, journal } = await bench();
  await finaliser.mediaEnded(live, "stopped");
  expect(journal.call.endReason).toBe("caller_hangup");
  expect(told).not.toContain("hang up");
  expect((await events()).map(({ type }) => type)).toEqual([
    "media.stopped",
    "leg.ended",
    "end.requested",
    "call.ended",
  ]);
});

test("when the media was lost and the leg lives on, the call is taken up again, once", async () => {
  const { finaliser, live, told, settle, clock } = await bench({ fetchState: async () => ACTIVE });
  const settled = Promise.all([finaliser.mediaEnded(live, "lost"), finaliser.mediaEnded(live, "lost")]);
  await settle(3_000);
  await settled;
  expect(told.filter((verb) => verb === "taken up again")).toHaveLength(1);
  expect(told).not.toContain("hang up");
  expect(live.ending).toBeUndefined();
  expect(clock.running).toBe(0);
});

test("a call that is ended while the carrier is asked about its media is not taken up again", async () => {
  const { finaliser, live, told, settle } = await bench({ fetchState: async () => ACTIVE });
  const settled = finaliser.mediaEnded(live, "lost");
  await settle(100);
  const ending = finaliser.end(live, { reason: "agent_ended", confirmWithinMs: 500 });
  await settle(3_000);
  await settled;
  expect((await ending).endReason).toBe("agent_ended");
  expect(told).not.toContain("taken up again");
});

test("a stop of the process waits for no last words", async () => {
  const { finaliser, live, told } = await bench();
  await finaliser.end(live, { reason: "shutdown" });
  expect(told).not.toContain("last words");
});

test("a call that never had a leg ends without asking a carrier", async () => {
  const { finaliser, live, told } = await bench();
  live.legId = undefined;
  expect((await finaliser.end(live, { reason: "cancelled" })).endReason).toBe("cancelled");
  expect(told).toEqual(["last words", "conversation closes", "timers stop", "ended"]);
});
