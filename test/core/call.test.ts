import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apply, type Call, callCostUsd, callerNumber, newCall, summarise } from "../../src/core/call.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { callEvents, journals } from "../../src/testing/journals.ts";

const replay = (events: readonly CallEvent[]): Call => events.reduce(apply, newCall());
const created = (direction: "inbound" | "outbound"): CallEvent => ({
  type: "call.created",
  atMs: 1_000,
  callId: "call_a",
  accountId: "default",
  direction,
  from: "+15550001111",
  to: "+15550002222",
  transport: "media-stream",
});
const ended = (atMs: number): CallEvent => ({ type: "call.ended", atMs, reason: "caller_hangup", longestSilenceMs: 7 });
const freeze = <T>(value: T): T => {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
};

describe("apply, whatever the journal", () => {
  test("a call that has ended stays ended, whatever arrives later; only the work after it is noted", () => {
    fc.assert(
      fc.property(journals(), fc.array(callEvents(), { maxLength: 20 }), (life, late) => {
        const over = replay([...life, ended(9_000)]);
        const after = late.reduce(apply, over);
        const { recorded, noted, legEnded, afterwards, outcome, removed, recordings, ...facts } = after;
        expect(facts).toEqual(withoutWork(over));
        const came = (type: CallEvent["type"]): boolean => late.some((event) => event.type === type);
        expect(recorded).toBe(over.recorded || came("session.recorded"));
        expect(noted).toBe(over.noted || came("memory.written"));
        expect(outcome !== undefined).toBe(over.outcome !== undefined || came("outcome.found"));
        const steps = late.flatMap((event) => (event.type === "afterwards.done" ? event.step : []));
        expect(afterwards).toEqual([...new Set([...over.afterwards, ...steps])]);
        expect(legEnded).toBe(over.legEnded || came("leg.ended"));
        const gone = late.flatMap((event) => (event.type === "data.removed" ? event.what : []));
        expect(removed).toEqual([...new Set([...over.removed, ...gone])]);
        // A recording is finished, stored and deleted after the call, but none begins.
        expect(recordings.map(({ id }) => id)).toEqual(over.recordings.map(({ id }) => id));
      }),
    );
  });

  test("every event is taken in every state, also before the call was created", () => {
    const states = new Set<string>();
    fc.assert(
      fc.property(fc.array(callEvents(), { maxLength: 30 }), (events) => {
        const call = replay(events);
        states.add(call.state);
        expect(["queued", "dialing", "ringing", "active", "held", "ended"]).toContain(call.state);
        expect(Object.keys(call)).toEqual(expect.arrayContaining(Object.keys(newCall())));
      }),
    );
    expect([...states].sort()).toEqual(["active", "dialing", "ended", "queued", "ringing"]);
  });

  test("replay gives the same call each time, byte for byte, and also from the journal's JSON", () => {
    fc.assert(
      fc.property(journals(), (events) => {
        const call = JSON.stringify(replay(events));
        expect(JSON.stringify(replay(events))).toBe(call);
        expect(JSON.stringify(replay(JSON.parse(JSON.stringify(events)) as CallEvent[]))).toBe(call);
      }),
    );
  });

  test("folding changes neither the call it is given nor the event", () => {
    fc.assert(
      fc.property(journals(), (events) => void freeze(events).reduce((call, e) => freeze(apply(call, e)), newCall())),
    );
  });

  test("a journal says whatever it says through one path: folding in two parts is folding at once", () => {
    fc.assert(
      fc.property(journals(), fc.nat(40), (events, cut) => {
        const half: Call = JSON.parse(JSON.stringify(replay(events.slice(0, cut))));
        expect(events.slice(cut).reduce(apply, half)).toEqual(replay(events));
      }),
    );
  });
});

