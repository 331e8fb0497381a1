import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test, vi } from "vitest";
import { decodeMulaw } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import { MULAW_WAV_HEAD_BYTES } from "../../src/audio/wav-mulaw.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, type EndedCall, GREETING, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /weather/i, say: "It is sunny today." }]);
const KEY = "7b".repeat(32);
const ANNOUNCEMENT = "This call is recorded.";
const QUESTION = "May this call be recorded?";

/** Ann rings and does what `script` says; resolves with what the network heard and the journal, once all is where it stays. */
async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  return { report, call: await ending };
}

const consent = ({ journal }: EndedCall) =>
  journal.flatMap(({ event }) => (event.type === "consent.decided" ? [`${event.ok} by ${event.by}`] : []));

/** Loudness of each 100 ms of samples. */
function envelope(samples: Int16Array): number[] {
  const steps = Math.floor(samples.length / 800);
  return Array.from({ length: steps }, (_, n) => {
    const part = samples.subarray(n * 800, (n + 1) * 800);
    return Math.sqrt(part.reduce((sum, sample) => sum + sample ** 2, 0) / part.length);
  });
}

/** How alike two sounds are, 1 at most, when one is moved by the steps that fit best; and those steps. */
function likeness(a: readonly number[], b: readonly number[]): { readonly like: number; readonly steps: number } {
  const power = (all: readonly number[]) => Math.sqrt(all.reduce((sum, one) => sum + one ** 2, 0));
  let best = { like: 0, steps: 0 };
  for (let steps = -60; steps <= 60; steps++) {
    const like = a.reduce((sum, one, n) => sum + one * (b[n + steps] ?? 0), 0) / (power(a) * power(b));
    if (like > best.like) best = { like, steps };
  }
  return best;
}

/** The recording of a call, once all of it is where it stays: both sides. */
async function recordingOf(plugin: World["plugin"], callId: string, states = ["stored"]) {
  const found = await vi.waitFor(
    async () => {
      const { recordings } = await plugin.call(callId);
      expect(recordings.map(({ state }) => state)).toEqual(states);
      const opened = await plugin.recordingOf(callId);
      expect(opened).toBeDefined();
      return opened;
    },
    { timeout: 5_000 },
  );
  const file = await buffer(Readable.from(found?.sound ?? []));
  expect(file.length).toBe(found?.bytes);
  const sound = decodeMulaw(file.subarray(MULAW_WAV_HEAD_BYTES));
  return { caller: sound.filter((_, i) => i % 2 === 0), agent: sound.filter((_, i) => i % 2 === 1) };
}

test("case 40: both sides of an announced call are recorded as they were heard, the announcement first, and it is encrypted", async () => {
  const recording = { mode: "announce", announcement: ANNOUNCEMENT, encryptionKey: KEY };
  const ours = await world({ mind, speed: 5, account: { recording } });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply({ quietMs: 2_000 });
    await line.say("What is the weather?");
    await line.hearReply({ quietMs: 1_500 });
  });
  expect(call.words).toEqual([
    `agent: ${ANNOUNCEMENT}`,
    `agent: ${GREETING}`,
    "caller: What is the weather?",
    "agent: It is sunny today.",
  ]);
  expect(consent(call)).toEqual(["true by announcement"]);
  const types = call.journal.map(({ event }) => event.type);
  const at = (type: (typeof types)[number]) => types.indexOf(type);
  expect([at("consent.asked"), at("recording.started"), at("consent.decided")]).toEqual(
    [at("consent.asked"), at("recording.started"), at("consent.decided")].toSorted((a, b) => a - b),
  );
  const { caller, agent } = await recordingOf(ours.plugin, call.callId);
  const { channels } = decodeWav(report.wav);
  const [said, heard] = channels.map(envelope) as [number[], number[]];
  const ofCaller = likeness(said, envelope(caller));
  const ofAgent = likeness(heard, envelope(agent));
  expect(ofCaller.like).toBeGreaterThan(0.8);
  expect(ofAgent.like).toBeGreaterThan(0.8);
  // The two sides stand to one another as the caller heard them.
  expect(Math.abs(ofCaller.steps - ofAgent.steps)).toBeLessThanOrEqual(2);
  expect(envelope(agent).some((level) => level > 300)).toBe(true);
});

