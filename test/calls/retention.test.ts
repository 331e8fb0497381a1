import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CallerProfile } from "../../src/calls/callers.ts";
import { NoteFiles } from "../../src/calls/context/note-file.ts";
import { Retention, type RetentionParts, type RetentionRules, withoutOlder } from "../../src/calls/retention.ts";
import { retentionSchema } from "../../src/config-retention.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { memoryStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";
import { created, ended, settledBy, turn } from "../../src/testing/store-events.ts";
import { LinesLogger } from "../http/desks.ts";
import { handClock } from "./clock.ts";

const DAY = 24 * 60 * 60 * 1_000;
const NOW = Date.parse("2026-03-31T12:00:00Z");
const RECORDED: CallEvent[] = [
  { type: "recording.started", atMs: 5, recordingId: "r", by: "own", encrypted: true },
  { type: "recording.stored", atMs: 5, recordingId: "r", location: "r.wav", bytes: 9, durationMs: 9 },
];

let store: Store;
let workspace: string;
let logger: LinesLogger;
let clock: ReturnType<typeof handClock>;
let deleted: { recordings: string[]; flightRecords: string[] };
let compacted: number;
let retention: Retention | undefined;

beforeEach(async () => {
  const memory = memoryStore();
  compacted = 0;
  store = {
    ...memory,
    compact: async () => {
      compacted += 1;
    },
  };
  await store.start();
  workspace = mkdtempSync(join(tmpdir(), "retention-"));
  logger = new LinesLogger();
  clock = handClock(NOW);
  deleted = { recordings: [], flightRecords: [] };
});
afterEach(async () => {
  await retention?.stop();
  retention = undefined;
  expect(clock.running).toBe(0);
  await store.stop();
  rmSync(workspace, { recursive: true });
});

function keeping(rules: Partial<RetentionRules>, changes: Partial<RetentionParts> = {}): Retention {
  const none = retentionSchema.parse({ flightRecordDays: 0 });
  const notes = new NoteFiles();
  const files = (kind: keyof typeof deleted) => ({
    deleteFilesOf: async (callId: string) => deleted[kind].push(callId),
  });
  retention = new Retention({
    store,
    clock,
    logger,
    accounts: () => [{ id: "default", timeZone: "UTC", retention: { ...none, ...rules } }],
    recordings: files("recordings"),
    flightRecords: files("flightRecords"),
    notes: { notes: (dir) => notes.list(dir), changeNotes: (dir, change) => notes.change(dir, change) },
    workspace: async () => workspace,
    isIdle: () => true,
    ...changes,
  });
  return retention;
}

/** A call that began so many days ago and is over and done with. */
async function old(
  callId: string,
  days: number,
  more: readonly CallEvent[] = [],
  accountId = "default",
): Promise<void> {
  const first = { ...created(callId), accountId, atMs: NOW - days * DAY };
  await store.append(callId, [first, turn("item_0", "some words", 0), ...RECORDED, ended, ...settledBy, ...more]);
}
const idsLeft = async (): Promise<string[]> => (await store.calls({ limit: 500 })).calls.map(({ id }) => id).sort();
const wordsLeft = async (): Promise<string[]> =>
  [...new Set((await store.search({ text: "words", limit: 100 })).hits.map(({ callId }) => callId))].sort();

test("nothing is taken away where nothing is said, but flight records after thirty days", async () => {
  await old("call_a", 5_000);
  expect(await keeping({}).sweep()).toBe(0);
  expect([await idsLeft(), await wordsLeft(), compacted]).toEqual([["call_a"], ["call_a"], 0]);
  expect(await keeping(retentionSchema.parse({})).sweep()).toBe(1);
  expect(deleted).toEqual({ recordings: [], flightRecords: ["call_a"] });
  expect(await keeping(retentionSchema.parse({})).sweep()).toBe(0);
});

test("each kind goes after its own days, once, and of its own account alone", async () => {
  for (const [id, days] of [
    ["call_2", 2],
    ["call_11", 11],
    ["call_21", 21],
    ["call_31", 31],
  ] as const)
    await old(id, days);
  await old("call_other", 400, [], "support");
  const rules = { transcriptDays: 10, recordingDays: 20, flightRecordDays: 1, journalDays: 30 };
  expect(await keeping(rules).sweep()).toBe(1 + 2 + 1 + 3);
  expect(await idsLeft()).toEqual(["call_11", "call_2", "call_21", "call_other"]);
  expect(await wordsLeft()).toEqual(["call_2", "call_other"]);
  expect(deleted.recordings).toEqual(["call_31", "call_21"]); // what goes altogether goes with its files
  expect(deleted.flightRecords).toEqual(["call_31", "call_21", "call_11", "call_2"]);
  expect(await store.call("call_21")).toMatchObject({
    removed: ["words", "recordings", "flight-record"],
    recordings: [{ id: "r", state: "deleted" }],
    transcript: [{ text: "", heardMs: 10 }],
  });
  expect(compacted).toBe(1);
  expect(await keeping(rules).sweep()).toBe(0);
  expect(deleted.recordings).toHaveLength(2);
});

