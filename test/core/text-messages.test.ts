import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as ws from "ws";
import { readTexts, TextMessages } from "../../src/core/text-messages.ts";

const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
}

const TEXT = 1;
const CLOSE = 8;

/** A frame as a peer composes it (RFC 6455, 5.2). */
function encode({ opcode, final, payload }: Frame, mask: Buffer | undefined): Buffer {
  const flags = (final ? 0x80 : 0) | opcode;
  const masked = mask ? 0x80 : 0;
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([flags, masked | length])
      : length < 65_536
        ? Buffer.from([flags, masked | 126, length >> 8, length & 0xff])
        : Buffer.from([flags, masked | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  if (!mask) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i % 4] as number)) as Buffer]);
}

/** What the library makes of bytes, and what it is given. */
function library(isServer: boolean, heard: string[]) {
  const receiver = new Receiver({ isServer, skipUTF8Validation: true, maxPayload: 1 << 20 });
  const given: Buffer[] = [];
  const note = (name: string) => (data: Buffer | number) =>
    heard.push(`${name} ${typeof data === "number" ? data : data.toString("latin1")}`);
  receiver.on("message", (data: Buffer, isBinary: boolean) => note(isBinary ? "binary" : "text")(data));
  receiver.on("ping", note("ping"));
  receiver.on("pong", note("pong"));
  receiver.on("conclude", note("close"));
  receiver.on("error", () => heard.push("error"));
  return {
    given,
    take(bytes: Buffer) {
      given.push(Buffer.from(bytes));
      if (!receiver.destroyed && !receiver.writableEnded) receiver.write(bytes);
    },
  };
}

const payload = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 400 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_000, max: 66_000 }).map((size) => new Uint8Array(size).fill(size & 0xff)),
  },
);
const control = fc.uint8Array({ maxLength: 125 });

/** One message: whole, or in fragments with a control frame between them; or a control frame. */
const message: fc.Arbitrary<Frame[]> = fc.oneof(
  { weight: 6, arbitrary: payload.map((bytes) => [{ opcode: TEXT, final: true, payload: Buffer.from(bytes) }]) },
  { weight: 1, arbitrary: payload.map((bytes) => [{ opcode: 2, final: true, payload: Buffer.from(bytes) }]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2), fc.array(payload, { minLength: 2, maxLength: 4 }), control)
      .map(([opcode, parts, ping]) =>
        parts.flatMap((bytes, i): Frame[] => [
          { opcode: i === 0 ? opcode : 0, final: i === parts.length - 1, payload: Buffer.from(bytes) },
          ...(i === 0 ? [{ opcode: 9, final: true, payload: Buffer.from(ping) }] : []),
        ]),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(9, 10), control)
      .map(([opcode, bytes]) => [{ opcode, final: true, payload: Buffer.from(bytes) }]),
  },
);

/** Bytes of a peer, cut wherever the network cuts them. */
const stream = fc.record({
  masked: fc.boolean(),
  frames: fc.array(message, { maxLength: 12 }).map((all) => all.flat()),
  ends: fc.constantFrom("open", "close", "close and more", "wrong"),
  mask: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  cuts: fc.array(fc.nat({ max: 1_500 }), { maxLength: 60 }),
});

function bytesOf({
  masked,
  frames,
  ends,
  mask,
}: Omit<typeof stream extends fc.Arbitrary<infer T> ? T : never, "cuts">) {
  const closing: Frame = { opcode: CLOSE, final: true, payload: Buffer.from([0x03, 0xe8]) };
  const more: Frame = { opcode: TEXT, final: true, payload: Buffer.from("more") };
  const wrong: Frame = { opcode: 3, final: true, payload: Buffer.from("no such opcode") };
  const end = { open: [], close: [closing], "close and more": [closing, more], wrong: [wrong] }[ends];
  return Buffer.concat([...frames, ...end].map((frame) => encode(frame, masked ? mask : undefined)));
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of cuts) {
    if (at + size > bytes.length) break;
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return [...chunks, Buffer.from(bytes.subarray(at))];
}

