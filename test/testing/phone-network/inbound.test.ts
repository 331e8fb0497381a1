import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeMulaw, encodeMulaw } from "../../../src/audio/g711.ts";
import { decodeWav } from "../../../src/audio/wav.ts";
import { type PhoneNetwork, startPhoneNetwork } from "../../../src/testing/phone-network/index.ts";
import {
  AGENT_NUMBER,
  type Application,
  CALLER_NUMBER,
  connectStream,
  PUBLIC_URL,
  startApplication,
  streamEvent,
  tone,
  toneVoice,
} from "./application.ts";

let application: Application;
let network: PhoneNetwork;

beforeEach(async () => {
  application = await startApplication();
  network = await startPhoneNetwork({ speed: 10, voice: toneVoice, routes: { [PUBLIC_URL]: application.baseUrl } });
  network.addNumber(AGENT_NUMBER, { voiceUrl: `${PUBLIC_URL}/voice`, statusCallback: `${PUBLIC_URL}/status` });
});

afterEach(async () => {
  await network.stop();
  await application.stop();
});

const ring = (script?: Parameters<PhoneNetwork["ring"]>[0]["script"]) =>
  network.ring({ from: CALLER_NUMBER, to: AGENT_NUMBER, ...(script && { script }) });

test("a call rings, its stream opens and sound flows both ways", async () => {
  const reply = encodeMulaw(tone(500));
  const heard: Buffer[] = [];
  application.handlers = { "/voice": () => connectStream(), "/status": () => "" };
  application.onStream = (socket, messages) => {
    void streamEvent(socket, messages, ({ event }) => event === "start").then(({ streamSid }) => {
      const payload = Buffer.from(reply).toString("base64");
      socket.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
    });
    socket.on("close", () => {
      for (const { event, media } of messages) if (event === "media") heard.push(Buffer.from(media.payload, "base64"));
    });
  };
  const spoken = tone(300);
  const call = ring(async (line) => {
    await line.hearReply({ quietMs: 200 });
    await line.play(spoken);
  });
  const report = await call.ended;

  expect(report.status).toBe("completed");
  const { channels } = decodeWav(report.wav);
  const [left, right] = channels as [Int16Array, Int16Array];
  const playedAt = right.findIndex((sample) => sample !== 0);
  expect(right.subarray(playedAt - 1, playedAt - 1 + reply.length)).toEqual(decodeMulaw(reply));
  const spokenAt = (report.spoken[0]?.startMs ?? 0) * 8;
  expect(left.subarray(spokenAt, spokenAt + spoken.length)).toEqual(decodeMulaw(encodeMulaw(spoken)));
  const arrived = Buffer.concat(heard);
  expect(arrived.includes(Buffer.from(encodeMulaw(spoken)))).toBe(true);
});
