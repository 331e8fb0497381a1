import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from "../../src/audio/g711.ts";
import { MediaBridge } from "../../src/calls/media-bridge.ts";
import type { ItemPlayout } from "../../src/calls/playout.ts";
import { Ticker } from "../../src/calls/ticker.ts";
import type { MediaLeg, MediaListener } from "../../src/carriers/carrier.ts";
import type { EngineSession } from "../../src/engines/engine.ts";
import { type HandClock, handClock } from "./clock.ts";

/** A carrier's end of a leg: what comes is played in order, a frame each 20 ms, and marks go back when due. */
class Carrier implements MediaLeg {
  readonly legId = "leg";
  readonly streamId = "stream";
  readonly token = undefined;
  bufferedBytes = 0;
  closed = false;
  clears = 0;
  marks = 0;
  /** What was played, in frames, and when each began. */
  readonly played: { readonly frame: Uint8Array; readonly atMs: number }[] = [];
  readonly #clock: HandClock;
  readonly #oneWayMs: number;
  readonly #timers: { stop(): void }[];
  #queue: (Uint8Array | string)[] = [];
  #listener: MediaListener | undefined;

  /** `phaseMs`: when its first frame is due; `oneWayMs`: how long messages are under way. */
  constructor(clock: HandClock, { phaseMs = 0, oneWayMs = 0 } = {}) {
    this.#clock = clock;
    this.#oneWayMs = oneWayMs;
    this.#timers = [];
    this.#timers.push(
      clock.after(phaseMs, () => {
        this.#play();
        this.#timers.push(clock.every(FRAME_MS, () => this.#play()));
      }),
    );
  }

  sendAudio(audio: Uint8Array): void {
    expect(audio.length % FRAME_BYTES).toBe(0);
    for (let at = 0; at < audio.length; at += FRAME_BYTES) {
      const frame = audio.slice(at, at + FRAME_BYTES);
      this.#arrives(() => this.#queue.push(frame));
    }
  }

  mark(name: string): void {
    this.marks += 1;
    this.#arrives(() => {
      this.#queue.push(name);
      this.#echo();
    });
  }

  together(sends: () => void): void {
    sends();
  }

  clear(): void {
    this.clears += 1;
    this.#arrives(() => {
      const names = this.#queue.filter((entry) => typeof entry === "string");
      this.#queue = [];
      for (const name of names) this.#marked(name);
    });
  }

  listen(listener: MediaListener): void {
    this.#listener = listener;
  }

  close(): void {
    this.closed = true;
    this.hangUp();
  }

  /** A frame of the caller comes. */
  says(frame: Uint8Array): void {
    this.#listener?.audio(Buffer.from(Buffer.from(frame).toString("base64"), "latin1"));
  }

  hangUp(): void {
    for (const timer of this.#timers) timer.stop();
  }

  /** Milliseconds of frames that hold this byte and have played. */
  playedMs(byte: number): number {
    return this.played.filter(({ frame }) => frame[FRAME_BYTES - 1] === byte).length * FRAME_MS;
  }

  #play(): void {
    this.#echo();
    const frame = this.#queue[0];
    if (!(frame instanceof Uint8Array)) return;
    this.#queue.shift();
    this.played.push({ frame, atMs: this.#clock.now() });
  }

  #echo(): void {
    while (typeof this.#queue[0] === "string") this.#marked(this.#queue.shift() as string);
  }

  #marked(name: string): void {
    this.#arrives(() => this.#listener?.marked(name));
  }

  #arrives(act: () => void): void {
    if (this.#oneWayMs === 0) act();
    else this.#clock.after(this.#oneWayMs, act);
  }
}

/** The model's end, as far as the bridge uses it. */
function engine() {
  const frames: string[] = [];
  const session = { sendAudio: (base64: Buffer) => void frames.push(base64.toString("latin1")) };
  return { frames, session: session as unknown as EngineSession };
}

function bridged(options: { phaseMs?: number; oneWayMs?: number } = {}) {
  const clock = handClock();
  const carrier = new Carrier(clock, options);
  const heard: ItemPlayout[] = [];
  const stalls: string[] = [];
  const ends: string[] = [];
  const bridge = new MediaBridge({
    clock,
    ticker: new Ticker(clock),
    onHeard: (item) => heard.push(item),
    onCallerFrame: () => {},
    onAgentPlays: () => {},
    onTick: () => {},
    onDtmf: () => {},
    onClosed: (how) => ends.push(how),
    onFault: (_code, what) => stalls.push(what),
  });
  bridge.attachLeg(carrier);
  return { clock, carrier, bridge, heard, stalls, ends };
}

