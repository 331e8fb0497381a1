import { EventEmitter } from "eventemitter3";
import { afterEach, describe, expect, test } from "vitest";
import { EngineLine, type EngineLineEvents, type EngineLineParts } from "../../src/calls/engine-line.ts";
import type { HeardTurn, OpenSession } from "../../src/calls/engine-line-opening.ts";
import { EngineRefusedError, EngineUnreachableError } from "../../src/core/errors.ts";
import type {
  EngineEvents,
  EngineFact,
  EnginePatch,
  EngineSession,
  PendingResponse,
  ResponseOrder,
} from "../../src/engines/engine.ts";
import { handClock } from "./clock.ts";

/** A session by hand: it notes what it is asked, and tells what the test dictates. */
class HandSession implements EngineSession {
  readonly id: string;
  readonly model: string;
  readonly history: readonly EngineFact[];
  /** Every call but sound, in order. */
  readonly asked: unknown[][] = [];
  /** The first byte of each frame that it heard. */
  readonly heard: number[] = [];
  pending: PendingResponse[] = [];
  isClosed = false;
  readonly #events = new EventEmitter<EngineEvents>();

  constructor(id: string, model: string, history: readonly EngineFact[]) {
    this.id = id;
    this.model = model;
    this.history = history;
  }

  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }
  tell<Name extends keyof EngineEvents>(event: Name, ...payload: EngineEvents[Name]): void {
    this.#events.emit(event, ...(payload as EventEmitter.EventArgs<EngineEvents, Name>));
  }
  sendAudio(base64: Buffer): void {
    this.heard.push(Buffer.from(base64.toString("latin1"), "base64")[0] as number);
  }
  respond(order: ResponseOrder): void {
    this.asked.push(["respond", order]);
    this.pending.push({ order });
  }
  say(text: string, cause: "greeting" | "say"): void {
    this.respond({ cause, text });
  }
  hold(held: boolean): void {
    this.asked.push(["hold", held]);
  }
  commitTurn(): void {
    this.asked.push(["commitTurn"]);
  }
  instruct(text: string): void {
    this.asked.push(["instruct", text]);
  }
  remember(facts: readonly EngineFact[]): void {
    this.asked.push(["remember", ...facts]);
  }
  stop(): void {
    this.asked.push(["stop"]);
    this.pending = [];
  }
  truncate(itemId: string, heardMs: number): void {
    this.asked.push(["truncate", itemId, heardMs]);
  }
  giveToolResult(toolCallId: string, output: string): void {
    this.asked.push(["giveToolResult", toolCallId, output]);
  }
  update(patch: EnginePatch): void {
    this.asked.push(["update", patch]);
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.tell("closed", { reason: "closed by us" });
  }

  // --- what it tells, in short ---

  /** Begins the oldest order, or a response of its own. */
  begin(responseId: string, cause?: "engine"): void {
    const [first] = this.pending;
    if (first && !cause) this.pending[0] = { order: first.order, responseId };
    this.tell("responseStarted", { responseId, cause: cause ?? first?.order.cause ?? "engine" });
  }
  speak(responseId: string, itemId: string, ms: number): void {
    this.tell("audio", { responseId, itemId, audio: Buffer.alloc(ms * 8) });
  }
  finish(responseId: string, itemId?: string): void {
    if (itemId) this.tell("audioDone", { responseId, itemId });
    this.pending = this.pending.filter((one) => one.responseId !== responseId);
    this.tell("responseEnded", { responseId, status: "completed" });
  }
  fail(responseId: string, error: EngineRefusedError, retryAfterMs?: number): void {
    const order = this.pending.find((one) => one.responseId === responseId)?.order;
    this.pending = this.pending.filter((one) => one.responseId !== responseId);
    const failure = { error, ...(retryAfterMs !== undefined && { retryAfterMs }), ...(order && { order }) };
    this.tell("responseEnded", { responseId, status: "failed", failure });
  }
  lose(error: EngineRefusedError | EngineUnreachableError = gone): void {
    this.tell("closed", { reason: "gone", error });
  }
  /** What it was asked under one name. */
  of(name: string): unknown[] {
    return this.asked.filter(([one]) => one === name).map(([, ...rest]) => (rest.length > 1 ? rest : rest[0]));
  }
}

