import { expect, test } from "vitest";
import { decodeMulaw, encodeMulaw } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import type { VadSource } from "../../src/testing/speech-model/index.ts";
import { energyVad, ruleMind } from "../../src/testing/speech-model/index.ts";
import { closeCode, newSid, openStream, post, startStream, tokenOf } from "./carrier-post.ts";
import { ANN, GREETING, OUR_NUMBER, types, type World, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([]);

/** A call that was answered with a stream which has not come yet. */
async function answered(ours: World) {
  const callSid = newSid();
  const answer = await post(ours, "/twilio/default/voice", { CallSid: callSid });
  return { callSid, token: tokenOf(answer) };
}

test("a stream with a wrong or a foreign token is closed and changes nothing; the right one is still welcome", async () => {
  const ours = await world({ mind });
  const [mine, other] = [await answered(ours), await answered(ours)];
  const forgeries = [
    { callSid: mine.callSid, token: "wrong" },
    { callSid: mine.callSid, token: "" },
    { callSid: mine.callSid, token: other.token },
    { callSid: newSid(), token: mine.token },
  ];
  for (const forgery of forgeries) {
    const socket = await openStream(ours);
    const closed = closeCode(socket);
    startStream(ours, socket, forgery);
    expect(await closed).toBe(1_000);
  }
  expect((await ours.plugin.calls()).calls.map(({ state }) => state)).toEqual(["ringing", "ringing"]);
  const picked = new Promise((resolve) => ours.plugin.once("answered", resolve));
  const socket = await openStream(ours);
  startStream(ours, socket, mine);
  expect(await picked).toMatchObject({ state: "active" });
  const ending = ours.nextEnd();
  socket.terminate();
  expect(await ending).toMatchObject({ endReason: "lost" });
});

test("a used token opens no second stream", async () => {
  const ours = await world({ mind });
  const mine = await answered(ours);
  const first = await openStream(ours);
  const picked = new Promise((resolve) => ours.plugin.once("answered", resolve));
  startStream(ours, first, mine);
  await picked;
  const second = await openStream(ours);
  const closed = closeCode(second);
  startStream(ours, second, mine);
  expect(await closed).toBe(1_000);
  expect((await ours.plugin.status()).liveCalls).toBe(1);
  first.terminate();
});

test("an expired token opens no stream, and the call that nobody streamed ends with a reason", async () => {
  const ours = await world({ mind, speed: 20 });
  const ending = ours.nextEnd();
  const mine = await answered(ours);
  expect(await ending).toMatchObject({ endReason: "lost" }); // 30 s without media
  const socket = await openStream(ours);
  const closed = closeCode(socket);
  startStream(ours, socket, mine);
  expect(await closed).toBe(1_000);
});

test("a socket that sends too much, or no protocol, or nothing, is closed; a call beside it goes on", async () => {
  const ours = await world({ mind, speed: 10 });
  const ending = ours.nextEnd();
  ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.waitForSpeech();
      const [large, garbage, mute] = await Promise.all([openStream(ours), openStream(ours), openStream(ours)]);
      const codes = [large, garbage, mute].map(closeCode);
      large.on("error", () => {});
      large.send("x".repeat(300_000));
      garbage.send('{"event":"start"');
      expect(await Promise.all(codes)).toEqual([1_009, 1_007, 1_008]);
      await line.waitForQuiet();
    },
  });
  expect(await ending).toMatchObject({ endReason: "caller_hangup", words: [`agent: ${GREETING}`] });
});

test("a malformed frame in a running stream costs nobody their call", async () => {
  const ours = await world({ mind });
  const ending = ours.nextEnd();
  ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.waitForSpeech();
      for (const text of ["", "{", "[]", '{"event":"media"}', '{"event":"media","media":{"payload":7}}']) {
        ours.phones.calls[0]?.stream?.sendText(text);
      }
      await line.waitForQuiet();
    },
  });
  const { journal, ...call } = await ending;
  expect(call).toMatchObject({ endReason: "caller_hangup", words: [`agent: ${GREETING}`] });
  const faults = journal.flatMap(({ event }) => (event.type === "fault.noted" ? [event.code] : []));
  expect(faults.filter((code) => code === "media_unrecognised")).toHaveLength(5);
});

test.each([
  ["reset", { resetAfterMs: 1_500 }],
  ["half-open", { freezeAfterMs: 1_500 }],
])("a %s stream ends the call with a reason", async (_how, fate) => {
  const ours = await world({ mind, speed: 12 });
  ours.phones.faults.stream = () => fate;
  const ending = ours.nextEnd();
  const call = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  const { endReason, journal } = await ending;
  expect(endReason).toBe("lost");
  expect(journal.map(({ event }) => event.type)).toContain("media.stopped");
  expect((await call.ended).status).toBe("completed");
});

test("keys that the caller presses are events and stand in the journal", async () => {
  const ours = await world({ mind });
  const pressed: string[] = [];
  ours.plugin.on("dtmf", (digit) => pressed.push(digit));
  const ending = ours.nextEnd();
  ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.waitForSpeech();
      await line.press("12#");
    },
  });
  const call = await ending;
  expect(pressed).toEqual(["1", "2", "#"]);
  expect(types(call).filter((type) => type === "dtmf.received")).toHaveLength(3);
});

test("µ-law passes through untouched both ways: the model hears what was spoken, the caller what was produced", async () => {
  const heardByModel: Buffer[] = [];
  const listening = (truth: VadSource = energyVad()): VadSource => ({
    hear(frame, endMs, settings) {
      heardByModel.push(Buffer.from(encodeMulaw(frame)));
      return truth.hear(frame, endMs, settings);
    },
  });
  const ours = await world({ mind, speed: 3, model: { vad: () => listening() } });
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("Hello?");
      await line.pause(300);
    },
  });
  const report = await call.ended;
  const { channels } = decodeWav(report.wav);
  const [spoken, heard] = channels.map((samples) => Buffer.from(encodeMulaw(samples)));

  const received = Buffer.concat(heardByModel);
  const [line] = report.spoken;
  const from = ((line?.startMs ?? 0) / 20) * 160;
  const words = (spoken as Buffer).subarray(
    from,
    from + 160 * Math.floor(((line?.endMs ?? 0) - (line?.startMs ?? 0)) / 20),
  );
  expect(words.length).toBeGreaterThan(2_000);
  expect(received.includes(words)).toBe(true);

  const greeting = Buffer.from(
    encodeMulaw(decodeMulaw(encodeMulaw(await ours.voice.speak(GREETING, { speaker: "slt" })))),
  );
  expect((heard as Buffer).includes(greeting)).toBe(true);
});