test("calls that are open, or after which work is left, are never touched", async () => {
  await store.append("call_open", [{ ...created("call_open"), atMs: 0 }, turn("item_0", "some words", 0), ...RECORDED]);
  await store.append("call_unsettled", [
    { ...created("call_unsettled"), atMs: 0 },
    turn("item_0", "some words", 0),
    ended,
  ]);
  const rules = { transcriptDays: 1, recordingDays: 1, flightRecordDays: 1, journalDays: 2 };
  expect(await keeping(rules).sweep()).toBe(0);
  expect(await wordsLeft()).toEqual(["call_open", "call_unsettled"]);
  await store.append("call_unsettled", settledBy);
  expect(await keeping(rules).sweep()).toBe(1);
  expect([await idsLeft(), deleted]).toEqual([
    ["call_open"],
    { recordings: ["call_unsettled"], flightRecords: ["call_unsettled"] },
  ]);
});

test("what is kept of callers is forgotten item by item", async () => {
  const at = (days: number) => NOW - days * DAY;
  const note = (text: string, days: number) => ({ text, atMs: at(days), callId: "c", verified: true });
  const past = (days: number) => ({ callId: "c", atMs: at(days), summary: "s", outcome: "o" });
  const profile: CallerProfile = {
    name: "Ann",
    facts: [note("old", 40), note("new", 4)],
    messages: [note("old", 40)],
    promises: [],
    lastCalls: [past(40), past(4)],
  };
  await store.keep("caller", "default:+1", profile, 0);
  await store.keep("caller", "default:+2", { ...profile, facts: [note("old", 31)], lastCalls: [past(31)] }, 0);
  await store.keep("caller", "support:+1", profile, 0);
  expect(await keeping({ callerHistoryDays: 30 }).sweep()).toBe(2);
  expect(await store.documents("caller")).toEqual([
    expect.objectContaining({
      key: "default:+1",
      value: { name: "Ann", facts: [note("new", 4)], messages: [], promises: [], lastCalls: [past(4)] },
    }),
    expect.objectContaining({ key: "support:+1", value: profile }),
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(100)), fc.nat(100), (days, limit) => {
      const rest = withoutOlder(
        { ...profile, messages: [], facts: days.map((day) => note("x", day)), lastCalls: [] },
        at(limit),
      );
      expect(rest?.facts.map(({ atMs }) => atMs) ?? []).toEqual(days.filter((day) => day <= limit).map(at));
    }),
  );
});

test("notes of old days go, by the account's own calendar; of another account's calls they stay", async () => {
  mkdirSync(join(workspace, "memory"));
  const note = (callId: string) => `<!-- voice:${callId} -->\n## 12:00 Phone call from +1\n\n- Nothing was said.\n`;
  for (const day of ["2026-03-19", "2026-03-20", "2026-03-21"])
    writeFileSync(join(workspace, "memory", `${day}.md`), `${note(`call_${day}`)}`);
  await old("call_2026-03-19", 12, [], "support");
  const auckland = {
    id: "default",
    timeZone: "Pacific/Auckland",
    retention: { ...retentionSchema.parse({}), noteDays: 11 },
  };
  expect(await keeping({}, { accounts: () => [auckland] }).sweep()).toBe(1); // there it is the first of April
  expect(readdirSync(join(workspace, "memory")).sort()).toEqual(["2026-03-19.md", "2026-03-21.md"]);
});

test("a sweep takes a bounded bite, goes on after a minute, and then looks once a day", async () => {
  for (let n = 0; n < 620; n++) await old(`call_${n}`, 10);
  const sweeps: number[] = [];
  const kept = keeping({ journalDays: 5 });
  const whole = kept.sweep.bind(kept);
  let swept = Promise.withResolvers<void>();
  kept.sweep = async () => {
    const removed = await whole();
    sweeps.push(removed);
    swept.resolve();
    return removed;
  };
  const pass = async (ms: number): Promise<void> => {
    swept = Promise.withResolvers<void>();
    clock.pass(ms);
    await swept.promise;
    await new Promise(setImmediate); // the next timer is set
  };
  kept.start();
  kept.start();
  clock.pass(59_000);
  expect(sweeps).toEqual([]);
  await pass(1_000);
  await pass(60_000);
  expect(sweeps).toEqual([500, 120]);
  await pass(DAY);
  expect([sweeps, clock.running]).toEqual([[500, 120, 0], 1]);
  await kept.stop();
  expect(clock.running).toBe(0);
});

test("what fails is said and tried again by the next sweep; the rest is done, and nobody on the telephone waits for it", async () => {
  await old("call_a", 10);
  let isBroken = true;
  const broken: Store = {
    ...store,
    redact: (...order) => (isBroken ? Promise.reject(new StoreError("full")) : store.redact(...order)),
  };
  const rules = { transcriptDays: 1, recordingDays: 1 };
  const parts = { store: broken, isIdle: () => false };
  expect(await keeping(rules, parts).sweep()).toBe(1);
  expect(logger.lines).toMatchObject([{ level: "error", fields: { accountId: "default", what: "words" } }]);
  isBroken = false;
  expect(await keeping(rules, parts).sweep()).toBe(1);
  expect([await wordsLeft(), compacted]).toEqual([[], 0]);
});

test("a sweep that is stopped stops between two bites", async () => {
  for (let n = 0; n < 20; n++) await old(`call_${n}`, 10);
  const kept: Retention = keeping(
    { journalDays: 5 },
    {
      store: {
        ...store,
        remove: async (callIds) => {
          void kept.stop();
          return store.remove(callIds);
        },
      },
    },
  );
  expect(await kept.sweep()).toBe(5);
  expect(await idsLeft()).toHaveLength(15);
});
