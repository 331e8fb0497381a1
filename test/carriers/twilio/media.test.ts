import { EventEmitter } from "node:events";
import { describe, expect, test, vi } from "vitest";
import type { MediaLeg, MediaListener, MediaSocket } from "../../../src/carriers/carrier.ts";
import { InvalidRequestError } from "../../../src/core/errors.ts";
import { ACCOUNT_SID, CALL_SID, handClock, STREAM_SID, twilio } from "./fixtures.ts";

/** A socket of which everything is written down. */
class PaperSocket extends EventEmitter implements MediaSocket {
  bufferedAmount = 0;
  readonly sent: string[] = [];
  readonly closed: [code: number | undefined, reason: string | undefined][] = [];
  isTerminated = false;

  send(data: Buffer | string, options?: { binary: boolean }): void {
    expect(options).toEqual({ binary: false });
    this.sent.push(data.toString());
  }

  close(code?: number, reason?: string): void {
    expect(Buffer.byteLength(reason ?? "")).toBeLessThanOrEqual(123);
    this.closed.push([code, reason]);
  }

  terminate(): void {
    this.isTerminated = true;
    this.emit("close", 1006);
  }

  receive(message: unknown, isBinary = false): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.emit("message", Buffer.from(text), isBinary);
  }
}

/** One that sends several messages in one write. */
class BatchingSocket extends PaperSocket {
  readonly batches: string[][] = [];

  sendAll(texts: readonly Buffer[]): void {
    this.batches.push(texts.map(String));
  }
}

const CONNECTED = { event: "connected", protocol: "Call", version: "1.0.0" };
const START = {
  event: "start",
  sequenceNumber: "1",
  streamSid: STREAM_SID,
  start: {
    accountSid: ACCOUNT_SID,
    streamSid: STREAM_SID,
    callSid: CALL_SID,
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    customParameters: { token: "t1" },
  },
};
const media = (payload: string, change: object = {}) => ({
  event: "media",
  sequenceNumber: "4",
  streamSid: STREAM_SID,
  media: { track: "inbound", chunk: "2", timestamp: "40", payload },
  ...change,
});
const mark = (name: string) => ({ event: "mark", sequenceNumber: "5", streamSid: STREAM_SID, mark: { name } });
const dtmf = (digit: string) => ({
  event: "dtmf",
  streamSid: STREAM_SID,
  sequenceNumber: "5",
  dtmf: { track: "inbound_track", digit },
});
const STOP = {
  event: "stop",
  streamSid: STREAM_SID,
  sequenceNumber: "9",
  stop: { accountSid: ACCOUNT_SID, callSid: CALL_SID },
};

function opening(signal: AbortSignal = new AbortController().signal) {
  const socket = new PaperSocket();
  const clock = handClock();
  const leg = twilio({ clock }).openMedia(socket, signal);
  leg.catch(() => {}); // each test looks at it in its own time
  return { socket, clock, leg };
}

async function opened() {
  const { socket, clock, leg } = opening();
  socket.receive(CONNECTED);
  socket.receive(START);
  return { socket, clock, leg: await leg };
}

/** Legs of one account whose sockets send several messages in one write. */
function batching(count: number) {
  const { openMedia } = twilio({ clock: handClock() });
  const legs = Array.from({ length: count }, async () => {
    const socket = new BatchingSocket();
    const leg = openMedia(socket, new AbortController().signal);
    socket.receive(CONNECTED);
    socket.receive(START);
    return { socket, leg: await leg };
  });
  return Promise.all(legs);
}

/** Listens and writes down what it hears. */
function hear(leg: MediaLeg, puzzled: string[] = []): string[] {
  const heard: string[] = [];
  const listener: MediaListener = {
    audio: (base64) => heard.push(`audio ${base64.toString()}`),
    marked: (name) => heard.push(`mark ${name}`),
    dtmf: (digit) => heard.push(`dtmf ${digit}`),
    unrecognised: (what) => puzzled.push(what),
    closed: (how) => heard.push(how),
  };
  leg.listen(listener);
  return heard;
}

