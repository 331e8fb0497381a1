import { expect, test } from "vitest";
import { encodeWav } from "../../src/audio/wav.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { longestSilenceMs, toolRuns } from "./silence.ts";
import { ANN, OUR_NUMBER, worlds } from "./world.ts";

const world = worlds();

test("the longest silence that a call stores is the one in its recording", async () => {
  const ours = await world({
    speed: 2,
    mind: ruleMind([
      { when: /weather/i, say: "Let me look.", call: "ask_openclaw", args: { request: "weather" } },
      { when: "tool:ask_openclaw", say: (turn) => turn.toolResult?.output ?? "" },
    ]),
    host: {
      consult: () => new Promise((resolve) => void ours.clock.after(1_700, () => resolve("It rains in Berlin."))),
    },
  });
  const ending = ours.nextEnd();
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply({ quietMs: 1_200 }); // a quiet that the caller ends is theirs
      await line.say("How is the weather?");
      await line.hearReply({ quietMs: 2_500 });
    },
  });
  const report = await call.ended;
  const { longestSilenceMs: stored, journal, words } = await ending;
  expect(words).toHaveLength(4);
  const recorded = longestSilenceMs(report.wav, toolRuns(journal));
  expect(recorded).toBeGreaterThan(1_300);
  expect(Math.abs((stored ?? 0) - recorded)).toBeLessThanOrEqual(40);
});

test("a recording is judged by its rule: answer, caller, tool; not what the caller ends", () => {
  const tone = (ms: number) => Int16Array.from({ length: ms * 8 }, (_, at) => 8_000 * Math.sin(at));
  const track = (...parts: [fromMs: number, forMs: number][]) => {
    const samples = new Int16Array(10_000 * 8);
    for (const [fromMs, forMs] of parts) samples.set(tone(forMs), fromMs * 8);
    return samples;
  };
  const longest = (caller: Int16Array, agent: Int16Array, tools: { startMs: number; endMs: number }[] = []) =>
    longestSilenceMs(encodeWav({ sampleRate: 8_000, channels: [caller, agent] }), tools);

  expect(longest(track(), track([700, 9_300]))).toBe(700);
  expect(longest(track([2_000, 1_000]), track([0, 1_000], [3_900, 6_100]))).toBe(900);
  expect(longest(track([5_000, 500]), track([100, 900], [5_600, 4_400]))).toBe(100); // 4 s that the caller ended
  expect(longest(track([3_000, 500]), track([4_000, 6_000]))).toBe(3_000); // nobody greeted them
  expect(longest(track(), track([100, 900], [2_500, 7_500]), [{ startMs: 800, endMs: 2_400 }])).toBe(1_500);
  expect(longest(track(), track([100, 900], [2_500, 7_500]))).toBe(100); // no tool ran: nobody waited
  expect(longest(track([2_000, 500]), track([100, 900]))).toBe(7_500); // an answer that never came
});
