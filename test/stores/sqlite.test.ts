import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { apply, newCall } from "../../src/core/call.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { type SqliteStoreOptions, sqliteStore } from "../../src/stores/index.ts";
import { startWorker } from "../../src/stores/sqlite-thread.ts";
import type { Store } from "../../src/stores/store.ts";
import { journals } from "../../src/testing/journals.ts";
import { storeConformance } from "../../src/testing/store-conformance.ts";
import { created } from "../../src/testing/store-events.ts";

describe("sqlite store", () => storeConformance((dir) => sqliteStore({ path: join(dir, "calls.sqlite") })));

describe("sqlite store, on its disk", () => {
  let dir: string;
  let path: string;
  const opened: { stop(): Promise<void> }[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sqlite-"));
    path = join(dir, "state", "calls.sqlite");
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.stop()));
    rmSync(dir, { recursive: true });
  });

  const start = async (options: Partial<SqliteStoreOptions> = {}): Promise<Store> => {
    const store = sqliteStore({ path, ...options });
    opened.push(store);
    await store.start();
    return store;
  };
  /** Another process's hand in the file. */
  const elsewhere = <T>(act: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(path);
    try {
      return act(database);
    } finally {
      database.close();
    }
  };

  test("what was stored is there after a restart, calls as their journals fold and claims too", async () => {
    const lives = fc.sample(journals({ callId: "call_x", maxEvents: 100 }), { numRuns: 20, seed: 1 });
    const before = await start();
    await Promise.all(lives.map((events, index) => before.append(`call_${index}`, events)));
    await before.claim("SM1", 0, 1_000);
    await before.settle("SM1", "done");
    await before.stop();
    const after = await start();
    for (const [index, events] of lives.entries()) {
      expect(await after.call(`call_${index}`)).toEqual(events.reduce(apply, newCall()));
      expect((await after.journal(`call_${index}`)).map(({ event }) => event)).toEqual(events);
      expect(await after.append(`call_${index}`, [dtmf("1")])).toBe(events.length + 1);
    }
    expect(await after.claim("SM1", 1, 1_000)).toEqual({ first: false, answer: "done" });
  });

  test("a process killed at any instant has lost nothing that it was told is stored", async () => {
    for (const lines of [1, 40, 160]) {
      const file = join(dir, `killed-${lines}`, "calls.sqlite");
      const writer = spawn(process.execPath, [WRITER, file, "50"], { stdio: ["ignore", "pipe", "inherit"] });
      let acknowledged = 0;
      for await (const line of createInterface({ input: writer.stdout })) {
        acknowledged = Number(line);
        if (acknowledged === lines) writer.kill("SIGKILL");
      }
      expect(acknowledged).toBeGreaterThanOrEqual(lines);
      const store = await start({ path: file });
      const journal = await store.journal("call_a");
      expect(journal.length).toBeGreaterThanOrEqual(acknowledged);
      expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_, index) => index + 1));
    }
  });

  test("a program that only awaits its last append ends by itself, with the append stored", async () => {
    const run = spawnSync(process.execPath, [WRITER, path, "1", "3"], { encoding: "utf8", timeout: 20_000 });
    expect([run.stdout, run.stderr, run.status]).toEqual(["1\n2\n3\n", "", 0]);
    expect(await (await start()).journal("call_a")).toHaveLength(3);
  });

  test("an append that the disk does not take fails alone, and the next one is stored", async () => {
    // The shell's limit on the size of files stands for a full disk: 600 blocks of 512 or 1,024 bytes.
    const program = `ulimit -f 600; exec "$0" "$@"`;
    const write = (size: string) =>
      spawnSync("sh", ["-c", program, process.execPath, WRITER, path, size, "1"], { encoding: "utf8" }).stdout;
    expect(write("10")).toBe("1\n");
    expect(write("1000000")).toMatch(/^StoreError: The store could not write the journal of call_a: (disk|database)/);
    expect(write("20")).toBe("2\n");
    const journal = await (await start()).journal("call_a");
    expect(journal.map(({ event }) => event.type === "dtmf.received" && event.digit.length)).toEqual([10, 20]);
  });

  test("an append that SQLite refuses is undone alone; those that share its commit are stored", async () => {
    const store = await start();
    elsewhere((file) => {
      file.exec(`CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN new.body LIKE '%"digit":"#"%'
        BEGIN SELECT RAISE(ABORT, 'refused for the test'); END`);
    });
    const answers = await Promise.allSettled([
      store.append("call_a", [created("call_a"), dtmf("1")]),
      store.append("call_a", [
        dtmf("2"),
        { type: "playout.cut", atMs: 1, itemId: "i", heardMs: 1, producedMs: 2 },
        dtmf("#"),
      ]),
      store.append("call_b", [created("call_b")]),
      store.claim("SM1", 0, 1_000),
      store.append("call_a", [dtmf("3")]),
    ]);
    expect(answers.map((answer) => (answer.status === "fulfilled" ? answer.value : answer.reason.message))).toEqual([
      2,
      "The store could not write the journal of call_a: refused for the test",
      1,
      { first: true },
      3,
    ]);
    expect((answers[1] as PromiseRejectedResult).reason).toBeInstanceOf(StoreError);
    expect((await store.journal("call_a")).map(({ event }) => event.type)).toEqual([
      "call.created",
      "dtmf.received",
      "dtmf.received",
    ]);
    expect(await store.call("call_a")).toMatchObject({ bargeIns: 0 });
  });

  test("when SQLite gives the whole shared commit up, only the request at fault fails", async () => {
    const store = await start();
    elsewhere((file) => {
      file.exec(`CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN new.body LIKE '%"digit":"#"%'
        BEGIN SELECT RAISE(ROLLBACK, 'refused for the test'); END`);
    });
    const answers = await Promise.allSettled([
      store.append("call_a", [
        created("call_a"),
        { type: "playout.cut", atMs: 1, itemId: "i", heardMs: 1, producedMs: 2 },
      ]),
      store.append("call_b", [created("call_b"), dtmf("#")]),
      store.append("call_a", [dtmf("3")]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await store.journal("call_a")).toHaveLength(3);
    expect(await store.call("call_a")).toMatchObject({ bargeIns: 1 });
    expect(await store.call("call_b")).toBeUndefined();
  });

  test("a lock of another process stops no timer here; what waits for it is stored when it goes, or fails in time", async () => {
    const store = await start();
    await store.append("call_a", [dtmf("1")]);
    const lock = await lockFrom(path);
    const waiting = settled(store.append("call_a", [dtmf("2")]));
    expect(await turnsWithin(300)).toBeGreaterThan(100); // on this thread it would be one
    expect(waiting.outcome).toBeUndefined();
    await lock.release();
    expect(await waiting.promise).toBe(2);

    const longer = await lockFrom(path);
    await expect(store.append("call_a", [dtmf("3")])).rejects.toThrow(/database is locked/);
    await longer.release();
    expect(await store.append("call_a", [dtmf("4")])).toBe(3);
  });

  test("reading goes on while another process holds the lock", async () => {
    const store = await start();
    await store.append("call_a", [created("call_a")]);
    const other = new DatabaseSync(path);
    other.exec("BEGIN EXCLUSIVE");
    expect(await store.call("call_a")).toMatchObject({ id: "call_a" });
    other.close();
  });

  test("two hundred appends at once share two commits", async () => {
    const store = await start();
    const before = commitsIn(`${path}-wal`);
    const first = store.append("call_0", [dtmf("1")]);
    await new Promise(setImmediate); // its commit is under way
    await Promise.all([first, ...Array.from({ length: 199 }, (_, n) => store.append(`call_${n % 20}`, [dtmf("1")]))]);
    expect(commitsIn(`${path}-wal`) - before).toBe(2);
  });

  test("the files and the folder made for them are the owner's alone, whatever the umask and whatever stood there", async () => {
    const umask = process.umask(0);
    try {
      const store = await start();
      await store.append("call_a", [created("call_a")]);
      const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);
      expect([join(dir, "state"), path, `${path}-wal`, `${path}-shm`].map(mode)).toEqual(["700", "600", "600", "600"]);
      const open = join(dir, "open.sqlite");
      writeFileSync(open, "", { mode: 0o644 });
      await start({ path: open });
      expect(mode(open)).toBe("600");
    } finally {
      process.umask(umask);
    }
  });

  test("damaged rows are passed over and said; every other call is whole", async () => {
    const said: unknown[] = [];
    const before = await start();
    for (const id of ["call_a", "call_b"]) await before.append(id, [created(id), dtmf("1"), dtmf("2")]);
    await before.append("call_c", [created("call_c")]);
    await before.stop();
    elsewhere((file) => {
      file.exec(`UPDATE journal SET body = '{"type":"dtmf.rec' WHERE call_id = 'call_a' AND seq = 2`);
      file.exec(`UPDATE calls SET snapshot = '{"id":' WHERE id = 'call_a'`);
      file.exec(`UPDATE journal SET body = x'00ff' WHERE call_id = 'call_b' AND seq = 1`);
    });
    const after = await start({ logger: { error: (_, fields) => said.push(fields) } });
    expect((await after.calls()).calls.map(({ id }) => id)).toEqual(["call_c", "call_b", "call_a"]);
    expect((await after.journal("call_a")).map(({ seq }) => seq)).toEqual([1, 3]);
    expect(await after.append("call_a", [dtmf("3")])).toBe(4);
    expect(said).toContainEqual(expect.objectContaining({ callId: "call_a", seq: 2 }));
    expect(said).toContainEqual({ callId: "call_a", reason: expect.any(String) });
  });

  test("an event of a later version stays in the journal and does not disturb the fold", async () => {
    const store = await start();
    const later = { type: "call.teleported", atMs: 5 } as unknown as CallEvent;
    await store.append("call_a", [created("call_a"), later, dtmf("1")]);
    expect(await store.call("call_a")).toMatchObject({ id: "call_a", state: "ringing" });
    expect((await store.journal("call_a"))[1]).toEqual({ seq: 2, event: later });
  });

  test("rows that a step of the schema declares old are folded anew", async () => {
    const [events = []] = fc.sample(journals({ callId: "call_a" }), { numRuns: 1, seed: 3 });
    const before = await start();
    await before.append("call_a", events);
    await before.stop();
    elsewhere((file) => file.exec(`UPDATE calls SET last_seq = -1, caller = '', snapshot = '{"id":"nobody"}'`));
    const after = await start();
    expect((await after.calls()).calls).toEqual([events.reduce(apply, newCall())]);
  });

  test("what another process appended is neither lost nor overwritten", async () => {
    const [one, two] = [await start(), await start()];
    await one.append("call_a", [created("call_a")]);
    expect(await two.append("call_a", [dtmf("1")])).toBe(2);
    expect(await one.append("call_a", [dtmf("2")])).toBe(3);
    const claims = await Promise.all([one.claim("SM1", 0, 9), two.claim("SM1", 0, 9)]);
    expect(claims.filter(({ first }) => first)).toHaveLength(1);
  });

  test("a thread that dies fails what it had not answered, and the next request is served by another", async () => {
    const workers: Worker[] = [];
    const store = await start({
      startWorker: (...parts) => {
        const worker = startWorker(...parts);
        workers.push(worker);
        return worker;
      },
    });
    await store.append("call_a", [created("call_a")]);
    const lock = new DatabaseSync(path);
    lock.exec("BEGIN EXCLUSIVE"); // keeps the next append under way
    const pending = Promise.allSettled([store.append("call_a", [dtmf("1")]), store.claim("SM1", 0, 1)]);
    await new Promise(setImmediate);
    await workers[0]?.terminate();
    lock.close();
    for (const answer of await pending) {
      expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(StoreError);
      expect((answer as PromiseRejectedResult).reason.message).toMatch(/thread has ended/);
    }
    expect(await store.append("call_a", [dtmf("2")])).toBeGreaterThan(1);
    expect(workers).toHaveLength(2);
    await store.stop();
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });

  test("a file of a later version is refused with the reason and left as it was", async () => {
    await (await start()).stop();
    elsewhere((file) => file.exec("PRAGMA user_version = 99"));
    await expect(start()).rejects.toThrow(/written by a later version/);
    expect(elsewhere((file) => file.prepare("PRAGMA user_version").get())).toEqual({ user_version: 99 });
    await expect(start({ path: dir })).rejects.toBeInstanceOf(StoreError);
  });

  test("expired claims are cleared away a few at a time", async () => {
    const store = await start();
    const count = (): unknown => elsewhere((file) => file.prepare("SELECT count(*) AS n FROM claims").get()?.["n"]);
    await Promise.all(Array.from({ length: 200 }, (_, index) => store.claim(`SM${index}`, 0, 10)));
    await store.claim("next", 11, 20);
    expect(count()).toBe(200 - 64 + 1);
    for (const key of ["a", "b", "c"]) await store.claim(key, 11, 20);
    expect(count()).toBe(4);
  });

  test("a start that is overtaken by a stop leaves no thread", async () => {
    const workers: Worker[] = [];
    const store = sqliteStore({
      path,
      startWorker: (...parts) => {
        const worker = startWorker(...parts);
        workers.push(worker);
        return worker;
      },
    });
    const starting = store.start();
    await store.stop();
    await starting;
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1]);
  });
});

