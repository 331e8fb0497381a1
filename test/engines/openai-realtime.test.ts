import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { EngineConfig, EngineEvents, EngineSession } from "../../src/engines/engine.ts";
import { type OpenAIRealtimeOptions, openaiRealtime } from "../../src/engines/openai-realtime.ts";
import { engineConformance } from "../../src/testing/engine-conformance.ts";
import {
  dictatedVad,
  type ModelSession,
  type SpeechModel,
  type SpeechModelOptions,
} from "../../src/testing/speech-model/index.ts";
import { handClock } from "../calls/clock.ts";
import { startModel } from "../testing/speech-model/kit.ts";

const vad = { kind: "server", silenceMs: 500, threshold: 0.5, eagerness: "high" } as const;
const options = { model: "gpt-realtime-2.1", voice: "marin", speed: 1, transcriptionModel: "gpt-transcribe", vad };
const tool = { name: "look_up", description: "Looks up.", parameters: { type: "object", properties: {} } } as const;
const CONFIG: EngineConfig = { instructions: "Be brief.", tools: [tool], turns: "ours", language: "de-AT" };

describe("OpenAI Realtime", () => engineConformance((at) => openaiRealtime({ ...options, ...at })));

let model: SpeechModel | undefined;
let server: Server | undefined;
afterEach(async () => {
  await model?.stop();
  server?.closeAllConnections();
  server?.close();
  model = undefined;
  server = undefined;
});

type Changes = Partial<OpenAIRealtimeOptions>;

async function start(changes: Partial<SpeechModelOptions> = {}): Promise<SpeechModel> {
  model = await startModel({ apiKey: "sk-right", vad: () => dictatedVad([]), ...changes });
  return model;
}

function engineAt(baseUrl: string, changes: Changes = {}) {
  const clock: Clock = changes.clock ?? systemClock();
  return openaiRealtime({ ...options, apiKey: "sk-right", baseUrl, clock, ...changes });
}

const never = new AbortController().signal;

async function talk(
  config: Partial<EngineConfig> = {},
  changes: Changes = {},
  world: Partial<SpeechModelOptions> = {},
) {
  const { url } = await start(world);
  const session = await engineAt(url, changes).open({ ...CONFIG, ...config }, never);
  const far = await (model as SpeechModel).nextSession();
  return { session, far };
}

const heard = <Name extends keyof EngineEvents>(session: EngineSession, name: Name): EngineEvents[Name][0][] => {
  const all: EngineEvents[Name][0][] = [];
  session.on(name, (...payload) => all.push(payload[0]));
  return all;
};
const next = <Name extends keyof EngineEvents>(session: EngineSession, name: Name): Promise<EngineEvents[Name][0]> =>
  new Promise((resolve) => session.on(name, (...payload) => resolve(payload[0])));

const received = (far: ModelSession, type: string) => far.received.filter((event) => event.type === type);

const isResult = ({ item }: ModelSession["received"][number], toolCallId: string) =>
  (item as { call_id?: string } | undefined)?.call_id === toolCallId;

/** The words of the caller that the model answers, without sound. */
function typed(far: ModelSession, text: string): void {
  const content = [{ type: "input_text", text }];
  far.receive(JSON.stringify({ type: "conversation.item.create", item: { type: "message", role: "user", content } }));
}

