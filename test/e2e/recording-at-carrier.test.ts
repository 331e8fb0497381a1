import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeMulaw, isAudible } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import type { Account } from "../../src/calls/account.ts";
import type { RecordingSettings } from "../../src/calls/recording/settings.ts";
import { RecordingsAtCarrier } from "../../src/calls/recording-at-carrier.ts";
import { Recordings } from "../../src/calls/recordings.ts";
import { Ticker } from "../../src/calls/ticker.ts";
import type { CarrierEvent } from "../../src/carriers/carrier.ts";
import { createCarrier } from "../../src/carriers/index.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type CarrierListener, hear, noise, startCarrierListener } from "../../src/testing/carrier-listener.ts";
import { type PhoneNetwork, startPhoneNetwork } from "../../src/testing/phone-network/index.ts";

const PUBLIC_URL = "https://voice.example.com";
const OWN = "+15550001234";
const PERSON = "+15550005678";
const CALL = "call_1";

const settings: RecordingSettings = {
  ...{ mode: "announce", byPrefix: {}, by: "carrier", announcement: "This call is recorded.", question: "" },
  keys: [{ id: "main", secret: Buffer.alloc(32, 7) }],
};

let stateDir: string;
let listener: CarrierListener;
let network: PhoneNetwork;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "voice-recording-"));
  listener = await startCarrierListener();
  const voice = { speak: async (text: string) => new Int16Array(text.length * 400) };
  network = await startPhoneNetwork({ speed: 20, voice, routes: { [PUBLIC_URL]: listener.url } });
  network.addNumber(OWN, { voiceUrl: `${PUBLIC_URL}/twilio/default/voice` });
});
afterEach(async () => {
  await network.stop();
  await listener.stop();
  await rm(stateDir, { recursive: true });
});

test("case 40: what the carrier has recorded of a call lies with us, encrypted, and nowhere else", async () => {
  const clock = systemClock({ speed: 20 });
  const { accountSid, authToken, url: apiBaseUrl } = network;
  const carrier = createCarrier(
    { provider: "twilio", accountSid, authToken, apiBaseUrl },
    { accountId: "default", publicUrl: PUBLIC_URL, numbers: [OWN], clock },
  );
  listener.carrier = carrier;
  const store = memoryStore();
  await store.start();
  const stopping = new AbortController();
  const write = async (callId: string, ...events: object[]) => {
    await store.append(callId, events.map((event) => ({ ...event, atMs: Math.round(clock.now()) })) as CallEvent[]);
  };
  const shared = { store, clock, logger: silentLogger, newId: () => "rec_1", write };
  const recordings = new Recordings({ ...shared, stateDir, ticker: new Ticker(clock), settingsOf: () => settings });
  const atCarrier = new RecordingsAtCarrier({
    ...shared,
    shelfOf: (id) => recordings.shelf(id),
    carrierOf: () => carrier,
    signal: stopping.signal,
  });

  const phone = network.ring({ from: PERSON, to: OWN, script: (line) => line.waitForEnd() });
  const media = await listener.media.find();
  const heard = hear(media);
  await write(
    CALL,
    {
      ...{ type: "call.created", callId: CALL, accountId: "default", direction: "inbound" },
      ...{ from: PERSON, to: OWN, transport: "media-stream" },
    },
    { type: "leg.accepted", legId: phone.sid },
    { type: "leg.answered" },
    { type: "consent.decided", ok: true, by: "announcement" },
  );
  const call = await store.call(CALL);
  const account = { id: "default", carrier } as Account;
  const journal = { call, write: (...events: object[]) => write(CALL, ...events) };
  await atCarrier.begin({ id: CALL, legId: phone.sid, account, journal: journal as never });
  media.sendAudio(noise(1_500));
  media.mark("played");
  await Promise.all([
    phone.line.play(Int16Array.from({ length: 8_000 }, (_, at) => (at % 16 < 8 ? 9_000 : -9_000))),
    heard.find(({ value }) => value === "played"),
  ]);
  phone.hangUp();
  const report = await listener.events.find(
    (event): event is Extract<CarrierEvent, { type: "recording.reported" }> => event.type === "recording.reported",
  );
  await write(CALL, { type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
  await atCarrier.reported(account, report);
  await expect.poll(() => network.recordings).toEqual([]);
  await expect.poll(() => store.documents("recording-at-carrier")).toEqual([]);

  const recorded = await store.call(CALL);
  expect(recorded?.recordings).toMatchObject([
    { id: "rec_1", by: "carrier", encrypted: true, state: "stored", location: `recordings/${CALL}/rec_1.sealed` },
  ]);
  const { stream, bytes } = await recordings.open(CALL);
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  const wav = Buffer.concat(pieces);
  expect(wav).toHaveLength(bytes);
  const { channels } = decodeWav(wav);
  expect(channels).toHaveLength(2);
  for (const side of channels) expect(audibleMs(side)).toBeGreaterThanOrEqual(980);

  stopping.abort(new Error("The test is over."));
  await atCarrier.settled();
  await recordings.stop();
  await store.stop();
});

function audibleMs(samples: Int16Array): number {
  const mulaw = encodeMulaw(samples);
  let audible = 0;
  for (let at = 0; at < mulaw.length; at += 160) if (isAudible(mulaw.subarray(at, at + 160))) audible += 20;
  return audible;
}
