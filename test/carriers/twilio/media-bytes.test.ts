import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createAudioScan, createAudioWriter } from "../../../src/carriers/twilio/media-bytes.ts";
import { isBase64 } from "../../../src/carriers/twilio/stream-messages.ts";
import { STREAM_SID } from "./fixtures.ts";

const scan = createAudioScan(STREAM_SID);
const scanned = (text: string) => scan(Buffer.from(text))?.toString();

const spell = (payload: string, { sequence = "4", chunk = "2", timestamp = "40" } = {}) =>
  JSON.stringify({
    event: "media",
    sequenceNumber: sequence,
    streamSid: STREAM_SID,
    media: { track: "inbound", chunk, timestamp, payload },
  });

/** What parsing makes of a frame: the audio, or nothing. */
function parsed(text: string): string | undefined {
  try {
    const { event, streamSid, media } = JSON.parse(text);
    const isOurs = event === "media" && streamSid === STREAM_SID && media.track === "inbound";
    return isOurs && isBase64(media.payload) ? media.payload : undefined;
  } catch {
    return undefined;
  }
}

describe("the scan", () => {
  const audio = fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString("base64"));
  const digits = fc.nat().map(String);

  test("finds the audio of every frame as Twilio spells it", () => {
    fc.assert(
      fc.property(audio, digits, digits, digits, (payload, sequence, chunk, timestamp) => {
        expect(scanned(spell(payload, { sequence, chunk, timestamp }))).toBe(payload);
      }),
    );
  });

  test("gives a view, not a copy", () => {
    const frame = Buffer.from(spell("AAAA"));
    expect(scan(frame)?.buffer).toBe(frame.buffer);
  });

  test("finds nothing that parsing would not find, however a frame is damaged", () => {
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(4),
      put: fc.oneof(
        fc.string({ maxLength: 4 }),
        fc.constantFrom('"', "\\", "=", "==", '"}', "}", "\\/", "é", "\u0000", " "),
      ),
    });
    fc.assert(
      fc.property(audio, fc.array(damage, { minLength: 1, maxLength: 3 }), (payload, damages) => {
        const text = damages.reduce((whole, { at, cut, put }) => {
          const place = Math.floor(at * whole.length);
          return whole.slice(0, place) + put + whole.slice(place + cut);
        }, spell(payload));
        const found = scanned(text);
        if (found !== undefined) expect(found).toBe(parsed(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["padding in front", spell("=AAA")],
    ["too much padding", spell("A===")],
    ["a broken group", spell("AAAAA")],
    ["no audio", spell("")],
    ["an escape", spell("AA/A").replace("/", "\\/")],
    ["spaces", spell("AAAA").replaceAll(":", ": ")],
    ["another order of keys", `{"streamSid":"${STREAM_SID}","event":"media","media":{"payload":"AAAA"}}`],
    ["another stream", spell("AAAA").replace(STREAM_SID, `MZ${"9".repeat(32)}`)],
    ["another track", spell("AAAA").replace("inbound", "outbound")],
    ["more behind it", `${spell("AAAA")} `],
    ["a number that is none", spell("AAAA", { chunk: "" })],
    ["the beginning alone", spell("AAAA").slice(0, 40)],
    ["nothing", ""],
  ])("leaves %s to the parser", (_, text) => {
    expect(scanned(text)).toBeUndefined();
  });
});

test("the writer's messages are the JSON that Twilio expects, for any bytes", () => {
  const write = createAudioWriter(STREAM_SID, Buffer.alloc);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.nat(10), (bytes, offset) => {
      const view = bytes.subarray(Math.min(offset, bytes.length));
      expect(JSON.parse(write(view).toString())).toEqual({
        event: "media",
        streamSid: STREAM_SID,
        media: { payload: Buffer.from(view).toString("base64") },
      });
    }),
  );
});
