import { readFile } from "node:fs/promises";
import type { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as ws from "ws";
import { AppendFrames, createAudioDeltaScan, saysNothing } from "../../src/engines/openai-bytes.ts";
import { oddJson } from "../../src/testing/speech-model/wire.ts";

const BASE = {
  type: "response.output_audio.delta",
  event_id: "event_1",
  response_id: "resp_1",
  item_id: "item_1",
  output_index: 0,
  content_index: 0,
  delta: Buffer.from("sound").toString("base64"),
};
const PLAIN_ORDER = JSON.stringify(BASE);

const scanAudioDelta = createAudioDeltaScan();

/** What the scan must agree with, when it has an opinion. */
function parsed(message: Buffer) {
  try {
    const event = JSON.parse(message.toString("utf8")) as typeof BASE;
    if (event?.type !== BASE.type) return undefined;
    return { responseId: event.response_id, itemId: event.item_id, audio: Buffer.from(event.delta, "base64") };
  } catch {
    return undefined;
  }
}

const id = fc.oneof(
  { weight: 40, arbitrary: fc.stringMatching(/^(resp|item|event)_[A-Za-z0-9_-]{1,24}$/) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) }, // quotes, backslashes, controls, anything
);
const audio = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const delta = fc.oneof(
  { weight: 20, arbitrary: audio },
  fc.base64String({ maxLength: 40 }),
  fc.string({ maxLength: 20 }),
);
const index = fc.oneof(
  { weight: 40, arbitrary: fc.nat({ max: 12 }) },
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constant(null),
);
const type = fc.oneof(
  { weight: 20, arbitrary: fc.constant(BASE.type) },
  fc.constantFrom(
    "response.output_audio.done",
    "response.output_audio.delta2",
    "response.output_audio_transcript.delta",
  ),
);
const entries = fc
  .record({ type, event_id: id, response_id: id, item_id: id, output_index: index, content_index: index, delta })
  .chain((event) => fc.shuffledSubarray(Object.entries(event), { minLength: 6 }));

/** One JSON text among the many that mean the same, or nearly. */
const spelling = fc
  .tuple(
    entries,
    fc.constantFrom("compact", "compact", "compact", "spaced", "odd", "escaped", "doubled", "extended"),
    fc.constantFrom("", "", "", " ", "\n"),
  )
  .map(([fields, how, around]) => {
    const compact = JSON.stringify(Object.fromEntries(fields));
    const [first] = fields;
    const text = {
      compact,
      spaced: JSON.stringify(Object.fromEntries(fields), null, 1),
      odd: oddJson(Object.fromEntries(fields) as Parameters<typeof oddJson>[0]),
      escaped: compact.replaceAll("/", "\\/").replace("response_id", "response\\u005fid"),
      doubled: first ? `${compact.slice(0, -1)},${JSON.stringify(first[0])}:"QUJD"}` : compact,
      extended: `${compact.slice(0, -1)},"of_tomorrow":{"delta":"AAAA"}}`,
    }[how];
    return Buffer.from(`${around}${text}${around}`);
  });

