import { once } from "node:events";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { decodeMulaw, encodeMulaw } from "../../../src/audio/g711.ts";
import { decodeWav } from "../../../src/audio/wav.ts";
import { connectStream, playOn, type StreamEvent, sendOn, streamEvent, tone } from "./application.ts";
import { useWorld } from "./world.ts";

const world = useWorld();

interface Opened {
  socket: WebSocket;
  messages: StreamEvent[];
  streamSid: string;
}

/** The application's end of the next stream, once `start` has arrived. */
function nextStream(): Promise<Opened> {
  const { promise, resolve } = Promise.withResolvers<Opened>();
  world.application.onStream = (socket, messages) => {
    streamEvent(socket, messages, ({ event }) => event === "start").then(
      ({ streamSid }) => resolve({ socket, messages, streamSid }),
      () => {}, // the test sees what is missing
    );
  };
  return promise;
}

const marksOf = (messages: StreamEvent[]) =>
  messages.filter(({ event }) => event === "mark").map(({ mark }) => mark.name);
const mark = ({ socket, streamSid }: Opened, name: string) => sendOn(socket, streamSid, "mark", { mark: { name } });

test("the messages of a stream have the shapes, order and string numbers of Twilio", async () => {
  world.application.handlers["/voice"] = () => connectStream('<Parameter name="token" value="a&amp;b"/>');
  const opened = nextStream();
  const call = world.ring({ script: (line) => line.pause(200) });
  const { messages, streamSid } = await opened;
  await call.ended;

  const [connected, start, first, second] = messages;
  expect(connected).toEqual({ event: "connected", protocol: "Call", version: "1.0.0" });
  expect(start).toEqual({
    event: "start",
    sequenceNumber: "1",
    start: {
      accountSid: world.network.accountSid,
      streamSid,
      callSid: call.sid,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: { token: "a&b" },
    },
    streamSid,
  });
  const silence = Buffer.alloc(160, 0xff).toString("base64");
  const media = { track: "inbound", chunk: "1", timestamp: "20", payload: silence };
  expect(first).toEqual({ event: "media", sequenceNumber: "2", media, streamSid });
  expect(second?.media).toEqual({ ...media, chunk: "2", timestamp: "40" });
  const { accountSid } = world.network;
  const sequenceNumber = String(messages.length - 1);
  expect(messages.at(-1)).toEqual({
    event: "stop",
    sequenceNumber,
    stop: { accountSid, callSid: call.sid },
    streamSid,
  });
});

test("what the person says arrives byte for byte, and what they hear is on the recording", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const [question, answer] = [tone(300), tone(500, 440)];
  const call = world.ring({
    script: async (line) => {
      await line.hearReply({ quietMs: 200 });
      await line.play(question);
    },
  });
  const { socket, messages, streamSid } = await opened;
  // odd pieces must join without a seam; the first is long enough for the next to arrive meanwhile
  for (const [from, to] of [
    [0, 3_001],
    [3_001, 3_078],
    [3_078, 4_000],
  ] as const)
    playOn(socket, streamSid, answer.subarray(from, to));
  const report = await call.ended;

  const [left, right] = decodeWav(report.wav).channels as [Int16Array, Int16Array];
  const heardAt = right.findIndex((sample) => sample !== 0) - 1; // a sine begins with 0
  const heard = Int16Array.from(right.subarray(heardAt, heardAt + answer.length));
  expect(heard).toEqual(decodeMulaw(encodeMulaw(answer)));
  expect(right.subarray(heardAt + answer.length).every((sample) => sample === 0)).toBe(true);
  expect(report.heardSegments).toEqual([{ startMs: heardAt / 8, endMs: heardAt / 8 + 500 }]);
  const spokenAt = (report.spoken[0]?.startMs ?? 0) * 8;
  const spoken = Int16Array.from(left.subarray(spokenAt, spokenAt + question.length));
  expect(spoken).toEqual(decodeMulaw(encodeMulaw(question)));
  const sent = messages.flatMap(({ event, media }) => (event === "media" ? Buffer.from(media.payload, "base64") : []));
  expect(Buffer.concat(sent).includes(Buffer.from(encodeMulaw(question)))).toBe(true);
  expect(report.streamEvents).toMatchObject({ streams: 1, media: 3, mediaBytes: 4_000, marks: 0, malformed: 0 });
});

