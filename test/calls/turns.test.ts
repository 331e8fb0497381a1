import { beforeEach, describe, expect, test } from "vitest";
import { encodeMulaw, FRAME_BYTES } from "../../src/audio/g711.ts";
import { EngineTurns } from "../../src/calls/turns.ts";

/** 20 ms of a vowel of about −20 dBFS, and of a quiet room. */
const VOICE = encodeMulaw(
  Int16Array.from({ length: 8 * FRAME_BYTES }, (_, i) => {
    const at = (2 * Math.PI * i) / 8_000;
    return 3_000 * (Math.sin(125 * at) + 0.6 * Math.sin(250 * at) + 0.4 * Math.sin(375 * at));
  }),
);
const voiceAt = (frame: number) => VOICE.subarray((frame % 8) * FRAME_BYTES, ((frame % 8) + 1) * FRAME_BYTES);
const ROOM = new Uint8Array(FRAME_BYTES).fill(0xff);

describe("turns that are left to the engine", () => {
  let done: string[];
  let turns: EngineTurns;
  let now: number;

  beforeEach(() => {
    done = [];
    now = 0;
    const note = (what: string) => () => void done.push(what);
    turns = new EngineTurns({
      pause: note("pause"),
      resume: note("resume"),
      yieldFloor: note("yield"),
      hold: (held) => void done.push(held ? "hold" : "release"),
      commitTurn: note("commit"),
      askEngine: note("ask"),
      engineSilent: note("silent"),
      answer: note("answer"),
      callerStarted: (fromMs) => void done.push(`caller from ${fromMs}`),
      callerStopped: (atMs) => void done.push(`caller until ${atMs}`),
    });
    quiet(400); // what the line sounds like
  });

  function frames(ms: number, frame: (index: number) => Uint8Array) {
    for (const endMs = now + ms; now < endMs; ) {
      now += 20;
      turns.callerFrame(frame(now / 20), now);
      if (now % 40 === 0) turns.tick(now);
    }
  }
  const quiet = (ms: number) => frames(ms, () => ROOM);
  const voice = (ms: number) => frames(ms, voiceAt);

  test("the agent stops when the engine hears somebody, and waits until it says that they have finished", () => {
    voice(300);
    turns.engineSpeechStarted("item_1", 450);
    voice(700);
    quiet(500);
    turns.engineSpeechStopped("item_1", now);
    quiet(5_000);
    expect(done).toEqual(["caller from 450", "hold", "yield", `caller until 1900`, "release"]);
  });

  test("an engine that says nothing of somebody's speech is asked, and waited for when it is dead", () => {
    voice(800);
    quiet(280);
    expect(done).toEqual([]);
    quiet(80);
    expect(done).toEqual(["ask"]);
    quiet(720);
    expect(done).toEqual(["ask"]);
    quiet(5_000);
    expect(done.slice(1)).toEqual([expect.stringMatching(/^caller from 4\d0$/), "caller until 1200", "silent"]);
  });

  test("one that dies while somebody speaks is found out as well, a little later", () => {
    voice(300);
    turns.engineSpeechStarted("item_1", 450);
    voice(700);
    quiet(900);
    expect(done.slice(3)).toEqual([]);
    quiet(140);
    expect(done.slice(3)).toEqual(["ask"]);
    quiet(5_000);
    expect(done.slice(4)).toEqual([expect.stringMatching(/^caller from /), "caller until 1400", "silent"]);
  });

  test("one that lives has heard no speech: nothing comes of it, and it is asked anew about the next", () => {
    voice(800);
    quiet(400);
    turns.engineLives();
    quiet(5_000);
    expect(done).toEqual(["ask"]);
    voice(800);
    quiet(400);
    expect(done).toEqual(["ask", "ask"]);
  });

  test("a cough, and what sounds while the agent speaks, ask for nothing", () => {
    voice(120);
    quiet(2_000);
    turns.agentSounds(true);
    voice(2_000);
    quiet(100);
    turns.agentSounds(false);
    quiet(3_000);
    expect(done).toEqual([]);
  });
});
