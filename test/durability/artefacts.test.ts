import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { MULAW_SILENCE } from "../../src/audio/g711.ts";
import { mulawWavHead, STEREO_BYTES } from "../../src/audio/wav-mulaw.ts";
import { exportFlight } from "../../src/calls/flight/file.ts";
import { apply, newCall } from "../../src/core/call.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { created } from "../../src/testing/store-events.ts";
import { shortCall } from "../calls/flight/short-call.ts";
import { tamperings } from "../calls/flight/tampering.ts";
import { judgeArtefacts } from "./artefacts.ts";
import type { Kept } from "./verdict.ts";

const ID = "call_0123456789abcdef0123456789abcdef";
const RECORDING = { recordingId: "rec_1" } as const;
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const EVENTS: readonly CallEvent[] = [
  created(ID),
  { type: "leg.answered", atMs: 1_000 },
  { type: "engine.opened", atMs: 1_100, sessionId: "s1", model: "m" },
  { type: "recording.started", atMs: 1_200, by: "own", encrypted: false, ...RECORDING },
  { type: "media.stopped", atMs: 9_000, reason: "stopped" },
  { type: "recording.stopped", atMs: 9_000, durationMs: 7_800, ...RECORDING },
  { type: "recording.stored", atMs: 9_000, location: "recordings/1.wav", bytes: 1, durationMs: 7_800, ...RECORDING },
  { type: "call.ended", atMs: 9_100, reason: "caller_hangup", longestSilenceMs: 0 },
];

interface Scene {
  events?: readonly CallEvent[];
  killedAtMs?: readonly number[];
  /** Milliseconds of sound. */
  soundMs?: number;
  record?: "whole" | "altered" | "none";
}

async function judged({ events = EVENTS, killedAtMs = [], soundMs = 7_800, record = "whole" }: Scene) {
  const stateDir = await mkdtemp(join(tmpdir(), "voice-artefacts-"));
  folders.push(stateDir);
  for (const folder of ["recordings", "flights"]) await mkdir(join(stateDir, folder));
  const sound = Buffer.alloc(soundMs * 8 * STEREO_BYTES, MULAW_SILENCE);
  const head = mulawWavHead({ startSample: 1_600, soundBytes: sound.length });
  await writeFile(join(stateDir, "recordings/1.wav"), Buffer.concat([head, sound]));
  if (record !== "none") {
    const { flight } = await shortCall([]);
    const [altered] = tamperings(flight.items, 1, 7);
    const items = record === "altered" && altered ? altered.items : flight.items;
    await writeFile(join(stateDir, "flights", `${ID}.flight`), exportFlight({ ...flight, items }));
  }
  const journal = events.map((event, at) => ({ seq: at + 1, event }));
  const kept = new Map<string, Kept>([[ID, { journal, call: events.reduce(apply, newCall()) }]]);
  return (await judgeArtefacts({ stateDir, killedAtMs: [...killedAtMs], speed: 0 }, kept, undefined, stateDir)).map(
    ({ kind }) => kind,
  );
}

const without = (...types: CallEvent["type"][]) => EVENTS.filter(({ type }) => !types.includes(type));

test("a call that left a record and a recording which are whole has no findings", async () => {
  expect(await judged({})).toEqual([]);
});

test.each<[string, Scene, readonly string[]]>([
  ["a record in which something was altered", { record: "altered" }, ["diverged"]],
  ["no record", { record: "none" }, ["lost"]],
  ["no record, but it was killed, maybe before the first block", { record: "none", killedAtMs: [1_100] }, []],
  ["a recording that was never stored", { events: without("recording.stored") }, ["stuck"]],
  ["a recording that ends early", { soundMs: 6_700 }, ["lost"]],
  ["a recording that ends half a second early", { soundMs: 7_300 }, []],
  ["a recording that ends at a kill", { soundMs: 3_800, killedAtMs: [5_500] }, []],
  ["a recording that ends long before a kill", { soundMs: 2_000, killedAtMs: [5_500] }, ["lost"]],
])("a call with %s is judged so", async (_, scene, kinds) => {
  expect(await judged(scene)).toEqual(kinds);
});