test("a mark comes back when the audio before it has been played, in order", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  const stream = await opened;
  playOn(stream.socket, stream.streamSid, tone(200));
  mark(stream, "first");
  playOn(stream.socket, stream.streamSid, tone(200));
  mark(stream, "second");
  await streamEvent(
    stream.socket,
    stream.messages,
    ({ event, mark: echo }) => event === "mark" && echo.name === "second",
  );

  expect(marksOf(stream.messages)).toEqual(["first", "second"]);
  const at = (name: string) => stream.messages.findIndex(({ mark: echo }) => echo?.name === name);
  const between = stream.messages.slice(at("first"), at("second")).filter(({ event }) => event === "media");
  expect(between).toHaveLength(10); // 200 ms of frames
  call.hangUp();
});

test("a mark with nothing before it comes back without delay", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  const stream = await opened;
  mark(stream, "empty");
  await streamEvent(stream.socket, stream.messages, ({ event }) => event === "mark");
  expect(marksOf(stream.messages)).toEqual(["empty"]);
  call.hangUp();
});

test("clear drops what is queued and echoes all pending marks at once", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  const stream = await opened;
  playOn(stream.socket, stream.streamSid, tone(10_000));
  mark(stream, "a");
  playOn(stream.socket, stream.streamSid, tone(10_000));
  mark(stream, "b");
  await call.line.waitForSpeech();
  sendOn(stream.socket, stream.streamSid, "clear");
  await streamEvent(stream.socket, stream.messages, ({ event, mark: echo }) => event === "mark" && echo.name === "b");
  const [a = 0, b = 0] = ["a", "b"].map((name) => stream.messages.findIndex(({ mark: echo }) => echo?.name === name));
  expect(a).toBeGreaterThan(0);
  expect(b).toBe(a + 1); // no frame between them
  await call.line.waitForQuiet(100);
  call.hangUp();
  const report = await call.ended;
  expect(report.streamEvents.clears).toBe(1);
  expect(report.heardSegments).toHaveLength(1);
  expect(report.heardSegments[0]?.endMs).toBeLessThan(10_000);
});

test("pressed keys arrive as dtmf events", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring({
    script: async (line) => {
      await call.streaming();
      await line.press("4#", { gapMs: 40 });
    },
  });
  const { messages } = await opened;
  await call.ended;
  const keys = messages.filter(({ event }) => event === "dtmf").map(({ dtmf }) => dtmf);
  expect(keys).toEqual([
    { track: "inbound_track", digit: "4" },
    { track: "inbound_track", digit: "#" },
  ]);
});

test("a background runs under everything the person says", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const call = world.ring({ background: new Int16Array(400).fill(500), script: (line) => line.pause(100) });
  const [left] = decodeWav((await call.ended).wav).channels;
  expect(new Set(left)).toEqual(new Set([decodeMulaw(encodeMulaw(Int16Array.of(500)))[0]]));
});

test.each([
  ["text that is not JSON", "hello", 31_950],
  ["a JSON value that is not an object", "[]", 31_950],
  ["an unknown event", '{"event":"shout","streamSid":"SID"}', 31_951],
  ["a wrong stream", '{"event":"clear","streamSid":"MZ0"}', 31_951],
  ["a payload that is not base64", '{"event":"media","streamSid":"SID","media":{"payload":"§"}}', 31_951],
  ["a payload with a WAV header", '{"event":"media","streamSid":"SID","media":{"payload":"UklGRiQAAAA="}}', 31_951],
  ["a mark without a name", '{"event":"mark","streamSid":"SID","mark":{}}', 31_951],
])("%s closes the stream", async (_what, frame, code) => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  const { socket, streamSid } = await opened;
  socket.send(frame.replace("SID", streamSid));
  const report = await call.ended;
  expect(report.errors.map((error) => error.code)).toEqual([code]);
  expect(report.streamEvents.malformed).toBe(1);
});

