import { afterEach, describe, expect, test } from "vitest";
import { EngineLine, type EngineLineEvents, type EngineLineParts } from "../../src/calls/engine-line.ts";
import type { HeardTurn, OpenSession } from "../../src/calls/engine-line-opening.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openaiRealtime } from "../../src/engines/openai-realtime.ts";
import {
  dictatedVad,
  type ModelSession,
  ruleMind,
  type SpeechModel,
  type SpeechModelOptions,
} from "../../src/testing/speech-model/index.ts";
import { startModel } from "../testing/speech-model/kit.ts";

const vad = { kind: "server", silenceMs: 500, threshold: 0.5, eagerness: "high" } as const;
const options = { model: "gpt-realtime-2.1", voice: "marin", speed: 1, transcriptionModel: "gpt-transcribe", vad };
const tool = { name: "look_up", description: "Looks up.", parameters: { type: "object", properties: {} } } as const;
const FRAME = Buffer.from(Buffer.alloc(160, 0x20).toString("base64"), "latin1");

const models: SpeechModel[] = [];
const lines: EngineLine[] = [];
afterEach(async () => {
  for (const line of lines.splice(0)) line.close();
  for (const model of models.splice(0)) await model.stop();
});

async function start(changes: Partial<SpeechModelOptions> = {}): Promise<SpeechModel> {
  const mind = ruleMind([
    { when: "tool:look_up", say: ({ toolResult }) => `It is ${toolResult?.output}.` },
    { when: /look/i, call: "look_up" },
    { when: /story/i, say: "Once upon a time there was a king who had three daughters and a very long story to tell." },
    { when: /go on|king/i, say: "And they lived happily." },
    { when: /name/i, say: ({ items }) => `You said: ${items.find(({ role }) => role === "user")?.text}` },
  ]);
  const model = await startModel({ vad: () => dictatedVad([]), mind, ...changes });
  models.push(model);
  return model;
}

/** A line over real sockets, and a listener that hears every item to its end, as the phone would. */
async function talk(world: readonly SpeechModel[], parts: Partial<EngineLineParts> = {}) {
  const clock = systemClock({ speed: 8 });
  const openers = world.map(({ url }): OpenSession => {
    const engine = openaiRealtime({ ...options, apiKey: "sk", baseUrl: url, clock });
    return (history, signal) =>
      engine.open({ instructions: "Be brief.", tools: [tool], turns: "ours", history }, signal);
  });
  const history: HeardTurn[] = [];
  const line = new EngineLine({ openers, clock, history: () => history, ...parts });
  lines.push(line);
  const words = new Map<string, string>();
  line.on("agentWords", ({ itemId, text }) => words.set(itemId, text));
  line.on("audioDone", ({ itemId }) => history.push({ id: itemId, speaker: "agent", text: words.get(itemId) ?? "" }));
  line.on("callerWords", ({ itemId, text, final }) => final && history.push({ id: itemId, speaker: "caller", text }));
  line.on("turnCommitted", () => line.respond({ cause: "turn" }));
  const log = follow(line);
  await line.open(new AbortController().signal);
  return {
    line,
    history,
    ...log,
    /** The caller says something; resolves with what was answered. */
    async asks(far: ModelSession, text: string): Promise<string | undefined> {
      for (let count = 0; count < 10; count++) line.sendAudio(FRAME);
      const before = far.heardMs;
      await far.untilReceived(({ type }) => type === "input_audio_buffer.append" && far.heardMs > before - 1);
      far.dictateSpeechStarted();
      far.dictateWords(text);
      for (let count = 0; count < 10; count++) line.sendAudio(FRAME);
      await far.untilReceived(({ type, bytes }) => type === "input_audio_buffer.append" && (bytes as number) >= 1_600);
      far.dictateSpeechStopped();
      const { status } = await log.next("responseEnded");
      return `${status}: ${[...words.values()].at(-1)}`;
    },
  };
}

/** What a line tells, each event once, in order of kind. */
function follow(line: EngineLine) {
  const all = new Map<string, unknown[]>();
  const taken = new Map<string, number>();
  let wake: (() => void)[] = [];
  for (const name of ["responseEnded", "toolCalled", "closed", "lost", "restored", "rolledOver", "audio"] as const) {
    line.on(name, (payload: unknown) => {
      all.set(name, [...(all.get(name) ?? []), payload]);
      for (const each of wake.splice(0)) each();
    });
  }
  const of = <Name extends keyof EngineLineEvents>(name: Name) => (all.get(name) ?? []) as EngineLineEvents[Name][0][];
  return {
    of,
    async next<Name extends keyof EngineLineEvents>(name: Name): Promise<EngineLineEvents[Name][0]> {
      const index = taken.get(name) ?? 0;
      taken.set(name, index + 1);
      while (of(name).length <= index) {
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
      }
      return of(name)[index] as EngineLineEvents[Name][0];
    },
  };
}