// --- Internal helpers ---

const WRITER = join(import.meta.dirname, "writer.ts");

const dtmf = (digit: string): CallEvent => ({ type: "dtmf.received", atMs: 3, digit });

/** How often this thread's event loop turns in so many milliseconds. */
async function turnsWithin(durationMs: number): Promise<number> {
  const until = performance.now() + durationMs;
  let turns = 0;
  while (performance.now() < until) {
    await new Promise(setImmediate);
    turns += 1;
  }
  return turns;
}

/** A promise that can be asked whether it has come true yet. */
function settled<T>(promise: Promise<T>): { readonly promise: Promise<T>; outcome?: T } {
  const watched: { readonly promise: Promise<T>; outcome?: T } = { promise };
  promise.then(
    (value) => {
      watched.outcome = value;
    },
    () => undefined, // the test awaits the promise itself
  );
  return watched;
}

/** Has another process hold the file's lock until `release`. */
async function lockFrom(path: string): Promise<{ release(): Promise<void> }> {
  const program = `const { DatabaseSync } = require("node:sqlite");
    const file = new DatabaseSync(process.argv[1], { timeout: 5000 });
    file.exec("BEGIN EXCLUSIVE");
    console.log("locked");
    process.stdin.on("end", () => file.close()).resume();`;
  const holder = spawn(process.execPath, ["-e", program, path], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(holder, "exit");
  await once(holder.stdout, "data");
  return {
    async release() {
      holder.stdin.end();
      await exited;
    },
  };
}

/** Commits in a write-ahead log that no checkpoint has cut: frames that carry the size of the file (sqlite.org/fileformat, 4.1). */
function commitsIn(log: string): number {
  const bytes = readFileSync(log);
  const frame = 24 + bytes.readUInt32BE(8);
  let commits = 0;
  for (let offset = 32; offset + frame <= bytes.length; offset += frame)
    if (bytes.readUInt32BE(offset + 4) > 0) commits++;
  return commits;
}
