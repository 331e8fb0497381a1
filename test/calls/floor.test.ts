import fc from "fast-check";
import { expect, test } from "vitest";
import { FRAME_BYTES, FRAME_MS } from "../../src/audio/g711.ts";
import { Floor } from "../../src/calls/floor.ts";
import type { FloorSettings } from "../../src/calls/floor-settings.ts";
import type { TurnCommands } from "../../src/calls/turns.ts";
import { random } from "../situations/random.ts";
import { lineNoise, roomTone } from "../situations/sounds.ts";
import { add, atLevel, cords, faded, noise, silence, toMulaw, vowel, type Wave } from "../situations/waves.ts";

const START = 1_000_000;

/** A floor whose time passes with what the caller's side sounds like. */
function stage(settings: Partial<FloorSettings> = {}) {
  const done: string[] = [];
  const at = new Map<string, number>();
  let now = START;
  const note = (what: string) => {
    done.push(what);
    at.set(what, now - START);
  };
  const commands: TurnCommands = {
    pause: () => note("pause"),
    resume: () => note("resume"),
    yieldFloor: (fromMs) => note(`yield from ${Math.round((fromMs - START) / 100) * 100}`),
    hold: (held) => note(held ? "hold" : "release"),
    commitTurn: () => note("commit"),
    askEngine: () => note("ask"),
    engineSilent: () => note("silent"),
    answer: (itemId) => note(`answer ${itemId}`),
    callerStarted: () => {},
    callerStopped: () => {},
  };
  const floor = new Floor(commands, settings);
  const hear = (sound: Wave) => {
    const bytes = toMulaw(sound);
    for (let i = 0; i + FRAME_BYTES <= bytes.length; i += FRAME_BYTES) {
      now += FRAME_MS;
      floor.callerFrame(bytes.subarray(i, i + FRAME_BYTES), now, now);
      floor.tick(now);
    }
  };
  return {
    floor,
    done,
    at,
    hear,
    quiet: (ms: number) => hear(silence(ms)),
    get now() {
      return now;
    },
    /** The agent speaks, and its voice has been heard not to come back. */
    speaks: () => {
      hear(silence(1_000));
      floor.agentPlays(toMulaw(vowelOf(2_000, -20, 170)), now);
      floor.agentSounds(true, now);
      hear(silence(1_800));
      done.length = 0;
    },
    started: (itemId: string, fromMs = now - 300) => floor.engineSpeechStarted(itemId, fromMs, now),
    committed: (itemId: string) => {
      floor.engineSpeechStopped(itemId, now);
      floor.turnCommitted(itemId, now);
    },
    says: (itemId: string, text: string) => floor.callerWords(itemId, text, true, now),
  };
}

const vowelOf = (ms: number, dbfs: number, pitchHz = 115): Wave =>
  atLevel(
    vowel(
      cords(ms, (t) => pitchHz * (1 + 0.1 * Math.sin(t * 7)), random(ms)),
      [600, 1_100, 2_400],
    ),
    dbfs,
  );

/** Syllables of different lengths with hisses and gaps between them, as speech has. */
function speech(ms: number, dbfs = -22): Wave {
  const whole = silence(ms);
  const dice = random(ms);
  for (let atMs = 0; atMs < ms - 100; ) {
    const lengthMs = Math.min(ms - atMs, dice.between(120, 320));
    add(whole, faded(vowelOf(Math.round(lengthMs), dbfs, dice.between(100, 130)), 10, 20), atMs);
    atMs += lengthMs + dice.between(20, 60);
    add(whole, faded(atLevel(noise(60, dice), dbfs - 10), 5, 5), atMs);
    atMs += dice.between(60, 120);
  }
  return whole;
}

test("the agent pauses once 60 ms of a voice are heard, not before, and the caller's turn is held free", () => {
  const { hear, done, speaks, at } = stage();
  speaks();
  const beginsMs = 2_800;
  hear(vowelOf(400, -22));
  expect(done.slice(0, 2)).toEqual(["hold", "pause"]);
  expect((at.get("pause") as number) - beginsMs).toBeGreaterThanOrEqual(60);
  expect((at.get("pause") as number) - beginsMs).toBeLessThanOrEqual(100);
});

test("how much of a voice it takes is a setting", () => {
  const { hear, done, speaks, at } = stage({ minSpeechMs: 200 });
  speaks();
  hear(vowelOf(400, -22));
  expect(done).toContain("pause");
  expect((at.get("pause") as number) - 2_800).toBeGreaterThanOrEqual(200);
});

