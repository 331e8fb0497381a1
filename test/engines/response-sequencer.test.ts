import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ResponseCause, ResponseOrder } from "../../src/engines/engine.ts";
import { ResponseSequencer } from "../../src/engines/response-sequencer.ts";
import { handClock } from "../calls/clock.ts";

type Fate = "owed" | "made" | "superseded" | "stopped" | "refused";
interface Asked {
  readonly order: ResponseOrder;
  fate: Fate;
}
interface Response {
  readonly id: string;
  /** What it was made for; none when the engine began it. */
  readonly asked?: Asked;
  stopped: boolean;
  sounded: boolean;
}

const LIMIT_MS = 6_000;

/**
 * A sequencer and the engine that it commands, with the books that both must agree with. The engine runs one response
 * at a time, answers a second request with an error, and may speak by itself. What it does reaches us later, in order.
 */
function bench({ labels = true } = {}) {
  const clock = handClock();
  const asked: Asked[] = [];
  const made: Asked[] = [];
  const created: ResponseCause[] = [];
  const cancelled: string[] = [];
  let overdue = 0;
  /** A create on its way to the engine, or refused there with the refusal on its way back. */
  let inFlight: { asked: Asked; orderId: string; stopped: boolean; arrived: boolean } | undefined;
  /** What the engine runs. */
  let running: Response | undefined;
  /** What we know that it runs. */
  let told: Response | undefined;
  /** Events on their way from the engine. */
  const post: (() => void)[] = [];
  let held = false;
  let count = 0;
  const sequencer = new ResponseSequencer({
    create(order, orderId) {
      expect(inFlight, "at most one create is under way").toBeUndefined();
      expect(told, "nothing is created while a response is known to run").toBeUndefined();
      expect(held, "nothing is created over a human").toBe(false);
      created.push(order.cause);
      const one = asked.findLast((each) => each.order === order && each.fate === "owed") as Asked;
      expect(one, "only what is owed is created").toBeDefined();
      inFlight = { asked: one, orderId, stopped: false, arrived: false };
    },
    cancel(responseId) {
      expect(cancelled, "a response is cancelled once").not.toContain(responseId);
      expect(told?.id, "only what is known to run is cancelled").toBe(responseId);
      cancelled.push(responseId);
    },
    watch: { clock, answerMs: LIMIT_MS, pauseMs: 2 * LIMIT_MS, overdue: () => void overdue++ },
  });
  const waits = (one: Asked) => one.fate === "owed" && one !== inFlight?.asked && one !== told?.asked;
  const answers = (cause: ResponseCause) => cause === "turn" || cause === "tool";
  const replaces = (newer: ResponseCause, older: ResponseCause) =>
    answers(newer) && (answers(older) || older === "idle");

  const engine = {
    asked,
    made,
    created,
    cancelled,
    clock,
    sequencer,
    get overdue() {
      return overdue;
    },
    ask(cause: ResponseCause) {
      const open = [...asked.filter(waits), ...(inFlight && !inFlight.stopped ? [inFlight.asked] : [])];
      const alive = told?.asked && !told.stopped ? [...open, told.asked] : open;
      const one: Asked = { order: { cause }, fate: "owed" };
      const isBusy = sequencer.busy;
      if (cause === "greeting" && alive.some(({ order }) => order.cause === "greeting")) one.fate = "superseded";
      if (cause === "idle" && isBusy) one.fate = "superseded";
      for (const older of asked.filter(waits)) if (replaces(cause, older.order.cause)) older.fate = "superseded";
      asked.push(one);
      sequencer.request(one.order);
    },
    /** The create that is under way arrives at the engine: it is taken up, or refused because the engine is busy. */
    take() {
      const sent = inFlight;
      if (!sent || sent.arrived) return;
      sent.arrived = true;
      if (running !== undefined) {
        post.push(() => {
          inFlight = undefined;
          const { asked: one } = sent;
          const newer = asked
            .slice(asked.indexOf(one) + 1)
            .some((other) => waits(other) && replaces(other.order.cause, one.order.cause));
          if (one.fate === "owed" && newer) one.fate = "superseded";
          expect(sequencer.refused(sent.orderId, true)).toBe(true);
        });
        return;
      }
      const response: Response = { id: `resp_${++count}`, asked: sent.asked, stopped: false, sounded: false };
      running = response;
      post.push(() => {
        inFlight = undefined;
        told = response;
        response.stopped = sent.stopped;
        expect(sequencer.created(response.id, labels ? sent.orderId : undefined)).toBe(sent.asked.order.cause);
        expect(cancelled.includes(response.id), "what was stopped without a name is cancelled when it has one").toBe(
          sent.stopped,
        );
      });
    },
    /** The create that is under way is refused for a reason of its own. */
    refuse() {
      const sent = inFlight;
      if (!sent || sent.arrived) return;
      sent.arrived = true;
      post.push(() => {
        inFlight = undefined;
        if (sent.asked.fate === "owed" && !sent.stopped) sent.asked.fate = "refused";
        expect(sequencer.refused(sent.orderId, false)).toBe(true);
      });
    },
    /** The engine begins to speak by itself. */
    speakUp() {
      if (running !== undefined) return;
      const response: Response = { id: `own_${++count}`, stopped: false, sounded: false };
      running = response;
      post.push(() => {
        told = response;
        const cause = sequencer.created(response.id, labels ? null : undefined);
        if (labels) expect(cause).toBe("engine");
      });
    },
    /** The running response is heard. */
    sound() {
      const response = running;
      if (!response) return;
      post.push(() => {
        if (!response.stopped) response.sounded = true;
        expect(sequencer.takes(response.id), "late pieces of what was stopped are not heard").toBe(!response.stopped);
      });
    },
    /** The running response ends. */
    end() {
      const response = running;
      if (!response) return;
      running = undefined;
      post.push(() => {
        told = undefined;
        const { asked: one } = response;
        if (one?.fate === "owed" && !response.stopped) {
          one.fate = "made";
          made.push(one);
        }
        const ended = sequencer.ended(response.id);
        expect(ended.stopped).toBe(response.stopped);
        if (labels) expect(ended.order).toBe(one?.order);
        sequencer.ended(response.id); // a repetition changes nothing
      });
    },
    /** The next of the engine's events arrives. */
    arrive() {
      post.shift()?.();
    },
    hold(isHeld: boolean) {
      held = isHeld;
      sequencer.hold(isHeld);
    },
    stop() {
      for (const one of asked) if (waits(one) && one.order.cause !== "say") one.fate = "stopped";
      // A text that must be said, and of which nothing was heard, is said later.
      const drop = (one: Asked, sounded: boolean) => {
        if (one.fate === "owed" && (one.order.cause !== "say" || sounded)) one.fate = "stopped";
      };
      if (inFlight && !inFlight.stopped) {
        inFlight.stopped = true;
        drop(inFlight.asked, false);
      }
      if (told && !told.stopped) {
        told.stopped = true;
        if (told.asked) drop(told.asked, told.sounded);
      }
      sequencer.stop();
      if (told) expect(cancelled).toContain(told.id);
    },
    /** Everything under way arrives, and everything that waits is done. */
    drain() {
      engine.hold(false);
      for (let round = 0; round < 4 * asked.length + 8; round++) {
        while (post.length > 0) engine.arrive();
        engine.take();
        while (post.length > 0) engine.arrive();
        engine.end();
      }
    },
  };
  return engine;
}