describe("the session that is asked for", () => {
  test("is the whole of what a telephone call needs, and nothing else", async () => {
    const { far, session } = await talk();
    const [update] = received(far, "session.update");
    expect(update?.["session"]).toEqual({
      type: "realtime",
      model: "gpt-realtime-2.1",
      output_modalities: ["audio"],
      instructions: "Be brief.",
      tools: [{ type: "function", ...tool }],
      tool_choice: "auto",
      audio: {
        input: {
          format: { type: "audio/pcmu" },
          transcription: { model: "gpt-transcribe", language: "de" },
          turn_detection: {
            type: "server_vad",
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 500,
            create_response: false,
            interrupt_response: false,
          },
        },
        output: { format: { type: "audio/pcmu" }, voice: "marin", speed: 1 },
      },
    });
    expect(session.id).toBe(far.id);
    session.close();
  });

  test("leaves turns to the server when the account says so, by meaning when it says so", async () => {
    const semantic = { ...vad, kind: "semantic" } as const;
    const { far, session } = await talk({ turns: "server" }, { vad: semantic });
    expect(received(far, "session.update")[0]).toMatchObject({
      session: {
        audio: {
          input: {
            turn_detection: {
              type: "semantic_vad",
              eagerness: "high",
              create_response: true,
              interrupt_response: true,
            },
          },
        },
      },
    });
    session.close();
  });

  test("names no language when none is known", async () => {
    const { url } = await start();
    const session = await engineAt(url).open({ instructions: "", tools: [], turns: "ours" }, never);
    const far = await (model as SpeechModel).nextSession();
    expect(far.config.audio.input.transcription).toEqual({ model: "gpt-transcribe" });
    session.close();
  });

  const NOTES = { type: "mcp", server_label: "notes", server_url: "https://notes.example/mcp" } as const;
  const functions = [{ type: "function", ...tool }];

  test("names servers of tools, whose calls nobody has to approve", async () => {
    const { far, session } = await talk({
      mcpServers: [
        { label: "notes", url: NOTES.server_url, authorization: "t0ken", allowedTools: ["search"] },
        { label: "shop", url: "https://shop.example/mcp" },
      ],
    });
    expect(far.config.tools).toEqual([
      ...functions,
      { ...NOTES, authorization: "t0ken", allowed_tools: ["search"], require_approval: "never" },
      { type: "mcp", server_label: "shop", server_url: "https://shop.example/mcp", require_approval: "never" },
    ]);
    session.close();
  });

  test("keeps its servers when the functions change, and its functions when the servers do", async () => {
    const { far, session } = await talk({ mcpServers: [{ label: "notes", url: NOTES.server_url }] });
    const server = { ...NOTES, require_approval: "never" };
    session.update({ tools: [] });
    await far.untilReceived(() => received(far, "session.update").length === 2);
    expect(far.config.tools).toEqual([server]);
    session.update({ tools: [tool] });
    session.update({ mcpServers: [] });
    await far.untilReceived(() => received(far, "session.update").length === 4);
    expect(received(far, "session.update")[2]?.["session"]).toEqual({
      type: "realtime",
      tools: [...functions, server],
    });
    expect(far.config.tools).toEqual(functions);
    session.close();
  });

  test.each([
    { type: "mcp_list_tools.failed", item_id: "mcpl_1" },
    { type: "response.mcp_call.failed", item_id: "mcp_1", output_index: 0 },
  ])("a server of tools that fails is noted and is no fault: $type", async (event) => {
    const { far, session } = await talk();
    const faults = heard(session, "fault");
    const noted = next(session, "noted");
    far.push({ type: "mcp_list_tools.in_progress", item_id: "mcpl_1" });
    far.push({ type: "response.mcp_call.in_progress", item_id: "mcp_1", output_index: 0 });
    far.push({ type: "response.mcp_call.completed", item_id: "mcp_1", output_index: 0 });
    far.push(event);
    expect(await noted).toMatchObject({ code: event.type });
    expect(faults).toEqual([]);
    session.close();
  });

  test("is changed later without a word about audio, and only in what the change names", async () => {
    const { far, session } = await talk();
    session.update({ instructions: "Be kind." });
    session.update({ tools: [] });
    session.update({});
    await far.untilReceived(() => received(far, "session.update").length === 4);
    expect(
      received(far, "session.update")
        .slice(1)
        .map((event) => event["session"]),
    ).toEqual([{ type: "realtime", instructions: "Be kind." }, { type: "realtime", tools: [] }, { type: "realtime" }]);
    session.close();
  });
});

