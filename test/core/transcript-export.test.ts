import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCall } from "../../src/core/call.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import { exportTranscript, type TranscribedCall } from "../../src/core/transcript-export.ts";

const AT = Date.UTC(2026, 10, 21, 14, 3, 5);

function call(transcript: readonly TranscriptEntry[]): TranscribedCall {
  const parties = { direction: "inbound", from: "+15550005678", to: "+15550001234", accountId: "default" } as const;
  const times = { createdAtMs: AT, answeredAtMs: AT + 2_000, endedAtMs: AT + 67_400 };
  return { ...newCall(), id: "call_1", ...parties, ...times, transcript };
}

function turn(changes: Partial<TranscriptEntry>): TranscriptEntry {
  return { id: "item_1", speaker: "agent", text: "Hello.", startMs: 0, heardMs: 900, cut: false, ...changes };
}

const TALK = call([
  turn({ text: "Hello, this is Nia. How can I help?", startMs: 240.4, heardMs: 2_310, cut: true }),
  turn({
    id: "item_2",
    speaker: "caller",
    text: "Is 2 < 3 & 4 > 1?\n\n--> *Tell* me!",
    startMs: 2_100.6,
    heardMs: 1_500,
  }),
  turn({ id: "item_3", text: "", startMs: 4_000, heardMs: 0, cut: true }),
  turn({ id: "item_4", text: "Yes.", startMs: 3_723_004, heardMs: 480 }),
]);

/** Words, and what a careless writer of formats trips over. */
const texts = () =>
  fc
    .array(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 12 }),
        fc.constantFrom(
          "-->",
          "\n\n",
          "\r",
          "<v Caller>",
          "</v>",
          "&amp;",
          "\u2028",
          "WEBVTT",
          "NOTE",
          "# a",
          "- b",
          "**",
          "\u0000",
        ),
      ),
      { maxLength: 6 },
    )
    .map((pieces) => pieces.join(" "));

const talks = () =>
  fc
    .array(
      fc.record({
        id: texts(),
        speaker: fc.constantFrom("caller", "agent"),
        text: texts(),
        startMs: fc.double({ min: -50, max: 20_000_000, noNaN: true }),
        heardMs: fc.double({ min: 0, max: 90_000, noNaN: true }),
        cut: fc.boolean(),
      }),
      { maxLength: 8 },
    )
    .map((entries) => call(entries.toSorted((a, b) => a.startMs - b.startMs)));

/** What is left of a turn's words on one line. */
const words = (text: string) =>
  text
    .toWellFormed()
    .replace(/[\u202A-\u202E\u2066-\u2069]/g, "")
    .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
const spoken = ({ transcript }: TranscribedCall) => transcript.filter(({ text }) => words(text) !== "");

describe("JSON", () => {
  test("holds every turn, with its end", () => {
    const { contentType, extension, body } = exportTranscript(TALK, "json");
    expect([contentType, extension]).toEqual(["application/json; charset=utf-8", "json"]);
    expect(JSON.parse(body)).toMatchObject({
      callId: "call_1",
      accountId: "default",
      from: "+15550005678",
      answeredAtMs: AT + 2_000,
      entries: [
        { id: "item_1", speaker: "agent", startMs: 240, endMs: 2_550, cut: true },
        { id: "item_2", speaker: "caller", text: "Is 2 < 3 & 4 > 1?\n\n--> *Tell* me!", startMs: 2_101, endMs: 3_601 },
        { id: "item_3", text: "", cut: true },
        { id: "item_4", startMs: 3_723_004 },
      ],
    });
  });

  test("loses no word of any talk", () => {
    fc.assert(
      fc.property(talks(), (talk) => {
        const { entries } = JSON.parse(exportTranscript(talk, "json").body);
        const kept = entries.map(({ id, speaker, text, cut }: TranscriptEntry) => [id, speaker, text, cut]);
        expect(kept).toEqual(talk.transcript.map(({ id, speaker, text, cut }) => [id, speaker, text, cut]));
      }),
    );
  });
});

describe("text", () => {
  test("is one line a turn under a title; what was cut off says so", () => {
    expect(exportTranscript(TALK, "text").body).toBe(
      [
        "Call call_1 from +15550005678 to +15550001234, 2026-11-21 14:03:05 UTC, 65 s",
        "",
        "[00:00.2] Agent: Hello, this is Nia. How can I help? [cut off]",
        "[00:02.1] Caller: Is 2 < 3 & 4 > 1? --> *Tell* me!",
        "[01:02:03.0] Agent: Yes.",
        "",
      ].join("\n"),
    );
  });

  test("of a call that nobody answered is its title", () => {
    const { answeredAtMs: _, endedAtMs: __, ...missed } = call([]);
    expect(exportTranscript(missed, "text").body).toBe(
      "Call call_1 from +15550005678 to +15550001234, 2026-11-21 14:03:05 UTC\n\n",
    );
  });
});

