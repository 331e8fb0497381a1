import fc from "fast-check";
import { expect, test } from "vitest";
import { FRAME_MS } from "../../src/audio/g711.ts";
import { SilenceMeter } from "../../src/calls/silence-meter.ts";

const LOUD = 0x80;
const QUIET = 0xff;
const speech = (startsAtMs: number, ms: number, byte = LOUD) => [
  { itemId: "a", startsAtMs, audio: new Uint8Array(ms * 8).fill(byte) },
];

test("silence counts from the answer to the first audible frame, by playout", () => {
  const meter = new SilenceMeter();
  meter.answered(1_000);
  meter.sent(speech(1_400, 300, QUIET));
  meter.sent(speech(1_700, 500));
  expect(meter.longestMs(1_500)).toBe(500); // still waiting
  expect(meter.longestMs(5_000)).toBe(700);
});

test("the caller waits from their last audible frame, not from when the end of their turn was noticed", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.sent(speech(0, 500));
  meter.callerStarted(2_000, 2_080);
  meter.callerFrame(true, 3_000);
  meter.callerFrame(false, 3_500);
  meter.callerStopped(3_500);
  meter.sent(speech(3_900, 500));
  expect(meter.longestMs(9_000)).toBe(900);
});

test("a quiet after our words that the caller ends is theirs; one in which they still waited is ours", () => {
  const theirs = new SilenceMeter();
  theirs.answered(0);
  theirs.sent(speech(100, 400));
  theirs.callerStarted(5_000, 5_080);
  expect(theirs.longestMs(6_000)).toBe(100);
  const ours = new SilenceMeter();
  ours.answered(0);
  ours.callerStarted(3_000, 3_080);
  expect(ours.longestMs(3_500)).toBe(3_000);
});

test("while a tool runs every gap counts, also the one after words that bridge the time", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.sent(speech(0, 1_000));
  meter.toolStarted(400); // the bridging words still play
  meter.toolFinished(2_000);
  meter.sent(speech(2_600, 500));
  expect(meter.longestMs(9_000)).toBe(1_600);
});

test("while the caller has the turn nobody waits, whatever tool runs and whatever of ours still plays", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.sent(speech(0, 100));
  meter.callerStarted(200, 280);
  meter.toolStarted(300);
  expect(meter.longestMs(3_000)).toBe(0);
  meter.sent(speech(3_000, 100));
  expect(meter.longestMs(8_000)).toBe(0);
  meter.callerFrame(true, 9_000);
  meter.callerStopped(9_500);
  expect(meter.longestMs(9_700)).toBe(700);
});

test("without a tool a gap between our own words does not count", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.sent([...speech(0, 400), ...speech(3_000, 400)]);
  expect(meter.longestMs(9_000)).toBe(0);
});

test("what was thrown away was never heard", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.sent(speech(500, 400));
  meter.cleared(300);
  meter.sent(speech(900, 400));
  expect(meter.longestMs(2_000)).toBe(900);
});

test("while an answer is due every gap counts, also one after a sound that bridges the time", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.answerDue(0);
  meter.sent(speech(1_000, 200));
  expect(meter.longestMs(3_000)).toBe(1_800);
  meter.answerCame(3_000);
  meter.sent(speech(3_100, 400));
  expect(meter.longestMs(9_000)).toBe(1_900); // what follows the answer is the caller's
});

test("nobody waits before the answer, whatever is due", () => {
  const meter = new SilenceMeter();
  meter.answerDue(0);
  meter.toolStarted(0);
  expect(meter.silentSinceMs(5_000)).toBeUndefined();
  meter.answered(5_000);
  expect(meter.silentSinceMs(5_500)).toBe(5_000);
  expect(meter.longestMs(5_500)).toBe(500);
});

test("a waiting caller hears nothing since the end of what plays, which may be to come", () => {
  const meter = new SilenceMeter();
  expect(meter.silentSinceMs(0)).toBeUndefined();
  meter.answered(1_000);
  meter.answerDue(1_000);
  expect(meter.silentSinceMs(1_500)).toBe(1_000);
  meter.sent(speech(2_000, 400));
  meter.sent(speech(2_400, 100, QUIET));
  expect(meter.silentSinceMs(1_800)).toBe(2_400);
  expect(meter.silentSinceMs(3_000)).toBe(2_400);
  meter.answerCame(3_000);
  expect(meter.silentSinceMs(3_000)).toBe(2_400);
  meter.sent(speech(3_100, 500));
  expect(meter.silentSinceMs(3_000)).toBeUndefined(); // the wait ends with it
  expect(meter.silentSinceMs(4_000)).toBeUndefined();
});

test("who has the turn does not wait; who has given it waits since they spoke", () => {
  const meter = new SilenceMeter();
  meter.answered(0);
  meter.toolStarted(0);
  meter.callerStarted(500, 580);
  expect(meter.callerSpeaks).toBe(true);
  expect(meter.silentSinceMs(3_000)).toBeUndefined();
  meter.callerFrame(true, 3_000);
  meter.callerStopped(3_500);
  expect(meter.callerSpeaks).toBe(false);
  expect(meter.silentSinceMs(3_600)).toBe(3_000);
});