describe("an engine that cannot be had", () => {
  const failure = (opening: Promise<unknown>) =>
    opening.then(
      () => undefined,
      (error: unknown) => error,
    );

  test("because the key is wrong: refused, and the setting is named, for calls and for a probe", async () => {
    const { url } = await start();
    const engine = engineAt(url, { apiKey: "sk-wrong" });
    for (const refused of [failure(engine.open(CONFIG, never)), failure(engine.probe(never))]) {
      expect(await refused).toMatchObject({
        code: "engine_refused",
        engineCode: "invalid_api_key",
        retryable: false,
        message: expect.stringContaining("Set engine.apiKey"),
      });
    }
    expect((model as SpeechModel).sessions).toEqual([]);
  });

  test("because the model does not exist: refused, and the setting is named, for calls and for a probe", async () => {
    const { url } = await start();
    const engine = engineAt(url, { model: "gpt-9" });
    for (const refused of [failure(engine.open(CONFIG, never)), failure(engine.probe(never))]) {
      expect(await refused).toMatchObject({
        code: "engine_refused",
        engineCode: "model_not_found",
        message: expect.stringContaining("Set engine.model"),
      });
    }
  });

  test("because nobody listens: unreachable, and the address is named, for calls and for a probe", async () => {
    const { url } = await start();
    await (model as SpeechModel).stop();
    const engine = engineAt(url);
    for (const lost of [failure(engine.open(CONFIG, never)), failure(engine.probe(never))]) {
      expect(await lost).toMatchObject({
        code: "engine_unreachable",
        retryable: true,
        message: expect.stringContaining("Check engine.baseUrl"),
      });
    }
  });

  test("because a proxy answers with a page: refused with its status", async () => {
    server = createServer((_request, response) => response.writeHead(403).end("<html>No.</html>"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await failure(engineAt(`http://127.0.0.1:${port}/v1`).open(CONFIG, never))).toMatchObject({
      code: "engine_refused",
      engineCode: "http_403",
    });
  });

  test("because it says nothing for 8 seconds: unreachable, and nothing is left", async () => {
    const clock = handClock();
    const { url, faults } = await start();
    faults.noSessionCreated = true;
    const opening = failure(engineAt(url, { clock }).open(CONFIG, never));
    const far = await (model as SpeechModel).nextSession();
    clock.pass(7_999);
    expect(clock.running).toBe(1);
    clock.pass(1);
    expect(await opening).toMatchObject({ code: "engine_unreachable", message: expect.stringContaining("8 s") });
    expect(await far.closed).toBe("the client left");
    expect(clock.running).toBe(0);
  });

  test("because the call is over already: nothing is asked", async () => {
    const { url } = await start();
    const over = new Error("The call is over.");
    await expect(engineAt(url).open(CONFIG, AbortSignal.abort(over))).rejects.toBe(over);
    expect((model as SpeechModel).sessions).toEqual([]);
  });

  test("any more, because its socket closes: told once, last, with an error; what comes after is ignored", async () => {
    const { far, session } = await talk();
    const closed = heard(session, "closed");
    const gone = next(session, "closed");
    far.end("gone");
    await gone;
    session.say("Is anybody there?", "say");
    session.sendAudio(Buffer.from("////", "latin1"));
    session.truncate("item", 100);
    session.close();
    session.close();
    expect(closed).toEqual([
      {
        reason: "the engine closed with code 1000",
        error: expect.objectContaining({ code: "engine_unreachable", retryable: true }),
      },
    ]);
  });
});

describe("what passes through", () => {
  test("is the caller's sound, byte by byte, in one message a frame", async () => {
    const { far, session } = await talk();
    const bytes = Buffer.from(Array.from({ length: 1_600 }, (_, index) => (index * 7) & 0xff));
    const got: string[] = [];
    const receive = far.receive.bind(far);
    far.receive = (text) => {
      got.push(text);
      receive(text);
    };
    for (let at = 0; at < bytes.length; at += 160) {
      session.sendAudio(Buffer.from(bytes.toString("base64", at, at + 160), "latin1"));
    }
    await far.untilReceived(({ count }) => count === 10);
    const sent = got.map((text) => JSON.parse(text) as { type: string; audio: string });
    expect(new Set(sent.map(({ type }) => type))).toEqual(new Set(["input_audio_buffer.append"]));
    expect(sent).toHaveLength(10);
    expect(Buffer.concat(sent.map(({ audio }) => Buffer.from(audio, "base64"))).equals(bytes)).toBe(true);
    session.close();
  });

  test("is the agent's sound, byte by byte", async () => {
    const { far, session } = await talk();
    const bytes = Buffer.from(Array.from({ length: 999 }, (_, index) => (index * 11) & 0xff));
    const audio: Buffer[] = [];
    session.on("audio", (piece) => audio.push(Buffer.from(piece.audio)));
    const at = { response_id: "resp_1", item_id: "item_1", output_index: 0, content_index: 0 };
    for (const [from, to] of [
      [0, 1],
      [1, 500],
      [500, 999],
    ] as const) {
      far.push({ type: "response.output_audio.delta", ...at, delta: bytes.toString("base64", from, to) });
    }
    const done = next(session, "audioDone");
    far.push({ type: "response.output_audio.done", ...at });
    expect(await done).toEqual({ responseId: "resp_1", itemId: "item_1" });
    expect(audio.map(({ length }) => length)).toEqual([1, 499, 499]);
    expect(Buffer.concat(audio).equals(bytes)).toBe(true);
    session.close();
  });

  test("is what a response consumed, kind by kind", async () => {
    const { far, session } = await talk();
    const ended = next(session, "responseEnded");
    const usage = {
      total_tokens: 1_000,
      input_tokens: 600,
      output_tokens: 400,
      input_token_details: {
        text_tokens: 1,
        audio_tokens: 2,
        image_tokens: 9,
        cached_tokens: 9,
        cached_tokens_details: { text_tokens: 3, audio_tokens: 4, image_tokens: 9 },
      },
      output_token_details: { text_tokens: 5, audio_tokens: 6 },
    };
    far.push({ type: "response.done", response: { id: "resp_1", status: "incomplete", output: [], usage } });
    expect(await ended).toEqual({
      responseId: "resp_1",
      status: "incomplete",
      usage: {
        inputTextTokens: 1,
        inputAudioTokens: 2,
        cachedTextTokens: 3,
        cachedAudioTokens: 4,
        outputTextTokens: 5,
        outputAudioTokens: 6,
      },
    });
    session.close();
  });

  test("also in JSON of an unusual shape, and what is no JSON or unknown is passed over", async () => {
    const { far, session } = await talk({}, {}, { faults: { oddJson: true } });
    far.push({ type: "an.event.of.tomorrow", item: 1 });
    const words = heard(session, "agentWords");
    const ended = next(session, "responseEnded");
    session.say('Grüße / "hello".', "say");
    await ended;
    expect(words.at(-1)?.text).toBe("Grüße / 'hello'.");
    session.close();
  });
});

describe("playback truth", () => {
  /** An item of which all sound has come, some of it not yet heard by anybody. */
  async function spoken() {
    const { session, far } = await talk();
    const audio = heard(session, "audio");
    const ended = next(session, "responseEnded");
    session.say("one two three four five six seven eight nine ten", "greeting");
    await ended;
    const producedMs = audio.reduce((sum, piece) => sum + piece.audio.length, 0) / 8;
    return { session, far, itemId: audio[0]?.itemId ?? "", producedMs };
  }

  test("case 9: the model keeps what was played of an item, to the millisecond, not what was sent", async () => {
    const { session, far, itemId, producedMs } = await spoken();
    session.truncate(itemId, producedMs / 2 + 0.7);
    const cut = await far.untilSent("conversation.item.truncated");
    expect(cut["audio_end_ms"]).toBe(Math.floor(producedMs / 2 + 0.7));
    expect(far.transcript).toEqual([{ role: "assistant", text: "one two three four five" }]);
    session.close();
  });

  test("case 11: what was sent whole, and is still playing, can be cut; every item of it, and nothing is cancelled", async () => {
    const { session, far, itemId } = await spoken();
    const ended = next(session, "responseEnded");
    session.say("A second sentence, which nobody hears at all.", "say");
    await ended;
    const later = far.items.at(-1)?.id ?? "";
    session.stop();
    session.truncate(itemId, 100);
    session.truncate(later, 0);
    await far.untilSent("conversation.item.deleted");
    expect(far.transcript).toEqual([{ role: "assistant", text: "one" }]);
    expect(received(far, "response.cancel")).toEqual([]);
    session.close();
  });

  test("case 10: a cut past the item's end, as a wrong clock would ask for, is asked for at its end", async () => {
    const { session, far, itemId, producedMs } = await spoken();
    const faults = heard(session, "fault");
    session.truncate(itemId, 3_600_000);
    expect(await far.untilSent("conversation.item.truncated")).toMatchObject({ audio_end_ms: producedMs });
    expect(faults).toEqual([]);
    session.close();
  });
});

describe("whose response it is", () => {
  test("is told by its label, so that the engine's own is never taken for ours", async () => {
    const { session, far } = await talk();
    const begun = heard(session, "responseStarted");
    far.receive(JSON.stringify({ type: "response.create" })); // as if by itself, while ours is on its way
    session.say("Mine.", "say");
    const ended = heard(session, "responseEnded");
    const second = new Promise<void>((resolve) => session.on("responseEnded", () => ended.length === 2 && resolve()));
    await second;
    expect(begun.map(({ cause }) => cause)).toEqual(["engine", "say"]);
    const [refused, made] = received(far, "response.create").slice(1);
    expect(made?.["response"]).toMatchObject({ metadata: { order: made?.["event_id"] } });
    expect(made?.["event_id"]).not.toBe(refused?.["event_id"]);
    session.close();
  });

  test("case 13: the callee is greeted once, whoever asks for it how often, and no answer comes of itself", async () => {
    const { session, far } = await talk();
    const begun = heard(session, "responseStarted");
    const ended = next(session, "responseEnded");
    session.say("Good morning.", "greeting");
    session.say("Good morning.", "greeting");
    await ended;
    session.sendAudio(Buffer.from(Buffer.alloc(4_000, 0x20).toString("base64"), "latin1"));
    await far.untilReceived("input_audio_buffer.append");
    const committed = next(session, "turnCommitted");
    far.dictateSpeechStarted(100);
    far.dictateSpeechStopped();
    await committed;
    expect(begun.map(({ cause }) => cause)).toEqual(["greeting"]);
    expect(far.responding).toBe(false);
    session.close();
  });
});

describe("an engine that fails in mid-call", () => {
  test("by silence: it counts as lost after 6 seconds, with what it owes still to be read", async () => {
    const clock = handClock();
    const { session } = await talk({}, { clock });
    (model as SpeechModel).faults.dead = true;
    const closed = heard(session, "closed");
    session.respond({ cause: "turn" });
    session.say("Recorded.", "say");
    clock.pass(5_999);
    expect(closed).toEqual([]);
    clock.pass(1);
    expect(closed).toEqual([
      { reason: expect.any(String), error: expect.objectContaining({ code: "engine_unreachable", retryable: true }) },
    ]);
    expect(session.pending.map(({ order }) => order)).toEqual([{ cause: "turn" }, { cause: "say", text: "Recorded." }]);
    expect(clock.running).toBe(0);
  });

  test("case 41: by the end of its hour: lost, and a new session may be had", async () => {
    const { session } = await talk({}, {}, { faults: { expireAfterMs: 300 } });
    const fault = next(session, "fault");
    const closed = next(session, "closed");
    expect(await fault).toMatchObject({ engineCode: "session_expired", retryable: true });
    expect(await closed).toMatchObject({ error: { retryable: true } });
  });

  test.each(["insufficient_quota", "invalid_api_key", "account_deactivated", "billing_hard_limit_reached"])(
    "by %s: nothing is worth another try, whether a response or the session is told",
    async (code) => {
      const { session, far } = await talk({}, {}, { faults: { failResponses: { code } } });
      const ended = next(session, "responseEnded");
      session.respond({ cause: "turn" });
      expect((await ended).failure).toEqual({
        error: expect.objectContaining({ engineCode: code, retryable: false }),
        order: { cause: "turn" },
      });
      const closed = next(session, "closed");
      far.push({ type: "error", error: { type: "invalid_request_error", code, message: "No." } });
      expect(await closed).toMatchObject({ error: { engineCode: code, retryable: false } });
    },
  );

  test.each([
    ["Rate limit reached for tokens per min. Please try again in 1.5s. Visit our page.", 1_500],
    ["Please try again in 350ms.", 350],
    ["Rate limit reached.", 1_000],
  ])("by its rate limit: the order is worth a try after what it advises: %s", async (message, retryAfterMs) => {
    const { session } = await talk({}, {}, { faults: { failResponses: { code: "rate_limit_exceeded", message } } });
    const ended = next(session, "responseEnded");
    session.say("Recorded.", "say");
    expect((await ended).failure).toEqual({
      error: expect.objectContaining({ retryable: true }),
      retryAfterMs,
      order: { cause: "say", text: "Recorded." },
    });
    session.close();
  });

  test("by any other failure of a response: it is worth another try, unless it was stopped before", async () => {
    const { session } = await talk({}, {}, { faults: { failResponses: { code: "server_error" } } });
    const ended = heard(session, "responseEnded");
    const twice = new Promise<void>((resolve) => session.on("responseEnded", () => ended.length === 2 && resolve()));
    session.respond({ cause: "turn" });
    session.stop();
    session.respond({ cause: "turn", instructions: "again" });
    await twice;
    expect(ended[0]?.failure).toBeUndefined();
    expect(ended[1]?.failure).toEqual({
      error: expect.objectContaining({ retryable: true }),
      order: { cause: "turn", instructions: "again" },
    });
    session.close();
  });
});

describe("tools", () => {
  test("whose results come while the caller interrupts are taken up by the one answer to both", async () => {
    const { far, session } = await talk();
    const called = next(session, "toolCalled");
    const call = { type: "function_call", name: "look_up", arguments: "{}", status: "completed" };
    far.push({
      type: "response.done",
      response: { id: "1", status: "completed", output: [{ ...call, id: "item_1", call_id: "call_1" }] },
    });
    await called;
    session.hold(true);
    session.stop();
    session.giveToolResult("call_1", "7");
    typed(far, "And tomorrow?");
    session.respond({ cause: "turn" });
    const ended = next(session, "responseEnded");
    session.hold(false);
    await ended;
    expect(received(far, "response.create")).toHaveLength(1);
    expect(session.pending).toEqual([]);
    session.close();
  });

  test("called at once are answered by one response, when the last result is there", async () => {
    const { far, session } = await talk(
      {},
      {},
      {
        mind: ({ toolResults }) =>
          toolResults.length > 0
            ? [{ say: toolResults.map(({ output }) => output).join(" and ") }]
            : [
                { call: "look_up", args: { what: "one" } },
                { call: "look_up", args: { what: "two" } },
              ],
      },
    );
    const calls = heard(session, "toolCalled");
    const words = heard(session, "agentWords");
    const asked = next(session, "responseEnded");
    typed(far, "Look twice.");
    session.respond({ cause: "turn" });
    await asked;
    expect(calls.map(({ argumentsJson }) => argumentsJson)).toEqual(['{"what":"one"}', '{"what":"two"}']);
    const [one, two] = calls as [(typeof calls)[0], (typeof calls)[0]];
    session.giveToolResult("call_of_nobody", "x");
    session.giveToolResult(two.toolCallId, "2");
    await far.untilReceived((event) => isResult(event, two.toolCallId));
    expect(received(far, "response.create")).toHaveLength(1);
    const answered = next(session, "responseEnded");
    session.giveToolResult(one.toolCallId, "1");
    await answered;
    expect(received(far, "response.create")).toHaveLength(2);
    const results = received(far, "conversation.item.create").slice(1);
    expect(results.map((event) => event["item"])).toEqual([
      { type: "function_call_output", call_id: two.toolCallId, output: "2" },
      { type: "function_call_output", call_id: one.toolCallId, output: "1" },
    ]);
    expect(words.at(-1)?.text).toBe("2 and 1");
    session.close();
  });

  test("of a response that was cut off are not called, nor are those that it did not finish", async () => {
    const { far, session } = await talk();
    const calls = heard(session, "toolCalled");
    const call = { type: "function_call", name: "look_up", arguments: "{}" };
    const done = (id: string, status: string, itemStatus: string) =>
      far.push({
        type: "response.done",
        response: { id, status, output: [{ ...call, id: `item_${id}`, call_id: `call_${id}`, status: itemStatus }] },
      });
    done("1", "cancelled", "completed");
    done("2", "incomplete", "completed");
    done("3", "completed", "incomplete");
    const called = next(session, "toolCalled");
    done("4", "completed", "completed");
    await called;
    expect(calls).toEqual([{ toolCallId: "call_4", name: "look_up", argumentsJson: "{}" }]);
    session.close();
  });
});
