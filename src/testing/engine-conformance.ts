import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Usage } from "../core/events.ts";
import type { Engine, EngineConfig } from "../engines/engine.ts";
import { scriptEars, taughtVoice } from "./ears.ts";
import { listen } from "./engine-listener.ts";
import { dictatedVad, type Faults, ruleMind, type SpeechModel, startSpeechModel } from "./speech-model/index.ts";
import { fliteVoice } from "./voice.ts";

/** What makes the engine under test, pointed at the simulated model. */
export type EngineMaker = (at: { readonly baseUrl: string; readonly apiKey: string; readonly clock: Clock }) => Engine;

const KEY = "sk-conformance";
const CONFIG: EngineConfig = {
  instructions: "You answer the telephone.",
  tools: [{ name: "look_up", description: "Looks up.", parameters: { type: "object", properties: {} } }],
  turns: "ours",
  language: "en",
};

/**
 * What every engine promises, tried against the simulated speech model over real sockets.
 * @example describe("my engine", () => engineConformance((at) => myEngine(at)));
 */
export function engineConformance(make: EngineMaker): void {
  const flite = fliteVoice();
  const ears = scriptEars();
  const voice = taughtVoice(flite, ears);
  const clock = systemClock({ speed: 8 });
  const models: SpeechModel[] = [];

  afterEach(async () => {
    for (const model of models.splice(0)) await model.stop();
  });
  afterAll(() => flite.close());

  async function bench(faults: Faults = {}) {
    const mind = ruleMind([
      { when: "tool:look_up", say: "It is seven." },
      { when: /look/i, call: "look_up" },
    ]);
    const model = await startSpeechModel({ clock, voice, ears, mind, apiKey: KEY, faults, vad: () => dictatedVad([]) });
    models.push(model);
    return { model, engine: make({ baseUrl: model.url, apiKey: KEY, clock }) };
  }

  async function talk(config: Partial<EngineConfig> = {}) {
    const { model: server, engine } = await bench();
    const session = await engine.open({ ...CONFIG, ...config }, new AbortController().signal);
    return { session, server: await server.nextSession(), faults: server.faults, log: listen(session) };
  }

  describe("opening", () => {
    test("telephone sound is agreed upon for both directions, and our turns are ours", async () => {
      const { session, server } = await talk();
      expect(server.config.audio.input.format).toEqual({ type: "audio/pcmu" });
      expect(server.config.audio.output.format).toEqual({ type: "audio/pcmu" });
      expect(server.config.audio.input.turn_detection).toMatchObject({
        create_response: false,
        interrupt_response: false,
      });
      session.close();
    });

    test.each<[string, Faults, string]>([
      ["a wrong key", { refuseUpgrade: { status: 401, code: "invalid_api_key" } }, "engine_refused"],
      ["a used-up budget", { refuseUpgrade: { status: 429, code: "insufficient_quota" } }, "engine_refused"],
      ["its own failure", { refuseUpgrade: { status: 503 } }, "engine_unreachable"],
      ["nothing at all", { noSessionCreated: true }, "engine_unreachable"],
      ["a dropped connection", { noSessionCreated: true, dropAfterMs: 50 }, "engine_unreachable"],
    ])("an engine that answers with %s: the error says which, and what to do", async (_what, faults, code) => {
      const { engine } = await bench(faults);
      const error = await engine.open(CONFIG, new AbortController().signal).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code, message: expect.stringMatching(/[.:] [A-Z][^.]+.*\.$/) });
    });

    test("opening can be given up", async () => {
      const { engine } = await bench({ noSessionCreated: true });
      const abort = new AbortController();
      const opening = engine.open(CONFIG, abort.signal);
      abort.abort(new Error("The call is over."));
      await expect(opening).rejects.toThrow("The call is over.");
    });
  });

  describe("speaking", () => {
    test("a text is said word for word, its sound comes in order, and its usage is told", async () => {
      const { session, log } = await talk();
      session.say("Good morning.", "greeting");
      const ended = await log.next("responseEnded");
      expect(ended).toMatchObject({ status: "completed" });
      expect(usageTokens(ended.usage)).toBeGreaterThan(0);
      expect(log.of("agentWords").at(-1)).toMatchObject({ text: "Good morning.", final: true });
      const sound = Buffer.concat(log.of("audio").map(({ audio }) => audio));
      expect(sound.length).toBeGreaterThan(2_000);
      expect(log.of("audioDone")).toHaveLength(1);
      session.close();
    });

    test("orders that come at once are made one after another, none is lost", async () => {
      const { session, log } = await talk();
      for (const text of ["One.", "Two.", "Three."]) session.say(text, "say");
      for (let count = 0; count < 3; count++) await log.next("responseEnded");
      const said = log.of("agentWords").filter(({ final }) => final);
      expect(said.map(({ text }) => text)).toEqual(["One.", "Two.", "Three."]);
      expect(log.of("fault")).toEqual([]);
      session.close();
    });

    test("an order that meets a response of the engine's own waits for its end", async () => {
      const { session, server, log } = await talk();
      server.receive(JSON.stringify({ type: "response.create" })); // as if the engine began by itself
      session.say("Now me.", "say");
      await log.next("responseEnded");
      await log.next("responseEnded");
      expect(
        log
          .of("agentWords")
          .filter(({ final }) => final)
          .at(-1)?.text,
      ).toBe("Now me.");
      session.close();
    });

    test("after a stop nothing more of the response is told, and the next one is heard", async () => {
      const { session, log } = await talk();
      session.say("This is a long sentence that nobody wants to hear to its very end.", "greeting");
      await log.next("audio");
      session.stop();
      const before = log.of("audio").length;
      const ended = await log.next("responseEnded");
      expect(ended.status).toBe("cancelled");
      expect(log.of("audio")).toHaveLength(before);
      session.say("Better.", "say");
      expect(await log.next("responseEnded")).toMatchObject({ status: "completed" });
      session.close();
    });

    test("a response that fails is a fault with a remedy, and the session goes on", async () => {
      const { session, faults, log } = await talk();
      faults.failResponses = { code: "rate_limit_exceeded" };
      session.say("Lost.", "say");
      expect(await log.next("fault")).toMatchObject({
        code: "engine_refused",
        message: expect.stringContaining("limit"),
      });
      delete faults.failResponses;
      session.say("Kept.", "say");
      await log.next("responseEnded");
      expect(await log.next("responseEnded")).toMatchObject({ status: "completed" });
      session.close();
    });
  });

  describe("listening", () => {
    test("the caller's sound arrives as it was sent, and their turn is told and waits for us", async () => {
      const { session, server, log } = await talk();
      const frame = Buffer.from(Buffer.alloc(160, 0x20).toString("base64"), "latin1");
      for (let count = 0; count < 25; count++) session.sendAudio(frame);
      await server.untilReceived(({ type, count }) => type === "input_audio_buffer.append" && count === 25);
      expect(server.heardMs).toBe(500);
      server.dictateSpeechStarted(300);
      server.dictateWords("Good evening.");
      server.dictateSpeechStopped(500);
      const { itemId } = await log.next("speechStarted");
      expect(await log.next("speechStopped")).toEqual({ itemId, atInputMs: 500 });
      expect(await log.next("turnCommitted")).toEqual({ itemId });
      await server.untilSent("conversation.item.input_audio_transcription.completed");
      while (!log.of("callerWords").some(({ final }) => final)) await log.next("callerWords");
      expect(log.of("callerWords").at(-1)).toEqual({ itemId, text: "Good evening.", final: true });
      expect(log.of("responseStarted")).toEqual([]);
      session.respond({ cause: "turn" });
      expect(await log.next("responseStarted")).toMatchObject({ cause: "turn" });
      session.close();
    });

    test("nothing begins to be said while the session is held, whatever is asked for", async () => {
      const { session, server, log } = await talk();
      session.hold(true);
      session.say("After you.", "say");
      session.sendAudio(Buffer.from(Buffer.alloc(1_600, 0x20).toString("base64"), "latin1"));
      await server.untilReceived("input_audio_buffer.append"); // whatever was sent before it has arrived
      expect(server.received.map(({ type }) => type)).not.toContain("response.create");
      expect(session.pending).toEqual([{ order: { cause: "say", text: "After you." } }]);
      session.hold(false);
      await log.next("responseEnded");
      expect(log.of("agentWords").at(-1)).toMatchObject({ text: "After you.", final: true });
      expect(session.pending).toEqual([]);
      session.close();
    });

    test("a turn that the engine did not notice is ended by us; where nothing was said that is no fault", async () => {
      const { session, server, log } = await talk();
      session.commitTurn();
      await log.next("turnEmpty");
      session.sendAudio(Buffer.from(Buffer.alloc(1_600, 0x20).toString("base64"), "latin1"));
      server.dictateWords("Hello?");
      session.commitTurn();
      const { itemId } = await log.next("turnCommitted");
      while (!log.of("callerWords").some(({ final }) => final)) await log.next("callerWords");
      expect(log.of("callerWords").at(-1)).toEqual({ itemId, text: "Hello?", final: true });
      expect(log.of("fault")).toEqual([]);
      session.close();
    });
  });

  describe("knowing", () => {
    test("what was heard before is gone on with: it stands in the conversation when the session opens", async () => {
      const { session, server, log } = await talk({
        history: [
          { speaker: "agent", text: "Good morning." },
          { speaker: "caller", text: "Please look." },
        ],
      });
      session.respond({ cause: "turn" });
      await log.next("toolCalled");
      expect(server.transcript.slice(0, 2)).toEqual([
        { role: "assistant", text: "Good morning." },
        { role: "user", text: "Please look." },
      ]);
      session.close();
    });

    test("what happened elsewhere is remembered, and what is instructed is known: neither is spoken, nothing is cut", async () => {
      const { session, server, log } = await talk();
      session.say("A sentence that goes on for a while, and that nobody cuts.", "greeting");
      await log.next("audio");
      session.remember([{ name: "look_up", argumentsJson: '{"what":1}', output: "7" }]);
      session.remember([{ speaker: "caller", text: "I pressed 5." }]);
      session.instruct("From now on, be brief.");
      expect(await log.next("responseEnded")).toMatchObject({ status: "completed" });
      await server.untilReceived(({ item }) => (item as { role?: string } | undefined)?.role === "system");
      const [call, result] = server.items.filter(({ type }) => type !== "message");
      expect(call).toMatchObject({ type: "function_call", name: "look_up", arguments: '{"what":1}' });
      expect(result).toMatchObject({ type: "function_call_output", output: "7", callId: call?.callId });
      expect(server.transcript.slice(1)).toEqual([
        { role: "user", text: "I pressed 5." },
        { role: "system", text: "From now on, be brief." },
      ]);
      expect(log.of("responseStarted")).toHaveLength(1);
      session.close();
    });
  });

  describe("staying right", () => {
    test("case 10: a cut or a cancel that comes too late is noted, is no fault, and what follows is heard", async () => {
      const { session, server, log } = await talk();
      session.say("This will be cut by two at once.", "greeting");
      await log.next("responseEnded");
      const itemId = log.of("audioDone")[0]?.itemId ?? "";
      const cut = { type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: 100 };
      server.receive(JSON.stringify(cut));
      session.truncate(itemId, 500);
      expect(await log.next("noted")).toMatchObject({ message: expect.stringContaining("already shorter than") });
      session.truncate(itemId, 0);
      session.truncate(itemId, 0);
      expect(await log.next("noted")).toMatchObject({ message: expect.stringContaining("does not exist") });
      session.say("This is cancelled by the engine itself.", "say");
      await log.next("audio");
      server.receive(JSON.stringify({ type: "response.cancel" }));
      session.stop();
      expect(await log.next("noted")).toMatchObject({ code: "response_cancel_not_active" });
      expect(await log.next("responseEnded")).toMatchObject({ status: "cancelled" });
      const before = log.of("audio").length;
      session.say("And this is heard.", "say");
      expect(await log.next("responseEnded")).toMatchObject({ status: "completed" });
      expect(log.of("audio").length).toBeGreaterThan(before);
      expect(log.of("fault")).toEqual([]);
      session.close();
    });

    test("late pieces of a response that the engine began by itself are not told either, once it was stopped", async () => {
      const { session, server, log } = await talk({ turns: "server" });
      server.receive(JSON.stringify({ type: "response.create" }));
      await log.next("audio");
      session.stop();
      const told = [log.of("audio").length, log.of("agentWords").length, log.of("audioDone").length];
      expect(await log.next("responseEnded")).toMatchObject({ status: "cancelled" });
      expect([log.of("audio").length, log.of("agentWords").length, log.of("audioDone").length]).toEqual(told);
      session.close();
    });

    test("an update changes what it names and never the audio formats", async () => {
      const { session, server } = await talk();
      session.update({ instructions: "Now you are brief.", tools: [] });
      const update = await server.untilReceived(
        ({ type, ...event }) => type === "session.update" && JSON.stringify(event).includes("brief"),
      );
      expect(JSON.stringify(update)).not.toContain("format");
      await server.untilSent(
        ({ type, ...event }) => type === "session.updated" && JSON.stringify(event).includes("brief"),
      );
      expect(server.config.instructions).toBe("Now you are brief.");
      expect(server.config.audio.output.format).toEqual({ type: "audio/pcmu" });
      session.close();
    });

    test("an update that names nothing changes nothing, and is a question whether the engine lives", async () => {
      const { session, server, log } = await talk();
      const before = structuredClone(server.config);
      session.update({});
      await log.next("updated");
      expect(server.config).toEqual(before);
      expect(log.of("fault")).toEqual([]);
      session.close();
    });

    test("a truncation never names more than was produced; of an item that nobody heard nothing stays", async () => {
      const { session, server, log } = await talk();
      session.say("Half of this.", "greeting");
      await log.next("responseEnded");
      const itemId = log.of("audioDone")[0]?.itemId ?? "";
      session.truncate(itemId, 999_999);
      const truncated = await server.untilSent("conversation.item.truncated");
      const bytes = log.of("audio").reduce((sum, { audio }) => sum + audio.length, 0);
      expect(truncated["audio_end_ms"]).toBe(Math.floor(bytes / 8));
      session.truncate(itemId, 0);
      await server.untilSent("conversation.item.deleted");
      expect(log.of("fault")).toEqual([]);
      session.close();
    });

    test("a tool that is called is told once, and its result is taken up", async () => {
      const { session, server, log } = await talk();
      server.receive(
        JSON.stringify({
          type: "conversation.item.create",
          item: { type: "message", role: "user", content: [{ type: "input_text", text: "Please look." }] },
        }),
      );
      session.respond({ cause: "turn" });
      const { toolCallId, name, argumentsJson } = await log.next("toolCalled");
      expect({ name, argumentsJson }).toEqual({ name: "look_up", argumentsJson: "{}" });
      session.giveToolResult(toolCallId, "7");
      session.giveToolResult(toolCallId, "7");
      await log.next("responseEnded");
      await log.next("responseEnded");
      expect(server.items.filter(({ type }) => type === "function_call_output")).toHaveLength(1);
      expect(log.of("agentWords").at(-1)?.text).toBe("It is seven.");
      session.close();
    });

    test("a close of ours is no error; a loss is one", async () => {
      const { session, log } = await talk();
      session.close();
      session.close();
      expect((await log.next("closed")).error).toBeUndefined();
      const { session: other, server, log: others } = await talk();
      server.end("gone");
      expect(await others.next("closed")).toMatchObject({ error: { code: "engine_unreachable" } });
      other.close();
    });
  });
}

// --- Internal helpers ---

function usageTokens(usage: Usage | undefined): number {
  return (usage?.outputAudioTokens ?? 0) * (usage?.inputTextTokens ?? 0);
}