describe("a call's life", () => {
  test("an inbound call rings, is answered once, and ends with its first reason asked for kept", () => {
    const ringing = replay([created("inbound")]);
    expect(ringing).toMatchObject({ id: "call_a", state: "ringing", createdAtMs: 1_000, trust: "stranger" });
    const active = [
      { type: "leg.answered", atMs: 2_000 },
      { type: "leg.answered", atMs: 3_000 },
    ].reduce((call, event) => apply(call, event as CallEvent), ringing);
    expect(active).toMatchObject({ state: "active", answeredAtMs: 2_000 });
    const over = replay([
      created("inbound"),
      { type: "end.requested", atMs: 4_000, reason: "idle" },
      { type: "end.requested", atMs: 5_000, reason: "shutdown" },
      { type: "call.ended", atMs: 6_000, reason: "idle", longestSilenceMs: 12.5 },
    ]);
    expect(over).toMatchObject({ state: "ended", endRequested: "idle", endReason: "idle", endedAtMs: 6_000 });
    expect(over.longestSilenceMs).toBe(12.5);
  });

  test("an outbound call is queued, dials, rings; late and repeated callbacks never take it back", () => {
    const events: CallEvent[] = [
      created("outbound"),
      { type: "leg.dialling", atMs: 1_100 },
      { type: "leg.accepted", atMs: 1_200, legId: "CA1" },
      { type: "leg.ringing", atMs: 1_300 },
      { type: "leg.dialling", atMs: 1_400 },
      { type: "leg.answered", atMs: 1_500 },
      { type: "leg.ringing", atMs: 1_600 },
    ];
    const states = events.map((_, index) => replay(events.slice(0, index + 1)).state);
    expect(states).toEqual(["queued", "dialing", "dialing", "ringing", "ringing", "active", "active"]);
    expect(replay(events).legId).toBe("CA1");
  });

  test("the end of a leg is not the end of the call: that has its own event", () => {
    const call = replay([
      created("inbound"),
      { type: "leg.ended", atMs: 2_000, reason: "busy", carrierStatus: "busy" },
    ]);
    expect(call).toMatchObject({ legEnded: true, state: "ringing" });
    expect(call.endReason).toBeUndefined();
  });

  test("the caller is the other person, whoever dialled", () => {
    expect(callerNumber(replay([created("inbound")]))).toBe("+15550001111");
    expect(callerNumber(replay([created("outbound")]))).toBe("+15550002222");
  });
});

describe("what others are shown of a call", () => {
  test("the summary counts what the journal holds, and has no key without a value", () => {
    fc.assert(
      fc.property(journals(), (events) => {
        const call = replay(events);
        const summary = summarise(call, 1_760_000_010_000);
        expect(Object.values(summary)).not.toContain(undefined);
        const end = events.findIndex(({ type }) => type === "call.ended");
        const life = end < 0 ? events : events.slice(0, end);
        const count = (type: CallEvent["type"]): number => life.filter((event) => event.type === type).length;
        expect([summary.toolCalls, summary.bargeIns]).toEqual([count("tool.called"), count("playout.cut")]);
        expect(summary.turns).toBe(
          new Set(life.flatMap((e) => (e.type === "transcript.added" ? [e.entry.id] : []))).size,
        );
      }),
    );
  });

  test("a running call costs more with time, an ended one does not, an unanswered one costs nothing", () => {
    const answered: CallEvent[] = [created("inbound"), { type: "leg.answered", atMs: 10_000 }];
    const cost = (events: CallEvent[], nowMs: number): number => callCostUsd(replay(events), nowMs) ?? Number.NaN;
    expect(cost(answered, 10_001)).toBeCloseTo(0.0125, 10);
    expect(cost(answered, 130_001)).toBeCloseTo(0.0375, 10);
    expect(cost([...answered, ended(20_000)], 9e9)).toBeCloseTo(0.0125, 10);
    expect(cost([created("outbound")], 9e9)).toBe(0);
  });

  test("a call of a model whose price is not known has no cost, rather than a wrong one", () => {
    const call = replay([
      created("inbound"),
      { type: "engine.opened", atMs: 2_000, sessionId: "sess_1", model: "a-model-of-tomorrow" },
    ]);
    expect(callCostUsd(call, 3_000)).toBeUndefined();
    expect(summarise(call, 3_000)).not.toHaveProperty("costUsd");
  });
});

// --- Internal helpers ---

function withoutWork(call: Call): Partial<Call> {
  const { recorded, noted, legEnded, afterwards, outcome, removed, recordings, ...facts } = call;
  return facts;
}
