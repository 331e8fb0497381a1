import fc from "fast-check";
import { expect, test } from "vitest";
import { FRAME_BYTES, FRAME_MS } from "../../../src/audio/g711.ts";
import { MediaBridge } from "../../../src/calls/media-bridge.ts";
import { Ticker } from "../../../src/calls/ticker.ts";
import type { MediaLeg, MediaListener } from "../../../src/carriers/carrier.ts";
import { handClock } from "../clock.ts";
import { SILENT, studio } from "./studio.ts";

const SECONDS = 8;

/** A carrier that plays what it has, a frame each 20 ms, until it is told to drop it. */
function loudspeaker() {
  let queue: Uint8Array[] = [];
  let listener: MediaListener | undefined;
  const leg: MediaLeg = {
    legId: "leg",
    streamId: "stream",
    token: undefined,
    bufferedBytes: 0,
    sendAudio: (audio) => {
      for (let at = 0; at < audio.length; at += FRAME_BYTES) queue.push(audio.slice(at, at + FRAME_BYTES));
    },
    mark: () => {},
    together: (sends) => sends(),
    clear: () => {
      queue = [];
    },
    listen: (one) => {
      listener = one;
    },
    close: () => listener?.closed("stopped"),
  };
  return {
    leg,
    /** The byte of the frame that plays now. */
    next: () => queue.shift()?.[0] ?? SILENT,
    says: (byte: number) => listener?.audio(Buffer.from(Buffer.alloc(FRAME_BYTES, byte).toString("base64"))),
  };
}

test("a recording holds of the agent what the caller heard, when they heard it, however often it is paused and cut off", async () => {
  const moment = fc.integer({ min: 10, max: SECONDS * 50 - 30 });
  const deeds = fc.array(fc.tuple(moment, fc.constantFrom("pause", "resume", "interrupt", "answer")), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(deeds, async (plan) => {
      const clock = handClock();
      await using s = await studio({ clock });
      const phone = loudspeaker();
      const bridge = new MediaBridge({
        clock,
        ticker: new Ticker(clock),
        tap: s.recording,
        onHeard: () => {},
        onCallerFrame: () => {},
        onAgentPlays: () => {},
        onTick: () => {},
        onDtmf: () => {},
        onClosed: () => {},
        onFault: (code) => expect.fail(code),
      });
      bridge.attachLeg(phone.leg);
      await s.recording.start();
      const heard: number[] = [];
      const cutAt: number[] = [];
      let byte = 0;
      const speak = () => {
        const seconds = 2;
        const audio = Buffer.concat(
          Array.from({ length: seconds * 50 }, () => Buffer.alloc(FRAME_BYTES, byte++ % 200)),
        );
        bridge.fromAgent(`item ${byte}`, audio);
        bridge.agentItemDone(`item ${byte}`);
      };
      speak();
      for (let frame = 0; frame < SECONDS * 50; frame++) {
        for (const [at, deed] of plan) {
          if (at !== frame) continue;
          if (deed === "pause") bridge.pause();
          if (deed === "resume") bridge.resume();
          if (deed === "interrupt") bridge.interrupt();
          if (deed === "answer") speak();
          if (deed !== "answer") cutAt.push(frame);
        }
        heard.push(phone.next());
        clock.pass(FRAME_MS);
        phone.says(frame % 100);
      }
      await s.recordings.ended(s.journal.call);
      bridge.close();
      const { agent, caller } = await s.plays();
      const { length } = heard;
      expect(caller.slice(0, length)).toEqual(Array.from({ length }, (_, n) => n % 100));
      // Where sound was cut off or begins again, a frame is recorded in part; a pause of two frames may be closed.
      const turns = heard.flatMap((one, frame) => ((one === SILENT) !== (heard[frame - 1] === SILENT) ? [frame] : []));
      const isEdge = (frame: number) => [...cutAt, ...turns].some((at) => Math.abs(at - frame) <= 2);
      const isHeld = (one: number, frame: number) => agent.slice(Math.max(0, frame - 2), frame + 3).includes(one);
      const wrong = heard.flatMap((one, frame) => (isHeld(one, frame) || isEdge(frame) ? [] : [frame]));
      expect(wrong).toEqual([]);
      expect(heard.filter((one) => one !== SILENT).length).toBeGreaterThan(0);
    }),
    { numRuns: 25 },
  );
});

test("sound that follows a cut stands where it was heard, however soon it came", async () => {
  const clock = handClock();
  await using s = await studio({ clock });
  await s.recording.start();
  const plays = (byte: number, frames: number) => {
    const audio = new Uint8Array(frames * FRAME_BYTES).fill(byte);
    s.recording.agentPlays([{ itemId: "a", audio, startsAtMs: clock.now() }]);
  };
  plays(100, 5);
  clock.pass(2 * FRAME_MS);
  s.recording.cleared(clock.now());
  clock.pass(FRAME_MS);
  plays(101, 2);
  clock.pass(2 * FRAME_MS);
  await s.recordings.ended(s.journal.call);
  expect((await s.plays()).agent.slice(0, 5)).toEqual([100, 100, SILENT, 101, 101]);
});
