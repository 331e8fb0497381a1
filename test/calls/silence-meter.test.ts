import { expect, test } from "vitest";
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
