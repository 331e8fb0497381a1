import { afterEach, describe, expect, test, vi } from "vitest";
import { carrierGuard, type Guard, hostGuard, withHostResilience, withResilience } from "../../src/calls/resilience.ts";
import type { Carrier, LegState } from "../../src/carriers/carrier.ts";
import { CarrierRefusedError, CarrierUnreachableError, HostError } from "../../src/core/errors.ts";
import { standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import { type HandClock, handClock } from "./clock.ts";

const SETTINGS = { attempts: 3, firstDelayMs: 100, multiplier: 2, breakAfter: 4, pauseSeconds: 10 };
const FINE: LegState = { state: "active", carrierStatus: "in-progress" };
const RECORDING = { legId: "leg", id: "RE1" };
const down = () => new CarrierUnreachableError("No answer.");
const refused = () => new CarrierRefusedError("20003", "No.", "Check.");
const never = new AbortController().signal;

let clock: HandClock;
afterEach(() => expect(clock.running).toBe(0));

/** A carrier that answers as the test says, behind its guard. */
function scene(answers: () => Promise<unknown>, settings = SETTINGS) {
  clock = handClock();
  const asked: string[] = [];
  const verb = (name: string) => () => {
    asked.push(name);
    return answers();
  };
  const verbs = [
    ...["dial", "hangUp", "speakAndHangUp", "redirect", "fetchState", "probe"],
    ...["startRecording", "pauseRecording", "fetchRecordingState"],
  ];
  const plain = Object.fromEntries(verbs.map((name) => [name, verb(name)])) as unknown as Carrier;
  const guard = carrierGuard("default", settings, clock);
  return { asked, guard, carrier: withResilience(plain, guard) };
}

/** Lets everything that is pending go on, with the waits that it asks for. */
async function settle(work: Promise<unknown>, passMs = 1_000): Promise<unknown> {
  let result: unknown = "pending";
  work.then(
    (value) => {
      result = value;
    },
    (error: unknown) => {
      result = error;
    },
  );
  await vi.waitFor(
    () => {
      clock.pass(passMs);
      expect(result).not.toBe("pending");
    },
    { interval: 1 },
  );
  return result;
}

/** Makes the breaker open. */
async function breakIt({ carrier, guard }: { carrier: Carrier; guard: Guard }) {
  await settle(carrier.fetchState("leg", never));
  await settle(carrier.fetchState("leg", never));
  expect(guard.report().state).toBe("open");
}

describe("repetition", () => {
  test.each(["fetchState", "hangUp", "probe"] as const)("%s is asked again until it is answered", async (verb) => {
    let left = 2;
    const { carrier, asked } = scene(async () => {
      if (left-- > 0) throw down();
      return FINE;
    });
    const work = verb === "probe" ? carrier.probe(never) : carrier[verb]("leg", never);
    expect(await settle(work)).toBe(FINE);
    expect(asked).toEqual([verb, verb, verb]);
  });

  test("it stops after as many attempts as the settings say, with the last failure", async () => {
    const { carrier, asked } = scene(() => Promise.reject(down()));
    expect(await settle(carrier.fetchState("leg", never))).toMatchObject({ message: "No answer." });
    expect(asked).toHaveLength(3);
  });

  test("what is refused is not asked again, and is no failure of the carrier", async () => {
    const { carrier, asked, guard } = scene(() => Promise.reject(refused()));
    for (let index = 0; index < 10; index++) {
      await expect(carrier.fetchState("leg", never)).rejects.toMatchObject({ code: "carrier_refused" });
    }
    expect(asked).toHaveLength(10);
    expect(guard.report().state).toBe("closed");
  });

  test("orders to dial and to record, a spoken farewell and new instructions are given once", async () => {
    const { carrier, asked } = scene(() => Promise.reject(down()), { ...SETTINGS, breakAfter: 100 });
    const order = { callId: "call_1", from: "+15550001234", to: "+15550005678", timeLimitSeconds: 60 };
    await settle(carrier.dial(order, never));
    await settle(carrier.speakAndHangUp("leg", "Bye.", "en", never));
    await settle(carrier.redirect("leg", { kind: "hang-up" }, never));
    await settle(carrier.startRecording({ legId: "leg", callId: "call_1", recordingId: "r" }, never));
    expect(asked).toEqual(["dial", "speakAndHangUp", "redirect", "startRecording"]);
  });

  test("the waits grow as the settings say, by the clock that is handed in, and are spread", async () => {
    const { carrier } = scene(() => Promise.reject(down()), { ...SETTINGS, attempts: 4, breakAfter: 100 });
    const after = vi.spyOn(clock, "after");
    await settle(carrier.fetchState("leg", never));
    const waits = after.mock.calls.map(([delayMs]) => delayMs);
    expect(waits).toHaveLength(3);
    waits.forEach((wait, index) => {
      const whole = 100 * 2 ** index;
      expect(wait).toBeGreaterThanOrEqual(whole / 2);
      expect(wait).toBeLessThanOrEqual(whole);
    });
  });

  test("whoever gives up is answered at once, in a wait too, and leaves no timer", async () => {
    const giveUp = new AbortController();
    const { carrier, asked } = scene(() => Promise.reject(down()));
    const work = carrier.fetchState("leg", giveUp.signal);
    const failed = expect(work).rejects.toMatchObject({ code: "carrier_unreachable", retryable: true });
    await vi.waitFor(() => expect(clock.running).toBe(1));
    giveUp.abort(new Error("Enough."));
    await failed;
    expect(asked).toHaveLength(1);
  });

  test("whoever has given up before asks nothing", async () => {
    const { carrier, asked } = scene(async () => FINE);
    await expect(carrier.probe(AbortSignal.abort())).rejects.toMatchObject({ code: "carrier_unreachable" });
    expect(asked).toEqual([]);
  });
});

describe("the breaker", () => {
  test("after failures in a row requests fail at once, and say when the next is made and what went wrong", async () => {
    const ours = scene(() => Promise.reject(down()));
    await breakIt(ours);
    const made = ours.asked.length;
    expect(made).toBe(4);
    clock.pass(2_500);
    const { retryAtMs = 0 } = ours.guard.report();
    const seconds = Math.ceil((retryAtMs - clock.now()) / 1_000);
    const error = await ours.carrier.fetchState("leg", never).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "carrier_unreachable", retryable: true });
    expect(seconds).toBeLessThanOrEqual(8);
    expect((error as Error).message).toBe(
      `The carrier failed 4 times in a row: nothing is asked of it for the next ${seconds} s. The last failure: No answer.`,
    );
    expect(ours.asked).toHaveLength(made);
    expect(ours.guard.report()).toMatchObject({ name: "carrier", accountId: "default", state: "open" });
  });

  test("after the pause one request finds out; its failure opens the breaker for another pause, its success closes it", async () => {
    let works = false;
    const ours = scene(() => (works ? Promise.resolve(FINE) : Promise.reject(down())));
    await breakIt(ours);
    clock.pass(10_000);
    expect(ours.guard.report().state).toBe("half-open");
    const made = ours.asked.length;
    await settle(ours.carrier.fetchState("leg", never));
    expect(ours.asked).toHaveLength(made + 1);
    expect(ours.guard.report().state).toBe("open");
    works = true;
    await expect(ours.carrier.probe(never)).rejects.toThrow("in a row");
    clock.pass(10_000);
    await ours.carrier.probe(never);
    expect(ours.guard.report()).toEqual({ name: "carrier", accountId: "default", state: "closed" });
  });

  test("a success in between begins the count anew", async () => {
    let fails = 0;
    const ours = scene(() => (fails-- > 0 ? Promise.reject(down()) : Promise.resolve(FINE)));
    for (let round = 0; round < 5; round++) {
      fails = 2;
      expect(await settle(ours.carrier.fetchState("leg", never))).toBe(FINE);
    }
    expect(ours.guard.report().state).toBe("closed");
  });

  test("while it is open a leg is still hung up, redirected and not recorded, once: somebody's call hangs on it", async () => {
    const ours = scene(() => Promise.reject(down()));
    await breakIt(ours);
    ours.asked.length = 0;
    await expect(ours.carrier.hangUp("leg", never)).rejects.toThrow("No answer.");
    await expect(ours.carrier.redirect("leg", { kind: "hang-up" }, never)).rejects.toThrow("No answer.");
    await expect(ours.carrier.pauseRecording(RECORDING, never)).rejects.toThrow("No answer.");
    expect(ours.asked).toEqual(["hangUp", "redirect", "pauseRecording"]);
    await expect(ours.carrier.fetchRecordingState(RECORDING, never)).rejects.toThrow("in a row");
    expect(ours.asked).toHaveLength(3);
  });

  test("the request that finds out and is given up has found out nothing", async () => {
    let hangs = false;
    const giveUp = new AbortController();
    const ours = scene(() =>
      hangs
        ? new Promise((_, reject) => giveUp.signal.addEventListener("abort", () => reject(down()), { once: true }))
        : Promise.reject(down()),
    );
    await breakIt(ours);
    clock.pass(10_000);
    hangs = true;
    const made = ours.asked.length;
    const work = ours.carrier.fetchState("leg", giveUp.signal);
    await vi.waitFor(() => expect(ours.asked).toHaveLength(made + 1));
    giveUp.abort(new Error("Enough."));
    await expect(work).rejects.toThrow("given up");
    await vi.waitFor(() => expect(ours.guard.report().state).toBe("open"));
  });
});

