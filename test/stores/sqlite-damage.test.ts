import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { apply, newCall } from "../../src/core/call.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";
import { created, ended, settledBy, turn } from "../../src/testing/store-events.ts";

let dir: string;
let path: string;
let said: { message: string; fields: unknown }[];
const opened: Store[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sqlite-damage-"));
  path = join(dir, "calls.sqlite");
  said = [];
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.stop()));
  rmSync(dir, { recursive: true });
});

async function start(): Promise<Store> {
  const logger = { error: (message: string, fields?: unknown) => void said.push({ message, fields }) };
  const store = sqliteStore({ path, logger });
  opened.push(store);
  await store.start();
  return store;
}

const CALLS = 60;
const idOf = (index: number): string => `call_${String((index * 7919) % 1_000).padStart(3, "0")}`;
const life = (index: number): CallEvent[] => [
  { ...created(idOf(index)), atMs: index },
  ...Array.from({ length: 20 }, (_, n) => turn(`item_${n}`, `call number ${index} says ${"word ".repeat(20)}`, n)),
  ended,
  ...settledBy,
];

/** A store with many calls, closed: everything is in its one file. */
async function fill(): Promise<void> {
  const store = await start();
  for (let index = 0; index < CALLS; index++) await store.append(idOf(index), life(index));
  await store.keep("caller", "default:+15550001111", { name: "Ann" }, 0);
  await store.stop();
}

/** How many calls are whole, and that all the others are at least as far as they go. */
async function wholeCalls(store: Store): Promise<number> {
  let whole = 0;
  for (let index = 0; index < CALLS; index++) {
    const journal = (await store.journal(idOf(index))).map(({ event }) => event);
    const expected = life(index);
    for (const event of journal) expect(expected).toContainEqual(event);
    if (journal.length === expected.length) {
      whole += 1;
      expect(await store.call(idOf(index))).toEqual(expected.reduce(apply, newCall()));
    }
  }
  return whole;
}

/** So many turns are found, and never more, once every call has been read: a new file reads old calls after its opening. */
async function expectFound(store: Store, text: string, count: number): Promise<void> {
  for (;;) {
    const { hits, notYetSearched } = await store.search({ text, limit: 100 });
    if (notYetSearched === undefined) {
      expect(hits).toHaveLength(count);
      return;
    }
    expect(hits.length).toBeLessThanOrEqual(count);
  }
}

function elsewhere(program: string): void {
  const file = new DatabaseSync(path);
  file.exec(program);
  file.close();
}

test("a row that cannot be read is set aside with its bytes, its call goes on, and its seq is given to nobody else", async () => {
  await fill();
  elsewhere(`UPDATE journal SET body = '{"type":"transcr' WHERE call_id = '${idOf(3)}' AND seq >= 27;
    UPDATE journal SET body = x'00ff' WHERE call_id = '${idOf(3)}' AND seq = 2;
    UPDATE calls SET snapshot = '{"id":' WHERE id = '${idOf(4)}'`);
  const store = await start();
  const last = life(3).length;
  expect((await store.journal(idOf(3))).map(({ seq }) => seq)).not.toContain(2);
  expect(await store.call(idOf(4))).toEqual(life(4).reduce(apply, newCall()));
  expect(await store.damage()).toEqual({ rows: last - 27 + 3, callIds: [idOf(3), idOf(4)].sort(), files: [] });
  const reported = said.length;
  expect(await store.append(idOf(3), [{ type: "leg.ended", atMs: 9, reason: "lost", carrierStatus: "" }])).toBe(
    last + 1,
  );
  await store.stop();
  const again = await start();
  expect((await again.journal(idOf(3))).at(-1)).toMatchObject({ seq: last + 1, event: { type: "leg.ended" } });
  expect(said).toHaveLength(reported); // what was set aside is not met again
  const file = new DatabaseSync(path, { readOnly: true });
  expect(file.prepare("SELECT body FROM damaged WHERE seq = 2").get()).toEqual({ body: new Uint8Array([0, 255]) });
  file.close();
  expect(await again.dropDamage()).toBe(last - 27 + 3);
  expect(await again.damage()).toEqual({ rows: 0, callIds: [], files: [] });
});

test("a file that is no database is put aside as it is, and a new store is open at once", async () => {
  const noise = "These are not the tables you are looking for. ".repeat(50);
  writeFileSync(path, noise);
  const store = await start();
  expect(await store.append("call_a", [created("call_a")])).toBe(1);
  expect(readFileSync(`${path}.damaged-1`, "utf8")).toBe(noise);
  expect(await store.damage()).toEqual({ rows: 0, callIds: [], files: [`${path}.damaged-1`] });
  expect(said).toEqual([
    { message: expect.stringMatching(/damaged and put aside/), fields: { file: `${path}.damaged-1`, savedRows: 0 } },
  ]);
  await store.stop();
  writeFileSync(path, noise);
  await start();
  expect(readdirSync(dir)).toEqual(expect.arrayContaining(["calls.sqlite.damaged-1", "calls.sqlite.damaged-2"]));
});

