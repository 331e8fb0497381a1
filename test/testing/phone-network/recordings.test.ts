import { expect, test } from "vitest";
import { encodeMulaw, isAudible } from "../../../src/audio/g711.ts";
import { decodeWav } from "../../../src/audio/wav.ts";
import { CallRecorder } from "../../../src/testing/phone-network/recording.ts";
import { handClock } from "../../calls/clock.ts";
import { connectStream, PUBLIC_URL, playOn, type StreamEvent, streamEvent, tone } from "./application.ts";
import { client } from "./client.ts";
import { useWorld } from "./world.ts";

const world = useWorld();

const ORDER = {
  recordingChannels: "dual",
  recordingStatusCallback: `${PUBLIC_URL}/recording?recording=rec_1`,
  recordingStatusCallbackEvent: ["in-progress", "completed", "absent"],
};

/** A call whose stream is open, and what ends it. */
async function talk() {
  const { application } = world;
  application.handlers["/voice"] = () => connectStream();
  application.handlers["/recording"] = () => "";
  const streaming = Promise.withResolvers<(samples: Int16Array) => Promise<void>>();
  application.onStream = async (socket, messages) => {
    const { streamSid } = await streamEvent(socket, messages, ({ event }) => event === "start");
    streaming.resolve(async (samples) => {
      playOn(socket, streamSid, samples);
      socket.send(JSON.stringify({ event: "mark", streamSid, mark: { name: "played" } }));
      await streamEvent(socket, messages, ({ event }: StreamEvent) => event === "mark");
    });
  };
  const call = world.ring({ script: (line) => line.waitForEnd() });
  return { call, play: await streaming.promise, recordings: client(world.network).calls(call.sid).recordings };
}

const told = (status: string) =>
  world.application.received.filter(({ params }) => params["RecordingStatus"] === status).map(({ params }) => params);

async function media(sid: string, query = "") {
  const { url, accountSid, authToken } = world.network;
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;
  const path = `${url}/2010-04-01/Accounts/${accountSid}/Recordings/${sid}.wav${query}`;
  return { answer: await fetch(path, { headers: { authorization } }), anonymous: await fetch(path) };
}

test("a call is recorded with both sides apart, by Twilio's own client; the message about it names no parties", async () => {
  const { call, play, recordings } = await talk();
  const started = await recordings.create(ORDER);
  expect(started).toMatchObject({
    status: "in-progress",
    channels: 2,
    source: "StartCallRecordingAPI",
    duration: "-1",
  });
  await Promise.all([call.line.play(tone(1_000)), play(tone(2_000, 300))]);
  call.hangUp();
  await world.application.arrived("/recording", 2);

  expect(told("in-progress")).toHaveLength(1);
  const [message] = told("completed");
  expect(message).toMatchObject({
    CallSid: call.sid,
    RecordingSid: started.sid,
    RecordingChannels: "2",
    RecordingSource: "StartCallRecordingAPI",
    RecordingTrack: "both",
    RecordingUrl: expect.stringMatching(/^https:\/\/api\.twilio\.com\/2010-04-01\/Accounts\/AC\w+\/Recordings\/RE\w+$/),
  });
  expect(Object.keys(message ?? {})).not.toContain("From");
  const fetched = await client(world.network).recordings(started.sid).fetch();
  expect(fetched).toMatchObject({ status: "completed", callSid: call.sid, duration: message?.["RecordingDuration"] });

  const { answer, anonymous } = await media(started.sid, "?RequestedChannels=2");
  expect([answer.status, answer.headers.get("content-type"), anonymous.status]).toEqual([200, "audio/x-wav", 401]);
  const { channels, sampleRate } = decodeWav(Buffer.from(await answer.arrayBuffer()));
  const [left, right] = channels as [Int16Array, Int16Array];
  expect([channels.length, sampleRate]).toEqual([2, 8_000]);
  expect(audibleMs(left)).toBeGreaterThanOrEqual(980);
  expect(audibleMs(left)).toBeLessThan(1_100);
  expect(audibleMs(right)).toBeGreaterThanOrEqual(1_900);
  const mixed = decodeWav(Buffer.from(await (await media(started.sid, "?RequestedChannels=1")).answer.arrayBuffer()));
  expect(mixed.channels).toHaveLength(1);
  expect(audibleMs(mixed.channels[0] as Int16Array)).toBeGreaterThanOrEqual(audibleMs(right));
});