describe("a conversation over several sessions of a model", () => {
  test("case 41: goes on past the end of its session's life, and nothing is lost on the way", async () => {
    const model = await start({ faults: { expireAfterMs: 6_000 } });
    const { asks, next, of } = await talk([model], { maxSessionMs: 4_800 });
    const first = await model.nextSession();
    expect(await asks(first, "My name is Ann.")).toBe("completed: You said: My name is Ann.");
    const rolled = await next("rolledOver");
    const second = await model.nextSession();
    expect(rolled).toEqual({ sessionId: second.id, model: "gpt-realtime-2.1" });
    expect(await first.closed).toBe("the client left"); // before it was ended
    expect(await asks(second, "What is my name?")).toBe("completed: You said: My name is Ann.");
    await next("rolledOver");
    const third = await model.nextSession();
    await third.untilReceived(() => third.transcript.length === 4);
    expect(third.transcript.filter(({ role }) => role === "user").map(({ text }) => text)).toEqual([
      "My name is Ann.",
      "What is my name?",
    ]);
    expect(of("lost")).toEqual([]);
    expect(of("closed")).toEqual([]);
  });

  test("whose socket breaks in mid-answer: it goes on from what was heard, on a new one", async () => {
    const model = await start({ asrMs: 1 });
    const { asks, next, line, history } = await talk([model]);
    const first = await model.nextSession();
    const answered = asks(first, "Tell me a story.");
    await next("audio");
    await next("audio");
    first.end("gone");
    expect(await answered).toMatch(/^incomplete: Once/);
    expect(await next("restored")).toMatchObject({ model: "gpt-realtime-2.1" });
    const second = await model.nextSession();
    expect(line.id).toBe(second.id);
    expect((await next("responseEnded")).status).toBe("completed");
    const [question, cut, note] = second.transcript;
    expect(question).toEqual({ role: "user", text: "Tell me a story." });
    expect(cut).toMatchObject({ role: "assistant", text: history[1]?.text });
    expect(note).toMatchObject({ role: "system", text: expect.stringContaining("Go on from there") });
    expect(second.items.filter(({ role }) => role === "assistant")).toHaveLength(2);
  });

  test("whose socket breaks while a tool runs: the result is taken up by the next session", async () => {
    const model = await start();
    const { asks, next, line } = await talk([model]);
    const first = await model.nextSession();
    await asks(first, "Please look.");
    const { toolCallId } = await next("toolCalled");
    first.end("gone");
    await next("restored");
    line.giveToolResult(toolCallId, "seven");
    expect((await next("responseEnded")).status).toBe("completed");
    const second = await model.nextSession();
    expect(second.transcript.at(-1)).toEqual({ role: "assistant", text: "It is seven." });
  });

  test("whose engine falls silent: that is noticed, and the second engine answers the same turn", async () => {
    const [dead, alive] = [await start(), await start()];
    const { asks, next, line } = await talk([dead, alive]);
    await asks(await dead.nextSession(), "My name is Ann.");
    dead.faults.dead = true;
    line.respond({ cause: "turn", instructions: "Ask what else there is." });
    expect(await next("lost")).toMatchObject({ error: { code: "engine_unreachable" } });
    await next("restored");
    const second = await alive.nextSession();
    expect((await next("responseEnded")).status).toBe("completed");
    expect(second.transcript[0]).toEqual({ role: "user", text: "My name is Ann." });
    expect(second.received.filter(({ type }) => type === "response.create")).toMatchObject([
      { response: { instructions: "Ask what else there is." } },
    ]);
  });

  test("whose engine's budget is used up: the second engine goes on with the same conversation", async () => {
    const [poor, rich] = [await start(), await start()];
    const { asks, next } = await talk([poor, rich]);
    const first = await poor.nextSession();
    await asks(first, "My name is Ann.");
    poor.faults.failResponses = { code: "insufficient_quota" };
    expect(await asks(first, "What is my name?")).toMatch(/^failed/);
    // Nobody has its words: the second engine hears the question once more.
    const second = await rich.nextSession();
    await second.untilReceived("input_audio_buffer.append");
    second.dictateSpeechStarted(0);
    second.dictateWords("What is my name?");
    second.dictateSpeechStopped();
    expect((await next("responseEnded")).status).toBe("completed");
    expect(second.transcript.at(-1)).toEqual({ role: "assistant", text: "You said: My name is Ann." });
  });

  test("whose last engine's budget is used up: its end is told with the reason", async () => {
    const model = await start({ faults: { failResponses: { code: "insufficient_quota" } } });
    const { line, next } = await talk([model]);
    line.respond({ cause: "turn" });
    expect(await next("closed")).toMatchObject({ error: { code: "engine_refused", engineCode: "insufficient_quota" } });
  });

  test("whose rate is used up for a moment: the answer comes a moment later", async () => {
    const model = await start({
      faults: { failResponses: { code: "rate_limit_exceeded", message: "Try again in 1s." } },
    });
    const { line, next, of } = await talk([model]);
    line.say("Recorded.", "say");
    expect((await next("responseEnded")).status).toBe("failed");
    delete model.faults.failResponses;
    expect((await next("responseEnded")).status).toBe("completed");
    expect(model.sessions).toHaveLength(1);
    expect(of("lost")).toEqual([]);
  });
});