test.each([
  ["yes", async (line: Parameters<PersonScript>[0]) => void (await line.say("Yes.")), "true by words", 1],
  ["no", async (line: Parameters<PersonScript>[0]) => void (await line.say("No.")), "false by words", 0],
  ["the key 1", async (line: Parameters<PersonScript>[0]) => void (await line.press("1")), "true by keys", 1],
  ["the key 2", async (line: Parameters<PersonScript>[0]) => void (await line.press("2")), "false by keys", 0],
])(
  "case 40: a caller who is asked and answers with %s is greeted, and recorded only after a yes",
  async (_, answer, decided, started) => {
    const recording = { mode: "off", byPrefix: { "+1555": "ask" }, question: QUESTION };
    const ours = await world({ mind, account: { recording } });
    const { call } = await ring(ours, async (line) => {
      await line.hearReply({ quietMs: 1_500 });
      await answer(line);
      await line.hearReply({ quietMs: 1_500 });
      await line.say("What is the weather?");
      await line.hearReply();
    });
    expect(consent(call)).toEqual([decided]);
    expect(call.words.filter((words) => words.startsWith("agent"))).toEqual([
      `agent: ${QUESTION}`,
      `agent: ${GREETING}`,
      "agent: It is sunny today.",
    ]);
    expect(call.journal.filter(({ event }) => event.type === "recording.started")).toHaveLength(started);
    if (started === 0) expect(await ours.plugin.recordingOf(call.callId)).toBeUndefined();
  },
);

test("a call that goes on in the next process has one sound, with silence where nobody was there; consent is not asked for again", async () => {
  const recording = { mode: "announce", announcement: ANNOUNCEMENT };
  const ours = await world({ mind, account: { recording }, settings: { store: "sqlite" } });
  const next = ours.another();
  const over = new Promise<string>((resolve) => next.once("ended", ({ callId }) => resolve(callId)));
  const report = await ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply({ quietMs: 2_000 });
      await ours.plugin.stop();
      await line.waitForSpeech(); // the carrier asks them to wait
      await next.start();
      await ours.routeTo(next);
      await vi.waitFor(async () => expect((await next.calls({ only: "open" })).calls).toHaveLength(1));
      await line.hearReply({ quietMs: 2_000 });
      await line.say("What is the weather?");
      await line.hearReply();
    },
  }).ended;
  const callId = await over;
  const { caller } = await recordingOf(next, callId, ["stored", "stored"]);
  const { transcript, consent: known } = await next.call(callId);
  expect(known).toEqual({ ok: true, by: "announcement" });
  expect(transcript.filter(({ text }) => text === ANNOUNCEMENT)).toHaveLength(1);
  const said = envelope(decodeWav(report.wav).channels[0] as Int16Array);
  expect(likeness(said, envelope(caller)).like).toBeGreaterThan(0.8);
});

test("what is said while the recording is paused is not in it", async () => {
  const recording = { mode: "announce", announcement: ANNOUNCEMENT };
  const ours = await world({ mind, speed: 5, account: { recording } });
  let pausedMs: readonly number[] = [];
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply({ quietMs: 2_000 });
    const [live] = (await ours.plugin.calls({ only: "open" })).calls;
    await ours.plugin.pauseRecording(live?.callId ?? "", true);
    const from = line.nowMs;
    await line.say("My card is four two four two.");
    await line.hearReply({ quietMs: 1_500 });
    pausedMs = [from, line.nowMs];
    await ours.plugin.pauseRecording(live?.callId ?? "", false);
    await line.say("What is the weather?");
    await line.hearReply();
  });
  const { caller, agent } = await recordingOf(ours.plugin, call.callId);
  const said = envelope(decodeWav(report.wav).channels[0] as Int16Array);
  const kept = envelope(caller);
  const [from = 0, until = 0] = pausedMs.map((ms) => ms / 100);
  const before = said.slice(Math.ceil(from), Math.floor(until));
  expect(Math.max(...before)).toBeGreaterThan(500);
  // Both begin with the answer; the middle of the pause is certain.
  for (const side of [kept, envelope(agent)]) {
    expect(Math.max(...side.slice(Math.ceil(from) + 6, Math.floor(until) - 6))).toBeLessThan(10);
  }
  expect(Math.max(...kept.slice(Math.floor(until)))).toBeGreaterThan(500);
  expect(
    call.journal.map(({ event }) => event.type).filter((type) => /^recording\.(paused|resumed)$/.test(type)),
  ).toEqual(["recording.paused", "recording.resumed"]);
});
