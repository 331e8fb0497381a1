import { expect, test } from "vitest";
import type { VoiceTool } from "../../src/calls/tools.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, BOB, GREETING, OUR_NUMBER, types, type World, worlds } from "./world.ts";

const world = worlds();
const LONG = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges, bananas and a great many more.";

/** Ann rings and does what `script` says; resolves when her call is over and stored. */
async function ring(ours: World, script: PersonScript, from = ANN) {
  const ending = ours.nextEnd();
  const call = ours.phones.ring({ from, to: OUR_NUMBER, script });
  const report = await call.ended;
  return { report, call: await ending, session: ours.model.sessions.at(-1) };
}

/** Answers with what the tool gave. */
const readOut = (name: string) => ({
  when: `tool:${name}` as const,
  say: (turn: { toolResult?: { output: string } }) => turn.toolResult?.output ?? "",
});

test("a caller who interrupts: the agent falls silent, and only what was heard stands anywhere", async () => {
  const ours = await world({
    mind: ruleMind([
      { when: /fruit/i, say: LONG },
      { when: /stop/i, say: "All right." },
    ]),
    speed: 4,
  });
  const cuts: { itemId: string; heardMs: number }[] = [];
  ours.plugin.on("bargeIn", (cut) => cuts.push(cut));
  let interruptedAtMs = 0;
  const { report, call, session } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_500);
    interruptedAtMs = line.nowMs;
    await line.say("Stop, please, I want nothing.");
    await line.hearReply();
  });
  expect(cuts).toHaveLength(1);
  expect(report.streamEvents.clears).toBeGreaterThan(0);
  const cut = call.journal.flatMap(({ event }) => (event.type === "playout.cut" ? [event] : []));
  expect(cut).toHaveLength(1);
  expect(cut[0]?.heardMs).toBeGreaterThan(0);
  expect(cut[0]?.heardMs).toBeLessThan(cut[0]?.producedMs ?? 0);
  const truncation = session?.received.find(({ type }) => type === "conversation.item.truncate");
  expect(truncation).toMatchObject({ item_id: cut[0]?.itemId, audio_end_ms: cut[0]?.heardMs });
  const said = call.words.find((line) => line.startsWith("agent: We have"));
  expect(said).toMatch(/ -$/);
  expect(LONG.startsWith(said?.slice("agent: ".length, -2) ?? "?")).toBe(true);
  expect(call.words.slice(-2)).toEqual(["caller: Stop, please, I want nothing.", "agent: All right."]);
  // Late audio: nothing of the long answer is heard once the caller has been speaking for a moment.
  const talk = report.spoken.at(-1);
  const over = report.heardSegments.filter(
    ({ startMs, endMs }) => endMs > interruptedAtMs + 1_200 && startMs < (talk?.endMs ?? 0),
  );
  expect(over).toEqual([]);
});

test("a caller who speaks before the greeting is greeted once", async () => {
  const ours = await world({ mind: ruleMind([{ when: /open/i, say: "Until five." }]) });
  ours.model.faults.thinkMs = 1_200;
  const { report, call } = await ring(ours, async (line) => {
    await line.say("Hello?");
    await line.hearReply();
    await line.say("How long are you open?");
    await line.hearReply({ timeoutMs: 40_000 });
  });
  expect(call.words.filter((line) => line.includes("this is Nia"))).toEqual([`agent: ${GREETING}`]);
  expect(call.words).toEqual([
    "caller: Hello?",
    `agent: ${GREETING}`,
    "caller: How long are you open?",
    "agent: Until five.",
  ]);
  // A cue while the model thinks is short; words are not.
  expect(report.heardSegments.filter(({ startMs, endMs }) => endMs - startMs > 500)).toHaveLength(2);
});

test("a question for the agent is consulted with a spoken filler first, and its answer is spoken", async () => {
  const asked: unknown[] = [];
  const ours = await world({
    mind: ruleMind([
      { when: /weather/i, say: "Let me look.", call: "ask_openclaw", args: { request: "What is the weather?" } },
      readOut("ask_openclaw"),
    ]),
    host: {
      consult: async ({ question, trust, sessionKey }) => {
        asked.push({ question, trust, sessionKey });
        return "It rains in Berlin.";
      },
    },
  });
  const { call, session } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("How is the weather?");
    await line.hearReply({ quietMs: 1_500 });
  });
  expect(asked).toEqual([{ question: "What is the weather?", trust: "known", sessionKey: `voice:default:${ANN}` }]);
  expect(call.words.slice(2)).toEqual(["agent: Let me look.", "agent: It rains in Berlin."]);
  expect(call.toolCalls).toBe(1);
  const written = types(call);
  expect(written.indexOf("tool.called")).toBeLessThan(written.indexOf("tool.finished"));
  expect(session?.config.tools).toContainEqual(expect.objectContaining({ type: "function", name: "ask_openclaw" }));
});