describe("whole texts are read beside the library", () => {
  test("what arrives, and in which order, is what the library alone would tell", () => {
    fc.assert(
      fc.property(stream, ({ cuts, ...sent }) => {
        const bytes = bytesOf(sent);
        const expected: string[] = [];
        const alone = library(sent.masked, expected);
        for (const chunk of cut(bytes, cuts)) alone.take(chunk);

        const heard: string[] = [];
        const beside = library(sent.masked, heard);
        const texts = new TextMessages(
          sent.masked,
          (text) => heard.push(`text ${text.toString("latin1")}`),
          (rest) => beside.take(rest),
        );
        for (const chunk of cut(bytes, cuts)) texts.read(chunk);
        expect(heard).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("of whole texts the library sees nothing, however many come at once", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 300 })), fc.boolean(), (all, masked) => {
        const mask = masked ? Buffer.from([1, 2, 3, 4]) : undefined;
        const heard: string[] = [];
        const texts = new TextMessages(
          masked,
          (text) => heard.push(text.toString()),
          () => expect.unreachable("the library was given something"),
        );
        const frames = all.map((text) => encode({ opcode: TEXT, final: true, payload: Buffer.from(text) }, mask));
        texts.read(Buffer.concat(frames));
        expect(heard).toEqual(all);
      }),
    );
  });

  test.each([
    ["is masked by a server", false, true, TEXT],
    ["is not masked by a client", true, false, TEXT],
    ["claims to be compressed", false, false, 0x40 | TEXT],
  ])("a text that %s is the library's to refuse", async (_, fromClient, isMasked, opcode) => {
    const heard: string[] = [];
    const refuses = library(fromClient, heard);
    const texts = new TextMessages(
      fromClient,
      () => expect.unreachable("it was read"),
      (rest) => refuses.take(rest),
    );
    const mask = isMasked ? Buffer.from([9, 9, 9, 9]) : undefined;
    texts.read(encode({ opcode, final: true, payload: Buffer.from("hello") }, mask));
    await setImmediate(); // the library tells of it in its own time
    expect(heard).toEqual(["error"]);
  });
});

describe("on a socket", () => {
  const frame = () => encode({ opcode: TEXT, final: true, payload: Buffer.from("hello") }, undefined);

  function open(listeners: number) {
    const [wire, socket] = [new EventEmitter(), new EventEmitter()];
    const given: Buffer[] = [];
    const heard: [string, boolean][] = [];
    for (let i = 0; i < listeners; i++) wire.on("data", (bytes: Buffer) => given.push(bytes));
    socket.on("message", (data: Buffer, isBinary: boolean) => heard.push([data.toString(), isBinary]));
    readTexts(socket, wire, false);
    return { wire, socket, given, heard };
  }

  test("texts come as its messages", () => {
    const { wire, given, heard } = open(1);
    wire.emit("data", frame());
    expect(heard).toEqual([["hello", false]]);
    expect(given).toEqual([]);
  });

  test.each([0, 2])("with %i readers, which is not as the library does it, everything stays as it is", (count) => {
    const { wire, given, heard } = open(count);
    wire.emit("data", frame());
    expect(heard).toEqual([]);
    expect(given).toHaveLength(count);
    expect(wire.listenerCount("data")).toBe(count);
  });

  test("after an error of the socket nothing is read any more, nor what was still to come of a frame", () => {
    const { wire, socket, given, heard } = open(1);
    wire.emit("data", Buffer.from([0x82, 100])); // a hundred bytes that are none of ours
    given.length = 0;
    socket.emit("error", new Error("broken"));
    wire.emit("data", Buffer.concat([Buffer.alloc(50), frame()]));
    wire.emit("data", frame());
    expect(heard).toEqual([]);
    expect(given).toEqual([]);
  });
});

describe("on real sockets of the library", () => {
  test("texts, pings and the goodbye arrive on both sides, and the library reads no whole text", async () => {
    const http = createServer();
    const server = new ws.WebSocketServer({ noServer: true, perMessageDeflate: false });
    const heard: string[] = [];
    const parsed: string[] = [];
    /** Whatever the library reads comes through its receiver. */
    const watch = (socket: ws.WebSocket, wire: Duplex, masked: boolean, side: string) => {
      const [library] = wire.listeners("data") as [(bytes: Buffer) => void];
      const spy = (bytes: Buffer) => {
        parsed.push(`${side} ${(bytes[0] as number) & 0x0f}`);
        library.call(wire, bytes);
      };
      wire.off("data", library);
      wire.on("data", spy);
      readTexts(socket, wire, masked);
      expect(wire.listeners("data")).not.toContain(spy);
    };
    http.on("upgrade", (request, wire: Duplex, head) =>
      server.handleUpgrade(request, wire, head, (socket) => {
        watch(socket, wire, true, "server");
        socket.on("message", (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
        socket.on("ping", () => heard.push("ping"));
      }),
    );
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const client = new ws.WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    client.once("upgrade", (response: IncomingMessage) =>
      client.once("open", () => watch(client, response.socket, false, "client")),
    );
    await once(client, "open");
    client.on("message", (data, isBinary) => heard.push(isBinary ? "binary" : String(data)));
    client.send("hello");
    client.send(Buffer.from("bytes"));
    const pong = once(client, "pong");
    client.ping();
    await pong;
    client.close(1000);
    const [code] = await once(client, "close");
    await new Promise((resolve) => http.close(resolve));
    expect(heard).toEqual(expect.arrayContaining(["hello", "binary", "ping"]));
    expect(code).toBe(1000);
    expect(parsed).not.toContain("server 1");
    expect(parsed).not.toContain("client 1");
    expect(parsed).toContain("server 2");
  });
});
