import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameTrack } from "../../src/audio/frame-track.ts";
import { FRAME_BYTES, MULAW_SILENCE } from "../../src/audio/g711.ts";
import { type Side, StereoTape } from "../../src/audio/stereo-tape.ts";
import { mulawWavHead, readMulawWavHead } from "../../src/audio/wav-mulaw.ts";

const side = fc.constantFrom<Side>("caller", "agent");
const ROOM = new StereoTape(0).until;

/** Frames whose bytes tell which they are, so that each can be found again; none of them is silence. */
const frameOf = (n: number) => new Uint8Array(FRAME_BYTES).fill(n % 200);

/** Takes everything off until a time: one array a side. */
function takeAll(tape: StereoTape, until: number): Record<Side, Uint8Array> {
  const both = new Uint8Array(2 * (until - tape.from));
  tape.takeOff(both);
  return { caller: both.filter((_, i) => i % 2 === 0), agent: both.filter((_, i) => i % 2 === 1) };
}

test("what is taken off is what was laid, wiped and moved, silence elsewhere, however the ring turns", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("lay" as const), side, at: fc.nat(9_000), length: fc.nat(4_000), byte: fc.nat(200) }),
    fc.record({ do: fc.constant("wipe" as const), side, at: fc.nat(9_000), length: fc.nat(4_000) }),
    fc.record({
      do: fc.constant("move" as const),
      side,
      at: fc.nat(9_000),
      length: fc.nat(4_000),
      by: fc.integer({ min: -3_000, max: 3_000 }),
    }),
    fc.record({ do: fc.constant("take" as const), length: fc.nat(9_000) }),
  );
  fc.assert(
    fc.property(fc.nat(100_000), fc.array(step, { maxLength: 40 }), (start, steps) => {
      const tape = new StereoTape(start);
      const model = { caller: new Map<number, number>(), agent: new Map<number, number>() };
      const get = (of: Side, sample: number) => model[of].get(sample) ?? MULAW_SILENCE;
      const inside = (sample: number) => sample >= tape.from && sample < tape.until;
      for (const one of steps) {
        if (one.do === "take") {
          const from = tape.from;
          const taken = takeAll(tape, from + one.length);
          for (let i = 0; i < one.length; i++) {
            if (taken.caller[i] !== get("caller", from + i) || taken.agent[i] !== get("agent", from + i)) {
              expect.fail(`sample ${from + i} is not what was laid`);
            }
          }
          continue;
        }
        const at = tape.from - 1_000 + one.at;
        if (one.do === "lay") {
          tape.lay(one.side, at, new Uint8Array(one.length).fill(one.byte));
          for (let s = at; s < at + one.length; s++) if (inside(s)) model[one.side].set(s, one.byte);
        } else if (one.do === "wipe") {
          tape.wipe(one.side, at, at + one.length);
          for (let s = at; s < at + one.length; s++) model[one.side].delete(s);
        } else {
          tape.move(one.side, at, at + one.length, one.by);
          const held: [number, number][] = [];
          for (let s = at; s < at + one.length; s++) if (inside(s)) held.push([s, get(one.side, s)]);
          for (const [s] of held) model[one.side].delete(s);
          for (const [s, byte] of held) if (inside(s + one.by)) model[one.side].set(s + one.by, byte);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("what lies outside of the tape is left out, and a tape holds four seconds", () => {
  const tape = new StereoTape(1_000);
  expect(ROOM / 8_000).toBeGreaterThan(4);
  tape.lay("caller", 500, new Uint8Array(501).fill(7));
  tape.lay("agent", tape.until - 1, new Uint8Array(2).fill(9));
  const { caller, agent } = takeAll(tape, 1_000 + ROOM);
  expect([caller[0], caller[1], agent[ROOM - 2], agent[ROOM - 1]]).toEqual([7, MULAW_SILENCE, MULAW_SILENCE, 9]);
  expect(takeAll(tape, 1_000 + 2 * ROOM).agent[0]).toBe(MULAW_SILENCE);
});

/** Brings frames to a track, each `delays` milliseconds after it was spoken, and in order. Says what was laid. */
function heard(delays: readonly number[], lost: (n: number) => boolean = () => false): Uint8Array {
  const tape = new StereoTape(0);
  const track = new FrameTrack(tape, "caller");
  let nowMs = 0;
  delays.forEach((delayMs, n) => {
    if (lost(n)) return;
    nowMs = Math.max(nowMs, (n + 1) * 20 + delayMs);
    track.add(frameOf(n), Math.round(nowMs * 8));
  });
  return takeAll(tape, ROOM).caller;
}

const runs = (sound: Uint8Array): [byte: number, length: number][] => {
  const found: [number, number][] = [];
  for (const byte of sound) {
    const last = found.at(-1);
    if (last?.[0] === byte) last[1] += 1;
    else found.push([byte, 1]);
  }
  return found;
};

test("frames follow one another without a gap, however unevenly they come and however long this process stood still", () => {
  const delays = fc.tuple(
    fc.array(fc.nat(30), { minLength: 100, maxLength: 150 }),
    fc.record({ at: fc.integer({ min: 0, max: 99 }), forMs: fc.nat(900) }),
  );
  fc.assert(
    fc.property(delays, ([jitter, stall]) => {
      const late = jitter.map((ms, n) =>
        n >= stall.at && n * 20 < stall.at * 20 + stall.forMs ? Math.max(ms, (stall.at - n) * 20 + stall.forMs) : ms,
      );
      const found = runs(heard(late)).filter(([byte]) => byte !== MULAW_SILENCE);
      expect(found.map(([byte]) => byte)).toEqual(jitter.map((_, n) => n % 200));
      // What had waited since before the first may reach back before the answer: that is cut off, and nothing else.
      expect(found.slice(60).every(([, length]) => length === FRAME_BYTES)).toBe(true);
      expect(
        new Set(
          runs(heard(late))
            .slice(60, -1)
            .map(([byte]) => byte),
        ).has(MULAW_SILENCE),
      ).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test("frames that were lost leave silence of their length, and what follows stands where it was spoken", () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 60 }), fc.integer({ min: 4, max: 60 }), (at, count) => {
      const sound = heard(
        Array.from({ length: 150 }, () => 0),
        (n) => n >= at && n < at + count,
      );
      const after = at + count;
      for (const n of [0, at - 1, after, after + 1, 149]) {
        expect([n, sound[n * FRAME_BYTES], sound[(n + 1) * FRAME_BYTES - 1]]).toEqual([n, n % 200, n % 200]);
      }
      expect(sound.subarray(at * FRAME_BYTES, after * FRAME_BYTES).every((byte) => byte === MULAW_SILENCE)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("the head of a recording is a WAV file's, says where the sound begins, and is read again", () => {
  const head = mulawWavHead({ startSample: 0x1234, soundBytes: 6 });
  expect(head.toString("hex")).toBe(
    (
      "52494646 44000000 57415645 666d7420 12000000 0700 0200 401f0000 803e0000 0200 0800 0000 " +
      "66616374 04000000 03000000 6f767374 04000000 34120000 64617461 06000000"
    ).replaceAll(" ", ""),
  );
  fc.assert(
    fc.property(fc.nat(), fc.option(fc.nat(2 ** 30), { nil: undefined }), (startSample, bytes) => {
      const facts = { startSample, ...(bytes !== undefined && { soundBytes: bytes * 2 }) };
      expect(readMulawWavHead(mulawWavHead(facts))).toEqual(facts);
    }),
  );
  expect(readMulawWavHead(head.subarray(1))).toBeUndefined();
  expect(readMulawWavHead(Buffer.concat([head.subarray(0, 20), Buffer.from([1]), head.subarray(21)]))).toBeUndefined();
});