test("a click and a hiss do not pause it", () => {
  const { hear, quiet, done, speaks } = stage();
  speaks();
  hear(atLevel(noise(30, random(1)), -14));
  quiet(500);
  hear(atLevel(noise(400, random(2)), -30));
  quiet(500);
  expect(done).toEqual([]);
});

test("after a short sound that nobody else noticed it goes on within half a second", () => {
  const { hear, quiet, done, at, speaks } = stage();
  speaks();
  hear(vowelOf(180, -20));
  quiet(1_000);
  expect(done).toEqual(["hold", "pause", "resume", "release"]);
  expect((at.get("resume") as number) - 2_800 - 180).toBeLessThanOrEqual(460);
});

test("words end the sentence, and their turn is answered once", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(700));
  s.started("a", START + 2_700);
  s.quiet(500);
  s.committed("a");
  s.quiet(300);
  s.says("a", "No, wait.");
  s.quiet(2_000);
  expect(s.done).toEqual(["hold", "pause", "yield from 2800", "answer a", "release"]);
});

test("a sign of listening does not: the sentence goes on when it is written", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(450));
  s.started("a", START + 2_700);
  s.quiet(500);
  s.committed("a");
  s.quiet(300);
  s.says("a", "Mhm.");
  s.quiet(3_000);
  expect(s.done).toEqual(["hold", "pause", "resume", "release"]);
});

test("a yes over the agent's last word answers it", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(450));
  s.started("a", START + 2_700);
  s.quiet(500);
  s.committed("a");
  s.says("a", "Yes.");
  s.quiet(400);
  s.floor.agentSounds(false, s.now);
  expect(s.done).toEqual(["hold", "pause", "resume", "release", "answer a"]);
});

test("what the engine and we take for speech for long enough needs no words", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(300));
  s.started("a", START + 2_700);
  s.hear(speech(1_300));
  expect(s.done).toEqual(["hold", "pause", "yield from 2800"]);
});

test("an engine that notices speech where none is heard changes nothing, whatever it writes down", () => {
  const s = stage();
  s.speaks();
  s.started("a");
  s.quiet(1_000);
  s.committed("a");
  s.quiet(300);
  s.says("a", "Thank you for watching.");
  s.quiet(1_000);
  s.floor.agentSounds(false, s.now);
  s.quiet(1_000);
  expect(s.done).toEqual([]);
});

test("a turn that the engine misses is ended for it, and answered by its words", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(900));
  s.quiet(1_000);
  expect(s.done).toEqual(["hold", "pause", "commit"]);
  s.floor.turnCommitted("a", s.now);
  s.quiet(300);
  s.says("a", "Something else please.");
  s.quiet(500);
  expect(s.done.slice(3)).toEqual(["yield from 2800", "answer a", "release"]);
});

test("when no transcript comes, what was like words is taken for some", () => {
  const s = stage();
  s.speaks();
  s.hear(speech(900));
  s.started("a", START + 2_700);
  s.quiet(500);
  s.committed("a");
  s.quiet(2_000);
  expect(s.done).toEqual(["hold", "pause", "yield from 2800", "answer a", "release"]);
  const failed = stage();
  failed.speaks();
  failed.hear(speech(900));
  failed.started("a", START + 2_700);
  failed.quiet(500);
  failed.committed("a");
  failed.floor.callerWordsFailed("a", failed.now);
  expect(failed.done).toContain("answer a");
});

test("words that come after the agent went on still end its sentence", () => {
  const s = stage();
  s.speaks();
  s.hear(vowelOf(250, -20));
  s.started("a", START + 2_700);
  s.quiet(600);
  expect(s.done.at(-1)).toBe("release");
  s.committed("a");
  s.quiet(900);
  s.says("a", "Stop.");
  expect(s.done.slice(4)).toEqual(["yield from 2800", "answer a"]);
});

test("when the agent is silent the caller is answered as soon as their turn is made, before its words are there", () => {
  const s = stage();
  s.quiet(1_000);
  s.hear(speech(900));
  s.started("a", START + 900);
  s.quiet(500);
  s.committed("a");
  s.says("a", "What is the time?");
  s.quiet(1_000);
  expect(s.done).toEqual(["hold", "answer a", "release"]);
});