const ACTS = ["take", "refuse", "speakUp", "sound", "end", "stop"] as const;

/** Plays a random order of events, each of ours as soon as asked, each of the engine's when it arrives. */
function play(labels: boolean, acts: readonly string[]): ReturnType<typeof bench> {
  const engine = bench({ labels });
  for (const act of acts) {
    if (act === "talks" || act === "listens") engine.hold(act === "talks");
    else if (act === "arrive") engine.arrive();
    else if ((ACTS as readonly string[]).includes(act)) engine[act as (typeof ACTS)[number]]();
    else engine.ask(act as ResponseCause);
  }
  engine.drain();
  return engine;
}

test.each([
  ["an engine that labels its responses and also speaks by itself", true],
  ["an engine that labels nothing", false],
] as const)(
  "100,000 events in random order with %s: one owner, nothing lost, nothing over a human, each stop cancels once",
  (_, labels) => {
    const ours = fc.constantFrom<ResponseCause>("greeting", "say", "turn", "tool", "idle");
    const theirs = fc.constantFrom("take", "end", "sound", "refuse", ...(labels ? ["speakUp"] : []));
    const act = fc.oneof(
      { weight: 3, arbitrary: ours },
      { weight: 5, arbitrary: theirs },
      { weight: 5, arbitrary: fc.constant("arrive") },
      { weight: 2, arbitrary: fc.constantFrom("talks", "listens", "stop") },
    );
    let events = 0;
    fc.assert(
      fc.property(fc.array(act, { minLength: 20, maxLength: 60, size: "max" }), (acts) => {
        events += acts.length;
        const { asked, made, sequencer, clock, overdue } = play(labels, acts);
        expect(asked.filter(({ fate }) => fate === "owed")).toEqual([]);
        const says = (orders: readonly Asked[]) => orders.filter(({ order }) => order.cause === "say");
        expect(says(made)).toEqual(says(asked).filter(({ fate }) => fate === "made")); // in the order of asking
        expect(sequencer.busy).toBe(false);
        expect(sequencer.pending).toEqual([]);
        expect([clock.running, overdue], "nobody is waited for").toEqual([0, 0]);
      }),
      { numRuns: 5_000 },
    );
    expect(events).toBeGreaterThan(150_000);
  },
);

