import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DtmfDetector } from "../../src/audio/dtmf.ts";
import { encodeMulaw, FRAME_BYTES, mulawMs } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import type { CallReport, PersonScript } from "../../src/testing/phone-network/index.ts";
import type { Mind } from "../../src/testing/speech-model/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, GREETING, OUR_NUMBER, types, type World, worlds } from "./world.ts";

const world = worlds();
const LONG = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges, bananas and a great many more.";

/** Answers by the newest standing instruction, else by the words of the caller. */
const listening: Mind = (turn) => {
  const told = turn.items.findLast(({ role }) => role === "system")?.text;
  if (/fruit/i.test(turn.heard)) return [{ say: LONG }];
  return [{ say: told === undefined ? "I see." : `I was told: ${told}` }];
};

/** Ann rings and does what `script` says; resolves when her call is over and stored. */
async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  return { report, call: await ending, session: ours.model.sessions.at(-1) };
}

/** The keys in what the person heard, and when each was certain. */
function keysHeard({ wav }: CallReport): { key: string; atMs: number }[] {
  const audio = encodeMulaw(decodeWav(wav).channels[1] as Int16Array);
  const detector = new DtmfDetector();
  const found: { key: string; atMs: number }[] = [];
  for (let at = 0; at < audio.length; at += FRAME_BYTES) {
    for (const key of detector.hear(audio.subarray(at, at + FRAME_BYTES))) found.push({ key, atMs: mulawMs(at) });
  }
  return found;
}

const liveCall = async (ours: World) => (await ours.plugin.calls({ only: "open" })).calls[0]?.callId ?? "";

/** Asks the API, as an operator does. */
async function post(ours: World, path: string, body: object) {
  const token = (await readFile(join(ours.stateDir, "api-token"), "utf8")).trim();
  const answer = await fetch(ours.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

test("case 36: keys are sound on the same stream, which goes on, as the call does", async () => {
  const ours = await world({ mind: ruleMind([{ when: /sales/i, say: "I want to buy." }]), speed: 6 });
  let sentAtMs = 0;
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    sentAtMs = line.nowMs;
    const callId = await liveCall(ours);
    expect(await post(ours, `/call/${callId}/dtmf`, { digits: "1w2#" })).toEqual({
      status: 200,
      body: { callId, digits: "1w2#" },
    });
    await line.hearReply({ quietMs: 1_000 });
    await line.say("This is the sales department.");
    await line.hearReply();
  });
  const keys = keysHeard(report);
  expect(keys.map(({ key }) => key).join("")).toBe("12#");
  const [one, two] = keys as unknown as [{ atMs: number }, { atMs: number }];
  expect(one.atMs).toBeGreaterThanOrEqual(sentAtMs);
  expect(two.atMs - one.atMs).toBeGreaterThanOrEqual(700); // 160 ms, a gap of 80, and the pause of 500
  expect(two.atMs - one.atMs).toBeLessThan(900);
  expect(report.streamEvents).toMatchObject({ streams: 1, clears: 0, malformed: 0 });
  expect(report.twiml).toHaveLength(1);
  expect(call.words).toEqual([`agent: ${GREETING}`, "caller: This is the sales department.", "agent: I want to buy."]);
  expect(call.endReason).toBe("caller_hangup");
  expect(call.journal.map(({ event }) => event)).toContainEqual(
    expect.objectContaining({ type: "dtmf.sent", digits: "1w2#" }),
  );
});

test("keys that are sent while the agent speaks follow its words and cut nothing", async () => {
  const ours = await world({ mind: listening, speed: 6 });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    const callId = await liveCall(ours);
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_000);
    await ours.plugin.sendDigits(callId, "5", { durationMs: 100 });
    await line.waitForQuiet(1_000);
  });
  const [{ key, atMs } = { key: "", atMs: 0 }, ...others] = keysHeard(report);
  expect([key, others]).toEqual(["5", []]);
  expect(atMs).toBeGreaterThan((report.heardSegments.at(-1)?.endMs ?? 0) - 300);
  expect(report.streamEvents.clears).toBe(0);
  expect(call.words.at(-1)).toBe(`agent: ${LONG}`);
});

test.each(["ours", "server"])(
  "keys reach a machine while it speaks its menu, the first and the last: turns %s",
  async (turns) => {
    const ours = await world({ mind: ruleMind([]), speed: 6, account: { turns } });
    const { report } = await ring(ours, async (line) => {
      await line.hearReply();
      const menu = line.say(
        "For sales, press one. For support, press two. For all other questions, please hold the line.",
      );
      await line.pause(1_200);
      await ours.plugin.sendDigits(await liveCall(ours), "2446");
      await menu;
      await line.waitForQuiet(1_000);
    });
    expect(keysHeard(report).map(({ key }) => key)).toEqual([..."2446"]);
  },
);

