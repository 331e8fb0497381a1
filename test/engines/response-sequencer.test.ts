import fc from "fast-check";
import { expect, test } from "vitest";
import type { ResponseCause, ResponseOrder } from "../../src/engines/engine.ts";
import { ResponseSequencer } from "../../src/engines/response-sequencer.ts";

type Fate = "owed" | "made" | "superseded" | "stopped" | "refused";
interface Asked {
  readonly order: ResponseOrder;
  fate: Fate;
}

/**
 * A sequencer and the engine that it commands, with the books that both must agree with. The engine runs one response
 * at a time, answers a second request with an error, and may speak by itself.
 */
function bench() {
  const asked: Asked[] = [];
  const made: Asked[] = [];
  const created: ResponseCause[] = [];
  const cancelled: string[] = [];
  let inFlight: { asked: Asked; eventId: string } | undefined;
  let running: string | undefined;
  let callerSpeaks = false;
  let count = 0;
  const sequencer = new ResponseSequencer({
    create(order, eventId) {
      expect(inFlight, "at most one create is under way").toBeUndefined();
      expect(running, "nothing is created while a response runs").toBeUndefined();
      expect(callerSpeaks, "nothing is created while the caller speaks").toBe(false);
      created.push(order.cause);
      inFlight = { asked: asked.find((one) => one.order === order) as Asked, eventId };
    },
    cancel: (responseId) => {
      expect(cancelled, "a response is cancelled once").not.toContain(responseId);
      cancelled.push(responseId);
    },
  });
  const begin = (by: string) => {
    count += 1;
    running = `${by}_${count}`;
    return sequencer.created(running);
  };
  /** Whether an order waits in line: it was neither sent nor given up. */
  const waits = (one: Asked) => one.fate === "owed" && one !== inFlight?.asked;
  const supersede = (cause: ResponseCause, of: readonly Asked[]) => {
    if (cause !== "turn" && cause !== "tool") return;
    for (const one of of) if (one.order.cause === cause && one.fate === "owed") one.fate = "superseded";
  };

  const engine = {
    asked,
    made,
    created,
    cancelled,
    sequencer,
    ask(cause: ResponseCause) {
      supersede(cause, asked.filter(waits));
      const one: Asked = { order: { cause, instructions: String(asked.length) }, fate: "owed" };
      asked.push(one);
      sequencer.request(one.order);
    },
    /** The create that is under way arrives: it is taken up, or refused because the engine is busy. */
    take() {
      if (!inFlight) return;
      const { asked: one, eventId } = inFlight;
      inFlight = undefined;
      if (running !== undefined) {
        const newer = asked
          .slice(asked.indexOf(one) + 1)
          .some((other) => waits(other) && other.order.cause === one.order.cause);
        if (newer) supersede(one.order.cause, [one]);
        expect(sequencer.refused(eventId, true)).toBe(true);
        return;
      }
      const { fate } = one;
      expect(["owed", "stopped"], "an order is made once").toContain(fate);
      made.push(one);
      if (fate === "owed") one.fate = "made";
      expect(begin("resp")).toBe(one.order.cause);
      // What was stopped while it had no name is cancelled as soon as it has one.
      expect(cancelled.includes(running as unknown as string)).toBe(fate === "stopped");
    },
    /** The create that is under way arrives and is refused for a reason of its own. */
    refuse() {
      if (!inFlight) return;
      const { asked: one, eventId } = inFlight;
      inFlight = undefined;
      if (one.fate === "owed") one.fate = "refused";
      expect(sequencer.refused(eventId, false)).toBe(true);
    },
    /** The engine begins to speak by itself. */
    speakUp() {
      if (running === undefined) begin("own");
    },
    /** The running response ends. A create is under way for less time than a response lasts: it arrives before. */
    end() {
      if (running === undefined) return;
      engine.take();
      const ended = running;
      running = undefined;
      sequencer.ended(ended);
      sequencer.ended(ended); // a repetition changes nothing
    },
    caller(speaks: boolean) {
      callerSpeaks = speaks;
      sequencer.hold(speaks);
    },
    stop() {
      for (const one of asked) if (waits(one) && one.order.cause !== "say") one.fate = "stopped";
      if (inFlight?.asked.fate === "owed") inFlight.asked.fate = "stopped";
      sequencer.stop();
      if (running === undefined) return;
      expect(cancelled).toContain(running);
      expect(sequencer.isStopped(running)).toBe(true);
    },
  };
  return engine;
}

