import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { CallWatch } from "../../../src/calls/health/call-watch.ts";
import {
  callsCheck,
  carrierCheck,
  diskCheck,
  engineCheck,
  freeSpaceOf,
  hostCheck,
  storeCheck,
} from "../../../src/calls/health/checks.ts";
import { isNobodysName, PROBE_HEADER, PublicUrlProbe } from "../../../src/calls/health/public-url.ts";
import { EngineUnreachableError } from "../../../src/core/errors.ts";
import type { Engine } from "../../../src/engines/engine.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { handClock } from "../clock.ts";

const clock = handClock();
const never = new AbortController().signal;
const stores: Store[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.stop();
});

async function openStore(): Promise<Store> {
  const store = memoryStore();
  stores.push(store);
  await store.start();
  return store;
}

test("the store is written to, and nothing of it stays, also after a look that was cut off", async () => {
  const store = await openStore();
  const check = storeCheck(store, "probe-1", clock);
  expect(await check.look(never)).toMatchObject({ level: "well" });
  await store.keep("health-probe", "probe-1", { atMs: 1 }, 0);
  expect(await check.look(never)).toMatchObject({ level: "well" });
  expect(await store.documents("health-probe")).toEqual([]);
});

test("two processes look at one store without minding each other", async () => {
  const store = await openStore();
  const checks = [storeCheck(store, "probe-1", clock), storeCheck(store, "probe-2", clock)];
  const found = await Promise.all(checks.map((check) => check.look(never)));
  expect(found.map(({ level }) => level)).toEqual(["well", "well"]);
});

test("a store that takes nothing is down", async () => {
  const store = await openStore();
  const broken = { ...store, keep: async () => false };
  await expect(storeCheck(broken, "probe-1", clock).look(never)).rejects.toMatchObject({ code: "store_failed" });
});

test.each([
  [5_000, "well"],
  [1_024, "well"],
  [1_023, "degraded"],
  [128, "degraded"],
  [127, "down"],
  [0, "down"],
])("%i MiB of free disk are %s", async (freeMiB, level) => {
  const folders: string[] = [];
  const freeSpace = async (folder: string) => {
    folders.push(folder);
    return { bavail: freeMiB * 256, bsize: 4_096 };
  };
  const check = diskCheck("/state", { diskLowMiB: 1_024, diskFullMiB: 128 }, freeSpace);
  expect(await check.look(never)).toMatchObject({ level, message: `${freeMiB} MiB are free where the state is kept.` });
  expect(folders).toEqual(["/state"]);
});

test("the room of a folder that is not there yet is that of its disk", async () => {
  const there = await freeSpaceOf(import.meta.dirname);
  const later = await freeSpaceOf(join(import.meta.dirname, "not", "yet", "there"));
  expect(later.bsize).toBe(there.bsize);
  expect(later.bavail).toBeGreaterThan(0);
  await expect(freeSpaceOf(join(import.meta.filename, "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test("a model that cannot be had is down, or degraded while a fallback can", async () => {
  const engine = (works: boolean) =>
    ({
      probe: async () => {
        if (!works) throw new EngineUnreachableError("No answer.");
      },
    }) as unknown as Engine;
  const look = (works: boolean, ...others: boolean[]) =>
    engineCheck({ id: "a", engine: engine(works), fallbackEngines: others.map(engine) }).look(never);
  expect(await look(true, false)).toMatchObject({ level: "well" });
  expect(await look(false, false, true)).toMatchObject({ level: "degraded" });
  await expect(look(false, false)).rejects.toThrow("No answer.");
});

test("a carrier and a host are well when they answer", async () => {
  const carrier = { probe: async () => {} } as unknown as Parameters<typeof carrierCheck>[0]["carrier"];
  expect(await carrierCheck({ id: "a", carrier }).look(never)).toMatchObject({ level: "well" });
  expect(await hostCheck({ report: async () => [] }).look(never)).toMatchObject({ level: "well" });
});

test("a call that is open and that nobody has is found after a while, and not before", async () => {
  const store = await openStore();
  const created = { type: "call.created", accountId: "gone", direction: "inbound", transport: "media-stream" } as const;
  for (const callId of ["call_1", "call_2"])
    await store.append(callId, [{ ...created, callId, atMs: 0, from: "+15550005678", to: "+15550001234" }]);
  const check = callsCheck(new CallWatch(), store, (callId) => callId === "call_2", clock);
  expect(await check.look(never)).toMatchObject({ level: "well" });
  clock.pass(30_000);
  expect(await check.look(never)).toMatchObject({
    level: "degraded",
    message: "1 calls are open and nobody looks after them: call_1.",
  });
  await store.append("call_1", [{ type: "call.ended", atMs: 1, reason: "lost", longestSilenceMs: 0 }]);
  expect(await check.look(never)).toMatchObject({ level: "well" });
});

/** The world between publicUrl and us. */
function world(answer: (word: string, arrived: (word: string) => void) => Response | Promise<Response>) {
  const asked: string[] = [];
  const ask = (async (url: string, init: RequestInit) => {
    asked.push(url);
    return answer(new Headers(init.headers).get(PROBE_HEADER) ?? "", probe.arrived);
  }) as typeof fetch;
  let words = 0;
  const probe = new PublicUrlProbe("https://voice.example.com/phone", () => `word-${++words}`, ask);
  return { probe, asked };
}

test("the public address is well when what we send there arrives here", async () => {
  const { probe, asked } = world((word, arrived) => {
    arrived(word);
    return new Response('{"status":"ok"}');
  });
  expect(await probe.check.look(never)).toMatchObject({ level: "well" });
  expect(asked).toEqual(["https://voice.example.com/phone/health"]);
});

test("somebody else who answers there is not us, even with the right words", async () => {
  const { probe } = world((_, arrived) => {
    arrived("word-0");
    return new Response('{"status":"ok"}');
  });
  expect(await probe.check.look(never)).toMatchObject({
    level: "down",
    message: "Somebody else answers at https://voice.example.com/phone/health (200).",
  });
});

test("an address that cannot be reached says why", async () => {
  const { probe } = world(() => Promise.reject(new TypeError("fetch failed", { cause: new Error("ENOTFOUND") })));
  expect(await probe.check.look(never)).toMatchObject({
    level: "down",
    message: "https://voice.example.com/phone/health cannot be reached: fetch failed (ENOTFOUND).",
  });
});

test.each([
  ["https://voice.example.com", true],
  ["https://example.org/phone", true],
  ["http://voice.test", true],
  ["https://voice.myexample.com", false],
  ["https://example.company", false],
  ["http://127.0.0.1:8080", false],
])("%s is a name of nobody's: %s", (url, isNobodys) => {
  expect(isNobodysName(url)).toBe(isNobodys);
});