describe("a host behind its breaker", () => {
  const request = { callId: "c", agentId: "main", sessionKey: "s", accountId: "default", trust: "known" } as const;

  test("a question is put once; an agent that fails again and again is not waited for", async () => {
    clock = handClock();
    let asked = 0;
    const host = standaloneHost({
      logger: silentLogger,
      consult: async () => {
        asked += 1;
        throw new HostError("It is busy.");
      },
    });
    const guarded = withHostResilience(host, hostGuard({ ...SETTINGS, attempts: 1 }, clock));
    const ask = () => guarded.consult({ ...request, question: "What?", tools: "none", transcript: [] }, never);
    for (let index = 0; index < 4; index++) await expect(ask()).rejects.toThrow("It is busy.");
    await expect(ask()).rejects.toMatchObject({ code: "host_failed", retryable: true });
    expect(asked).toBe(4);
    clock.pass(10_000);
    await expect(ask()).rejects.toThrow("It is busy.");
    expect(asked).toBe(5);
  });

  test("all else of the host is its own", () => {
    clock = handClock();
    const host = standaloneHost({ logger: silentLogger });
    const guarded = withHostResilience(host, hostGuard(SETTINGS, clock));
    expect(guarded.capabilities).toBe(host.capabilities);
    expect(guarded.logger).toBe(host.logger);
  });
});
