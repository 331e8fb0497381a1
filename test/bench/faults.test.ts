import { describe, expect, test } from "vitest";
import { type FaultCounts, seenFaults } from "../../bench/content.ts";
import { Exchange, makeSounds } from "../../bench/generator/exchange.ts";
import { runLoad } from "../../bench/generator/load.ts";
import { Schedule } from "../../bench/generator/schedule.ts";
import { openServers } from "../../bench/generator/servers.ts";
import type { RunResult } from "../../bench/messages.ts";
import { breakOff, type RelayManners, startRelay, truncate } from "./relay.ts";

const sounds = await makeSounds();
/** Until the greeting has been heard. */
const GREETING_MS = 1_600;
/** Until the caller has broken into the first answer and is answered again. */
const BARGE_IN_MS = 4_600;

/** One call through a relay of a test's own. */
async function call(manners: RelayManners, windowMs: number): Promise<RunResult> {
  const schedule = new Schedule();
  const exchange = new Exchange(schedule, sounds, "usual");
  const servers = await openServers(() => exchange);
  const relay = await startRelay(servers.port, manners);
  try {
    const order = { type: "load", door: "socket", calls: 1, warmMs: 0, spelling: "usual" } as const;
    return await runLoad({ ...order, port: relay.port, windowMs }, exchange, () => {});
  } finally {
    schedule.clear();
    await relay.close();
    await servers.close();
  }
}

/** Changes one sample in the midst of the sound of a message. */
function spoil(message: Buffer): Buffer {
  const text = message.toString();
  const sound = /[A-Za-z0-9+/=]{200,}/.exec(text)?.[0] ?? "";
  const bytes = Buffer.from(sound, "base64");
  bytes[100] = (bytes[100] as number) ^ 0x11;
  return Buffer.from(text.replace(sound, bytes.toString("base64")));
}

const kept = new Map<string, Buffer>();
const swapped = (name: string, at: number) => (message: Buffer, count: number) => {
  if (count === at) kept.set(name, message);
  return count === at ? [] : count === at + 1 ? [message, kept.get(name) as Buffer] : [message];
};

const greetings: [string, RelayManners, Partial<FaultCounts>][] = [
  ["loses nothing: no fault", {}, {}],
  ["loses a caller's frame", { toModel: (out, count) => (count === 9 ? [] : [out]) }, { callerLost: 1 }],
  ["doubles a caller's frame", { toModel: (out, count) => (count === 9 ? [out, out] : [out]) }, { callerDoubled: 1 }],
  ["swaps two of the caller's frames", { toModel: swapped("up", 9) }, { callerReordered: 1 }],
  [
    "changes a sample of the caller's",
    { toModel: (out, count) => [count === 9 ? spoil(out) : out] },
    { callerGarbled: 1, callerLost: 1 },
  ],
  ["loses a piece of the agent's sound", { toPhone: (out, count) => (count === 3 ? [] : [out]) }, { agentLost: 10 }],
  [
    "doubles a piece of the agent's sound",
    { toPhone: (out, count) => (count === 3 ? [out, out] : [out]) },
    { agentDoubled: 10 },
  ],
  ["swaps two pieces of the agent's sound", { toPhone: swapped("down", 3) }, { agentReordered: 10 }],
  [
    "changes a sample of the agent's",
    { toPhone: (out, count) => [count === 3 ? spoil(out) : out] },
    { agentGarbled: 1, agentLost: 1 },
  ],
  [
    "sends what is not of the protocol",
    { beside: (streamSid, count) => (count === 2 ? { event: "cleer", streamSid } : undefined) },
    { badMessage: 1 },
  ],
];

describe.concurrent("a bridge that", () => {
  test.each(greetings)("%s", async (_, manners, faults) => {
    const { faults: found, counts } = await call(manners, GREETING_MS);
    expect(seenFaults(found)).toEqual(faults);
    expect(counts.callerBlocks).toBeGreaterThan(60);
    expect(counts.agentBlocks).toBeGreaterThan(39);
  });

  test("clears although nobody speaks cuts wrongly", async () => {
    const beside = (streamSid: string, count: number) => (count === 2 ? { event: "clear", streamSid } : undefined);
    const { faults } = await call({ beside }, GREETING_MS);
    expect(seenFaults(faults)).toEqual({ cutWrongly: 1 });
  });

  test("is broken into and breaks off has no fault, and is timed", async () => {
    const { faults, times, counts } = await call({}, BARGE_IN_MS);
    expect(seenFaults(faults)).toEqual({});
    expect(counts.bargeIns).toBe(1);
    for (const kind of ["clear", "truncate", "stop", "truncateError", "queuedAtBargeIn"] as const) {
      expect([kind, times[kind].length]).toEqual([kind, 1]);
    }
    // It breaks off when the model says so, with the fifth frame; what it tells the model is what has played.
    expect(times.stop[0]).toBeGreaterThan(60);
    expect(times.queuedAtBargeIn[0]).toBeGreaterThan(1_000);
  });

  test("goes on speaking when it is broken into is found", async () => {
    const onSpeech = ({ itemId, playedMs }: Parameters<typeof breakOff>[0]) => ({ model: truncate(itemId, playedMs) });
    const { faults } = await call({ onSpeech }, BARGE_IN_MS);
    expect(seenFaults(faults)).toEqual({ notCleared: 1 });
  });

  test("does not tell the model what was heard is found", async () => {
    const onSpeech = (about: Parameters<typeof breakOff>[0]) => ({ phone: breakOff(about).phone });
    const { faults } = await call({ onSpeech }, BARGE_IN_MS);
    expect(seenFaults(faults)).toEqual({ notTruncated: 1 });
  });

  test("tells the model of more than it produced is refused, and its error is measured", async () => {
    const onSpeech = (about: Parameters<typeof breakOff>[0]) => ({
      ...breakOff(about),
      model: truncate(about.itemId, 9_000),
    });
    const { faults, times } = await call({ onSpeech }, BARGE_IN_MS);
    expect(seenFaults(faults)).toEqual({ truncatedPastEnd: 1 });
    expect(times.truncateError[0]).toBeGreaterThan(5_000);
  });

  test("sends more of an answer that was thrown away is found", async () => {
    let old: Buffer | undefined;
    let broken = false;
    const onSpeech = (about: Parameters<typeof breakOff>[0]) => {
      broken = true;
      return breakOff(about);
    };
    const toPhone = (out: Buffer) => {
      const again = broken && old ? [old] : [];
      old = broken ? undefined : out;
      return [...again, out];
    };
    const { faults } = await call({ onSpeech, toPhone }, BARGE_IN_MS);
    expect(seenFaults(faults)).toEqual({ stale: 10 });
  });
});