const sound = (ms: number, byte: number) => Buffer.alloc(ms * 8, byte);
const frameOf = (byte: number) => new Uint8Array(FRAME_BYTES).fill(byte);

describe("what the caller says", () => {
  test("case 42: no caller frame is lost though the model's socket takes 300 ms to open", () => {
    const { clock, carrier, bridge } = bridged();
    const { frames, session } = engine();
    const said: string[] = [];
    const says = (count: number) => {
      for (let i = 0; i < count; i++) {
        const frame = frameOf(said.length % 120);
        said.push(Buffer.from(frame).toString("base64"));
        carrier.says(frame);
        clock.pass(FRAME_MS);
      }
    };
    says(15);
    expect(frames).toEqual([]);
    bridge.attachSession(session);
    expect(frames).toEqual(said);
    says(20);
    expect(frames).toEqual(said);
    // What the model places at 340 ms of its 700 ms of input was spoken 360 ms before the newest frame ended.
    expect(clock.now() - FRAME_MS - bridge.spokenAtMs(340)).toBe(360);
  });

  test("what is kept for a model that does not come is bounded: the newest ten seconds", () => {
    const { carrier, bridge, clock } = bridged();
    const { frames, session } = engine();
    for (let i = 0; i < 700; i++) {
      carrier.says(frameOf(i % 250));
      clock.pass(FRAME_MS);
    }
    bridge.attachSession(session);
    expect(frames).toHaveLength(500);
    expect(frames[0]).toBe(Buffer.from(frameOf(200)).toString("base64"));
  });
});

