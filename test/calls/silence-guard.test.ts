import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FRAME_MS } from "../../src/audio/g711.ts";
import { CLIP_TEXTS, type ClipName } from "../../src/calls/clips.ts";
import { type GuardAction, SILENCE_LIMITS, type SilenceFacts, SilenceGuard } from "../../src/calls/silence-guard.ts";
import { SilenceMeter } from "../../src/calls/silence-meter.ts";

/** Sound lies so many slots of 20 ms ahead at the carrier. */
const LEAD = 15;
/** Speech of the caller is noticed so many slots after it began, and its end so many after it ended. */
const ONSET = 3;
const HANG = 25;

/** One thing that happens on a call, and how many slots pass before the next. */
interface Step {
  readonly act:
    | "answer comes"
    | "tool starts"
    | "tool ends"
    | "engine is lost"
    | "engine is back"
    | "caller speaks"
    | "nothing";
  /** How long what begins lasts, in slots. */
  readonly slots: number;
  readonly laterSlots: number;
}

/** What there is in one slot of the timeline. */
interface Slot {
  sound: ClipName | "agent" | "quiet" | undefined;
  callerSpeaks: boolean;
  /** Whether an answer is due or a tool runs. */
  owing: boolean;
  /** What the guard was told. */
  told: SilenceFacts | undefined;
}

/** What the guard did, when, and what was so at that moment. */
interface Deed {
  readonly atMs: number;
  readonly action: GuardAction;
  readonly facts: SilenceFacts;
}

/**
 * A call, slot by slot: plays what the guard and the model give one after the other, as a pacer would, tells a real
 * meter, and writes down the timeline, which knows nothing of guard and meter.
 */
class TestCall {
  readonly slots: Slot[] = [];
  readonly deeds: Deed[] = [];
  readonly meter = new SilenceMeter();
  readonly #guard = new SilenceGuard();
  #at = 0;
  #playsUntil = 0;
  #sentUntil = 0;
  #speech: { from: number; to: number } | undefined;
  #answerSinceMs: number | undefined = 0;
  #toolSinceMs: number | undefined;
  #engineLostMs: number | undefined = 0;
  /** The call ends when the apology has played. */
  #endsAt = Number.POSITIVE_INFINITY;

  constructor() {
    this.meter.answered(0);
    this.meter.answerDue(0); // the greeting
  }

  get over(): boolean {
    return this.#at >= this.#endsAt;
  }

  get nowMs(): number {
    return this.#at * FRAME_MS;
  }

  /** The timeline until now: what would have played later is no part of the call. */
  get passed(): readonly Slot[] {
    return this.slots.slice(0, this.#at);
  }

  do({ act, slots, laterSlots }: Step): void {
    if (act === "answer comes") this.#answer(slots);
    else if (act === "tool starts") this.#startTool();
    else if (act === "tool ends") this.#endTool();
    else if (act === "engine is lost") this.#engineLostMs ??= this.nowMs;
    else if (act === "engine is back") this.#reopen();
    else if (act === "caller speaks") this.#speech ??= { from: this.#at, to: this.#at + ONSET + slots };
    for (let passed = 0; passed < laterSlots && !this.over; passed++) this.#pass();
  }

  #reopen(): void {
    this.#engineLostMs = undefined;
    if (this.#answerSinceMs !== undefined) this.#answerSinceMs = this.nowMs;
  }

  #answer(slots: number): void {
    if (this.#answerSinceMs === undefined || this.#engineLostMs !== undefined || this.meter.callerSpeaks) return;
    this.#answerSinceMs = undefined;
    this.meter.answerCame(this.nowMs);
    this.#play("quiet", slots % 10); // a model takes a breath first
    this.#play("agent", slots);
  }

  #startTool(): void {
    if (this.#toolSinceMs !== undefined || this.#engineLostMs !== undefined) return;
    this.#toolSinceMs = this.nowMs;
    this.meter.toolStarted(this.nowMs);
  }

  #endTool(): void {
    if (this.#toolSinceMs === undefined) return;
    this.#toolSinceMs = undefined;
    this.meter.toolFinished(this.nowMs);
    this.#oweAnswer();
  }

  #oweAnswer(): void {
    this.#answerSinceMs ??= this.nowMs;
    this.meter.answerDue(this.nowMs);
  }

