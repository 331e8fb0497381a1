import { EventEmitter } from "eventemitter3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { EngineLine } from "../../src/calls/engine-line.ts";
import type { OpenSession } from "../../src/calls/engine-line-opening.ts";
import { EngineRefusedError, EngineUnreachableError } from "../../src/core/errors.ts";
import type { EngineEvents, EngineSession, ResponseOrder } from "../../src/engines/engine.ts";
import { ResponseSequencer } from "../../src/engines/response-sequencer.ts";
import { handClock } from "./clock.ts";

class BusyError extends EngineRefusedError {
  override readonly retryable = true;
}

/** A session that sequences as the real one does, and whose engine does what the weather wants. */
class WeatherSession implements EngineSession {
  readonly model = "weather";
  readonly id: string;
  readonly heard: number[] = [];
  isClosed = false;
  /** Texts that were said to their end. */
  readonly said: string[];
  readonly #events = new EventEmitter<EngineEvents>();
  readonly #sequencer: ResponseSequencer;
  #asked: { order: ResponseOrder; orderId: string } | undefined;
  #running: { responseId: string; order: ResponseOrder; cancelled: boolean } | undefined;
  #count = 0;

  constructor(id: string, said: string[]) {
    this.id = id;
    this.said = said;
    this.#sequencer = new ResponseSequencer({
      create: (order, orderId) => {
        expect(this.isClosed, "nothing is asked of a session that is gone").toBe(false);
        this.#asked = { order, orderId };
      },
      cancel: () => {
        if (this.#running) this.#running.cancelled = true;
      },
    });
  }

  get pending() {
    return this.#sequencer.pending;
  }
  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }
  tell<Name extends keyof EngineEvents>(event: Name, ...payload: EngineEvents[Name]): void {
    if (!this.isClosed) this.#events.emit(event, ...(payload as EventEmitter.EventArgs<EngineEvents, Name>));
  }
  sendAudio(base64: Buffer): void {
    this.heard.push(Buffer.from(base64.toString("latin1"), "base64").readUInt16BE(0));
  }
  respond(order: ResponseOrder): void {
    this.#sequencer.request(order);
  }
  say(text: string, cause: "greeting" | "say"): void {
    this.respond({ cause, text });
  }
  hold(held: boolean): void {
    this.#sequencer.hold(held);
  }
  stop(): void {
    this.#sequencer.stop();
  }
  commitTurn(): void {}
  instruct(): void {}
  remember(): void {}
  truncate(): void {}
  giveToolResult(): void {}
  update(): void {}
  close(): void {
    if (this.isClosed) return;
    this.tell("closed", { reason: "closed by us" });
    this.isClosed = true;
    this.#sequencer.close();
  }

  // --- the weather ---

  begin(): void {
    const asked = this.#asked;
    if (!asked || this.isClosed) return;
    this.#asked = undefined;
    const responseId = `${this.id}_${++this.#count}`;
    this.#running = { responseId, order: asked.order, cancelled: false };
    const cause = this.#sequencer.created(responseId, asked.orderId);
    this.tell("responseStarted", { responseId, cause });
  }
  sound(): void {
    const running = this.#running;
    if (!running || !this.#sequencer.takes(running.responseId)) return;
    const { responseId } = running;
    this.tell("audio", { responseId, itemId: `item_${responseId}`, audio: Buffer.alloc(800) });
  }
  finish(failure?: { error: EngineRefusedError; retryAfterMs?: number }): void {
    const running = this.#running;
    if (!running || this.isClosed) return;
    const { responseId, order, cancelled } = running;
    this.#running = undefined;
    const { stopped } = this.#sequencer.ended(responseId);
    const status = cancelled ? "cancelled" : failure ? "failed" : "completed";
    if (status === "completed" && order.text !== undefined) this.said.push(order.text);
    const told = failure && !stopped ? { failure: { ...failure, order } } : {};
    this.tell("responseEnded", { responseId, status, ...told });
  }
  lose(): void {
    this.tell("closed", { reason: "gone", error: new EngineUnreachableError("Gone.") });
    this.isClosed = true;
    this.#sequencer.close();
  }
}

async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}

const ACTS = [
  "frame",
  "say",
  "turn",
  "talks",
  "listens",
  "begin",
  "sound",
  "finish",
  "busy",
  "lose",
  "refuse",
  "wait",
  "age",
];

test("whatever the weather: each text is said once to its end, each frame is heard, one session serves, nothing is left", async () => {
  let losses = 0;
  let rolls = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...ACTS, "age", "age"), { minLength: 20, maxLength: 60, size: "max" }),
      fc.boolean(),
      async (acts, deaf) => {
        const clock = handClock();
        const sessions: WeatherSession[] = [];
        const said: string[] = [];
        let refusals = 0;
        const opener: OpenSession = async () => {
          if (refusals-- > 0) throw new EngineUnreachableError("Not now.");
          const session = new WeatherSession(`session_${sessions.length}`, said);
          sessions.push(session);
          return session;
        };
        const line = new EngineLine({ openers: [opener], clock, history: () => [], maxSessionMs: 20_000 });
        const closed: unknown[] = [];
        line.on("closed", (why) => closed.push(why));
        line.on("lost", () => losses++);
        line.on("rolledOver", () => rolls++);
        await line.open(new AbortController().signal);
        const serving = () => sessions.find(({ id, isClosed }) => id === line.id && !isClosed);
        let frames = 0;
        let texts = 0;
        for (const act of acts) {
          if (act === "frame") {
            const frame = Buffer.alloc(160);
            frame.writeUInt16BE(frames++);
            line.sendAudio(Buffer.from(frame.toString("base64"), "latin1"));
          } else if (act === "say") line.say(`Text ${texts++}.`, "say");
          else if (act === "turn") line.respond({ cause: "turn" });
          else if (act === "talks" || act === "listens") line.hold(act === "talks");
          else if (act === "begin") serving()?.begin();
          else if (act === "sound") serving()?.sound();
          else if (act === "finish") serving()?.finish();
          else if (act === "busy")
            serving()?.finish({ error: new BusyError("busy", "Busy.", "Wait."), retryAfterMs: 100 });
          else if (act === "lose") serving()?.lose();
          else if (act === "refuse") refusals = 1;
          else clock.pass(act === "age" ? 12_000 : 100);
          await settle();
        }
        line.hold(false);
        refusals = 0;
        const leastRounds = deaf ? 230 : 70; // a replaced session that never finishes is waited for 20 s
        for (let round = 0; round < 400 && closed.length === 0; round++) {
          if (round >= leastRounds && line.pending.length === 0) break;
          clock.pass(100);
          await settle();
          for (const session of sessions) {
            if (deaf && session !== serving()) continue;
            session.begin();
            session.finish();
          }
        }
        if (closed.length === 0) {
          expect(line.pending, "everything that was asked for was done").toEqual([]);
          expect([...said].sort()).toEqual(Array.from({ length: texts }, (_, index) => `Text ${index}.`).sort());
          expect(said, "in the order of asking, or again where the engine was busy").toHaveLength(new Set(said).size);
          const heard = new Set(sessions.flatMap((session) => session.heard));
          expect(heard.size, "each frame of the caller reached a session").toBe(frames);
          expect(sessions.filter(({ isClosed }) => !isClosed).length).toBeLessThanOrEqual(2); // and one that waits
        }
        line.close();
        await settle();
        expect(sessions.filter(({ isClosed }) => !isClosed)).toEqual([]);
        expect(closed).toHaveLength(1);
        expect(clock.running).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
  expect([losses > 100, rolls > 100]).toEqual([true, true]);
});