describe("what the agent says", () => {
  test("case 12: it leaves in whole frames, at most 350 ms ahead, and is heard whole and without a gap", () => {
    const { clock, carrier, bridge, heard } = bridged({ phaseMs: 7 });
    for (const ms of [100, 213, 187, 200, 200, 200, 133]) bridge.fromAgent("item", sound(ms, 0x11)); // faster than it plays
    bridge.agentItemDone("item");
    expect(carrier.marks).toBeGreaterThan(0);
    clock.pass(2_000);
    expect(carrier.playedMs(0x11)).toBe(1_220);
    expect(carrier.playedMs(MULAW_SILENCE)).toBe(20); // its end, filled up to a frame
    const starts = carrier.played.map(({ atMs }) => atMs);
    expect(starts).toEqual(starts.map((_, index) => (starts[0] as number) + index * FRAME_MS));
    expect(heard).toEqual([{ itemId: "item", producedMs: 1_233, heardMs: 1_233, startedAtMs: expect.any(Number) }]);
    bridge.close();
    expect(clock.running).toBe(0);
  });

  test("paused, it is silent within a frame; resumed, it goes on where it was and is heard whole", () => {
    const { clock, carrier, bridge, heard } = bridged({ phaseMs: 3 });
    bridge.fromAgent("item", sound(1_000, 0x22));
    bridge.agentItemDone("item");
    clock.pass(450);
    bridge.pause();
    bridge.pause(); // twice is once
    const playedMs = carrier.playedMs(0x22);
    clock.pass(900);
    expect(carrier.clears).toBe(1);
    expect(carrier.playedMs(0x22)).toBe(playedMs);
    expect(bridge.agentSpeaks).toBe(true);
    expect(heard).toEqual([]);
    bridge.resume();
    clock.pass(1_000);
    expect(Math.abs(carrier.playedMs(0x22) - 1_000)).toBeLessThanOrEqual(FRAME_MS);
    expect(heard).toMatchObject([{ itemId: "item", heardMs: 1_000 }]);
    expect(bridge.agentSpeaks).toBe(false);
    bridge.resume(); // nothing is held: nothing happens
    clock.pass(500);
    expect(Math.abs(carrier.playedMs(0x22) - 1_000)).toBeLessThanOrEqual(FRAME_MS);
  });

  test("interrupted, it is silent for good, and what was heard of each item is known to a frame", () => {
    const { clock, carrier, bridge, heard } = bridged({ phaseMs: 11 });
    bridge.fromAgent("one", sound(400, 0x31));
    bridge.agentItemDone("one");
    bridge.fromAgent("two", sound(600, 0x32));
    bridge.agentItemDone("two");
    bridge.fromAgent("three", sound(600, 0x33));
    clock.pass(700);
    const cuts = bridge.interrupt();
    expect(heard).toMatchObject([{ itemId: "one", heardMs: 400 }]);
    expect(cuts).toMatchObject([
      { itemId: "two", producedMs: 600 },
      { itemId: "three", producedMs: 600, heardMs: 0 },
    ]);
    expect(Math.abs((cuts[0]?.heardMs ?? 0) - carrier.playedMs(0x32))).toBeLessThanOrEqual(FRAME_MS);
    const frames = carrier.played.length;
    clock.pass(2_000);
    expect(carrier.played).toHaveLength(frames);
    bridge.fromAgent("four", sound(200, 0x34));
    bridge.agentItemDone("four");
    clock.pass(400);
    expect(carrier.playedMs(0x34)).toBe(200);
  });

  test("what is given up while it is paused takes no second clear, and nothing of it is heard", () => {
    const { clock, carrier, bridge } = bridged();
    bridge.fromAgent("item", sound(1_000, 0x41));
    clock.pass(300);
    bridge.pause();
    clock.pass(400);
    const [cut] = bridge.interrupt();
    expect(Math.abs((cut?.heardMs ?? 0) - carrier.playedMs(0x41))).toBeLessThanOrEqual(FRAME_MS);
    clock.pass(1_000);
    expect(carrier.clears).toBe(1);
    expect(carrier.playedMs(0x41)).toBeLessThanOrEqual(320);
  });

  test("what comes while it is paused waits behind the rest", () => {
    const { clock, carrier, bridge } = bridged();
    bridge.fromAgent("item", sound(400, 0x51));
    clock.pass(200);
    bridge.pause();
    bridge.fromAgent("item", sound(200, 0x52));
    bridge.agentItemDone("item");
    bridge.play("clip", sound(100, 0x53));
    clock.pass(500);
    expect(carrier.playedMs(0x52)).toBe(0);
    bridge.resume();
    clock.pass(1_000);
    const bytes = carrier.played.map(({ frame }) => frame[FRAME_BYTES - 1] as number);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    expect([carrier.playedMs(0x52), carrier.playedMs(0x53)]).toEqual([200, 100]);
  });
});