test("a header that says nonsense does not keep the phone from working", async () => {
  await fill();
  const bytes = readFileSync(path);
  bytes.writeInt32BE(-559_038_737, 60); // the number of steps the schema has taken
  writeFileSync(path, bytes);
  const store = await start();
  expect(await wholeCalls(store)).toBe(CALLS); // all but the number is there
  expect((await store.calls({ limit: 100 })).calls).toHaveLength(CALLS);
});

test("a torn log costs at most what it alone held; the rest is whole", async () => {
  const [lives, appends] = [6, life(0).length];
  const store = await start();
  const reader = new DatabaseSync(path); // as long as it reads, nothing leaves the log
  reader.exec("BEGIN; SELECT count(*) FROM journal");
  for (let n = 0; n < appends; n++)
    for (let index = 0; index < lives; index++) await store.append(idOf(index), life(index).slice(n, n + 1));
  for (const ending of ["", "-wal"]) copyFileSync(path + ending, `${path}.copy${ending}`);
  reader.close();
  await store.stop();
  for (const ending of ["", "-wal"]) copyFileSync(`${path}.copy${ending}`, path + ending);
  truncateSync(`${path}-wal`, Math.floor(statSync(`${path}-wal`).size * 0.6) + 13);
  const torn = await start();
  const lengths = new Set<number>();
  for (let index = 0; index < lives; index++) {
    const events = (await torn.journal(idOf(index))).map(({ event }) => event);
    expect(events).toEqual(life(index).slice(0, events.length));
    expect(await torn.call(idOf(index))).toEqual(events.reduce(apply, newCall()));
    lengths.add(events.length);
  }
  expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1); // all of the same moment
  expect(Math.max(...lengths)).toBeLessThan(appends);
  expect(Math.min(...lengths)).toBeGreaterThan(2);
  expect([await torn.append("call_new", [created("call_new")]), said]).toEqual([1, []]);
});

test.each([0.15, 0.3, 0.45, 0.6, 0.75, 0.9])(
  "a page in which bytes were flipped, at %f of the file: calls on other pages are whole",
  async (part) => {
    await fill();
    const bytes = readFileSync(path);
    const page = Math.floor((bytes.length / 4_096) * part) * 4_096;
    for (let at = page; at < page + 4_096; at += 3) bytes[at] = (bytes[at] ?? 0) ^ 0xa5;
    writeFileSync(path, bytes);
    const store = await start();
    const whole = await wholeCalls(store);
    expect(whole).toBeGreaterThanOrEqual(CALLS - 12);
    expect(await store.append("call_new", [created("call_new"), turn("item_0", "afterwards", 0)])).toBe(2);
    const ids = (await store.calls({ limit: 500 })).calls.map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(whole);
    expect(ids).toContain("call_new");
    await store.compact().catch(() => undefined); // it reads every page: a damage that nobody met before is met now
    expect(await wholeCalls(store)).toBeGreaterThanOrEqual(CALLS - 12);
    expect(await store.append("call_new", [ended])).toBe(3);
    await expectFound(store, "afterwards", 1);
  },
);

test.each([0.3, 0.7])("a file that was cut off at %f of it: what is left of it is taken over", async (part) => {
  await fill();
  truncateSync(path, Math.floor((statSync(path).size / 4_096) * part) * 4_096);
  const store = await start();
  await store.calls({ limit: 500 });
  const whole = await wholeCalls(store);
  expect(whole).toBeGreaterThan(0);
  expect(said.length).toBeGreaterThan(0);
  expect(await store.append("call_new", [created("call_new")])).toBe(1);
});

test("a rescue that was cut off is taken up by the next start", async () => {
  await fill();
  copyFileSync(path, `${path}.rescue`); // put aside, and then the process was killed
  rmSync(path);
  const store = await start();
  expect(await wholeCalls(store)).toBe(CALLS);
  expect((await store.document("caller", "default:+15550001111"))?.value).toEqual({ name: "Ann" });
  expect(readdirSync(dir).filter((name) => name.includes("rescue"))).toEqual([]);
  expect((await store.damage()).files).toEqual([`${path}.damaged-1`]);
  expect(await store.dropDamage()).toBe(1);
  expect(readdirSync(dir).filter((name) => name.includes("damaged"))).toEqual([]);
});

test("the calls of an older file are searchable soon, while others are served", async () => {
  await fill();
  elsewhere(
    "DELETE FROM turn_words; DELETE FROM turns; INSERT INTO unsearched SELECT id FROM calls; UPDATE calls SET last_seq = -1",
  );
  const store = await start();
  expect((await store.calls({ limit: 100 })).calls).toHaveLength(CALLS);
  await expectFound(store, "number 7 says", 20);
});