test("keys behind words are pressed although the words are interrupted", async () => {
  const ours = await world({ mind: listening, speed: 6 });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    const callId = await liveCall(ours);
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_000);
    await ours.plugin.sendDigits(callId, "77#");
    await line.say("For all other questions, please hold the line.");
    await line.waitForQuiet(1_000);
  });
  expect(call.words.some((words) => /^agent: We have .* -$/.test(words))).toBe(true);
  expect(keysHeard(report).map(({ key }) => key)).toEqual([..."77#"]);
});

test("keys that the caller presses reach the model as one entry, and are answered", async () => {
  const ours = await world({ mind: listening });
  const { call, session } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.press("123#", { tones: true });
    await line.hearReply();
  });
  const notes = session?.items.filter(({ role }) => role === "system").map(({ text }) => text);
  expect(notes).toEqual(["The caller pressed the keys 1 2 3 #."]);
  expect(types(call).filter((type) => type === "dtmf.received")).toHaveLength(4);
  expect(call.words.at(-1)).toBe("agent: I was told: The caller pressed the keys 1 2 3 #.");
});

test("an entry without its end is told to the model when no further key comes", async () => {
  const ours = await world({ mind: listening });
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.press("42");
    await line.hearReply();
  });
  expect(call.words.at(-1)).toBe("agent: I was told: The caller pressed the keys 4 2.");
});

test("a key that is pressed while the agent speaks interrupts it, as speech does", async () => {
  const ours = await world({ mind: listening });
  const cuts: number[] = [];
  ours.plugin.on("bargeIn", ({ heardMs }) => cuts.push(heardMs));
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_000);
    await line.press("9#");
    await line.hearReply();
  });
  expect(cuts).toHaveLength(1);
  expect(report.streamEvents.clears).toBeGreaterThan(0);
  expect(call.words.at(-2)).toMatch(/^agent: We have .* -$/);
  expect(call.words.at(-1)).toBe("agent: I was told: The caller pressed the keys 9 #.");
});

test("an instruction in mid-call cuts nothing, and holds from the next answer on", async () => {
  const ours = await world({ mind: listening });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    const callId = await liveCall(ours);
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    const answer = await post(ours, `/call/${callId}/instructions`, { text: "Only pears are left." });
    expect(answer).toMatchObject({ status: 200, body: { callId, state: "active" } });
    await line.waitForQuiet(1_500);
    await line.say("Anything else?");
    await line.hearReply();
  });
  expect(report.streamEvents.clears).toBe(0);
  expect(call.words.slice(2)).toEqual([
    `agent: ${LONG}`,
    "caller: Anything else?",
    "agent: I was told: Only pears are left.",
  ]);
});

test("an instruction that wants an answer gets it behind what is being said", async () => {
  const ours = await world({ mind: listening });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    const callId = await liveCall(ours);
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await ours.plugin.instruct(callId, "The taxi is here.", { respond: true });
    await line.waitForQuiet(1_500);
  });
  expect(report.streamEvents.clears).toBe(0);
  expect(call.words.slice(2)).toEqual([`agent: ${LONG}`, "agent: I was told: The taxi is here."]);
});

test("case 37: keys that cannot be sent are refused, and no success is told", async () => {
  const ours = await world({ mind: ruleMind([]) });
  let callId = "";
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    callId = await liveCall(ours);
    for (const body of [
      { digits: "" },
      { digits: "12x" },
      { digits: "1".repeat(33) },
      { digits: "1", durationMs: 40 },
      { digits: "1", durationMs: 501 },
      { digit: "1" },
    ]) {
      expect(await post(ours, `/call/${callId}/dtmf`, body)).toMatchObject({
        status: 400,
        body: { code: "invalid_request", retryable: false },
      });
    }
    expect(await post(ours, "/call/call_none/dtmf", { digits: "1" })).toMatchObject({ status: 404 });
    await line.pause(500);
  });
  expect(await post(ours, `/call/${callId}/dtmf`, { digits: "1" })).toMatchObject({
    status: 409,
    body: { code: "call_over" },
  });
  expect(keysHeard(report)).toEqual([]);
  expect(types(call)).not.toContain("dtmf.sent");
});