describe("case 9: marks say what was heard", () => {
  test("a carrier that lags: after two marks what was heard is counted by its playback", () => {
    const { clock, carrier, bridge, heard } = bridged({ oneWayMs: 150 });
    bridge.fromAgent("item", sound(3_000, 0x61));
    clock.pass(1_500);
    const playedMs = carrier.playedMs(0x61); // 1,340 or so, though 1,500 ms have passed since it was sent
    const [cut] = bridge.interrupt();
    expect(playedMs).toBeLessThan(1_400);
    // The way back of the marks counts as not heard: nothing is held for heard that was not.
    expect(cut?.heardMs).toBeLessThanOrEqual(playedMs);
    expect(cut?.heardMs).toBeGreaterThanOrEqual(playedMs - 200);
    expect(heard).toEqual([]);
  });

  test("marks that come back because sound was dropped move nothing", () => {
    const { clock, carrier, bridge } = bridged({ phaseMs: 1 });
    for (let round = 0; round < 5; round++) {
      bridge.fromAgent(`old_${round}`, sound(1_000, 0x70));
      clock.pass(150);
      bridge.interrupt();
      clock.pass(50);
    }
    bridge.fromAgent("item", sound(1_000, 0x71));
    clock.pass(500);
    const [cut] = bridge.interrupt();
    expect(Math.abs((cut?.heardMs ?? 0) - carrier.playedMs(0x71))).toBeLessThanOrEqual(FRAME_MS);
  });

  test("whatever happens when, what is held for heard is what was heard, to a frame or two", () => {
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 400 }) }, // time passes
      { weight: 3, arbitrary: fc.record({ ms: fc.integer({ min: 20, max: 900 }) }) },
      { weight: 3, arbitrary: fc.constantFrom("pause", "resume", "done", "interrupt") },
    );
    fc.assert(
      fc.property(fc.array(act, { minLength: 5, maxLength: 40, size: "max" }), fc.nat(19), (acts, phaseMs) => {
        const { clock, carrier, bridge, heard } = bridged({ phaseMs });
        const pauses = new Map<string, number>();
        let item = 1;
        for (const each of acts) {
          if (typeof each === "number") clock.pass(each);
          else if (typeof each === "object") bridge.fromAgent(`${item}`, sound(each.ms, item));
          else if (each === "pause") {
            for (let id = 1; id <= item; id++) pauses.set(`${id}`, (pauses.get(`${id}`) ?? 0) + 1);
            bridge.pause();
          } else if (each === "resume") bridge.resume();
          else if (each === "done") {
            bridge.agentItemDone(`${item}`);
            item += 1;
          } else {
            heard.push(...bridge.interrupt());
            item += 1;
          }
        }
        heard.push(...bridge.close());
        expect(new Set(heard.map(({ itemId }) => itemId)).size).toBe(heard.length); // each once
        for (const { itemId, heardMs, producedMs } of heard) {
          const off = Math.abs(heardMs - carrier.playedMs(Number(itemId)));
          expect(heardMs).toBeLessThanOrEqual(producedMs);
          // One frame for the beginning, and one for each time that it was stopped in the middle of one.
          expect(off).toBeLessThanOrEqual(FRAME_MS * (2 + (pauses.get(itemId) ?? 0)));
        }
        expect(clock.running).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a carrier in trouble", () => {
  test("takes no more: what waits is dropped rather than heard late, and it is told once; then it goes on", () => {
    const { clock, carrier, bridge, stalls, heard } = bridged();
    bridge.fromAgent("item", sound(4_000, 0x21));
    clock.pass(600);
    const playedMs = carrier.playedMs(0x21);
    carrier.bufferedBytes = 300_000;
    clock.pass(400);
    expect(stalls).toHaveLength(1);
    expect(heard).toMatchObject([{ itemId: "item", producedMs: 4_000 }]);
    expect(Math.abs((heard[0]?.heardMs ?? 0) - carrier.playedMs(0x21))).toBeLessThanOrEqual(FRAME_MS);
    expect(carrier.clears).toBe(1); // what lies in the socket is never heard
    expect(carrier.playedMs(0x21)).toBeLessThanOrEqual(playedMs + 100);
    bridge.fromAgent("item", sound(200, 0x21));
    clock.pass(400);
    expect(stalls).toHaveLength(1);
    carrier.bufferedBytes = 0;
    bridge.fromAgent("next", sound(200, 0x23));
    bridge.agentItemDone("next");
    clock.pass(600);
    expect(carrier.playedMs(0x23)).toBe(200);
    carrier.bufferedBytes = 300_000;
    bridge.fromAgent("last", sound(200, 0x24));
    expect(stalls).toHaveLength(2);
  });

  test("plays nothing any more, though the connection is open: nothing of what is sent then is held for heard", () => {
    const { clock, carrier, bridge, heard } = bridged({ phaseMs: 5 });
    for (const itemId of ["one", "two", "three"]) {
      bridge.fromAgent(itemId, sound(2_000, 0x11));
      bridge.agentItemDone(itemId);
    }
    clock.pass(700);
    carrier.hangUp();
    const playedMs = carrier.playedMs(0x11);
    clock.pass(7_000);
    expect(heard).toEqual([]);
    const cuts = bridge.close();
    expect(cuts.map(({ itemId }) => itemId)).toEqual(["one", "two", "three"]);
    const heldMs = cuts.reduce((sum, { heardMs }) => sum + heardMs, 0);
    expect(heldMs).toBeLessThanOrEqual(playedMs);
    expect(heldMs).toBeGreaterThan(playedMs - 500);
  });

  test("sends no frame for 8 s: the connection is dead, though open", () => {
    const { clock, carrier, ends, bridge } = bridged();
    for (let i = 0; i < 10; i++) {
      carrier.says(frameOf(MULAW_SILENCE));
      clock.pass(900);
    }
    clock.pass(7_000);
    expect(ends).toEqual([]);
    clock.pass(200);
    expect(ends).toEqual(["lost"]);
    expect(carrier.closed).toBe(true);
    bridge.close();
    expect(clock.running).toBe(0);
  });
});