test("whatever comes in whatever order: one create at a time, none over the caller, what is stopped is cancelled, nothing else is lost", () => {
  const act = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<ResponseCause>("greeting", "say", "turn", "tool") },
    { weight: 7, arbitrary: fc.constantFrom("take", "end", "speakUp", "talks", "listens", "refuse", "stop") },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const engine = bench();
      for (const each of acts) {
        if (each === "talks" || each === "listens") engine.caller(each === "talks");
        else if (each === "take" || each === "end" || each === "speakUp" || each === "refuse" || each === "stop")
          engine[each]();
        else engine.ask(each);
      }
      engine.caller(false);
      for (let round = 0; round <= engine.asked.length; round++) {
        engine.take();
        engine.end();
      }
      expect(engine.asked.filter(({ fate }) => fate === "owed")).toEqual([]);
      expect(engine.made).toEqual(engine.asked.filter((one) => engine.made.includes(one))); // in the order of asking
      expect(engine.sequencer.busy).toBe(false);
    }),
    { numRuns: 10_000 },
  );
});

test("an answer to the caller replaces an older one that still waits; texts wait in line", () => {
  const { ask, created, take, end } = bench();
  ask("greeting");
  for (const cause of ["turn", "say", "turn", "say"] as const) ask(cause);
  for (let round = 0; round < 6; round++) {
    take();
    end();
  }
  expect(created).toEqual(["greeting", "say", "turn", "say"]);
});

test("stopping cancels what runs and forgets what waits, but for texts that must be said", () => {
  const { ask, sequencer, created, cancelled, take, stop, end } = bench();
  ask("turn");
  ask("say");
  ask("tool");
  take();
  stop();
  stop();
  expect(cancelled).toEqual(["resp_1"]);
  expect(sequencer.isStopped("resp_1")).toBe(true);
  end();
  take();
  end();
  expect(created).toEqual(["turn", "say"]);
});

test("a response that was stopped before it had a name is cancelled as soon as it gets one", () => {
  const { ask, cancelled, take, stop } = bench();
  ask("turn");
  stop();
  expect(cancelled).toEqual([]);
  take();
  expect(cancelled).toEqual(["resp_1"]);
});

test("an order that crossed a response of the engine's own is made after it, once", () => {
  const { ask, sequencer, created, speakUp, take, end } = bench();
  ask("say");
  speakUp(); // it looks like ours until the refusal comes
  take();
  expect(created).toHaveLength(1);
  end();
  expect(created).toEqual(["say", "say"]);
  take();
  end();
  expect(sequencer.busy).toBe(false);
});

test("a response of the engine's own that is stopped is cancelled, and its late pieces are not to be heard", () => {
  const { sequencer, cancelled, speakUp, end } = bench();
  speakUp();
  expect(sequencer.isStopped("own_1")).toBe(false);
  sequencer.stop();
  expect(cancelled).toEqual(["own_1"]);
  expect(sequencer.isStopped("own_1")).toBe(true);
  end();
  expect(sequencer.busy).toBe(false);
});

test("a stop holds also for a response that turns out to be the engine's own", () => {
  const { ask, sequencer, cancelled, speakUp, take, stop } = bench();
  ask("turn");
  speakUp();
  stop();
  take();
  expect(cancelled).toEqual(["own_1"]);
  expect(sequencer.isStopped("own_1")).toBe(true);
});

test("an answer that has to be sent again gives way to a newer one", () => {
  const { ask, created, speakUp, take, end } = bench();
  ask("turn");
  speakUp();
  ask("turn");
  take();
  end();
  take();
  end();
  expect(created).toEqual(["turn", "turn"]);
});

test("an order refused for a response that nobody has told of waits for that one's end", () => {
  const created: string[] = [];
  const sequencer = new ResponseSequencer({ create: (_order, eventId) => created.push(eventId), cancel: () => {} });
  sequencer.request({ cause: "say" });
  expect(sequencer.refused("order_of_somebody_else", true)).toBe(false);
  expect(sequencer.refused("order_1", true)).toBe(true);
  expect(created).toEqual(["order_1"]);
  sequencer.ended("resp_unknown");
  expect(created).toEqual(["order_1", "order_2"]);
});