describe("opening", () => {
  test("case 19: the stream names its leg and brings the token back as a parameter", async () => {
    const { leg, clock } = await opened();
    expect(leg).toMatchObject({ legId: CALL_SID, streamId: STREAM_SID, token: "t1" });
    expect(clock.timers).toBe(0);
  });

  test("a stream without parameters has no token", async () => {
    const { socket, leg } = opening();
    socket.receive(CONNECTED);
    socket.receive({ ...START, start: { ...START.start, customParameters: {} } });
    expect((await leg).token).toBeUndefined();
  });

  const startWith = (change: object) => ({ ...START, start: { ...START.start, ...change } });
  test.each<[string, unknown, number, boolean?]>([
    ["what is not JSON", "hello", 1007],
    ["JSON that is no object", "[]", 1007],
    ["an object without an event", "{}", 1007],
    ["a binary frame", "{}", 1003, true],
    ["a frame of more than 64 KiB", JSON.stringify({ ...CONNECTED, pad: "x".repeat(65_536) }), 1009],
    ["audio before the start", media("AAAA"), 1008],
    ["another account's stream", startWith({ accountSid: `AC${"9".repeat(32)}` }), 1008],
    ["another format", startWith({ mediaFormat: { encoding: "audio/l16", sampleRate: 16000, channels: 1 } }), 1008],
    [
      "a very long format",
      startWith({ mediaFormat: { encoding: "ü".repeat(500), sampleRate: 8000, channels: 1 } }),
      1008,
    ],
    ["a start without a stream's id", startWith({ streamSid: undefined }), 1007],
    ["a start whose id is none", startWith({ streamSid: '"},"x":{"' }), 1007],
    ["a start without a call's id", startWith({ callSid: 7 }), 1007],
  ])("%s is refused and the socket closed", async (_, message, code, isBinary) => {
    const { socket, leg, clock } = opening();
    socket.receive(message, isBinary);
    await expect(leg).rejects.toThrow(InvalidRequestError);
    expect(socket.closed.map(([closeCode]) => closeCode)).toEqual([code]);
    socket.receive(START);
    expect(socket.closed).toHaveLength(1);
    clock.advance(2_000);
    expect(socket.isTerminated).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test("nothing within 5 s is refused", async () => {
    const { socket, leg, clock } = opening();
    socket.receive(CONNECTED);
    clock.advance(4_999);
    expect(socket.closed).toEqual([]);
    clock.advance(1);
    await expect(leg).rejects.toThrow(InvalidRequestError);
    expect(socket.closed[0]?.[0]).toBe(1008);
  });

  test("a socket that closes first, or that we do not want any more, is refused", async () => {
    const gone = opening();
    gone.socket.emit("error", new Error("reset"));
    gone.socket.emit("close", 1006);
    await expect(gone.leg).rejects.toThrow(InvalidRequestError);
    expect(gone.clock.timers).toBe(0);

    const abort = new AbortController();
    const unwanted = opening(abort.signal);
    abort.abort(new Error("shutting down"));
    await expect(unwanted.leg).rejects.toThrow(InvalidRequestError);
    expect(unwanted.socket.closed[0]?.[0]).toBe(1001);
    await expect(opening(AbortSignal.abort()).leg).rejects.toThrow(InvalidRequestError);
  });
});

describe("listening", () => {
  test("audio, marks and keys arrive in order, however they are spelt", async () => {
    const { socket, leg } = await opened();
    const heard = hear(leg);
    socket.receive(media("AAAA"));
    socket.receive(JSON.stringify(media("BB/B"), null, 1));
    socket.receive(JSON.stringify(media("CC/C")).replace("/", "\\/"));
    socket.receive(mark('a "mark"'));
    socket.receive(dtmf("#"));
    expect(heard).toEqual(["audio AAAA", "audio BB/B", "audio CC/C", 'mark a "mark"', "dtmf #"]);
  });

  test("what came before waits, the oldest beyond 500 excepted", async () => {
    const { socket, leg } = await opened();
    for (let frame = 0; frame < 600; frame++) socket.receive(media(String(frame).padStart(4, "0")));
    const heard = hear(leg);
    expect(heard).toHaveLength(500);
    expect([heard[0], heard.at(-1)]).toEqual(["audio 0100", "audio 0599"]);
    socket.receive(dtmf("1"));
    expect(heard.at(-1)).toBe("dtmf 1");
  });

  test("kept audio is not overwritten by what the socket reads next", async () => {
    const { socket, leg } = await opened();
    const memory = Buffer.from(JSON.stringify(media("AAAA")));
    socket.emit("message", memory, false);
    memory.fill(0x42);
    expect(hear(leg)).toEqual(["audio AAAA"]);
  });

  test("case 5: another stream's messages and the other track are not heard; unknown events are told of", async () => {
    const { socket, leg } = await opened();
    const puzzled: string[] = [];
    const heard = hear(leg, puzzled);
    const other = `MZ${"9".repeat(32)}`;
    for (const message of [media("AAAA"), mark("m"), dtmf("1"), STOP]) socket.receive({ ...message, streamSid: other });
    socket.receive(media("", { media: { track: "outbound", payload: "AAAA" } }));
    socket.receive({ event: "weather", streamSid: STREAM_SID });
    socket.receive(CONNECTED);
    socket.receive(START);
    expect(heard).toEqual([]);
    expect(puzzled).toEqual(['the event "weather"']);
    expect(socket.closed).toEqual([]);
  });

  test("an unreadable frame costs itself alone, the tenth costs the connection", async () => {
    const { socket, leg } = await opened();
    const heard = hear(leg);
    const unreadable = ["{", media("not base64!"), media('"'), dtmf("x"), media(""), '{"event":"mark"}', { event: 7 }];
    for (const message of unreadable) socket.receive(message);
    socket.receive("x".repeat(65_537));
    socket.receive(media("AAAA"), true);
    socket.receive(media("AAAA"));
    expect(heard).toEqual(["audio AAAA"]);
    expect(socket.closed).toEqual([]);
    socket.receive("{", true);
    socket.receive(media("BBBB"));
    expect(heard).toEqual(["audio AAAA", "lost"]);
    expect(socket.closed.map(([code]) => code)).toEqual([1003]);
  });
});

describe("sending", () => {
  test("audio, marks and clear are Twilio's messages for this stream", async () => {
    const { socket, leg } = await opened();
    leg.sendAudio(Uint8Array.of(0, 255, 127));
    leg.sendAudio(new Uint8Array());
    leg.mark('a "mark"');
    leg.clear();
    expect(socket.sent.map((text) => JSON.parse(text))).toEqual([
      { event: "media", streamSid: STREAM_SID, media: { payload: "AP9/" } },
      { event: "mark", streamSid: STREAM_SID, mark: { name: 'a "mark"' } },
      { event: "clear", streamSid: STREAM_SID },
    ]);
  });

  test("what is sent together leaves in one write, also while another leg's does, and however long it is", async () => {
    const [one, other] = await batching(2);
    const sound = (value: number, bytes: number) => new Uint8Array(bytes).fill(value);
    const told = (value: number, bytes: number) => {
      const payload = Buffer.alloc(bytes, value).toString("base64");
      return JSON.stringify({ event: "media", streamSid: STREAM_SID, media: { payload } });
    };
    for (let round = 0; round < 3; round++) {
      one?.leg.together(() => {
        one.leg.sendAudio(sound(1, 800));
        other?.leg.together(() => {
          for (let value = 2; value < 7; value++) other.leg.sendAudio(sound(value, 800));
        });
        one.leg.sendAudio(sound(7, 5_000));
        one.leg.together(() => one.leg.sendAudio(sound(8, 160)));
        one.leg.mark("m");
      });
    }
    other?.leg.together(() => {});
    const mark = JSON.stringify({ event: "mark", streamSid: STREAM_SID, mark: { name: "m" } });
    const [ones, others] = [
      [told(1, 800), told(7, 5_000), told(8, 160), mark],
      [2, 3, 4, 5, 6].map((value) => told(value, 800)),
    ];
    expect(one?.socket.batches).toEqual([ones, ones, ones]);
    expect(other?.socket.batches).toEqual([others, others, others]);
    expect([...(one?.socket.sent ?? []), ...(other?.socket.sent ?? [])]).toEqual([]);
  });

  test("the socket's backlog shows", async () => {
    const { socket, leg } = await opened();
    socket.bufferedAmount = 1_234;
    expect(leg.bufferedBytes).toBe(1_234);
  });
});

describe("the end", () => {
  test("is told once when the carrier stops the stream", async () => {
    const { socket, leg, clock } = await opened();
    const heard = hear(leg);
    socket.receive(STOP);
    socket.receive(media("AAAA"));
    socket.emit("close", 1000);
    leg.close();
    leg.sendAudio(Uint8Array.of(1));
    expect(heard).toEqual(["stopped"]);
    expect(socket.sent).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test.each([1000, 1005, 1006])("is a loss when the connection closes with %i and no stop", async (code) => {
    const { socket, leg } = await opened();
    const heard = hear(leg);
    socket.emit("error", new Error("read ECONNRESET"));
    socket.emit("close", code);
    socket.emit("close", code);
    expect(heard).toEqual(["lost"]);
  });

  test("before anybody listens, waits for the listener", async () => {
    const { socket, leg } = await opened();
    socket.receive(media("AAAA"));
    socket.emit("close", 1006);
    expect(hear(leg)).toEqual(["audio AAAA", "lost"]);
  });

  test("that we ask for is told when the socket has closed; a silent other side is cut after 2 s", async () => {
    const { socket, leg, clock } = await opened();
    const heard = hear(leg);
    leg.close();
    leg.close();
    leg.mark("late");
    socket.receive(media("AAAA"));
    expect([socket.closed.length, heard, socket.sent]).toEqual([1, [], []]);
    const terminate = vi.spyOn(socket, "terminate");
    clock.advance(2_000);
    expect(terminate).toHaveBeenCalledOnce();
    expect(heard).toEqual(["stopped"]);
    expect(clock.timers).toBe(0);
  });
});
