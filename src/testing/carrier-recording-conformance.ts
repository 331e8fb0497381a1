import { expect, test } from "vitest";
import { encodeMulaw, FRAME_BYTES, FRAME_MS, isAudible } from "../audio/g711.ts";
import { decodeWav } from "../audio/wav.ts";
import type { Carrier, CarrierEvent } from "../carriers/carrier.ts";
import { CarrierRefusedError } from "../core/errors.ts";
import type { CarrierBench } from "./carrier-conformance.ts";
import { type CarrierListener, hear, isSound, noise } from "./carrier-listener.ts";

/** What a test of a carrier has at hand. */
export interface RecordingScene {
  readonly bench: CarrierBench;
  readonly carrier: Carrier;
  readonly listener: CarrierListener;
}

type Report = Extract<CarrierEvent, { type: "recording.reported" }>;

/** What the `Carrier` contract says of recordings at the carrier; a carrier that makes none passes by saying so. */
export function recordingConformance(scene: () => RecordingScene): void {
  const signal = new AbortController().signal;

  /** A call that is connected to us and recorded at the carrier. */
  const recorded = async () => {
    const { bench, carrier, listener } = scene();
    const phone = bench.ring();
    const { legId } = phone;
    const media = await listener.media.find((leg) => leg.legId === legId);
    const heard = hear(media);
    const id = await carrier.startRecording({ legId, callId: "call_1", recordingId: "rec_1" }, signal);
    return { phone, media, heard, recording: { legId, id } };
  };
  const report = () => scene().listener.events.find((event): event is Report => event.type === "recording.reported");
  const fetch = async (recording: { legId: string; id: string }) => {
    const pieces = [];
    for await (const piece of await scene().carrier.fetchRecording(recording, signal)) pieces.push(piece);
    return decodeWav(Buffer.concat(pieces));
  };

  test("hold both sides apart, are told when they are whole, and are gone once deleted", async ({ skip }) => {
    const { carrier, listener } = scene();
    skip(!carrier.capabilities.records, "This carrier makes no recordings.");
    const { phone, media, heard, recording } = await recorded();
    expect(await carrier.fetchRecordingState(recording, signal)).toMatchObject({ id: recording.id, state: "running" });
    expect(await carrier.findRecordings(recording.legId, signal)).toMatchObject([{ id: recording.id }]);
    phone.speak(1_200);
    media.sendAudio(noise(1_200));
    media.mark("played");
    await heard.find(({ value }) => value === "played");
    phone.hangUp();

    const told = await report();
    expect(told).toMatchObject({ legId: phone.legId, callId: "call_1", recordingId: "rec_1" });
    expect(told.recording).toMatchObject({ id: recording.id, state: "ready" });
    expect(told.recording.durationMs).toBeGreaterThanOrEqual(1_000);
    expect(await carrier.fetchRecordingState(recording, signal)).toMatchObject({ state: "ready" });
    const { channels, sampleRate } = await fetch(recording);
    expect([channels.length, sampleRate]).toEqual([2, 8_000]);
    for (const side of channels) expect(audibleMs(side)).toBeGreaterThanOrEqual(1_000);

    await carrier.deleteRecording(recording, signal);
    await carrier.deleteRecording(recording, signal);
    expect(await carrier.fetchRecordingState(recording, signal)).toMatchObject({ state: "gone" });
    expect(await carrier.findRecordings(recording.legId, signal)).toEqual([]);
    await expect(fetch(recording)).rejects.toThrow(CarrierRefusedError);
    expect(listener.errors).toEqual([]);
  });

  test("hold silence while they are paused, and end when they are stopped", async ({ skip }) => {
    const { carrier } = scene();
    skip(!carrier.capabilities.records, "This carrier makes no recordings.");
    const { phone, heard, recording } = await recorded();
    await carrier.pauseRecording(recording, signal);
    expect(await carrier.fetchRecordingState(recording, signal)).toMatchObject({ state: "paused" });
    phone.speak(600);
    await heard.find(({ kind, value }) => kind === "audio" && isSound(value));
    const spoken = heard.all.length;
    await heard.find((item) => item.kind === "audio" && !isSound(item.value) && heard.all.indexOf(item) > spoken);
    await carrier.resumeRecording(recording, signal);
    expect(await carrier.fetchRecordingState(recording, signal)).toMatchObject({ state: "running" });
    await carrier.stopRecording(recording, signal);
    await carrier.stopRecording(recording, signal);
    await expect(carrier.pauseRecording(recording, signal)).rejects.toThrow(CarrierRefusedError);

    expect((await report()).recording.state).toBe("ready"); // the leg lives
    const { channels } = await fetch(recording);
    expect((channels[0] as Int16Array).length).toBeGreaterThanOrEqual(8 * 500);
    expect(audibleMs(channels[0] as Int16Array)).toBe(0);
    phone.speak(200);
    const sounds = heard.all.length;
    await heard.find((item) => item.kind === "audio" && isSound(item.value) && heard.all.indexOf(item) >= sounds);
  });

  test("are refused for a leg that is over, and for one that nobody knows", async ({ skip }) => {
    const { bench, carrier, listener } = scene();
    skip(!carrier.capabilities.records, "This carrier makes no recordings.");
    const phone = bench.ring();
    const { legId } = phone;
    await listener.media.find((leg) => leg.legId === legId);
    phone.hangUp();
    await phone.ended;
    for (const leg of [legId, `${legId.slice(0, -4)}0000`]) {
      const order = { legId: leg, callId: "call_1", recordingId: "rec_1" };
      await expect(carrier.startRecording(order, signal)).rejects.toThrow(CarrierRefusedError);
      expect(await carrier.findRecordings(leg, signal)).toEqual([]);
    }
  });
}

// --- Internal helpers ---

/** Milliseconds of a channel's frames that are louder than silence. */
function audibleMs(samples: Int16Array): number {
  const mulaw = encodeMulaw(samples);
  let audible = 0;
  for (let at = 0; at < mulaw.length; at += FRAME_BYTES) {
    if (isAudible(mulaw.subarray(at, at + FRAME_BYTES))) audible += FRAME_MS;
  }
  return audible;
}