test("a binary frame closes the stream", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  (await opened).socket.send(Buffer.from("{}"));
  expect((await call.ended).errors.map(({ code }) => code)).toEqual([31_950]);
});

test("when the application closes the stream, the TwiML after it runs", async () => {
  world.application.handlers["/voice"] = () => connectStream("", "<Say>still here</Say>");
  const opened = nextStream();
  const call = world.ring();
  (await opened).socket.close();
  const report = await call.ended;
  expect(report.status).toBe("completed");
  expect(report.heardSegments).toHaveLength(1);
  expect(report.errors).toEqual([]);
});

test("when the application's connection breaks, that is noted and the TwiML after the stream runs", async () => {
  world.application.handlers["/voice"] = () => connectStream("", "<Say>still here</Say>");
  const opened = nextStream();
  const call = world.ring();
  (await opened).socket.terminate();
  const report = await call.ended;
  expect(report.errors.map(({ code }) => code)).toEqual([31_921]);
  expect(report.heardSegments).toHaveLength(1);
});

test("an upgrade that is refused is 31920, and the TwiML after the stream runs", async () => {
  world.application.refuseUpgrade = 403;
  world.application.handlers["/voice"] = () => connectStream("", "<Say>sorry</Say>");
  const report = await world.ring().ended;
  expect(report.errors.map(({ code }) => code)).toEqual([31_920]);
  expect(report.heardSegments).toHaveLength(1);
});

test.each([
  ["http://voice.example.com/stream", 31_922],
  ["nowhere", 31_923],
  ["wss://elsewhere.example.com/stream", 31_901],
])("a stream to %s is %i", async (url, code) => {
  world.application.handlers["/voice"] = () => `<Response><Connect><Stream url="${url}"/></Connect></Response>`;
  expect((await world.ring().ended).errors.map((error) => error.code)).toEqual([code]);
});

test("case 19: a query in the stream's URL never reaches the application", async () => {
  world.application.handlers["/voice"] = () =>
    '<Response><Connect><Stream url="wss://voice.example.com/stream?token=1"/></Connect></Response>';
  const opened = nextStream();
  const call = world.ring();
  await opened;
  expect(world.application.upgrades[0]?.path).toBe("/stream");
  call.hangUp();
});

test("the stream's own status callback tells its start and its stop", async () => {
  world.application.handlers["/stream-status"] = () => "";
  world.application.handlers["/voice"] = () =>
    '<Response><Connect><Stream name="talk" url="wss://voice.example.com/stream" statusCallback="https://voice.example.com/stream-status"/></Connect></Response>';
  const opened = nextStream();
  const call = world.ring();
  const { socket, streamSid } = await opened;
  await world.application.arrived("/stream-status");
  socket.close();
  const told = await world.application.arrived("/stream-status", 2);
  expect(told.map(({ params }) => [params["StreamEvent"], params["StreamSid"], params["StreamName"]])).toEqual([
    ["stream-started", streamSid, "talk"],
    ["stream-stopped", streamSid, "talk"],
  ]);
  await call.ended;
});

test("hanging up stops the stream and closes its socket", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const opened = nextStream();
  const call = world.ring();
  const { socket, messages } = await opened;
  call.hangUp();
  if (socket.readyState !== socket.CLOSED) await once(socket, "close");
  expect(messages.at(-1)?.event).toBe("stop");
  expect((await call.ended).status).toBe("completed");
});