const gone = new EngineUnreachableError("The connection was lost.");
class BusyError extends EngineRefusedError {
  override readonly retryable = true;
}
const busy = new BusyError("too_many", "Too many.", "Wait.");
const noMoney = new EngineRefusedError("no_money", "No money.", "Pay.");

const NAMES = [
  ...["audio", "audioDone", "speechStarted", "speechStopped", "turnCommitted", "callerWords", "callerWordsFailed"],
  ...["responseStarted", "responseEnded", "toolCalled", "fault", "closed", "lost", "restored", "rolledOver"],
] as (keyof EngineLineEvents)[];

/** Lets what is ready run. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
}

const lines: EngineLine[] = [];
const clocks: ReturnType<typeof handClock>[] = [];
afterEach(async () => {
  for (const line of lines.splice(0)) line.close();
  await settle();
  for (const clock of clocks.splice(0)) expect(clock.running, "no timer is left").toBe(0);
});

/** A line over sessions by hand. Openings fail while `refusals` has something for them. */
async function bench(parts: Partial<EngineLineParts> & { engines?: number } = {}) {
  const clock = handClock();
  clocks.push(clock);
  const sessions: HandSession[] = [];
  const refusals: unknown[] = [];
  const history: HeardTurn[] = [];
  const openedAtMs: number[] = [];
  const opener =
    (model: string): OpenSession =>
    async (told) => {
      openedAtMs.push(clock.now() - 1_000_000);
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      const session = new HandSession(`session_${sessions.length + 1}`, model, told);
      sessions.push(session);
      return session;
    };
  const models = ["first", "second"].slice(0, parts.engines ?? 1);
  const line = new EngineLine({ clock, history: () => history, openers: models.map(opener), ...parts });
  lines.push(line);
  const told: [string, unknown][] = [];
  for (const name of NAMES) line.on(name, (...[payload]: unknown[]) => told.push([name, payload]));
  await line.open(new AbortController().signal);
  return {
    clock,
    line,
    sessions,
    refusals,
    history,
    openedAtMs,
    told,
    of: (name: keyof EngineLineEvents) => told.filter(([one]) => one === name).map(([, payload]) => payload),
    session: (number: number) => sessions[number - 1] as HandSession,
    /** Twenty milliseconds of the caller, all of one byte. */
    hears: (byte: number) => line.sendAudio(Buffer.from(Buffer.alloc(160, byte).toString("base64"), "latin1")),
    async passes(ms: number, step = 50) {
      await settle();
      for (let at = 0; at < ms; at += step) {
        clock.pass(Math.min(step, ms - at));
        await settle();
      }
    },
  };
}

const agent = (id: string, text: string): HeardTurn => ({ id, speaker: "agent", text });
const caller = (id: string, text: string): HeardTurn => ({ id, speaker: "caller", text });

describe("while all is well", () => {
  test("a line is its session: everything passes both ways", async () => {
    const { line, session, of, hears } = await bench();
    hears(7);
    line.respond({ cause: "turn" });
    line.hold(true);
    line.truncate("nobody's", 10);
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_1", 100);
    line.truncate("item_1", 50);
    session(1).tell("speechStarted", { itemId: "item_2", atInputMs: 20 });
    session(1).finish("resp_1", "item_1");
    expect(session(1).asked).toEqual([
      ["respond", { cause: "turn" }],
      ["hold", true],
      ["truncate", "item_1", 50],
    ]);
    expect(session(1).heard).toEqual([7]);
    expect(of("speechStarted")).toEqual([{ itemId: "item_2", atInputMs: 20 }]);
    expect(of("responseEnded")).toEqual([{ responseId: "resp_1", status: "completed" }]);
    expect([line.id, line.model]).toEqual(["session_1", "first"]);
  });

  test("a close of ours is told once, without an error, and leaves no timer", async () => {
    const { line, of, clock } = await bench();
    line.close();
    line.close();
    expect(of("closed")).toEqual([{ reason: "closed by us" }]);
    expect(clock.running).toBe(0);
  });

  test("the first session is asked of each engine once; the last refusal is told", async () => {
    const refused = (why: Error) => async () => {
      throw why;
    };
    const line = new EngineLine({ clock: handClock(), history: () => [], openers: [refused(gone), refused(noMoney)] });
    await expect(line.open(new AbortController().signal)).rejects.toBe(noMoney);
  });
});