test("a pause holds silence, or is skipped; what runs cannot be deleted, what is stopped can", async () => {
  const { call, recordings } = await talk();
  const { sid } = await recordings.create(ORDER);
  await expect(recordings.create(ORDER)).rejects.toMatchObject({ code: 21_220 });
  await expect(recordings(sid).remove()).rejects.toMatchObject({ status: 400 });
  await recordings("Twilio.CURRENT").update({ status: "paused" });
  await call.line.play(tone(1_000));
  const silentMs = world.network.recordings[0]?.durationMs ?? 0;
  expect(silentMs).toBeGreaterThanOrEqual(1_000);
  await recordings(sid).update({ status: "paused", pauseBehavior: "skip" });
  await call.line.play(tone(1_000));
  expect((await recordings(sid).update({ status: "in-progress" })).status).toBe("in-progress");
  expect((await recordings(sid).update({ status: "stopped" })).status).toBe("processing");
  expect((await media(sid)).answer.status).toBe(404); // it is still worked on
  await expect(recordings(sid).update({ status: "paused" })).rejects.toMatchObject({ code: 21_220 });
  await world.application.arrived("/recording", 2);

  const { channels } = decodeWav(Buffer.from(await (await media(sid)).answer.arrayBuffer()));
  expect(audibleMs(channels[0] as Int16Array)).toBe(0);
  expect((channels[0] as Int16Array).length / 8).toBeLessThan(silentMs + 900);
  expect(await client(world.network).recordings.list({ callSid: call.sid })).toHaveLength(1);
  expect(await recordings(sid).remove()).toBe(true);
  expect(world.network.recordings).toEqual([]);
  expect(await recordings.list()).toEqual([]);
  await expect(recordings(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20_404 });
  call.hangUp();
});

test.each([
  [4, "absent", "16101"],
  [5, "completed", undefined],
])("a recording of %i frames is %s: shorter than 100 ms is without sound", (frames, outcome, errorCode) => {
  const clock = handClock();
  const messages: Readonly<Record<string, string>>[] = [];
  const recorder = new CallRecorder({
    clock,
    faults: {},
    accountSid: "AC1",
    callSid: "CA1",
    recordings: new Map(),
    tell: (_url, _method, params) => void messages.push(params),
  });
  const events = new Set(["in-progress", "completed", "absent"]);
  const recording = recorder.begin({ channels: 2, track: "both", callback: { url: "/", method: "POST", events } });
  const frame = new Uint8Array(160);
  for (let count = 0; count < frames; count++) recording.append(frame, frame);
  recording.pause("skip");
  recording.append(frame, frame);
  recording.stop();
  clock.pass(1_000);
  expect(messages.at(-1)).toMatchObject({ RecordingSid: recording.sid, RecordingStatus: outcome });
  expect(messages.at(-1)?.["ErrorCode"]).toBe(errorCode);
});

test("a recording that turns out to be without sound cannot be fetched, and what is to fail fails", async () => {
  const { call, recordings } = await talk();
  world.network.faults.recording = () => ({ outcome: "absent", processingMs: 0 });
  const { sid } = await recordings.create(ORDER);
  await recordings(sid).update({ status: "stopped" });
  await world.application.arrived("/recording", 2);
  expect(told("absent")).toMatchObject([{ RecordingSid: sid }]);
  expect((await media(sid)).answer.status).toBe(404);

  world.network.faults.recording = () => ({ outcome: "failed", processingMs: 0 });
  const second = await recordings.create(ORDER);
  await call.line.pause(200);
  await recordings(second.sid).update({ status: "stopped" });
  await world.application.arrived("/recording", 4);
  expect(told("failed")).toMatchObject([{ RecordingSid: second.sid }]);
  call.hangUp();
});

test("a call that rings or is over cannot be recorded", async () => {
  const { call, recordings } = await talk();
  call.hangUp();
  await call.ended;
  await expect(recordings.create(ORDER)).rejects.toMatchObject({ code: 21_220 });
  await expect(client(world.network).calls("CA00").recordings.create(ORDER)).rejects.toMatchObject({ status: 404 });
});

function audibleMs(samples: Int16Array): number {
  const mulaw = encodeMulaw(samples);
  let audible = 0;
  for (let at = 0; at < mulaw.length; at += 160) if (isAudible(mulaw.subarray(at, at + 160))) audible += 20;
  return audible;
}
