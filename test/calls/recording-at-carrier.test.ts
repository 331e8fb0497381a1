import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Account } from "../../src/calls/account.ts";
import type { CallJournal, Unstamped } from "../../src/calls/journal.ts";
import { type RecordingReport, RecordingsAtCarrier } from "../../src/calls/recording-at-carrier.ts";
import type { Carrier, CarrierRecording } from "../../src/carriers/carrier.ts";
import { apply, newCall } from "../../src/core/call.ts";
import type { Clock } from "../../src/core/clock.ts";
import { CarrierRefusedError, CarrierUnreachableError, StoreError } from "../../src/core/errors.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const CALL = "call_1";
const LEG = "leg_1";
const ACCOUNT = "default";
const SOUND = Buffer.from("RIFF and what follows");

/** A clock whose waits are over at once, one after another. */
function hastyClock(): Clock {
  let now = 1_000_000;
  return {
    now: () => now,
    after(delayMs, action) {
      const handle = setImmediate(() => {
        now += delayMs;
        action();
      });
      return { stop: () => clearImmediate(handle) };
    },
    every: () => {
      throw new Error("not used here");
    },
  };
}

/** Waits until something is so; everything here happens within a few turns of the event loop. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) {
    if (await isSo()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error("It did not come about.");
}

/** What outlives a process: the store, the shelf, and the carrier with one live leg. */
async function world() {
  const store = memoryStore();
  await store.start();
  const begun: Unstamped[] = [
    {
      ...{ type: "call.created", callId: CALL, accountId: ACCOUNT, direction: "inbound" },
      ...{ from: "+15550005678", to: "+15550001234", transport: "media-stream" },
    },
    { type: "leg.accepted", legId: LEG },
    { type: "leg.answered" },
    { type: "consent.decided", ok: true, by: "words" },
  ];
  await store.append(CALL, begun.map((event) => ({ ...event, atMs: 1 })) as CallEvent[]);
  const atCarrier = new Map<string, CarrierRecording>();
  const shelf = new Map<string, Buffer>();
  const orders: string[] = [];
  let recordingId = "";
  let ids = 0;

  const refuse = () => {
    throw new CarrierRefusedError("21220", "It is over.", "Nothing is to be done.");
  };
  const find = (id: string): CarrierRecording => atCarrier.get(id) ?? { id, state: "gone", carrierStatus: "not found" };
  const put = (id: string, state: CarrierRecording["state"]) => {
    atCarrier.set(id, { id, state, durationMs: 5_000, carrierStatus: state });
  };
  const isRunning = (id: string) => ["running", "paused"].includes(find(id).state);
  const carrier = {
    capabilities: { mediaStream: true, sendsDigits: true, tellsKeys: true, records: true },
    async startRecording(order: { recordingId: string }) {
      const id = `RE${atCarrier.size + 1}`;
      recordingId = order.recordingId;
      orders.push(`start ${id}`);
      put(id, "running");
      return id;
    },
    pauseRecording: async ({ id }: { id: string }) => (isRunning(id) ? put(id, "paused") : refuse()),
    resumeRecording: async ({ id }: { id: string }) => (isRunning(id) ? put(id, "running") : refuse()),
    async stopRecording({ id }: { id: string }) {
      if (isRunning(id)) put(id, "ready");
    },
    findRecordings: async () => [...atCarrier.values()],
    fetchRecordingState: async ({ id }: { id: string }) => find(id),
    async fetchRecording({ id }: { id: string }) {
      if (find(id).state !== "ready") refuse();
      return (async function* () {
        yield SOUND.subarray(0, 4);
        yield SOUND.subarray(4);
      })();
    },
    async deleteRecording({ id }: { id: string }) {
      if (isRunning(id)) refuse();
      if (atCarrier.delete(id)) orders.push(`delete ${id}`);
    },
  };

  /** A process: everything it does outside of itself passes `step`, which may fail it or never come back. */
  function start(step: (what: string) => Promise<void> = async () => {}) {
    const stopping = new AbortController();
    const through = <Target extends object>(target: Target): Target =>
      new Proxy(target, {
        get(of, name) {
          const value = Reflect.get(of, name);
          if (typeof value !== "function") return value;
          return async (...args: unknown[]) => {
            await step(`before ${String(name)}`);
            const result = await value.apply(of, args);
            await step(`after ${String(name)}`);
            return result;
          };
        },
      });
    const kept = through(store);
    const calls = { call: newCall() };
    const write = async (_callId: string, ...events: Unstamped[]) => {
      const stamped = events.map((event) => ({ ...event, atMs: 2 })) as CallEvent[];
      await kept.append(CALL, stamped);
      calls.call = stamped.reduce(apply, calls.call);
    };
    const journal = {
      get call() {
        return calls.call;
      },
      write: (...events: Unstamped[]) => write(CALL, ...events),
    };
    const reached = through(carrier) as unknown as Carrier;
    const account = { id: ACCOUNT, carrier: reached } as Account;
    const place = through({
      async put({ recordingId: id }: { recordingId: string }, sound: AsyncIterable<Uint8Array>) {
        const pieces = [];
        for await (const piece of sound) pieces.push(piece);
        shelf.set(id, Buffer.concat(pieces));
        return { location: `recordings/${id}.wav`, bytes: SOUND.length };
      },
      async remove({ recordingId: id }: { recordingId: string }) {
        shelf.delete(id);
      },
    });
    const recordings = new RecordingsAtCarrier({
      store: kept,
      clock: hastyClock(),
      logger: silentLogger,
      shelfOf: (id) => (id === ACCOUNT ? { encrypted: false, put: place.put, remove: place.remove } : undefined),
      newId: () => `rec_${++ids}`,
      carrierOf: (id) => (id === ACCOUNT ? reached : undefined),
      write,
      signal: stopping.signal,
    });
    return {
      recordings,
      account,
      live: { id: CALL, legId: LEG, account, journal: journal as unknown as CallJournal },
      /** Reads what an earlier process wrote. */
      async load() {
        calls.call = (await store.journal(CALL)).reduce((call, { event }) => apply(call, event), newCall());
      },
      /** The call ends at the carrier, which works on its recordings. */
      async end() {
        for (const id of atCarrier.keys()) if (isRunning(id)) put(id, "processing");
        if (calls.call.state !== "ended") {
          await write(CALL, { type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
        }
        recordings.ended(calls.call);
      },
      stop() {
        stopping.abort(new Error("The process stops."));
        return recordings.settled();
      },
    };
  }

  const report = (id: string, state: CarrierRecording["state"] = "ready"): RecordingReport => {
    put(id, state);
    const ids = { legId: LEG, callId: CALL, key: `${id}:${state}`, recordingId };
    return { ...ids, type: "recording.reported", recording: find(id) };
  };
  const events = async () => (await store.journal(CALL)).map(({ event }) => event);
  const recorded = async () => (await events()).filter(({ type }) => type.startsWith("recording."));
  const held = () => store.documents("recording-at-carrier");
  const isDone = async () => (await held()).length === 0 && atCarrier.size === 0;
  return { store, start, report, put, recorded, held, isDone, atCarrier, shelf, orders };
}

const types = (events: readonly CallEvent[]) => events.map(({ type }) => type);

test("a recording begins after consent, comes to the shelf when it is whole, and is deleted at the carrier", async () => {
  const { start, report, recorded, held, isDone, atCarrier, shelf, orders } = await world();
  const process = start();
  await process.load();
  const id = await process.recordings.begin(process.live);
  expect(await process.recordings.begin(process.live)).toBe(id); // once
  expect(await held()).toMatchObject([{ key: id, value: { callId: CALL, legId: LEG, carrierId: "RE1" } }]);
  await process.end();
  await process.recordings.reported(process.account, report("RE1"));
  await until(isDone);
  expect(await recorded()).toEqual([
    { type: "recording.started", atMs: 2, recordingId: id, by: "carrier", encrypted: false },
    { type: "recording.stopped", atMs: 2, recordingId: id, durationMs: 5_000 },
    {
      ...{ type: "recording.stored", atMs: 2, recordingId: id, durationMs: 5_000 },
      ...{ location: `recordings/${id}.wav`, bytes: SOUND.length },
    },
  ]);
  expect([shelf.get(id), atCarrier.size]).toEqual([SOUND, 0]);
  expect(orders).toEqual(["start RE1", "delete RE1"]);
  await process.recordings.reported(process.account, report("RE1")); // once more: nothing is wanted of it
  expect(await recorded()).toHaveLength(3);
  expect(atCarrier.size).toBe(0);
  await process.stop();
});

test("nothing is recorded without consent, without a leg, or where nothing can be kept", async () => {
  const { start, held, orders } = await world();
  const process = start();
  const { recordings, live } = process;
  await expect(recordings.begin(live)).rejects.toThrow(/not known that the call may be recorded/);
  await process.load();
  await expect(recordings.begin({ ...live, legId: undefined })).rejects.toThrow(/not live any more/);
  const elsewhere = { ...process.account, id: "other" };
  await expect(recordings.begin({ ...live, account: elsewhere })).rejects.toThrow(/no place for recordings/);
  const { carrier } = process.account;
  const capabilities = { ...carrier.capabilities, records: false };
  const unable = { ...process.account, carrier: { ...carrier, capabilities } };
  await expect(recordings.begin({ ...live, account: unable })).rejects.toThrow(/makes no recordings/);
  expect([await held(), orders]).toEqual([[], []]);
});

test("a pause is noted once the carrier holds it, and so is its end", async () => {
  const { start, recorded, atCarrier } = await world();
  const process = start();
  await process.load();
  const { recordings, live } = process;
  await recordings.pause(live); // nothing runs, nothing is to be done
  await recordings.begin(live);
  await recordings.pause(live);
  expect(atCarrier.get("RE1")?.state).toBe("paused");
  await recordings.resume(live);
  expect(atCarrier.get("RE1")?.state).toBe("running");
  expect(types(await recorded())).toEqual(["recording.started", "recording.paused", "recording.resumed"]);
  expect(live.journal.call.state).toBe("active");
  await process.stop();
});

test("a pause that the carrier does not confirm is no pause", async () => {
  const { start, recorded } = await world();
  const process = start(async (what) => {
    if (what === "before pauseRecording") throw new CarrierUnreachableError("The line is cut.");
  });
  await process.load();
  await process.recordings.begin(process.live);
  await expect(process.recordings.pause(process.live)).rejects.toThrow(CarrierUnreachableError);
  expect(types(await recorded())).toEqual(["recording.started"]);
  await process.stop();
});

test("a carrier whose message is lost is asked after the call, for as long as it works on the recording", async () => {
  const { start, put, isDone, atCarrier, shelf } = await world();
  const looks: string[] = [];
  const process = start(async (what) => {
    if (what !== "after fetchRecordingState") return;
    looks.push(what);
    if (looks.length === 4) put("RE1", "ready");
  });
  await process.load();
  const id = await process.recordings.begin(process.live);
  await process.end();
  await until(isDone);
  expect(looks.length).toBeGreaterThanOrEqual(4);
  expect([shelf.get(id), atCarrier.size]).toEqual([SOUND, 0]);
  await process.stop();
});

test.each(["absent", "failed", "gone"] as const)(
  "a recording that turns out to be %s has failed, once",
  async (state) => {
    const { start, report, recorded, isDone, shelf } = await world();
    const process = start();
    await process.load();
    const id = await process.recordings.begin(process.live);
    await process.end();
    await process.recordings.reported(process.account, report("RE1", state));
    await until(isDone);
    expect(await recorded()).toMatchObject([
      { type: "recording.started" },
      { type: "recording.stopped" },
      { type: "recording.failed", recordingId: id, message: `The carrier has no sound of the call: ${state}.` },
    ]);
    expect(shelf.size).toBe(0);
    await process.stop();
  },
);

test("an order that is refused is told to whoever gave it, and noted", async () => {
  const { start, recorded, isDone } = await world();
  const process = start(async (what) => {
    if (what === "before startRecording") throw new CarrierRefusedError("21220", "It is over.", "");
  });
  await process.load();
  await expect(process.recordings.begin(process.live)).rejects.toThrow(CarrierRefusedError);
  await until(isDone);
  expect(await recorded()).toMatchObject([
    { type: "recording.started" },
    { type: "recording.stopped" },
    { type: "recording.failed", message: expect.stringContaining("21220") },
  ]);
  await process.stop();
});

test.each([
  ["was carried out", "after startRecording", "recording.stored"],
  ["never arrived", "before startRecording", "recording.failed"],
])("an order whose answer is lost and that %s is found out", async (_, lost, last) => {
  const { start, report, recorded, isDone, atCarrier } = await world();
  const process = start(async (what) => {
    if (what === lost) throw new CarrierUnreachableError("The answer was lost.");
  });
  await process.load();
  await process.recordings.begin(process.live);
  await process.end();
  if (atCarrier.has("RE1")) await process.recordings.reported(process.account, report("RE1"));
  await until(isDone);
  expect(types(await recorded()).at(-1)).toBe(last);
  await process.stop();
});

test("a message for another account or leg changes nothing", async () => {
  const { start, report, held } = await world();
  const process = start();
  await process.load();
  const id = await process.recordings.begin(process.live);
  const message = report("RE1");
  await process.recordings.reported({ ...process.account, id: "other" }, message);
  await process.recordings.reported(process.account, { ...message, legId: "leg_2" });
  expect(await held()).toMatchObject([{ key: id, value: { carrierId: "RE1" } }]);
  expect(await held()).not.toMatchObject([{ value: { outcome: {} } }]);
  await process.stop();
});

test("a recording of a call that was erased meanwhile is deleted at the carrier and kept nowhere", async () => {
  const { start, report, isDone, shelf, store } = await world();
  const process = start();
  await process.load();
  shelf.set(await process.recordings.begin(process.live), SOUND); // it came just then
  store.call = async () => undefined;
  await process.recordings.reported(process.account, report("RE1"));
  await until(isDone);
  expect(shelf.size).toBe(0);
  await process.stop();
});

describe("whatever fails or whenever the process is killed", () => {
  /** A whole recorded call in as many processes as it takes; `step` of the first one may kill it. */
  async function wholeCall(step: (what: string) => Promise<void>, killed: Promise<void>) {
    const scene = await world();
    const first = scene.start(step);
    await first.load();
    const run = async (process: typeof first) => {
      await process.recordings.takeUp(ACCOUNT);
      if (process.live.journal.call.state !== "ended") {
        await process.recordings.begin(process.live);
        await until(() => scene.atCarrier.size > 0);
      }
      await process.end();
      for (const [id, { state }] of scene.atCarrier) {
        if (state === "processing") await process.recordings.reported(process.account, scene.report(id));
      }
      await until(scene.isDone);
    };
    const survived = await Promise.race([run(first).then(() => true), killed.then(() => false)]);
    if (!survived) {
      const second = scene.start();
      await second.load();
      await run(second);
      await second.stop();
    } else await first.stop();
    return scene;
  }

  async function check({ recorded, shelf, atCarrier, orders }: Awaited<ReturnType<typeof wholeCall>>) {
    const all = types(await recorded());
    expect(all.filter((type) => type === "recording.stored")).toHaveLength(1);
    expect(all.filter((type) => type === "recording.failed").length).toBeLessThanOrEqual(1);
    expect([...shelf.values()].every((sound) => sound.equals(SOUND))).toBe(true);
    expect([shelf.size, atCarrier.size]).toEqual([1, 0]);
    const started = orders.filter((order) => order.startsWith("start"));
    expect(orders.filter((order) => order.startsWith("delete"))).toHaveLength(started.length);
    expect(started).toHaveLength(1);
  }

  test("before or after any one step: the sound is on the shelf once, and nothing is left at the carrier", async () => {
    const never = new Promise<void>(() => {});
    let steps = 0;
    await check(
      await wholeCall(async () => {
        steps += 1;
      }, never),
    );
    expect(steps).toBeGreaterThan(30);
    for (let fatal = 1; fatal <= steps; fatal++) {
      let count = 0;
      const killed = Promise.withResolvers<void>();
      const scene = await wholeCall(async () => {
        if (++count < fatal) return;
        killed.resolve();
        await never; // a dead process does nothing more
      }, killed.promise);
      await check(scene);
    }
  });

  test("with a carrier, a store and a shelf that fail now and then, it ends the same", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(9)), async (luck) => {
        let failures = 0;
        const scene = await world();
        const process = scene.start(async (what) => {
          // A carrier's answer may be lost after it has acted; a store that fails has done nothing.
          const isCarrier = /Recording/.test(what);
          if (failures > 20 || (!isCarrier && what.startsWith("after")) || luck.next().value !== 0) return;
          failures += 1;
          throw isCarrier ? new CarrierUnreachableError("cut off") : new StoreError("the disk is full");
        });
        const insist = async (work: () => Promise<unknown>): Promise<void> => {
          await work().catch(() => insist(work));
        };
        await process.load();
        const { recordings, live, account } = process;
        await insist(() => recordings.begin(live));
        await until(() => scene.atCarrier.size > 0);
        await insist(() => process.end());
        await recordings.reported(account, scene.report("RE1")).catch(() => {}); // not acknowledged: it is lost
        await until(scene.isDone);
        await check(scene);
        await process.stop();
      }),
      { numRuns: 60 },
    );
  });
});