describe("a session that is lost", () => {
  test("is replaced at once by one that knows what was heard, the newest instructions and tools, and what was added", async () => {
    const { line, session, history, of, passes } = await bench();
    history.push(agent("item_1", "Good morning."), caller("item_2", "Hello."));
    line.update({ instructions: "Be brief." });
    line.update({ tools: [] });
    line.instruct("The caller is in a hurry.");
    line.remember([{ speaker: "caller", text: "Pressed 5." }]);
    line.hold(true);
    session(1).lose();
    await settle();
    expect(of("lost")).toEqual([{ error: gone }]);
    expect(of("restored")).toEqual([{ sessionId: "session_2", model: "first", afterMs: 0 }]);
    expect(session(2).history).toEqual([
      { speaker: "agent", text: "Good morning." },
      { speaker: "caller", text: "Hello." },
    ]);
    expect(session(2).asked).toEqual([
      ["update", { instructions: "Be brief.", tools: [] }],
      ["remember", { speaker: "caller", text: "Pressed 5." }],
      ["instruct", "The caller is in a hurry."],
      ["hold", true],
    ]);
    expect(of("closed")).toEqual([]);
    await passes(5_000);
    expect(session(2).of("respond")).toEqual([]); // nobody waits for an answer
  });

  test("is asked for again with growing pauses, and given up after 15 seconds, with what was last said", async () => {
    const { session, refusals, openedAtMs, of, passes, line } = await bench();
    const late = new EngineUnreachableError("Still nobody.");
    refusals.push(...Array.from({ length: 20 }, () => late));
    session(1).lose();
    await passes(14_900);
    expect(openedAtMs.slice(1)).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500]);
    expect(of("closed")).toEqual([]);
    await passes(200);
    expect(of("closed")).toEqual([
      { reason: expect.any(String), error: expect.objectContaining({ code: "engine_unreachable" }) },
    ]);
    line.respond({ cause: "turn" });
    await passes(1_000);
    expect(openedAtMs).toHaveLength(7);
  });

  test("loses no sound of the caller: what is said meanwhile, and what was on its way, is heard by the next", async () => {
    const { session, refusals, hears, passes, of } = await bench();
    for (let byte = 1; byte <= 100; byte++) hears(byte);
    refusals.push(gone);
    session(1).lose();
    for (let byte = 101; byte <= 120; byte++) hears(byte);
    await passes(600);
    hears(121);
    // One second before the loss, then everything.
    expect(session(2).heard).toEqual(Array.from({ length: 71 }, (_, index) => 51 + index));
    // Its clock begins where its sound does.
    session(2).tell("speechStarted", { itemId: "item_9", atInputMs: 40 });
    expect(of("speechStarted")).toEqual([{ itemId: "item_9", atInputMs: 1_040 }]);
  });

  test("keeps ten seconds of the caller at most", async () => {
    const { session, refusals, hears, passes } = await bench();
    refusals.push(gone, gone, gone);
    session(1).lose();
    for (let count = 0; count < 600; count++) hears(count % 256);
    await passes(4_000);
    expect(session(2).heard).toHaveLength(500);
    expect(session(2).heard.at(-1)).toBe(599 % 256);
  });

  test("in mid-answer: the heard part stands in the history, and the model goes on without repeating it", async () => {
    const { line, session, history, of, passes } = await bench();
    history.push(caller("item_1", "What is on today?"));
    session(1).tell("turnCommitted", { itemId: "item_1" });
    session(1).tell("callerWords", { itemId: "item_1", text: "What is on today?", final: true });
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_2", 2_000);
    session(1).lose();
    await passes(1_900); // what was produced plays on
    expect(of("audioDone")).toEqual([{ responseId: "resp_1", itemId: "item_2" }]);
    expect(of("responseEnded")).toEqual([{ responseId: "resp_1", status: "incomplete" }]);
    expect(session(2).of("respond")).toEqual([]);
    history.push(agent("item_2", "Today there is a"));
    await passes(50);
    expect(session(2).asked).toEqual([
      ["remember", { speaker: "agent", text: "Today there is a" }],
      ["instruct", expect.stringContaining("Go on from there")],
      ["respond", { cause: "turn" }],
    ]);
  });

  test("in mid-answer, of which nothing was heard: the order is made again as it was", async () => {
    const { line, session, passes } = await bench();
    line.respond({ cause: "idle", instructions: "Ask whether they are there." });
    session(1).begin("resp_1");
    session(1).lose();
    await passes(50);
    expect(session(2).of("respond")).toEqual([{ cause: "idle", instructions: "Ask whether they are there." }]);
  });

  test("in the middle of a text that must be said word for word: the rest of it is said", async () => {
    const { line, session, history, passes } = await bench();
    line.say("This call is recorded. Say so if you mind.", "say");
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_1", 500);
    session(1).lose();
    history.push(agent("item_1", "This call is recorded."));
    await passes(50);
    expect(session(2).of("respond")).toEqual([{ cause: "say", text: "Say so if you mind." }]);
    expect(session(2).of("instruct")).toEqual([]);
  });

  test("with orders that waited: each is made once, in order; what was stopped is not", async () => {
    const { line, session, passes } = await bench();
    line.respond({ cause: "turn" });
    line.stop();
    line.say("One.", "say");
    session(1).lose();
    line.respond({ cause: "turn" });
    line.respond({ cause: "turn", instructions: "newer" });
    line.say("Two.", "say");
    await passes(50);
    expect(session(2).of("respond")).toEqual([
      { cause: "say", text: "One." },
      { cause: "turn", instructions: "newer" },
      { cause: "say", text: "Two." },
    ]);
  });

  test("while the caller interrupts: only texts that must be said survive", async () => {
    const { line, session, refusals, passes } = await bench();
    refusals.push(gone);
    session(1).lose();
    line.respond({ cause: "turn" });
    line.say("Recorded.", "say");
    line.stop();
    line.commitTurn();
    await passes(600);
    expect(session(2).asked).toEqual([["commitTurn"], ["respond", { cause: "say", text: "Recorded." }]]);
  });

  test("with a turn of the caller whose words are known: it is answered", async () => {
    const { line, session, history, passes } = await bench();
    session(1).tell("turnCommitted", { itemId: "item_1" });
    session(1).tell("callerWords", { itemId: "item_1", text: "When?", final: true });
    history.push(caller("item_1", "When?"));
    line.respond({ cause: "turn" });
    session(1).lose();
    await passes(50);
    expect(session(2).history).toEqual([{ speaker: "caller", text: "When?" }]);
    expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
  });

  /** A turn from 1,000 to 1,800 ms of the input, committed at 2,000 ms; the loss follows. */
  async function unwrittenTurn() {
    const world = await bench();
    for (let byte = 1; byte <= 100; byte++) world.hears(byte);
    world.session(1).tell("speechStarted", { itemId: "item_1", atInputMs: 1_000 });
    world.session(1).tell("speechStopped", { itemId: "item_1", atInputMs: 1_800 });
    world.session(1).tell("turnCommitted", { itemId: "item_1" });
    world.line.respond({ cause: "turn" });
    world.session(1).lose();
    await settle();
    return world;
  }

  test("with a turn of the caller whose words nobody has: the next session hears it once more, and answers that", async () => {
    const { session, of, passes } = await unwrittenTurn();
    expect(of("callerWordsFailed")).toEqual([{ itemId: "item_1" }]);
    expect(session(2).heard).toEqual(Array.from({ length: 50 }, (_, index) => 51 + index));
    session(2).tell("speechStarted", { itemId: "item_2", atInputMs: 0 });
    await passes(5_000);
    expect(session(2).of("respond")).toEqual([]); // its own commit will be answered
    expect(of("speechStarted").at(-1)).toEqual({ itemId: "item_2", atInputMs: 1_000 });
  });

  test("in mid-answer to a turn whose words nobody has: that turn is heard once more, instead of going on about nothing", async () => {
    const { line, session, hears, passes } = await bench();
    for (let byte = 1; byte <= 100; byte++) hears(byte);
    session(1).tell("speechStarted", { itemId: "item_1", atInputMs: 1_000 });
    session(1).tell("turnCommitted", { itemId: "item_1" });
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_2", 100);
    session(1).lose();
    await passes(1_000);
    expect(session(2).heard).toHaveLength(50);
    expect(session(2).of("respond")).toEqual([]);
    await passes(2_000);
    expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
  });

  test("with an answered turn whose words come too late: it is not answered twice", async () => {
    const { line, session, hears, passes, of } = await bench();
    for (let byte = 1; byte <= 100; byte++) hears(byte);
    session(1).tell("speechStarted", { itemId: "item_1", atInputMs: 0 });
    session(1).tell("speechStopped", { itemId: "item_1", atInputMs: 1_900 });
    session(1).tell("turnCommitted", { itemId: "item_1" });
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).finish("resp_1");
    session(1).lose();
    await passes(3_000);
    expect(session(2).heard).toHaveLength(5);
    expect(session(2).of("respond")).toEqual([]);
    expect(of("callerWordsFailed")).toEqual([{ itemId: "item_1" }]);
  });

  test("with a turn in which the next session hears nobody: it is answered all the same", async () => {
    const { session, passes } = await unwrittenTurn();
    await passes(2_400);
    expect(session(2).of("respond")).toEqual([]);
    await passes(200);
    expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
  });

  test("and lost again at once: the turn is repeated to the third", async () => {
    const { session, passes } = await unwrittenTurn();
    session(2).lose();
    await passes(50);
    expect(session(3).heard).toEqual(Array.from({ length: 50 }, (_, index) => 51 + index));
  });

  test("while the caller speaks: their speech ends for us, when the next session does not hear it", async () => {
    const { line, session, hears, of, passes } = await bench();
    for (let byte = 1; byte <= 100; byte++) hears(byte);
    session(1).tell("speechStarted", { itemId: "item_1", atInputMs: 1_500 });
    line.hold(true);
    session(1).lose();
    await passes(2_400);
    expect(session(2).heard).toHaveLength(50);
    expect(of("speechStopped")).toEqual([]);
    await passes(200);
    expect(of("speechStopped")).toEqual([{ itemId: "item_1", atInputMs: 2_000 }]);
    expect(session(2).of("respond")).toEqual([]);
  });

  test("under an engine that decides turns: its own answer is made again, and its own cut one goes on", async () => {
    const { session, history, passes } = await bench();
    session(1).begin("resp_1", "engine");
    session(1).lose();
    await passes(50);
    expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
    session(2).begin("resp_2", "engine");
    session(2).pending = [];
    session(2).speak("resp_2", "item_2", 100);
    history.push(agent("item_2", "Well,"));
    session(2).lose();
    await passes(50);
    expect(session(3).of("instruct")).toEqual([expect.stringContaining("Do not repeat")]);
    expect(session(3).of("respond")).toEqual([{ cause: "turn" }]);
  });

  test("with open tools: their results reach the next session, and one answer follows the last of them", async () => {
    const { line, session, passes } = await bench();
    session(1).tell("toolCalled", { toolCallId: "call_1", name: "calendar", argumentsJson: '{"day":1}' });
    session(1).tell("toolCalled", { toolCallId: "call_2", name: "weather", argumentsJson: "{}" });
    line.giveToolResult("call_1", "nothing");
    session(1).lose();
    await passes(50);
    expect(session(2).of("giveToolResult")).toEqual([]);
    expect(session(2).of("respond")).toEqual([]);
    line.giveToolResult("call_2", "rain");
    line.giveToolResult("call_2", "rain");
    expect(session(2).asked).toEqual([
      ["remember", { name: "calendar", argumentsJson: '{"day":1}', output: "nothing" }],
      ["remember", { name: "weather", argumentsJson: "{}", output: "rain" }],
      ["respond", { cause: "tool" }],
    ]);
  });

  test("with results that no answer has taken up: they are told again", async () => {
    const { line, session, passes } = await bench();
    session(1).tell("toolCalled", { toolCallId: "call_1", name: "calendar", argumentsJson: "{}" });
    line.giveToolResult("call_1", "nothing");
    session(1).respond({ cause: "tool" });
    session(1).begin("resp_2");
    session(1).lose();
    await passes(50);
    expect(session(2).asked).toEqual([
      ["remember", { name: "calendar", argumentsJson: "{}", output: "nothing" }],
      ["respond", { cause: "tool" }],
    ]);
    session(2).begin("resp_3");
    session(2).finish("resp_3");
    session(2).lose();
    await passes(50);
    expect(session(3).of("remember")).toEqual([]); // it was taken up
  });
});