describe("agent audio, read from the bytes", () => {
  test("is what JSON.parse reads, for every spelling of the message; what the scan leaves is left to the parser", () => {
    let read = 0;
    fc.assert(
      fc.property(spelling, (message) => {
        const scanned = scanAudioDelta(message);
        if (!scanned) return;
        read += 1;
        expect(scanned).toEqual(parsed(message));
      }),
      { numRuns: 10_000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  test("is read whatever the order of the keys, as long as it is written as engines do", () => {
    const order = fc.shuffledSubarray(Object.keys(BASE) as (keyof typeof BASE)[], { minLength: 7 });
    fc.assert(
      fc.property(order, audio, (keys, base64) => {
        const event = Object.fromEntries(keys.map((key) => [key, key === "delta" ? base64 : BASE[key]]));
        const message = Buffer.from(JSON.stringify(event));
        expect(scanAudioDelta(message)).toEqual(parsed(message));
        expect(scanAudioDelta(message)).toBeDefined();
      }),
    );
  });

  test("is never read from a message that was cut or changed on the way, unless a parser would read the same", () => {
    const message = Buffer.from(PLAIN_ORDER);
    fc.assert(
      fc.property(fc.nat({ max: message.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, byte, cut) => {
        const broken = cut ? message.subarray(0, at) : Buffer.from(message);
        if (!cut) broken[at] = byte;
        const scanned = scanAudioDelta(broken);
        if (scanned) expect(scanned).toEqual(parsed(broken));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ["the end of the audio", PLAIN_ORDER.replace("audio.delta", "audio.done")],
    ["a longer type", PLAIN_ORDER.replace('audio.delta"', 'audio.delta.more"')],
    ["a piece of the transcript", PLAIN_ORDER.replace("output_audio.", "output_audio_transcript.")],
    ["a piece without its item", PLAIN_ORDER.replace('"item_id":"item_1",', "")],
    ["a piece without sound", PLAIN_ORDER.replace(/,"delta":"[^"]*"/, "")],
    ["a piece whose type is told twice", PLAIN_ORDER.replace("}", ',"type":"response.done"}')],
    ["a number that JSON does not know", PLAIN_ORDER.replace('index":0', 'index":07')],
    ["an array", `[${PLAIN_ORDER}]`],
    ["nothing", ""],
    ["an empty object", "{}"],
  ])("%s is not taken for a piece of audio", (_what, text) => {
    expect(scanAudioDelta(Buffer.from(text))).toBeUndefined();
  });
});

describe("events that repeat what others say", () => {
  test.each([
    ["as the engine writes it", '{"type":"rate_limits.updated","event_id":"event_1"}', true],
    ["one whose type comes later", '{"event_id":"event_1","type":"rate_limits.updated"}', false],
    ["one with spaces", '{ "type": "rate_limits.updated" }', false],
    ["one that is only like it", '{"type":"rate_limits.updated2"}', false],
    ["one that counts", '{"type":"response.done"}', false],
    ["one that is cut off", '{"type":"rate_limits.updated', false],
    ["nothing", "", false],
  ])("%s", (_, text, repeats) => {
    expect(saysNothing(Buffer.from(text))).toBe(repeats);
  });

  test("are none of those that the session takes", async () => {
    const source = await readFile(new URL("../../src/engines/openai-realtime-session.ts", import.meta.url), "utf8");
    const taken = [...source.matchAll(/case "([a-z_.]+)":/g)].map(([, type]) => type);
    expect(taken).toContain("response.done");
    expect(taken.filter((type) => saysNothing(Buffer.from(`{"type":"${type}"}`)))).toEqual([]);
  });
});

/** The types of `ws` leave it out. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** What a server reads, by the receiver of `ws`, which refuses whatever breaks the protocol. */
function readBack(frames: readonly Buffer[]): string[] {
  const texts: string[] = [];
  const receiver = new Receiver({ isServer: true });
  receiver.on("error", (error: Error) => texts.push(String(error)));
  receiver.on("message", (data: Buffer, isBinary: boolean) => texts.push(isBinary ? "binary" : data.toString()));
  for (const frame of frames) receiver.write(frame);
  return texts;
}

/** A connection that passes all on at once, keeps what it gets, or passes it on when it is told to. */
function outlet(keeps: boolean) {
  const frames: Buffer[] = [];
  let kept: Buffer[] = [];
  const passOn = () => {
    frames.push(...kept.map((frame) => Buffer.from(frame)));
    kept = [];
  };
  return {
    frames,
    passOn,
    write(frame: Buffer) {
      kept.push(frame);
      if (!keeps) passOn();
    },
    get writableLength() {
      return kept.length;
    },
  };
}

describe("caller audio", () => {
  test("goes out as frames that say exactly what it holds, to whichever session and whoever keeps it", () => {
    // More sessions than there is memory kept for.
    const session = fc.nat({ max: 19 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(audio, session, fc.boolean()), { minLength: 1, maxLength: 60 }),
        fc.boolean(),
        (all, keeps) => {
          const writer = new AppendFrames();
          const wires = Array.from({ length: 20 }, () => outlet(keeps));
          for (const [base64, at, passesOn] of all) {
            writer.write(Buffer.from(base64, "latin1"), wires[at] as (typeof wires)[0]);
            if (passesOn) wires[at]?.passOn();
          }
          for (const [at, wire] of wires.entries()) {
            wire.passOn();
            const sent = all.flatMap(([base64, to]) => (to === at ? [base64] : []));
            expect(readBack(wire.frames).map((text) => JSON.parse(text))).toEqual(
              sent.map((base64) => ({ type: "input_audio_buffer.append", audio: base64 })),
            );
          }
        },
      ),
    );
  });

  test.each([0, 76, 80, 216, 1_000, 65_484, 65_488, 200_000])("of %d characters is one frame", (length) => {
    const base64 = "ABCD".repeat(length / 4);
    const wire = outlet(false);
    new AppendFrames().write(Buffer.from(base64, "latin1"), wire);
    expect(readBack(wire.frames)).toEqual([`{"type":"input_audio_buffer.append","audio":"${base64}"}`]);
  });

  test("is masked, each time with another number", () => {
    const writer = new AppendFrames();
    const wire = outlet(false);
    for (let i = 0; i < 1_000; i++) writer.write(Buffer.from("ABCD".repeat(54)), wire);
    expect(new Set(wire.frames.map((frame) => frame.toString("hex", 4, 8))).size).toBeGreaterThan(995);
  });
});