test("it is for the caller to speak since our words ended, unless somebody speaks, waits, or is owed something", () => {
  const meter = new SilenceMeter();
  expect(meter.callersTurnSinceMs(0)).toBeUndefined();
  meter.answered(0);
  expect(meter.callersTurnSinceMs(100)).toBeUndefined(); // they wait for the greeting
  meter.sent(speech(200, 300));
  expect(meter.callersTurnSinceMs(400)).toBeUndefined(); // it plays
  expect(meter.callersTurnSinceMs(700)).toBe(500);
  meter.toolStarted(1_000);
  expect(meter.callersTurnSinceMs(1_100)).toBeUndefined();
  meter.toolFinished(1_200);
  meter.sent(speech(1_300, 100));
  expect(meter.callersTurnSinceMs(2_000)).toBe(1_400);
  meter.callerStarted(3_000, 3_080);
  expect(meter.callersTurnSinceMs(3_100)).toBeUndefined();
});

/** One step of a script, in slots of 20 ms. */
interface Step {
  readonly act: "agent speaks" | "agent is quiet" | "tool starts" | "tool ends" | "caller speaks" | "clear" | "ask";
  readonly slots: number;
  /** Slots until the next step. */
  readonly laterSlots: number;
}

/** What there was in one slot. */
interface Slot {
  audible: boolean;
  turn: boolean;
  tool: boolean;
}

/** Speech of the caller is noticed so many slots after it began, and its end so many after it ended. */
const ONSET = 1;
const HANG = 10;

/** Plays a script to a meter, slot by slot as a call would, and writes down the timeline. */
function play(steps: readonly Step[]): { meter: SilenceMeter; slots: Slot[] } {
  const meter = new SilenceMeter();
  const slots: Slot[] = [];
  const slot = (at: number): Slot => (slots[at] ??= { audible: false, turn: false, tool: false });
  let tools = 0;
  let playsUntil = 0;
  let speech: { from: number; to: number } | undefined;
  let known = false;
  let at = 0;
  const clear = () => {
    for (let next = at + 1; next < playsUntil; next++) slot(next).audible = false;
    playsUntil = Math.min(playsUntil, at + 1);
    meter.cleared(nowMs());
  };
  const nowMs = () => at * FRAME_MS + FRAME_MS / 2; // in the middle of a slot
  const pass = (count: number) => {
    for (let passed = 0; passed < count; passed++, at++) {
      slot(at).tool ||= tools > 0;
      if (!speech) continue;
      slot(at).turn = at < speech.to;
      meter.callerFrame(at > speech.from && at <= speech.to, at * FRAME_MS);
      if (at === speech.from + ONSET) {
        meter.callerStarted(speech.from * FRAME_MS, nowMs());
        known = true;
        clear();
      }
      if (at < speech.to + HANG) continue;
      meter.callerStopped(nowMs());
      speech = undefined;
      known = false;
    }
  };
  meter.answered(0);
  for (const { act, slots: count, laterSlots } of steps) {
    if (act === "agent speaks" || act === "agent is quiet") {
      const from = Math.max(at + 1, playsUntil);
      if (!known && from - at < 15) {
        const byte = act === "agent speaks" ? LOUD : QUIET;
        meter.sent(frames(from, count, byte));
        for (let next = from; next < from + count; next++) slot(next).audible = byte === LOUD;
        playsUntil = from + count;
      }
    } else if (act === "tool starts") {
      meter.toolStarted(nowMs());
      tools += 1;
      slot(at).tool = true;
    } else if (act === "tool ends" && tools > 0) {
      slot(at).tool = true;
      meter.toolFinished(nowMs());
      tools -= 1;
    } else if (act === "caller speaks") speech ??= { from: at + 1, to: at + 1 + ONSET + count };
    else if (act === "clear") clear();
    else if (act === "ask") meter.longestMs(nowMs());
    pass(laterSlots);
  }
  while (speech) pass(1); // a turn whose end was not noticed yet has no silence after it
  return { meter, slots: Array.from({ length: at }, (_, index) => slot(index)) };
}

const frames = (from: number, count: number, byte: number) => speech(from * FRAME_MS, count * FRAME_MS, byte);

/**
 * The definition, read off a timeline: of each stretch without our sound and outside the caller's turns, the part in
 * which somebody waits: all of it after the answer or a turn, after our own words from when a tool runs.
 */
function longestSilence(slots: readonly Slot[]): number {
  let longest = 0;
  for (let from = 0; from < slots.length; from++) {
    const silent = (at: number) => slots[at] && !slots[at].audible && !slots[at].turn;
    if (!silent(from) || silent(from - 1)) continue;
    let to = from;
    while (silent(to)) to++;
    const before = slots[from - 1];
    const afterWords = before?.audible === true && !before.turn;
    const tool = slots.findIndex((slot, at) => at >= from - 1 && at < to && slot.tool);
    const waits = !afterWords ? from : tool < 0 ? to : Math.max(from, tool);
    longest = Math.max(longest, to - waits);
  }
  return longest * FRAME_MS;
}

test("whatever happens, the longest silence is the one that the timeline shows, within two frames and a half", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    act: fc.constantFrom<Step["act"]>(
      "agent speaks",
      "agent speaks",
      "agent is quiet",
      "tool starts",
      "tool ends",
      "caller speaks",
      "clear",
      "ask",
    ),
    slots: fc.integer({ min: 1, max: 40 }),
    laterSlots: fc.oneof(fc.nat(3), fc.nat(80)),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const { meter, slots } = play(steps);
      const measured = meter.longestMs(slots.length * FRAME_MS);
      expect(Math.abs(measured - longestSilence(slots))).toBeLessThanOrEqual(2.5 * FRAME_MS);
    }),
    { numRuns: 3_000 },
  );
});