describe("an engine that fails", () => {
  test("because its rate is used up: the same answer is asked for after the advised time, and later each time", async () => {
    const { line, session, passes, sessions } = await bench();
    line.respond({ cause: "turn" });
    const { asked } = session(1);
    session(1).begin("resp_1");
    session(1).fail("resp_1", busy, 700);
    await passes(650);
    expect(asked).toHaveLength(1);
    await passes(100);
    expect(asked).toHaveLength(2);
    session(1).begin("resp_2");
    session(1).fail("resp_2", busy, 700);
    await passes(1_350);
    expect(asked).toHaveLength(2);
    await passes(100);
    expect(asked).toHaveLength(3);
    session(1).begin("resp_3");
    session(1).finish("resp_3");
    expect(sessions).toHaveLength(1);
  });

  test("a newer turn of the caller takes the place of the answer that waits for its second try", async () => {
    const { line, session, passes } = await bench();
    line.respond({ cause: "turn", instructions: "older" });
    session(1).begin("resp_1");
    session(1).fail("resp_1", busy, 1_000);
    line.respond({ cause: "turn", instructions: "newer" });
    await passes(1_100);
    expect(session(1).of("respond")).toEqual([
      { cause: "turn", instructions: "older" },
      { cause: "turn", instructions: "newer" },
    ]);
  });

  test("by a fault of its own: once more at once, then on a new session, then on the next engine", async () => {
    const { line, session, passes } = await bench({ engines: 2 });
    line.respond({ cause: "turn" });
    const fails = async (number: number, responseId: string) => {
      session(number).begin(responseId);
      session(number).fail(responseId, busy);
      await passes(50);
    };
    await fails(1, "resp_1");
    expect(session(1).of("respond")).toHaveLength(2);
    await fails(1, "resp_2");
    expect([session(2).model, session(2).of("respond")]).toEqual(["first", [{ cause: "turn" }]]);
    await fails(2, "resp_3");
    expect([session(3).model, session(3).of("respond")]).toEqual(["second", [{ cause: "turn" }]]);
  });

  test("because its account is refused: the next engine takes over, in the same conversation", async () => {
    const { line, session, history, passes, of } = await bench({ engines: 2 });
    history.push(caller("item_1", "Hello?"));
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).fail("resp_1", noMoney);
    await passes(50);
    expect(session(1).isClosed).toBe(true);
    expect(session(2).model).toBe("second");
    expect(session(2).history).toEqual([{ speaker: "caller", text: "Hello?" }]);
    expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
    session(2).lose(noMoney);
    await passes(50);
    expect(of("closed")).toEqual([{ reason: noMoney.message, error: noMoney }]);
  });

  test.each([
    ["because its account is refused", noMoney],
    ["by faults of its own", busy],
  ])(
    "%s, with a turn whose words nobody has: it is not answered before the next session has heard it",
    async (_, error) => {
      const { line, session, sessions, hears, passes } = await bench({ engines: 2 });
      for (let byte = 1; byte <= 100; byte++) hears(byte);
      session(1).tell("speechStarted", { itemId: "item_1", atInputMs: 1_000 });
      session(1).tell("turnCommitted", { itemId: "item_1" });
      line.respond({ cause: "turn" });
      while (sessions.length === 1) {
        session(1).begin("resp_1");
        session(1).fail("resp_1", error);
        await passes(50);
      }
      await passes(1_000);
      expect(session(2).heard).toHaveLength(50);
      expect(session(2).of("respond")).toEqual([]);
      session(2).tell("speechStarted", { itemId: "item_2", atInputMs: 0 });
      session(2).tell("turnCommitted", { itemId: "item_2" });
      line.respond({ cause: "turn" });
      await passes(5_000);
      expect(session(2).of("respond")).toEqual([{ cause: "turn" }]);
    },
  );

  test("because its account is refused, and there is no other: the end is told at once, with the reason", async () => {
    const { line, session, of, sessions } = await bench();
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).fail("resp_1", noMoney);
    expect(of("closed")).toEqual([{ reason: noMoney.message, error: noMoney }]);
    await settle();
    expect(sessions).toHaveLength(1);
  });

  test("by refusing a new session: it is not asked again, the other is", async () => {
    const { session, refusals, passes, openedAtMs } = await bench({ engines: 2 });
    refusals.push(noMoney);
    session(1).lose();
    await passes(50);
    expect(session(2).model).toBe("second");
    expect(openedAtMs.slice(1)).toEqual([0, 0]);
  });

  test("by not answering: the other is asked in turn, and the line stays with who answered", async () => {
    const { session, refusals, passes } = await bench({ engines: 2 });
    refusals.push(gone);
    session(1).lose();
    await passes(600);
    expect(session(2).model).toBe("second");
    session(2).lose();
    await passes(50);
    expect(session(3).model).toBe("second");
  });
});