  #slot(at: number): Slot {
    const slot = this.slots[at] ?? { sound: undefined, callerSpeaks: false, owing: false, told: undefined };
    this.slots[at] = slot;
    return slot;
  }

  #play(sound: Slot["sound"], count: number): void {
    const from = Math.max(this.#at, this.#playsUntil);
    for (let at = from; at < from + count; at++) this.#slot(at).sound = sound;
    this.#playsUntil = from + count;
  }

  #clear(): void {
    for (let at = this.#at; at < this.#playsUntil; at++) this.#slot(at).sound = undefined;
    this.#playsUntil = Math.min(this.#playsUntil, this.#at);
    this.#sentUntil = Math.min(this.#sentUntil, this.#at);
    this.meter.cleared(this.nowMs);
  }

  #pass(): void {
    this.#hearCaller();
    this.#act();
    this.#send();
    const slot = this.#slot(this.#at);
    slot.owing = this.#answerSinceMs !== undefined || this.#toolSinceMs !== undefined;
    this.#at += 1;
  }

  #hearCaller(): void {
    const speech = this.#speech;
    if (!speech) return;
    const { from, to } = speech;
    this.#slot(this.#at).callerSpeaks = true;
    this.meter.callerFrame(this.#at > from && this.#at <= to, this.nowMs);
    if (this.#at === from + ONSET) {
      this.meter.callerStarted(from * FRAME_MS, this.nowMs);
      if (this.#endsAt === Number.POSITIVE_INFINITY) this.#clear(); // the last words are not interrupted
    }
    if (this.#at < to + HANG) return;
    // Not before it is noticed is their turn over, and then it was since they spoke; a call may end in between.
    for (let at = to; at <= this.#at; at++) Object.assign(this.#slot(at), { callerSpeaks: false, owing: true });
    this.meter.callerStopped(this.nowMs);
    this.#speech = undefined;
    this.#answerSinceMs = undefined; // what was due is not any more: they said something new
    this.#oweAnswer();
  }

  #facts(): SilenceFacts {
    const [engine, tool, answer] = [this.#engineLostMs, this.#toolSinceMs, this.#answerSinceMs];
    return {
      silentSinceMs: this.meter.silentSinceMs(this.nowMs),
      callerSpeaks: this.meter.callerSpeaks,
      agentAudio: this.slots.slice(this.#at, this.#playsUntil).some(({ sound }) => sound === "agent"),
      wait:
        engine !== undefined
          ? { for: "engine", sinceMs: engine }
          : tool !== undefined
            ? { for: "tool", sinceMs: tool }
            : answer !== undefined
              ? { for: "answer", sinceMs: answer }
              : undefined,
    };
  }

  #act(): void {
    const facts = this.#facts();
    this.#slot(this.#at).told = facts;
    const action = this.#guard.tick(this.nowMs, facts);
    if (!action) return;
    this.deeds.push({ atMs: this.nowMs, action, facts });
    if (action.play) this.#play(action.play, action.play === "cue" ? 18 : 3 * CLIP_TEXTS[action.play].length);
    if ("giveUp" in action && action.giveUp === "tool") this.#endTool();
    if ("giveUp" in action && action.giveUp === "engine") this.#endsAt = Math.max(this.#playsUntil, this.#at + 1);
  }

  #send(): void {
    for (; this.#sentUntil < this.#at + LEAD; this.#sentUntil++) {
      const { sound } = this.#slot(this.#sentUntil);
      if (sound === undefined) {
        if (this.#sentUntil >= this.#playsUntil) break;
        continue;
      }
      const audio = new Uint8Array(FRAME_MS * 8).fill(sound === "quiet" ? 0xff : 0x80);
      this.meter.sent([{ itemId: sound, startsAtMs: this.#sentUntil * FRAME_MS, audio }]);
    }
    this.#sentUntil = Math.max(this.#sentUntil, this.#at + 1);
  }
}

/** The longest stretch in which the caller waits and hears nothing, read off a timeline, in milliseconds. */
function longestGapMs(slots: readonly Slot[]): number {
  let longest = 0;
  let gap = 0;
  slots.forEach(({ sound, callerSpeaks, owing }, at) => {
    const silent = (sound === undefined || sound === "quiet") && !callerSpeaks;
    const waits = owing || gap > 0 || at === 0; // whoever was answered waits, also for a breath of the model's
    gap = silent && waits ? gap + 1 : 0;
    longest = Math.max(longest, gap);
  });
  return longest * FRAME_MS;
}

type Side = "engine" | "tool";
const sideOf = (told: SilenceFacts | undefined): Side | undefined =>
  told?.wait && (told.wait.for === "tool" ? "tool" : "engine");

/** For how long each slot's wait has been for the same side, from when it began by what the guard was told. */
function waitedMs(slots: readonly Slot[]): number[] {
  let since = 0;
  return slots.map(({ told }, at) => {
    if (at === 0 || sideOf(told) !== sideOf(slots[at - 1]?.told)) since = at * FRAME_MS;
    return at * FRAME_MS - Math.max(since, told?.wait?.sinceMs ?? 0);
  });
}

const plays = (deeds: readonly Deed[]) => deeds.flatMap(({ action }) => action.play ?? []);
const isPhrase = (name: ClipName) => !["cue", "apology", "too-long"].includes(name);
const nothing = (laterMs: number): Step => ({ act: "nothing", slots: 0, laterSlots: laterMs / FRAME_MS });

describe("whatever happens on a call", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    act: fc.constantFrom<Step["act"]>(
      "answer comes",
      "answer comes",
      "tool starts",
      "tool ends",
      "engine is lost",
      "engine is back",
      "engine is back",
      "caller speaks",
    ),
    slots: fc.integer({ min: 1, max: 150 }),
    laterSlots: fc.oneof(fc.nat(20), fc.nat(200), fc.nat(1_000), { arbitrary: fc.nat(4_000), weight: 1 }),
  });
  const steps = fc.array(step, { minLength: 1, maxLength: 25 });
  const whatever = (check: (call: TestCall) => void) => {
    fc.assert(
      fc.property(steps, (list) => {
        const call = new TestCall();
        for (const each of list) call.do(each);
        check(call);
      }),
      { numRuns: 400 },
    );
  };

  test("whoever waits for us hears something within 2 s, and what we play comes within 1.5 s", () => {
    whatever(({ passed, deeds }) => {
      expect(longestGapMs(passed)).toBeLessThanOrEqual(2_000);
      for (const { atMs, action, facts } of deeds) {
        if (action.play === "cue" || (action.play && isPhrase(action.play)))
          expect(atMs - (facts.silentSinceMs as number)).toBeLessThanOrEqual(1_420);
      }
    });
  });

  test("nothing is played over the caller or over the model", () => {
    whatever(({ deeds }) => {
      for (const { action, facts } of deeds) {
        if (action.play) expect(facts).toMatchObject({ callerSpeaks: false, agentAudio: false });
      }
    });
  });

  test("a wait that is too long is given up once, on time, and by its kind", () => {
    whatever(({ slots, deeds }) => {
      const waited = waitedMs(slots);
      const due = new Map<string, [atMs: number, side: Side]>();
      slots.forEach(({ told }, at) => {
        const side = sideOf(told);
        if (!told || side === undefined) return;
        const wait = `${side} ${told.wait?.sinceMs}`;
        const spoken = told.callerSpeaks || told.agentAudio;
        const limitMs = side === "tool" ? 65_000 : spoken ? 24_000 : 12_000;
        if ((waited[at] as number) >= limitMs && !due.has(wait)) due.set(wait, [at * FRAME_MS, side]);
      });
      const given = deeds.flatMap(({ atMs, action }) => ("giveUp" in action ? [[atMs, action.giveUp]] : []));
      expect(given).toEqual([...due.values()]);
    });
  });

  test("no phrase is said twice in a row, and phrases of one wait are at least 6 s apart", () => {
    whatever(({ deeds }) => {
      const phrases = plays(deeds).filter(isPhrase);
      phrases.forEach((name, index) => {
        expect(name).not.toBe(phrases[index - 1]);
      });
      const later = deeds.filter(({ action }) => action.play === "still-working" || action.play === "thank-you");
      for (const { atMs } of later) {
        const before = deeds.findLast((deed) => deed.atMs < atMs && deed.action.play && isPhrase(deed.action.play));
        expect(atMs - (before?.atMs ?? 0)).toBeGreaterThanOrEqual(6_000);
      }
    });
  });

  test("the meter that is stored with the call agrees with the timeline while something is owed", () => {
    whatever((call) => {
      const { passed, meter, nowMs } = call;
      expect(Math.abs(meter.longestMs(nowMs) - longestGapMs(passed))).toBeLessThanOrEqual(60);
    });
  });
});

test("case 31: a consult that takes 133 s is no dead silence, and is given up aloud after 65 s", () => {
  const call = new TestCall();
  call.do({ act: "engine is back", slots: 0, laterSlots: 10 });
  call.do({ act: "answer comes", slots: 60, laterSlots: 120 });
  call.do({ act: "caller speaks", slots: 50, laterSlots: 100 });
  call.do({ act: "tool starts", slots: 0, laterSlots: 0 });
  const startedMs = call.nowMs;
  call.do(nothing(65_100));
  const aborted = call.deeds.find(({ action }) => "giveUp" in action);
  expect(aborted?.action).toEqual({ giveUp: "tool", play: "too-long" });
  expect((aborted?.atMs ?? 0) - startedMs).toBe(65_000);
  const phrases = plays(call.deeds).filter(isPhrase);
  expect(phrases.slice(0, 4)).toEqual(["one-moment", "still-working", "thank-you", "still-working"]);
  expect(phrases.length).toBeGreaterThanOrEqual(8);
  const saidAtMs = call.deeds.filter(({ action }) => action.play && isPhrase(action.play)).map(({ atMs }) => atMs);
  saidAtMs.slice(1).forEach((atMs, index) => {
    expect(atMs - (saidAtMs[index] as number)).toBeLessThanOrEqual(8_000);
  });
  call.do(nothing(67_900)); // the model, told so, does not answer either
  expect(call.over).toBe(true);
  expect(call.deeds.at(-1)?.action).toEqual({ giveUp: "engine", play: "apology" });
  expect(longestGapMs(call.slots)).toBeLessThanOrEqual(1_500);
});

describe("the guard", () => {
  const facts = (changes: Partial<SilenceFacts>): SilenceFacts => ({
    silentSinceMs: undefined,
    callerSpeaks: false,
    agentAudio: false,
    wait: undefined,
    ...changes,
  });
  /** Ticks from `fromMs` to `toMs` with the same facts; what was done, by its time. */
  const run = (guard: SilenceGuard, fromMs: number, toMs: number, changes: Partial<SilenceFacts>) => {
    const done: [number, GuardAction][] = [];
    for (let now = fromMs; now <= toMs; now += FRAME_MS) {
      const action = guard.tick(now, facts(changes));
      if (action) done.push([now, action]);
    }
    return done;
  };

  test("a model that never answers: cue, phrase, cues, phrase, apology, and then nothing", () => {
    const call = new TestCall();
    call.do({ act: "engine is back", slots: 0, laterSlots: 0 });
    call.do(nothing(11_980));
    expect(plays(call.deeds)).toEqual(["cue", "one-moment", "cue", "cue", "still-working"]);
    expect(call.deeds[0]?.atMs).toBe(1_400);
    expect(call.over).toBe(false);
    call.do(nothing(60_000));
    expect(call.deeds).toHaveLength(6);
    expect(call.deeds[5]).toMatchObject({ atMs: 12_000, action: { giveUp: "engine", play: "apology" } });
  });

  test("is silent while nobody waits: before the answer, in the caller's turn, while the model speaks", () => {
    const guard = new SilenceGuard();
    expect(run(guard, 0, 60_000, {})).toEqual([]);
    expect(run(guard, 0, 60_000, { callerSpeaks: true, silentSinceMs: 0 })).toEqual([]);
    expect(run(guard, 0, 60_000, { agentAudio: true, silentSinceMs: 0 })).toEqual([]);
  });

  test("breaks a silence even if it is not known what the caller waits for", () => {
    expect(run(new SilenceGuard(), 0, 1_500, { silentSinceMs: 0 })).toEqual([[1_400, { play: "cue" }]]);
  });

  test("does not repeat a clip that has not been sent yet", () => {
    const wait = { for: "tool", sinceMs: 0 } as const;
    expect(run(new SilenceGuard(), 0, 4_000, { silentSinceMs: 0, wait })).toEqual([
      [1_400, { play: "cue" }],
      [2_800, { play: "one-moment" }],
    ]);
  });

  test("a new wait begins with a cue, and with another phrase than the last one did", () => {
    const guard = new SilenceGuard();
    const once = (sinceMs: number) =>
      run(guard, sinceMs, sinceMs + 3_000, { silentSinceMs: sinceMs }).map(([, { play }]) => play);
    expect(once(0)).toEqual(["cue", "one-moment"]);
    run(guard, 3_020, 5_000, { callerSpeaks: true });
    expect(once(5_000)).toEqual(["cue", "just-a-moment"]);
    run(guard, 8_020, 10_000, { agentAudio: true });
    expect(once(10_000)).toEqual(["cue", "one-moment"]);
  });

  test("gives a tool up while somebody speaks without a word of its own", () => {
    const wait = { for: "tool", sinceMs: 0 } as const;
    for (const speaker of [{ callerSpeaks: true }, { agentAudio: true }])
      expect(run(new SilenceGuard(), 0, 200_000, { ...speaker, wait })).toEqual([[65_000, { giveUp: "tool" }]]);
  });

  test.each(["engine", "answer"] as const)("says the last words when a caller who speaks has finished: %s", (what) => {
    const wait = { for: what, sinceMs: 0 } as const;
    const guard = new SilenceGuard();
    expect(run(guard, 0, 15_000, { callerSpeaks: true, wait })).toEqual([]);
    expect(run(guard, 15_020, 60_000, { silentSinceMs: 15_000, wait })).toEqual([
      [15_020, { giveUp: "engine", play: "apology" }],
    ]);
  });

  test("a line on which somebody always speaks is given up as well, without a word", () => {
    const wait = { for: "engine", sinceMs: 0 } as const;
    expect(run(new SilenceGuard(), 0, 90_000, { callerSpeaks: true, wait })).toEqual([[24_000, { giveUp: "engine" }]]);
  });

  test("an engine that cannot be had is given up though nobody waits for it", () => {
    const wait = { for: "engine", sinceMs: 0 } as const;
    expect(run(new SilenceGuard(), 0, 90_000, { wait })).toEqual([[12_000, { giveUp: "engine", play: "apology" }]]);
  });

  test("after giving up it guards the next wait: another engine may have taken over", () => {
    const guard = new SilenceGuard();
    run(guard, 0, 20_000, { wait: { for: "engine", sinceMs: 0 } });
    const wait = { for: "answer", sinceMs: 20_000 } as const;
    const next = run(guard, 20_020, 40_000, { silentSinceMs: 20_000, wait });
    expect(next[0]).toEqual([21_400, { play: "cue" }]);
    expect(next.at(-1)).toEqual([32_000, { giveUp: "engine", play: "apology" }]);
  });

  test("its limits are those of the promise: 1.5 s less a tick and some", () => {
    expect(SILENCE_LIMITS.cueAfterMs + 2 * FRAME_MS).toBeLessThan(1_500);
  });
});
