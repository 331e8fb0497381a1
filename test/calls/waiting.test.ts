import { beforeEach, describe, expect, test } from "vitest";
import { FRAME_MS } from "../../src/audio/g711.ts";
import { CLIP_TEXTS, type Clip, type ClipName } from "../../src/calls/clips.ts";
import { SilenceMeter } from "../../src/calls/silence-meter.ts";
import { Waiting } from "../../src/calls/waiting.ts";
import { type HandClock, handClock } from "./clock.ts";

/** Each clip lasts so long here. */
const CLIP_MS = 400;
const clip = (name: ClipName): Clip => ({
  name,
  audio: new Uint8Array(CLIP_MS * 8).fill(0x80),
  text: CLIP_TEXTS[name],
  language: "en",
  durationMs: CLIP_MS,
});

/** A call on a hand clock, which plays at once what it is told to play. */
class TestCall {
  readonly clock: HandClock = handClock(0);
  readonly silence = new SilenceMeter();
  /** What was done, with its time. */
  readonly deeds: string[] = [];
  readonly waiting: Waiting;
  /** Until when sound of the model's plays. */
  #modelUntilMs = 0;
  starved = false;

  constructor(clips: "clips" | "none" = "clips") {
    this.waiting = new Waiting({
      silence: this.silence,
      clips: clips === "none" ? undefined : { get: clip },
      idle: { promptMs: 10_000, endMs: 5_000 },
      commands: {
        play: ({ name, audio }) => {
          this.#did(name);
          this.silence.sent([{ itemId: name, audio, startsAtMs: this.nowMs }]);
        },
        abortTools: () => this.#did("abort tools"),
        askIfThere: () => this.#did("ask if there"),
        leave: (reason, said) => this.#did(`leave ${reason}${said ? ", said" : ""}`),
      },
    });
    this.clock.every(FRAME_MS, () =>
      this.waiting.tick(this.nowMs, { modelSounds: this.#modelUntilMs > this.nowMs, starved: this.starved }),
    );
  }

  get nowMs(): number {
    return this.clock.now();
  }

  /** The model's voice, for so long. */
  speak(ms: number): void {
    this.waiting.answerCame(this.nowMs);
    this.#modelUntilMs = this.nowMs + ms;
    this.silence.sent([{ itemId: "model", audio: new Uint8Array(ms * 8).fill(0x80), startsAtMs: this.nowMs }]);
  }

  /** The caller says something that takes so long. */
  callerSays(ms: number): void {
    this.silence.callerStarted(this.nowMs, this.nowMs);
    this.clock.pass(ms);
    this.silence.callerFrame(true, this.nowMs);
  }

  /** Takes the deeds so far. */
  done(): string[] {
    return this.deeds.splice(0);
  }

  #did(what: string): void {
    this.deeds.push(`${this.nowMs} ${what}`);
  }
}

let call: TestCall;
const now = () => call.nowMs;

/** Answered and greeted; the greeting was heard at 1,000 ms. */
beforeEach(() => {
  call = new TestCall();
  call.waiting.answered(0);
  call.speak(1_000);
  call.clock.pass(1_000);
  call.done();
});

describe("before the conversation", () => {
  test("nobody who has not been answered waits, however long a model is got", () => {
    call = new TestCall();
    call.waiting.engineAway(0);
    call.clock.pass(60_000);
    expect(call.done()).toEqual([]);
  });

  test("a model that was being got before the answer is waited for from the answer on", () => {
    call = new TestCall();
    call.waiting.engineAway(0);
    call.clock.pass(10_000);
    call.waiting.answered(now());
    call.clock.pass(11_980);
    expect(call.done().at(0)).toBe("11400 cue");
    call.clock.pass(40);
    expect(call.done()).toEqual(["22020 apology", "22020 leave engine_error, said"]);
  });

  test("without clips the call ends all the same, and it is said that nothing was", () => {
    call = new TestCall("none");
    call.waiting.engineAway(0);
    call.waiting.answered(0);
    call.clock.pass(60_000);
    expect(call.done()).toEqual(["12020 leave engine_error"]);
  });
});

describe("an answer", () => {
  test("that is due is bridged until it comes; then it is the caller's turn", () => {
    call.waiting.answerDue(now());
    call.clock.pass(4_000);
    expect(call.done()).toEqual(["2400 cue", "4200 one-moment"]);
    call.speak(500);
    call.clock.pass(9_000);
    expect(call.done()).toEqual([]);
  });

  test("for which the model is asked twice has been due since the first time", () => {
    call.waiting.answerDue(now());
    call.clock.pass(8_000);
    call.waiting.answerDue(now());
    call.clock.pass(4_020);
    expect(call.done().slice(-2)).toEqual(["13020 apology", "13020 leave engine_error, said"]);
  });

  test("that stops in the middle of a sentence is waited for from there on, with phrases, and given up", () => {
    call.waiting.answerDue(now());
    call.clock.pass(500);
    call.speak(700);
    call.clock.pass(720);
    call.starved = true;
    call.clock.pass(11_000);
    expect(call.done()).toEqual([
      "3640 cue",
      "5440 one-moment",
      "7240 cue",
      "9040 cue",
      "10840 cue",
      "12640 still-working",
    ]);
    call.clock.pass(2_000);
    expect(call.done()).toEqual(["14240 apology", "14240 leave engine_error, said"]);
  });

  test("that stops and goes on is waited for no longer", () => {
    call.speak(700);
    call.clock.pass(720);
    call.starved = true;
    call.clock.pass(500);
    call.starved = false;
    call.speak(700);
    call.clock.pass(9_000);
    expect(call.done()).toEqual([]);
  });
});

describe("a turn that we ended because the model had not noticed it", () => {
  test("is waited for since the caller's last sound, though they still have the turn", () => {
    call.callerSays(1_000);
    call.clock.pass(900);
    expect(call.silence.callerSpeaks).toBe(true);
    call.waiting.turnEnded(now());
    call.clock.pass(1_000);
    expect(call.done()).toEqual(["3400 cue"]); // 1.4 s after their last word
    call.clock.pass(11_020);
    expect(call.done().slice(-2)).toEqual(["14920 apology", "14920 leave engine_error, said"]);
  });

  test("does not silence a caller who speaks on", () => {
    call.callerSays(1_000);
    call.waiting.turnEnded(now());
    for (let frame = 0; frame < 100; frame++) {
      call.silence.callerFrame(true, now());
      call.clock.pass(FRAME_MS);
    }
    expect(call.silence.callerSpeaks).toBe(true);
    expect(call.done()).toEqual([]);
  });

  test("is nothing to wait for once the model has said something about it", () => {
    call.callerSays(1_000);
    call.clock.pass(900);
    call.waiting.turnEnded(now());
    call.waiting.turnTaken(now() + 50);
    call.silence.callerStopped(now());
    call.clock.pass(9_000);
    expect(call.done()).toEqual(["3400 cue"]); // nobody knows yet that it was no question
  });

  test("leaves an answer due that was due before", () => {
    call.waiting.answerDue(now());
    call.waiting.turnEnded(now());
    call.waiting.turnTaken(now());
    call.clock.pass(12_020);
    expect(call.done().at(-1)).toBe("13020 leave engine_error, said");
  });
});

describe("a tool", () => {
  test("is waited for until the last of those that run has its result, then the answer is", () => {
    call.waiting.toolStarted(now());
    call.waiting.toolStarted(now());
    call.waiting.toolFinished(now() + 10);
    call.clock.pass(20_000);
    expect(call.done().some((deed) => deed.includes("leave"))).toBe(false);
    call.waiting.toolFinished(now());
    call.waiting.answerDue(now());
    call.clock.pass(12_020);
    expect(call.done().at(-1)).toBe("33020 leave engine_error, said");
  });

  test("that takes 65 s is aborted aloud, and the call goes on", () => {
    call.waiting.toolStarted(now());
    call.clock.pass(65_020);
    const deeds = call.done();
    expect(deeds.slice(-2)).toEqual(["66020 too-long", "66020 abort tools"]);
    call.waiting.toolFinished(now());
    call.speak(500);
    call.clock.pass(5_000);
    expect(call.done()).toEqual([]);
  });
});

describe("a model that is away", () => {
  test("and back in time is no longer waited for, but what it owed is", () => {
    call.waiting.engineAway(now());
    call.clock.pass(3_000);
    call.waiting.engineThere(now());
    call.speak(500);
    call.clock.pass(5_000);
    call.done();
    call.waiting.answerDue(now());
    call.waiting.engineAway(now());
    call.clock.pass(1_000);
    call.waiting.engineThere(now());
    call.clock.pass(11_020);
    expect(call.done().at(-1)).toBe("21020 leave engine_error, said");
  });
});

describe("the call that is left", () => {
  test("hears nothing more of us", () => {
    call.waiting.answerDue(now());
    call.clock.pass(12_020);
    expect(call.done().at(-1)).toBe("13020 leave engine_error, said");
    call.clock.pass(60_000);
    expect(call.done()).toEqual([]);
  });
});

describe("a caller who says nothing", () => {
  test("is asked, and if they stay silent told goodbye", () => {
    call.clock.pass(10_000);
    expect(call.done()).toEqual(["11000 ask if there"]);
    call.clock.pass(1_000);
    call.speak(500);
    call.clock.pass(5_500);
    expect(call.done()).toEqual(["17500 goodbye", "17500 leave idle, said"]);
  });

  test("but presses a key is there", () => {
    call.clock.pass(9_000);
    call.waiting.sign(now());
    call.clock.pass(9_000);
    expect(call.done()).toEqual([]);
    call.clock.pass(1_000);
    expect(call.done()).toEqual(["20000 ask if there"]);
  });
});