/** Lets everything under way arrive: what was asked is taken up, and what ran has ended. */
function round({ take, arrive, end }: ReturnType<typeof bench>): void {
  take();
  arrive();
  end();
  arrive();
}

test("an answer to the caller replaces one that still waits, whether to their words or to a tool; texts wait in line", () => {
  const engine = bench();
  engine.ask("greeting");
  for (const cause of ["turn", "say", "tool", "turn", "say"] as const) engine.ask(cause);
  for (let count = 0; count < 6; count++) round(engine);
  expect(engine.created).toEqual(["greeting", "say", "turn", "say"]);
});

test("an answer with directions of its own is not replaced by one of another kind", () => {
  const { sequencer } = bench();
  sequencer.hold(true);
  sequencer.request({ cause: "turn", instructions: "Ask for the name." });
  sequencer.request({ cause: "tool" });
  expect(sequencer.pending.map(({ order }) => order.cause)).toEqual(["turn", "tool"]);
});

test("case 13: a greeting that waits or runs is not ordered a second time; one that was stopped may be", () => {
  const engine = bench();
  engine.ask("greeting");
  engine.ask("greeting");
  engine.take();
  engine.arrive();
  engine.ask("greeting");
  engine.stop();
  engine.ask("greeting");
  engine.end();
  engine.arrive();
  round(engine);
  expect(engine.created).toEqual(["greeting", "greeting"]);
});

test("nobody is asked whether they are still there when something is said anyway", () => {
  const engine = bench();
  engine.ask("turn");
  engine.ask("idle");
  round(engine);
  engine.hold(true);
  engine.ask("idle");
  engine.ask("turn");
  engine.hold(false);
  round(engine);
  expect(engine.created).toEqual(["turn", "turn"]);
});

test("stopping cancels what runs and forgets what waits, but for texts that must be said", () => {
  const engine = bench();
  engine.ask("turn");
  engine.ask("say");
  engine.ask("tool");
  engine.take();
  engine.arrive();
  engine.stop();
  engine.stop();
  expect(engine.cancelled).toEqual(["resp_1"]);
  expect(engine.sequencer.isStopped("resp_1")).toBe(true);
  engine.end();
  engine.arrive();
  round(engine);
  expect(engine.created).toEqual(["turn", "say"]);
});

test("a text that must be said, stopped before anything of it was heard, is said later; after that it counts as said", () => {
  const engine = bench();
  engine.ask("say");
  engine.stop();
  engine.take();
  engine.arrive();
  expect(engine.cancelled).toEqual(["resp_1"]);
  engine.end();
  engine.arrive();
  engine.take();
  engine.sound();
  engine.arrive();
  engine.arrive();
  engine.stop();
  engine.end();
  engine.arrive();
  expect(engine.created).toEqual(["say", "say"]);
  expect(engine.sequencer.busy).toBe(false);
});

test("a response that was stopped before it had a name is cancelled as soon as it gets one", () => {
  const engine = bench();
  engine.ask("turn");
  engine.stop();
  expect(engine.cancelled).toEqual([]);
  engine.take();
  engine.arrive();
  expect(engine.cancelled).toEqual(["resp_1"]);
});

test("a response of the engine's own that crosses an order is not taken for it; the order is made after it", () => {
  const engine = bench();
  engine.speakUp();
  engine.ask("say"); // before we hear of it
  engine.arrive();
  engine.take();
  engine.arrive();
  expect(engine.created).toEqual(["say"]);
  engine.end();
  engine.arrive();
  expect(engine.created).toEqual(["say", "say"]);
  round(engine);
  expect(engine.sequencer.busy).toBe(false);
});