const parameters = { type: "object", properties: {} };
const resultOf = (session: World["model"]["sessions"][number] | undefined) =>
  session?.items.find(({ type }) => type === "function_call_output");
const tools: VoiceTool[] = [
  {
    name: "add",
    description: "Adds.",
    parameters,
    execute: async (args) => ({ sum: Number(args["a"]) + Number(args["b"]) }),
  },
  {
    name: "fail",
    description: "Fails.",
    parameters,
    execute: async () => Promise.reject(new Error("the shelf is empty")),
  },
  { name: "hang", description: "Never ends.", parameters, execute: () => new Promise(() => {}) },
];
const toolMind = ruleMind([
  { when: /add/i, call: "add", args: { a: 2, b: 3 } },
  { when: /fail/i, call: "fail" },
  { when: /hang/i, call: "hang" },
  { when: /unknown/i, call: "nonsense" },
  readOut("add"),
  readOut("fail"),
  readOut("hang"),
  readOut("nonsense"),
]);

test.each([
  ["Please add.", '{"sum":5}', true],
  ["Please fail.", '{"error":"the shelf is empty"}', false],
  ["Please hang.", '{"error":"The tool took longer than 60 s."}', false],
  ["Unknown, please.", '{"error":"There is no tool \\"nonsense\\" on this call."}', false],
])("a tool of the embedder's: %s", async (sentence, output, ok) => {
  const ours = await world({ mind: toolMind, tools, speed: 8, model: { gullible: true } });
  const { call, session } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say(sentence);
    // Phrases bridge the time of a tool that takes long.
    while (!resultOf(ours.model.sessions.at(-1))) await line.hearReply({ timeoutMs: 60_000 });
    await line.hearReply({ timeoutMs: 60_000 });
  });
  const result = resultOf(session);
  expect(result?.output).toBe(output);
  expect(call.journal.map(({ event }) => event)).toContainEqual(expect.objectContaining({ type: "tool.finished", ok }));
  expect(call.endReason).toBe("caller_hangup");
});

test("a stranger may leave a message and end the call; other tools are not had by asking for them", async () => {
  const used: string[] = [];
  const open = tools.map((tool) => ({ ...tool, execute: async () => void used.push(tool.name) }));
  const ours = await world({ mind: toolMind, tools: open, account: { dmPolicy: "open" }, model: { gullible: true } });
  const { call, session } = await ring(
    ours,
    async (line) => {
      await line.hearReply();
      await line.say("Please add.");
      await line.hearReply();
    },
    BOB,
  );
  expect(call.trust).toBe("stranger");
  expect(session?.config.tools?.map(({ name }) => name)).toEqual(["end_call", "take_message"]);
  expect(used).toEqual([]);
  expect(session?.items.find(({ type }) => type === "function_call_output")?.output).toContain("There is no tool");
});

test("what is said by the API is said word for word", async () => {
  const ours = await world({ mind: ruleMind([]) });
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    const [{ callId } = { callId: "" }] = (await ours.plugin.calls({ only: "open" })).calls;
    await ours.plugin.say(callId, "Your taxi is here.");
    await line.hearReply();
  });
  expect(call.words).toEqual([`agent: ${GREETING}`, "agent: Your taxi is here."]);
  await expect(ours.plugin.say(call.callId, "Too late.")).rejects.toMatchObject({ code: "call_over" });
  await expect(ours.plugin.say("call_none", "To nobody.")).rejects.toMatchObject({ code: "call_not_found" });
});

test("turns: server leaves the turns to the model: one answer each, and an interruption is cut the same", async () => {
  const ours = await world({
    mind: ruleMind([
      { when: /fruit/i, say: LONG },
      { when: /stop/i, say: "All right." },
    ]),
    account: { turns: "server" },
    speed: 4,
  });
  const { call, session } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_500);
    await line.say("Stop, please, I want nothing.");
    await line.hearReply();
  });
  expect(session?.config.audio.input.turn_detection).toMatchObject({ create_response: true, interrupt_response: true });
  expect(session?.received.filter(({ type }) => type === "response.create")).toHaveLength(1); // the greeting
  expect(call.words).toEqual([
    `agent: ${GREETING}`,
    "caller: What fruit do you have?",
    expect.stringMatching(/^agent: We have .* -$/),
    "caller: Stop, please, I want nothing.",
    "agent: All right.",
  ]);
});

test("what a caller says last before they hang up is still written down", async () => {
  const ours = await world({ mind: ruleMind([]), model: { asrMs: 700 } });
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("That was all, thank you.");
    await line.pause(600);
  });
  expect(call.words).toContain("caller: That was all, thank you.");
});
