import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { encodeMulaw, FRAME_BYTES, FRAME_MS, MULAW_SILENCE, mulawMs } from "../../src/audio/g711.ts";
import type { CallReport, PersonScript, StreamLogEntry } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { newSid, openStream, post, startStream, tokenOf } from "./carrier-post.ts";
import { judged } from "./sound.ts";
import { ANN, GREETING, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();

const LONG = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges, bananas and a great many more.";
const SHORT = "We have apples, pears, plums, cherries and grapes.";
const QUESTION = "What fruit do you have?";
/** The most that may lie at the carrier, milliseconds. */
const LEAD_MS = 350;

/** What the model produces of a sentence. */
const produced = async ({ voice }: World, text: string) => encodeMulaw(await voice.speak(text, { speaker: "slt" }));

/** Answers a call as the carrier does and listens at the media socket until `ms` of sound have come. */
async function listen(ours: World, ms: number): Promise<Buffer> {
  const callSid = newSid();
  const token = tokenOf(await post(ours, "/twilio/default/voice", { CallSid: callSid }));
  const socket = await openStream(ours);
  const sent: Buffer[] = [];
  let bytes = 0;
  const enough = new Promise<void>((resolve) => {
    socket.on("message", (data: Buffer) => {
      const { event, media } = JSON.parse(data.toString()) as { event: string; media?: { payload: string } };
      if (event !== "media") return;
      const audio = Buffer.from(media?.payload ?? "", "base64");
      sent.push(audio);
      bytes += audio.length;
      if (mulawMs(bytes) >= ms) resolve();
    });
  });
  startStream(ours, socket, { callSid, token });
  await enough;
  const ending = ours.nextEnd();
  socket.terminate();
  await ending;
  return Buffer.concat(sent);
}

describe("what leaves the media socket", () => {
  test("case 6: the greeting, byte for byte what the model produced", async () => {
    const ours = await world({ mind: ruleMind([]), speed: 4 });
    const greeting = await produced(ours, GREETING);
    const sent = await listen(ours, mulawMs(greeting.length));
    expect(sent.subarray(0, greeting.length).equals(greeting)).toBe(true);
    expect([...sent.subarray(greeting.length)].every((byte) => byte === MULAW_SILENCE)).toBe(true);
    expect(sent.length - greeting.length).toBeLessThan(FRAME_BYTES);
  });

  test("case 12: whole frames only, whatever the model's pieces, at the pace at which they play", async () => {
    const ours = await world({
      mind: ruleMind([]),
      speed: 4,
      account: { persona: { name: "Nia", greeting: LONG } },
      model: { deltaMs: 133, firstDeltaMs: 37, burst: 20 },
    });
    const script: PersonScript = (line) => line.hearReply({ quietMs: 400 });
    const { streamEvents } = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
    const pieces = streamEvents.log.flatMap(({ event, detail }) => (event === "media" ? [Number(detail)] : []));
    expect(mulawMs(pieces.reduce((sum, bytes) => sum + bytes, 0))).toBeGreaterThan(6_000);
    for (const bytes of pieces) expect(bytes % FRAME_BYTES).toBe(0);
    expect(Math.max(...leads(streamEvents.log))).toBeLessThanOrEqual(LEAD_MS + FRAME_MS);
  });
});

/** How much unplayed sound lay at the carrier when each piece had come; milliseconds. */
function leads(log: readonly StreamLogEntry[]): number[] {
  let playsUntilMs = 0;
  return log.flatMap(({ event, atMs, detail }) => {
    if (event !== "media") return [];
    playsUntilMs = Math.max(atMs, playsUntilMs) + mulawMs(Number(detail));
    return [playsUntilMs - atMs];
  });
}

const firstAt = ({ streamEvents }: CallReport, wanted: StreamLogEntry["event"]) =>
  streamEvents.log.find(({ event }) => event === wanted)?.atMs ?? Number.NaN;
const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

test("case 43: 20 calls at once: none is heard with a gap, and none lags behind another or more and more", async () => {
  const ours = await world({
    mind: ruleMind([{ when: /fruit/i, say: SHORT }]),
    speed: 1,
    account: { limits: { maxConcurrentCalls: 20 } },
  });
  const [greeting, answer] = await Promise.all([produced(ours, GREETING), produced(ours, SHORT)]);
  const held = monitorEventLoopDelay({ resolution: 1 });
  held.enable();
  const calls: Promise<CallReport>[] = [];
  for (let count = 0; count < 20; count++) {
    const call = ours.phones.ring({
      from: ANN,
      to: OUR_NUMBER,
      script: async (line) => {
        await line.hearReply();
        await line.say(QUESTION);
        await line.hearReply();
      },
    });
    calls.push(call.ended);
    await call.streaming(); // the next joins while this one talks
  }
  const reports = await Promise.all(calls);
  held.disable();
  // Both sides are this process: what holds it up lies between the time that is sent by and the time of arrival.
  const mostMs = LEAD_MS + FRAME_MS + held.max / 1e6;
  const sounds = [
    { name: "greeting", audio: greeting },
    { name: "answer", audio: answer },
  ];
  for (const report of reports) {
    expect(judged(report.wav, sounds).flaws).toEqual([]);
    const lead = leads(report.streamEvents.log);
    expect(Math.max(...lead)).toBeLessThanOrEqual(mostMs);
    expect(middle(lead.slice(-20))).toBeLessThanOrEqual(LEAD_MS + FRAME_MS);
  }
  const waited = reports.map((report) => firstAt(report, "media") - firstAt(report, "open"));
  expect(middle(waited.slice(-7))).toBeLessThanOrEqual(middle(waited.slice(0, 7)) + 100);
});

test("case 5: what a carrier reports and nobody knows is logged and written down, and ends no call", async () => {
  const warnings: [message: string, fields: Readonly<Record<string, unknown>> | undefined][] = [];
  const ours = await world({
    mind: ruleMind([]),
    host: {
      logger: { debug() {}, info() {}, error() {}, warn: (message, fields) => warnings.push([message, fields]) },
    },
  });
  const ending = ours.nextEnd();
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      const [{ callId } = { callId: "" }] = (await ours.plugin.calls({ only: "open" })).calls;
      const known = { CallSid: call.sid, SequenceNumber: "7" };
      const path = `/twilio/default/status?call=${callId}`;
      const told = await post(ours, path, { ...known, CallStatus: "pondering" });
      const lame = await post(ours, path, { ...known, CallStatus: "" });
      const lost = await post(ours, "/twilio/default/voice", { Direction: "" });
      expect([told.status, lame.status, lost.status]).toEqual([204, 400, 400]);
      await line.say("Hello?");
      await line.hearReply();
    },
  });
  await call.ended;
  const { journal, endReason, words } = await ending;
  expect(endReason).toBe("caller_hangup");
  expect(words.at(-1)).toMatch(/^agent: /);
  const faults = journal.flatMap(({ event }) => (event.type === "fault.noted" ? [event] : []));
  expect(faults).toMatchObject([{ code: "unknown_status", message: 'The carrier reported "pondering".' }]);
  expect(warnings.map(([message]) => message)).toEqual([
    "The carrier reported a status that is not known.",
    "a webhook was refused",
    "a webhook was refused",
  ]);
  expect(warnings.map(([, fields]) => String(fields?.["error"] ?? fields?.["status"]))).toEqual([
    expect.stringContaining("unknown"),
    expect.stringContaining("CallStatus"),
    expect.stringContaining("Direction"),
  ]);
});