describe("a session that becomes old", () => {
  const HOUR = 60 * 60_000;
  const quickly = (world: Awaited<ReturnType<typeof bench>>, ms: number) => world.passes(ms, 10_000);

  test("case 41: after 48 minutes a new one is opened beside it and takes over in a quiet moment, unnoticed", async () => {
    const world = await bench();
    const { line, session, sessions, history, of, hears, told } = world;
    await quickly(world, 0.8 * HOUR - 10_000);
    expect(sessions).toHaveLength(1);
    history.push(agent("item_0", "Hello."));
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_1", 3_000);
    world.clock.pass(9_000);
    session(1).speak("resp_1", "item_1", 3_000);
    await world.passes(1_000);
    expect(sessions).toHaveLength(2);
    expect(session(2).history).toEqual([{ speaker: "agent", text: "Hello." }]);
    session(1).finish("resp_1", "item_1"); // not quiet: it still plays
    await world.passes(1_000);
    expect(of("rolledOver")).toEqual([]);
    history.push(agent("item_1", "Six seconds of words."));
    for (let count = 0; count < 100; count++) hears(count);
    const toldBefore = told.length;
    await world.passes(2_000);
    expect(told.slice(toldBefore)).toEqual([["rolledOver", { sessionId: "session_2", model: "first" }]]);
    expect(session(2).of("remember")).toEqual([{ speaker: "agent", text: "Six seconds of words." }]);
    expect(session(1).isClosed).toBe(true);
    expect(session(2).heard).toHaveLength(50); // a turn that had just begun is not cut at its head
    hears(200);
    expect(session(2).heard.at(-1)).toBe(200);
    expect(session(1).heard).toHaveLength(100);
    // and in its turn
    await quickly(world, 0.8 * HOUR);
    expect(sessions).toHaveLength(3);
  });

  test("case 41: it waits for the caller, for an open tool and for whoever holds the line, but not beyond 97 %", async () => {
    const world = await bench();
    const { line, session, of } = world;
    line.hold(true);
    await quickly(world, 0.8 * HOUR + 60_000);
    expect(of("rolledOver")).toEqual([]);
    session(1).tell("toolCalled", { toolCallId: "call_1", name: "calendar", argumentsJson: "{}" });
    line.hold(false);
    await world.passes(1_000);
    expect(of("rolledOver")).toEqual([]);
    await quickly(world, 0.17 * HOUR);
    expect(of("rolledOver")).toHaveLength(1);
    line.giveToolResult("call_1", "free");
    expect(session(2).asked).toEqual([
      ["remember", { name: "calendar", argumentsJson: "{}", output: "free" }],
      ["respond", { cause: "tool" }],
    ]);
  });

  test("case 41: at 97 % a running answer is finished by the old session, all that is new is the new one's", async () => {
    const world = await bench();
    const { line, session, of, told, history } = world;
    line.hold(true);
    await quickly(world, 0.97 * HOUR - 5_000);
    line.hold(false);
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    line.say("Recorded.", "say");
    await world.passes(5_000);
    expect(of("rolledOver")).toHaveLength(1);
    expect(session(1).isClosed).toBe(false);
    expect(session(2).of("respond")).toEqual([{ cause: "say", text: "Recorded." }]);
    expect(session(1).of("hold").at(-1), "the old one begins nothing more").toBe(true);
    const toldBefore = told.length;
    session(1).begin("resp_own", "engine");
    expect(session(1).of("stop"), "not even by itself").toHaveLength(1);
    session(1).tell("responseEnded", { responseId: "resp_own", status: "cancelled" });
    session(1).speak("resp_1", "item_1", 100);
    line.truncate("item_1", 50);
    expect(session(1).of("truncate")).toEqual([["item_1", 50]]);
    session(1).finish("resp_1", "item_1");
    expect(told.slice(toldBefore).map(([name]) => name)).toEqual([
      "responseEnded",
      "audio",
      "audioDone",
      "responseEnded",
    ]);
    expect(session(1).isClosed).toBe(true);
    history.push(agent("item_1", "The old one's words."));
    line.respond({ cause: "turn" });
    expect(session(2).of("remember")).toEqual([{ speaker: "agent", text: "The old one's words." }]);
  });

  test("case 41: an answer that the old session never finishes is taken up by the new one", async () => {
    const world = await bench();
    const { line, session, history, of } = world;
    await quickly(world, 0.8 * HOUR - 10_000);
    line.respond({ cause: "turn" });
    session(1).begin("resp_1");
    session(1).speak("resp_1", "item_1", 500);
    history.push(agent("item_1", "Well,"));
    await quickly(world, 0.17 * HOUR + 20_000);
    expect(of("rolledOver")).toHaveLength(1);
    await quickly(world, 30_000);
    expect(session(1).isClosed).toBe(true);
    expect(of("audioDone")).toEqual([{ responseId: "resp_1", itemId: "item_1" }]);
    expect(session(2).history).toEqual([{ speaker: "agent", text: "Well," }]);
    expect(session(2).asked).toEqual([
      ["instruct", expect.stringContaining("Go on")],
      ["respond", { cause: "turn" }],
    ]);
  });

  test("takes the waiting one with it, when the line is closed", async () => {
    const world = await bench();
    world.line.hold(true);
    await quickly(world, 0.8 * HOUR);
    world.line.close();
    expect(world.sessions.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  test("is replaced by the waiting one at once when it is lost meanwhile", async () => {
    const world = await bench();
    const { line, session, sessions, of } = world;
    line.hold(true);
    await quickly(world, 0.8 * HOUR);
    expect(sessions).toHaveLength(2);
    session(1).lose();
    expect(of("restored")).toEqual([{ sessionId: "session_2", model: "first", afterMs: 0 }]);
    expect(session(2).isClosed).toBe(false);
  });

  test("keeps serving when no new one can be had: that is a fault, and it is tried again", async () => {
    const world = await bench();
    const { line, session, refusals, sessions, of, passes } = world;
    refusals.push(noMoney);
    line.hold(true);
    await quickly(world, 0.8 * HOUR);
    expect(of("fault")).toEqual([noMoney]);
    await quickly(world, 40_000);
    expect(sessions).toHaveLength(2);
    session(2).lose(); // the waiting one, not the one that serves
    await quickly(world, 40_000);
    expect(sessions).toHaveLength(3);
    expect(of("lost")).toEqual([]);
    line.hold(false);
    await passes(1_000);
    expect(of("rolledOver")).toEqual([{ sessionId: "session_3", model: "first" }]);
  });
});
