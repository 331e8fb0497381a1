import { afterEach, expect, test } from "vitest";
import {
  type AgentEvent,
  SETTLE_MS,
  type SessionActivity,
  watchSessions,
} from "../../../src/hosts/openclaw/session-activity.ts";
import { handClock } from "../../calls/clock.ts";

const SESSION = "agent:main:direct:ann";
const clock = handClock();
let activity: SessionActivity | undefined;

afterEach(() => {
  activity?.stop();
  activity = undefined;
  expect(clock.running).toBe(0);
});

function watch() {
  let tell: (event: AgentEvent) => void = () => {};
  activity = watchSessions((listener) => {
    tell = listener;
    return () => {};
  }, clock);
  return {
    activity,
    phase: (phase: string, runId = "r1", sessionKey = SESSION) =>
      tell({ runId, stream: "lifecycle", sessionKey, data: { phase } }),
  };
}

/** Whether a wait has come to its end, looked at once all that was due has run. */
function ended(waiting: Promise<void>) {
  const state = { isOver: false };
  void waiting.then(() => {
    state.isOver = true;
  });
  return async (ms = 0) => {
    clock.pass(ms);
    await settled();
    return state.isOver;
  };
}

/** Lets run whatever is due. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const never = new AbortController().signal;

test("a session in which nothing runs is idle after a while", async () => {
  const { activity } = watch();
  const isIdle = ended(activity.idle(SESSION, never));
  expect(await isIdle(SETTLE_MS - 1)).toBe(false);
  expect(await isIdle(1)).toBe(true);
});

test("a session is not idle before its turn is over, and what is written last has been written", async () => {
  const { activity, phase } = watch();
  phase("start");
  const isIdle = ended(activity.idle(SESSION, never));
  expect(await isIdle(60_000)).toBe(false);
  phase("end", "r1");
  expect(await isIdle(0)).toBe(false);
  expect(await isIdle(SETTLE_MS)).toBe(true);
});

test("a session is not idle from the message on that begins a turn, to the turn's end", async () => {
  const { activity, phase } = watch();
  activity.comes(SESSION);
  const isIdle = ended(activity.idle(SESSION, never));
  expect(await isIdle(2_000)).toBe(false);
  phase("start");
  expect(await isIdle(60_000)).toBe(false);
  phase("end");
  await isIdle(0);
  expect(await isIdle(SETTLE_MS)).toBe(true);
});

test("a message that begins no turn holds nothing up for long, and another session not at all", async () => {
  const { activity } = watch();
  activity.comes(SESSION);
  const isIdle = ended(activity.idle(SESSION, never));
  const isOther = ended(activity.idle("agent:main:direct:bob", never));
  expect(await isOther(SETTLE_MS)).toBe(true);
  expect(await isIdle(19_000)).toBe(false);
  await isIdle(1_000);
  expect(await isIdle(SETTLE_MS)).toBe(true);
});

test("a wait that is given up ends with its reason, and one that nobody serves any more fails", async () => {
  const { activity } = watch();
  const enough = new AbortController();
  const waiting = activity.idle(SESSION, enough.signal);
  enough.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  activity.comes(SESSION);
  const unserved = activity.idle(SESSION, never);
  activity.stop();
  const failed = expect(unserved).rejects.toThrow("has stopped watching");
  await settled();
  clock.pass(SETTLE_MS);
  await failed;
});