test("a noise while the agent is silent holds it back no longer than it takes to know it", () => {
  for (const sound of [
    lineNoise(30_000, -30, random(5)),
    atLevel(noise(30_000, random(6)), -26),
    vowelOf(30_000, -25),
  ]) {
    const s = stage();
    s.quiet(3_000);
    s.hear(sound);
    expect(s.floor.state).toBe("nobody");
    expect(s.done.filter((what) => what !== "commit").at(-1) ?? "release").toBe("release");
  }
});

test("an engine that never ends a turn does not hold the agent for ever", () => {
  const s = stage();
  s.quiet(1_000);
  s.hear(speech(900));
  s.started("a", START + 900);
  s.quiet(10_000);
  expect(s.done).toEqual(["hold", "commit", "release"]);
});

test("case 7: the greeting's own echo does not cut it, and who speaks over the echo is heard", () => {
  const s = stage();
  s.quiet(1_000);
  const greeting = add(silence(4_000), speech(4_000, -20));
  const echo = add(silence(4_400), greeting, 180, 0.25);
  s.floor.agentSounds(true, s.now);
  const pieces = toMulaw(greeting);
  const play = (sound: Wave, fromMs: number) => {
    for (let ms = 0; ms < sound.length / 8; ms += 100) {
      s.floor.agentPlays(pieces.subarray((fromMs + ms) * 8, (fromMs + ms + 100) * 8), s.now);
      s.hear(sound.subarray(ms * 8, (ms + 100) * 8));
    }
  };
  play(echo.subarray(0, 2_000 * 8), 0);
  expect(s.done).toEqual([]);
  play(add(echo.slice(2_000 * 8, 3_000 * 8), vowelOf(1_000, -18, 210)), 2_000);
  expect(s.done).toContain("pause");
});

test("case 8: room tone that would trip a fixed threshold never pauses the agent, and a person still does", () => {
  const s = stage();
  s.quiet(400);
  const room = roomTone(20_000, -34, random(8));
  s.hear(room.subarray(0, 24_000));
  s.floor.agentSounds(true, s.now);
  s.hear(room.subarray(24_000));
  const pauses = s.done.filter((what) => what === "pause").length;
  expect(pauses).toBe(0);
  s.hear(add(roomTone(600, -34, random(9)), speech(600, -16)));
  expect(s.done).toContain("pause");
});

test("in any order of events each pause ends once, each turn is answered at most once, and quiet sets all free", () => {
  const sounds: Record<string, Wave> = {
    quiet: silence(700),
    speech: speech(900),
    word: vowelOf(240, -20),
    hiss: atLevel(noise(500, random(3)), -28),
    drone: vowelOf(1_500, -24),
  };
  const item = fc.constantFrom("a", "b", "c");
  const event = fc.oneof(
    fc.record({ what: fc.constantFrom("quiet", "speech", "word", "hiss", "drone"), item }),
    fc.record({ what: fc.constantFrom("started", "stopped", "committed", "failed", "agent", "silent"), item }),
    fc.record({ what: fc.constant("words"), item, text: fc.constantFrom("", "Mhm.", "Stop it now.") }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 25 }), (events) => {
      const s = stage();
      for (const { what, item: id, ...words } of events) {
        if (what in sounds) s.hear(sounds[what] as Wave);
        if (what === "started") s.started(id);
        if (what === "stopped") s.floor.engineSpeechStopped(id, s.now);
        if (what === "committed") s.committed(id);
        if (what === "failed") s.floor.callerWordsFailed(id, s.now);
        if (what === "agent") s.floor.agentSounds(true, s.now);
        if (what === "silent") s.floor.agentSounds(false, s.now);
        if (what === "words") s.says(id, (words as { text: string }).text);
      }
      s.quiet(12_000);
      let paused = false;
      let held = false;
      for (const what of s.done) {
        if (what === "pause") {
          expect(paused).toBe(false);
          paused = true;
        }
        if (what === "resume") expect(paused).toBe(true);
        if (what === "resume" || what.startsWith("yield")) paused = false;
        if (what === "hold" || what === "release") {
          expect(held).toBe(what === "release");
          held = what === "hold";
        }
      }
      expect({ paused, held, state: s.floor.state }).toMatchObject({ paused: false, held: false });
      expect(s.floor.state).not.toBe("paused");
    }),
    { numRuns: 250 },
  );
});
