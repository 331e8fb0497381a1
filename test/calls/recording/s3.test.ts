import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { StoreError } from "../../../src/core/errors.ts";
import { answeredCall } from "../call-bench.ts";
import { handClock } from "../clock.ts";
import { bucketServer } from "./bucket.ts";
import { SETTINGS, studio } from "./studio.ts";

const KEYS = [{ id: "k1", secret: randomBytes(32) }] as const;
const NUMBERS = Array.from({ length: 100 }, (_, n) => n % 100);

test.each([
  ["plain", {}],
  ["encrypted", { keys: KEYS }],
])("a %s recording goes to the bucket once it is whole, is played from there, and deleted there", async (_, more) => {
  await using server = await bucketServer();
  const { bucket } = server;
  await using s = await studio({ settings: { ...SETTINGS, ...more, bucket } });
  await s.recording.start();
  s.talk(s.recording, 2_000);
  await s.recordings.ended(s.journal.call);
  await s.recordings.settled();
  const { location = "", bytes = 0 } = { ...(await s.told()).stored[0] };
  expect(location.startsWith(`${server.url}/voice/call_1/rec_`)).toBe(true);
  expect(bytes).toBeGreaterThan(32_000);
  expect(s.files()).toEqual([]);
  expect(server.objects()).toHaveLength(1);
  expect(await s.recordings.places("call_1")).toMatchObject([{ location }]);
  const heard = await s.plays();
  expect(heard).toMatchObject({ caller: NUMBERS, ms: 2_000, announced: heard.bytes });
  expect(await s.recordings.deleteFilesOf("call_1")).toBe(1);
  expect(server.objects()).toEqual([]);
  await expect(s.recordings.open("call_1").then(({ stream }) => stream.toArray())).rejects.toThrow(StoreError);
});

test("a recording waits on our disk while the bucket cannot be had, and goes there by itself, once", async () => {
  await using server = await bucketServer();
  server.state.down = true;
  await using s = await studio({ settings: { ...SETTINGS, bucket: server.bucket } });
  await s.recording.start();
  s.talk(s.recording, 2_000);
  await s.recordings.ended(s.journal.call);
  await expect.poll(() => server.requests.length).toBeGreaterThan(0);
  await expect.poll(() => s.clock.running).toBeGreaterThan(0);
  expect((await s.plays()).caller).toEqual(NUMBERS);
  expect((await s.told()).types).toEqual(["recording.started", "recording.stopped"]);
  server.state.down = false;
  s.clock.pass(2_000);
  await s.recordings.settled();
  expect((await s.told()).types).toEqual(["recording.started", "recording.stopped", "recording.stored"]);
  expect(server.requests.filter((one) => one.startsWith("PUT"))).toHaveLength(1);
  expect(s.files()).toEqual([]);
  expect((await s.plays()).caller).toEqual(NUMBERS);
});

test("what was not brought to the bucket when the process ended is brought by the next one, each recording once", async () => {
  await using server = await bucketServer();
  const settings = { ...SETTINGS, bucket: server.bucket };
  const clock = handClock();
  const call = answeredCall({ clock });
  server.state.down = true;
  await using first = await studio({ settings, clock, call });
  await first.recording.start();
  first.talk(first.recording, 2_000);
  await first.recordings.ended(first.journal.call);
  await first.recordings.stop();
  await first.journal.write({ type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
  expect(first.files()).toHaveLength(2);
  server.state.down = false;
  await using second = await studio({ settings, clock, call, stateDir: first.stateDir });
  await Promise.all([second.recordings.takeUp("default"), second.recordings.takeUp("default")]);
  await second.recordings.settled();
  expect((await second.told()).types).toEqual(["recording.started", "recording.stopped", "recording.stored"]);
  expect(server.objects()).toHaveLength(1);
  expect(second.files()).toEqual([]);
  expect((await second.plays()).caller).toEqual(NUMBERS);
});

test.each(["before the journal knew", "after the journal knew"])(
  "a recording that had arrived in the bucket %s when the process was killed is not sent again",
  async (moment) => {
    await using server = await bucketServer();
    const settings = { ...SETTINGS, bucket: server.bucket };
    const clock = handClock();
    const call = answeredCall({ clock });
    const { promise: killed, resolve: kill } = Promise.withResolvers<void>();
    await using first = await studio({
      settings,
      clock,
      call,
      parts: {
        write: async (_, ...events) => {
          const { journal } = await call;
          if (events[0]?.type === "recording.stored" && moment.startsWith("before")) {
            kill();
            return new Promise(() => {});
          }
          await journal.write(...events);
          if (events[0]?.type !== "recording.stored") return;
          kill();
          return new Promise(() => {});
        },
      },
    });
    await first.recording.start();
    first.talk(first.recording, 2_000);
    await first.recordings.ended(first.journal.call);
    await killed;
    await first.journal.write({ type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
    await using second = await studio({ settings, clock, call, stateDir: first.stateDir });
    await second.recordings.takeUp("default");
    await second.recordings.settled();
    expect((await second.told()).types.filter((type) => type === "recording.stored")).toHaveLength(1);
    expect(server.requests.filter((one) => one.startsWith("PUT"))).toHaveLength(1);
    expect(second.files()).toEqual([]);
    expect((await second.plays()).caller).toEqual(NUMBERS);
    first.recordings.stop = () => Promise.resolve(); // it was killed
  },
);

test("a bucket that says no to our key is an error with its reason, and nothing is removed here", async () => {
  await using server = await bucketServer();
  await using s = await studio({ settings: { ...SETTINGS, bucket: server.bucket } });
  const signal = AbortSignal.timeout(5_000);
  await expect(server.bucket.put("a.wav", "/nonexistent/file", signal)).rejects.toThrow(StoreError);
  await expect(server.bucket.open(`${server.url}/voice/none.wav`, signal)).rejects.toThrow(
    "not in its bucket any more",
  );
  await server.bucket.delete(`${server.url}/voice/none.wav`, signal);
  await expect(server.bucket.put("a.wav", import.meta.filename, AbortSignal.abort())).rejects.toThrow(StoreError);
  expect(s.files()).toEqual([]);
});