describe("an engine that labels nothing", () => {
  const unlabelled = () => {
    const created: string[] = [];
    const cancelled: string[] = [];
    const sequencer = new ResponseSequencer({
      create: (_order, orderId) => created.push(orderId),
      cancel: (responseId) => cancelled.push(responseId),
    });
    return { created, cancelled, sequencer };
  };

  test("an order that crossed a response of the engine's own is made after it, once", () => {
    const { created, sequencer } = unlabelled();
    sequencer.request({ cause: "say" });
    expect(sequencer.created("own_1")).toBe("say"); // it looks like ours until the refusal comes
    expect(sequencer.refused("order_1", true)).toBe(true);
    expect(created).toHaveLength(1);
    sequencer.ended("own_1");
    expect(created).toHaveLength(2);
  });

  test("a stop holds also for a response that turns out to be the engine's own", () => {
    const { cancelled, created, sequencer } = unlabelled();
    sequencer.request({ cause: "turn" });
    sequencer.created("own_1");
    sequencer.stop();
    sequencer.refused("order_1", true);
    expect(cancelled).toEqual(["own_1"]);
    expect(sequencer.isStopped("own_1")).toBe(true);
    sequencer.ended("own_1");
    expect(created).toHaveLength(1);
  });

  test("a text that must be said, stopped while something else was taken for it, is said later", () => {
    const { created, sequencer } = unlabelled();
    sequencer.request({ cause: "say" });
    sequencer.created("own_1");
    sequencer.takes("own_1");
    sequencer.stop();
    sequencer.refused("order_1", true);
    sequencer.ended("own_1");
    expect(created).toHaveLength(2);
  });

  test("an answer that has to be sent again gives way to a newer one", () => {
    const { created, sequencer } = unlabelled();
    sequencer.request({ cause: "turn" });
    sequencer.created("own_1");
    sequencer.request({ cause: "turn" });
    sequencer.refused("order_1", true);
    sequencer.ended("own_1");
    sequencer.created("resp_2");
    sequencer.ended("resp_2");
    expect(created).toHaveLength(2);
  });

  test("an order refused for a response that nobody has told of waits for that one's end", () => {
    const { created, sequencer } = unlabelled();
    sequencer.request({ cause: "say" });
    expect(sequencer.refused("order_of_somebody_else", true)).toBe(false);
    expect(sequencer.refused("order_1", true)).toBe(true);
    expect(created).toEqual(["order_1"]);
    sequencer.ended("resp_unknown");
    expect(created).toEqual(["order_1", "order_2"]);
  });
});

test("a response of the engine's own that is stopped is cancelled, and its late pieces are not to be heard", () => {
  const engine = bench();
  engine.speakUp();
  engine.arrive();
  expect(engine.sequencer.takes("own_1")).toBe(true);
  engine.stop();
  expect(engine.cancelled).toEqual(["own_1"]);
  expect(engine.sequencer.takes("own_1")).toBe(false);
  engine.end();
  engine.arrive();
  expect(engine.sequencer.busy).toBe(false);
});

describe("an engine that is dead", () => {
  test("is noticed when it neither begins nor refuses what it was asked for", () => {
    const engine = bench();
    engine.ask("turn");
    engine.clock.pass(LIMIT_MS - 1);
    engine.ask("say"); // a further order changes nothing
    expect(engine.overdue).toBe(0);
    engine.clock.pass(1);
    expect(engine.overdue).toBe(1);
    expect(engine.sequencer.pending.map(({ order }) => order.cause)).toEqual(["turn", "say"]);
  });

  test("is noticed when it does not end what was cancelled", () => {
    const engine = bench();
    engine.ask("turn");
    engine.take();
    engine.arrive();
    engine.clock.pass(2 * LIMIT_MS - 1); // a response may take its time
    engine.stop();
    engine.clock.pass(LIMIT_MS);
    expect(engine.overdue).toBe(1);
  });

  test("is noticed when it falls silent within a response, whoever began it; as long as it tells something, it lives", () => {
    for (const begins of ["take", "speakUp"] as const) {
      const engine = bench();
      engine.ask("turn");
      engine[begins]();
      engine.arrive();
      for (let count = 0; count < 5; count++) {
        engine.clock.pass(2 * LIMIT_MS - 1);
        engine.sequencer.alive();
      }
      engine.clock.pass(2 * LIMIT_MS);
      expect(engine.overdue).toBe(begins === "take" ? 0 : 1); // an order that was crossed has waited longer
      engine.clock.pass(2 * LIMIT_MS);
      expect(engine.overdue).toBe(1);
    }
  });

  test("is not waited for after the close, which leaves what was owed to be read", () => {
    const engine = bench();
    engine.ask("turn");
    engine.sequencer.close();
    expect(engine.clock.running).toBe(0);
    engine.sequencer.request({ cause: "say" });
    expect(engine.created).toEqual(["turn"]);
    expect(engine.sequencer.pending.map(({ order }) => order.cause)).toEqual(["turn", "say"]);
  });
});
