import fc from "fast-check";
import { expect, test } from "vitest";
import type { ResponseCause } from "../../src/engines/engine.ts";
import { ResponseSequencer } from "../../src/engines/response-sequencer.ts";

/** A reference engine: runs one response at a time, answers a second request with an error, may speak by itself. */
function bench() {
  const created: { cause: ResponseCause; eventId: string }[] = [];
  const cancelled: string[] = [];
  const sequencer: ResponseSequencer = new ResponseSequencer({
    create: ({ cause }, eventId) => {
      expect(inFlight, "at most one create is under way").toBeUndefined();
      expect(callerSpeaks, "nothing is created while the caller speaks").toBe(false);
      created.push({ cause, eventId });
      inFlight = eventId;
    },
    cancel: (responseId) => cancelled.push(responseId),
  });
  let inFlight: string | undefined;
  let callerSpeaks = false;
  let running: string | undefined;
  let count = 0;
  const engine = {
    created,
    cancelled,
    sequencer,
    /** The engine takes up the create that is under way, or refuses it because it is busy. */
    take() {
      if (inFlight === undefined) return;
      const eventId = inFlight;
      inFlight = undefined;
      if (running !== undefined) return void sequencer.refused(eventId, true);
      count += 1;
      running = `resp_${count}`;
      inFlight = running; // not over before it has ended
      sequencer.created(running);
    },
    /** The engine begins to speak by itself. */
    speakUp() {
      if (running !== undefined) return;
      count += 1;
      running = `own_${count}`;
      sequencer.created(running);
    },
    end() {
      if (running === undefined) return;
      // A request is under way for less time than any response lasts: it arrives before the end.
      if (inFlight !== running) engine.take();
      const ended = running;
      running = undefined;
      if (inFlight === ended) inFlight = undefined;
      sequencer.ended(ended);
    },
    caller(speaks: boolean) {
      callerSpeaks = speaks;
      sequencer.callerSpeaks(speaks);
    },
  };
  return engine;
}

test("at most one create is under way, none while the caller speaks, and every order is made in the end", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("request" as const), cause: fc.constantFrom<ResponseCause>("greeting", "say") }),
    fc.record({ do: fc.constantFrom("take", "end", "speakUp", "caller talks", "caller stops") }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const engine = bench();
      let asked = 0;
      for (const each of steps) {
        if (each.do === "request") {
          asked += 1;
          engine.sequencer.request({ cause: (each as { cause: ResponseCause }).cause });
        } else if (each.do === "take") engine.take();
        else if (each.do === "end") engine.end();
        else if (each.do === "speakUp") engine.speakUp();
        else engine.caller(each.do === "caller talks");
      }
      engine.caller(false);
      for (let round = 0; round < asked * 2 + 4; round++) {
        engine.take();
        engine.end();
      }
      // A create that was refused because the engine spoke by itself is sent again; each order is made at least once.
      expect(engine.created.length).toBeGreaterThanOrEqual(asked);
      expect(engine.sequencer.busy).toBe(false);
    }),
    { numRuns: 500 },
  );
});

test("an answer to the caller replaces an older one that still waits; texts wait in line", () => {
  const { sequencer, created, take, end } = bench();
  sequencer.request({ cause: "greeting" });
  for (const cause of ["turn", "say", "turn", "say"] as const) sequencer.request({ cause });
  for (let round = 0; round < 6; round++) {
    take();
    end();
  }
  expect(created.map(({ cause }) => cause)).toEqual(["greeting", "say", "turn", "say"]);
});

test("stopping cancels what runs and forgets what waits, but for texts that must be said", () => {
  const { sequencer, created, cancelled, take, end } = bench();
  sequencer.request({ cause: "turn" });
  sequencer.request({ cause: "say" });
  sequencer.request({ cause: "tool" });
  take();
  sequencer.stop();
  sequencer.stop();
  expect(cancelled).toEqual(["resp_1"]);
  expect(sequencer.isStopped("resp_1")).toBe(true);
  end();
  take();
  end();
  expect(created.map(({ cause }) => cause)).toEqual(["turn", "say"]);
});

test("a response that was stopped before it had a name is cancelled as soon as it gets one", () => {
  const { sequencer, cancelled, take } = bench();
  sequencer.request({ cause: "turn" });
  sequencer.stop();
  expect(cancelled).toEqual([]);
  take();
  expect(cancelled).toEqual(["resp_1"]);
});

test("an order that crossed a response of the engine's own is made after it, once", () => {
  const { sequencer, created, speakUp, take, end } = bench();
  sequencer.request({ cause: "say" });
  speakUp(); // it looks like ours until the refusal comes
  take();
  expect(created).toHaveLength(1);
  end();
  expect(created.map(({ cause }) => cause)).toEqual(["say", "say"]);
  take();
  end();
  expect(sequencer.busy).toBe(false);
});