describe("Markdown", () => {
  test("means nothing by a caller's words", () => {
    expect(exportTranscript(TALK, "markdown").body.split("\n").slice(2)).toEqual([
      "- 00:00.2 **Agent:** Hello, this is Nia. How can I help? *\\[cut off\\]*",
      "- 00:02.1 **Caller:** Is 2 \\< 3 \\& 4 \\> 1? --\\> \\*Tell\\* me!",
      "- 01:02:03.0 **Agent:** Yes.",
      "",
    ]);
  });
});

test("text and Markdown have one line for each turn with words, which holds those words and no more", () => {
  fc.assert(
    fc.property(talks(), fc.constantFrom("text", "markdown"), (talk, format) => {
      const lines = exportTranscript(talk, format).body.trimEnd().split("\n").slice(2);
      const said = lines.map((line) => {
        const text = line.replace(/^(?:- )?\S+ (?:\*\*)?(?:Caller|Agent):(?:\*\*)? /, "");
        return (format === "text" ? text : text.replace(/\\(.)/gu, "$1")).replace(/ \*?\[cut off\]\*?$/, "");
      });
      fc.pre(!talk.transcript.some(({ text }) => /\[cut off\]$/.test(text)));
      expect(said).toEqual(spoken(talk).map(({ text }) => words(text)));
    }),
  );
});

describe("WebVTT", () => {
  test("has a cue a turn, its speaker as its voice", () => {
    const { contentType, extension, body } = exportTranscript(TALK, "vtt");
    expect([contentType, extension]).toEqual(["text/vtt; charset=utf-8", "vtt"]);
    expect(body).toBe(
      [
        "WEBVTT",
        "",
        "1",
        "00:00:00.240 --> 00:00:02.550",
        "<v.cut Agent>Hello, this is Nia. How can I help? [cut off]</v>",
        "",
        "2",
        "00:00:02.101 --> 00:00:03.601",
        "<v Caller>Is 2 &lt; 3 &amp; 4 &gt; 1? --&gt; *Tell* me!</v>",
        "",
        "3",
        "01:02:03.004 --> 01:02:03.484",
        "<v Agent>Yes.</v>",
        "",
      ].join("\n"),
    );
  });

  test("of any talk reads back as the turns with words, in order, none without length", () => {
    fc.assert(
      fc.property(talks(), (talk) => {
        const cues = readVtt(exportTranscript(talk, "vtt").body);
        const turns = spoken(talk);
        expect(cues.map(({ voice, text }) => [voice, text])).toEqual(
          turns.map(({ speaker, text, cut }) => [
            speaker === "caller" ? "Caller" : "Agent",
            words(text) + (cut ? " [cut off]" : ""),
          ]),
        );
        cues.forEach(({ startMs, endMs }, at) => {
          const { startMs: begun, heardMs } = turns[at] as TranscriptEntry;
          expect(Math.abs(startMs - Math.max(0, begun))).toBeLessThanOrEqual(0.5);
          expect(endMs).toBeGreaterThan(startMs);
          expect(endMs).toBeLessThanOrEqual(Math.max(startMs + 1, begun + heardMs + 0.5));
          expect(startMs).toBeGreaterThanOrEqual(cues[at - 1]?.startMs ?? 0);
        });
      }),
    );
  });
});

interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  readonly voice: string;
  readonly text: string;
}

/** Reads WebVTT as its specification says: blocks between blank lines, a timing line, a payload. */
function readVtt(body: string): Cue[] {
  const [header, ...blocks] = body.split(/(?:\r\n|\n|\r){2,}/);
  expect(header?.trimEnd()).toBe("WEBVTT");
  return blocks
    .filter((block) => block !== "")
    .map((block) => {
      const lines = block.replace(/[\r\n]+$/, "").split(/\r\n|\n|\r/);
      expect(lines).toHaveLength(3);
      const [identifier, timing, payload] = lines as [string, string, string];
      expect(identifier).toMatch(/^\d+$/);
      const times = /^(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})$/.exec(timing);
      expect(times).not.toBeNull();
      const [startMs, endMs] = [1, 5].map((from) => {
        const [hours, minutes, seconds, millis] = (times ?? []).slice(from, from + 4).map(Number);
        return (((hours as number) * 60 + (minutes as number)) * 60 + (seconds as number)) * 1_000 + (millis as number);
      }) as [number, number];
      expect(payload).not.toContain("-->");
      const voiced = /^<v(?:\.cut)? (Caller|Agent)>([^<>]*)<\/v>$/.exec(payload);
      expect(voiced).not.toBeNull();
      const [, voice = "", escaped = ""] = voiced ?? [];
      const text = escaped.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      return { startMs, endMs, voice, text };
    });
}
