import { randomBytes } from "node:crypto";
import { readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RecordingUnreadableError } from "../../src/calls/recording/errors.ts";
import type { KeyRing } from "../../src/calls/recording/keys.ts";
import { answeredCall } from "./call-bench.ts";
import { handClock } from "./clock.ts";
import { SETTINGS, SILENT, studio } from "./recording/studio.ts";

const KEYS: KeyRing = [{ id: "k1", secret: randomBytes(32) }];
const SEALED = { ...SETTINGS, keys: KEYS };

describe.each([
  ["plain", SETTINGS],
  ["encrypted", SEALED],
])("a %s recording of ours", (_, settings) => {
  test("case 40: holds both tracks, caller left and agent right, from the answer on, and the journal says so", async () => {
    await using s = await studio({ settings });
    s.clock.pass(200);
    expect(await s.recording.start()).toBe(true);
    s.talk(s.recording, 3_000);
    await s.recordings.ended(s.journal.call);
    await s.recordings.settled();
    const heard = await s.plays();
    expect(heard).toMatchObject({ ms: 3_200, announced: heard.bytes });
    const frames = Array.from({ length: 160 }, (_, n) => n);
    expect(heard.caller).toEqual(frames.map((n) => (n < 10 ? SILENT : n % 100)));
    expect(heard.agent).toEqual(frames.map((n) => (n < 10 ? SILENT : 100 + (n % 100))));
    const { types, stored } = await s.told();
    expect(types).toEqual(["recording.started", "recording.stopped", "recording.stored"]);
    expect(await s.written("recording.started")).toMatchObject([{ by: "own", encrypted: settings === SEALED }]);
    const { location = "", bytes, durationMs } = { ...stored[0] };
    const file = join(s.stateDir, location);
    expect(statSync(file)).toMatchObject({ size: bytes });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(durationMs).toBe(3_000);
    expect(s.files()).toHaveLength(1);
    expect(s.journal.call.recordings).toMatchObject([{ state: "stored", by: "own", durationMs: 3_000 }]);
  });

  test("case 40: opens up to the last second when its process is killed, and is finished by the next one, once", async () => {
    const clock = handClock();
    const call = answeredCall({ clock });
    await using s = await studio({ settings, clock, call });
    await s.recording.start();
    s.talk(s.recording, 5_000);
    await s.recordings.open("call_1").then(({ stream }) => stream.destroy());
    await new Promise(setImmediate);
    // The process is gone: nothing of it goes on. What it had written by then is on the disk.
    await expect.poll(async () => (await s.plays()).ms).toBeGreaterThan(4_000);
    await using next = await studio({ settings, clock, call, stateDir: s.stateDir });
    const killed = await next.plays();
    expect(killed.caller.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, n) => n % 100));
    await next.journal.write({ type: "call.ended", reason: "lost", longestSilenceMs: 0 });
    await next.recordings.takeUp("default");
    await next.recordings.takeUp("default");
    await next.recordings.settled();
    expect((await next.told()).types).toEqual(["recording.started", "recording.stopped", "recording.stored"]);
    const heard = await next.plays();
    expect(heard.ms).toBe(killed.ms);
    expect(heard.caller).toEqual(killed.caller);
    expect(next.files()).toHaveLength(1);
  });

  test("goes on in a second part after a restart, and plays as one, with silence where nobody was there", async () => {
    const clock = handClock();
    const call = answeredCall({ clock });
    await using first = await studio({ settings, clock, call });
    await first.recording.start();
    first.talk(first.recording, 1_000);
    await first.recordings.stop();
    clock.pass(3_000);
    await using second = await studio({ settings, clock, call, stateDir: first.stateDir });
    await second.recording.start();
    second.talk(second.recording, 1_000);
    await second.recordings.ended(second.journal.call);
    await second.recordings.settled();
    const heard = await second.plays();
    const frames = Array.from({ length: 250 }, (_, n) => (n < 50 || n >= 200 ? n % 100 : SILENT));
    expect(heard).toMatchObject({ ms: 5_000, announced: heard.bytes });
    expect(heard.caller).toEqual(frames);
    expect((await second.written("recording.stored")).length).toBe(2);
  });

  test("keeps nothing of a pause, not even what comes late, and silence stands in its place", async () => {
    await using s = await studio({ settings });
    await s.recording.start();
    s.talk(s.recording, 1_000);
    expect(s.recording.pause()).toBe(true);
    s.talk(s.recording, 1_000);
    expect(s.recording.resume()).toBe(true);
    s.talk(s.recording, 1_000);
    await s.recordings.ended(s.journal.call);
    await s.recordings.settled();
    const heard = await s.plays();
    const frames = Array.from({ length: 150 }, (_, n) => (n >= 50 && n < 100 ? SILENT : n % 100));
    expect(heard.caller).toEqual(frames);
    expect(heard.agent).toEqual(frames.map((byte) => (byte === SILENT ? SILENT : byte + 100)));
    expect((await s.told()).types).toEqual([
      "recording.started",
      "recording.paused",
      "recording.resumed",
      "recording.stopped",
      "recording.stored",
    ]);
  });
});

describe("a recording", () => {
  test("that was paused when its process was killed goes on paused", async () => {
    const clock = handClock();
    const call = answeredCall({ clock });
    await using first = await studio({ clock, call });
    await first.recording.start();
    first.talk(first.recording, 800);
    first.recording.pause();
    await first.journal.flush();
    await using second = await studio({ clock, call, stateDir: first.stateDir });
    await second.recording.start();
    second.talk(second.recording, 800);
    expect(second.recording.paused).toBe(true);
    second.recording.resume();
    second.talk(second.recording, 800);
    await second.recordings.ended(second.journal.call);
    await second.recordings.settled();
    const { caller } = await second.plays();
    expect(caller.slice(40, 80)).toEqual(Array.from({ length: 40 }, () => SILENT));
    expect(caller.slice(80)).toEqual(Array.from({ length: 40 }, (_, n) => 80 + n).map((n) => n % 100));
  });

  test("has the agent only as it was heard: what was cut off is not in it", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 500, { agent: false });
    const audio = new Uint8Array(2_400).fill(9); // 300 ms
    s.recording.agentPlays([{ itemId: "a", audio, startsAtMs: s.clock.now() }]);
    s.talk(s.recording, 100, { agent: false });
    s.recording.cleared(s.clock.now());
    s.talk(s.recording, 500, { agent: false });
    await s.recordings.ended(s.journal.call);
    const { agent } = await s.plays();
    expect(agent.map((byte) => byte === 9)).toEqual(Array.from({ length: 55 }, (_, n) => n >= 25 && n < 30));
  });

  test("does not hold the tone of a secret key", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 1_000);
    s.recording.hideKey();
    s.talk(s.recording, 1_000);
    await s.recordings.ended(s.journal.call);
    const { caller } = await s.plays();
    expect(caller.map((byte) => byte === SILENT)).toEqual(Array.from({ length: 100 }, (_, n) => n >= 31 && n < 65));
  });

  test("is complete after this process stood still: what waited in the socket is heard where it was said", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 1_000, { agent: false });
    s.clock.jump(1_500);
    for (let n = 50; n < 125; n++) s.recording.callerFrame(new Uint8Array(160).fill(n % 100), s.clock.now());
    s.talk(s.recording, 1_000, { agent: false });
    await s.recordings.ended(s.journal.call);
    const { caller } = await s.plays();
    expect(caller).toEqual(Array.from({ length: 175 }, (_, n) => n % 100));
  });

  test.each([
    [
      "is full",
      () => Promise.reject(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })),
      /ENOSPC/,
    ],
    ["takes nothing any more", () => new Promise<never>(() => {}), /does not take/],
  ])("fails when the disk %s; the call goes on, and what was kept by then opens", async (_, trouble, why) => {
    let writes = 0;
    let written: Promise<unknown> = Promise.resolve();
    const { open } = await import("node:fs/promises");
    await using s = await studio({
      parts: {
        openFile: async (path) => {
          const file = await open(path, "wx", 0o600);
          return {
            sync: async () => {},
            close: () => file.close(),
            write: ((...args: Parameters<typeof file.write>) => {
              if (++writes > 4) return trouble();
              const ours = file.write(...args);
              written = ours;
              return ours;
            }) as typeof file.write,
          };
        },
      },
    });
    await s.recording.start();
    for (let at = 0; at < 15_000; at += 400) {
      s.talk(s.recording, 400);
      await written;
      await new Promise(setImmediate);
    }
    await expect.poll(() => s.written("recording.failed")).toHaveLength(1);
    expect((await s.told()).failed[0]?.message).toMatch(why);
    s.talk(s.recording, 1_000);
    await s.recordings.ended(s.journal.call);
    const { caller } = await s.plays();
    expect(caller).toEqual(Array.from({ length: 60 }, (_, n) => n % 100));
    expect((await s.told()).types).toEqual(["recording.started", "recording.failed"]);
  });

  test("that cannot be begun is a failed one, and leaves no file", async () => {
    await using s = await studio({ parts: { openFile: () => Promise.reject(new Error("EACCES: permission denied")) } });
    expect(await s.recording.start()).toBe(false);
    s.talk(s.recording, 500);
    await s.recordings.ended(s.journal.call);
    expect(await s.written("recording.failed")).toMatchObject([{ message: "EACCES: permission denied" }]);
    expect(s.files()).toEqual([]);
    await expect(s.recordings.open("call_1")).rejects.toThrow("nothing of this call was recorded");
  });

  test("of a call that ends before its announcement was heard is not kept, by this process or the next", async () => {
    for (const killed of [false, true]) {
      const s = await studio({ hasConsent: false });
      await s.recording.start();
      s.talk(s.recording, 1_000);
      await s.journal.write({ type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
      const heir = await studio({ stateDir: s.stateDir, clock: s.clock, call: Promise.resolve(s) as never });
      await (killed ? heir : s).recordings.ended(s.journal.call);
      await (killed ? heir : s).recordings.settled();
      expect((await s.told()).types.at(-1)).toBe("recording.deleted");
      expect(s.files()).toEqual([]);
      await heir.recordings.stop();
      await s[Symbol.asyncDispose]();
    }
  });

  test("whose end cannot be written down is stored all the same, by this process", async () => {
    const s = await studio();
    const append = s.store.append.bind(s.store);
    s.store.append = (id, events) =>
      events.some(({ type }) => type === "recording.stopped")
        ? Promise.reject(new Error("the disk is full"))
        : append(id, events);
    await s.recording.start();
    s.talk(s.recording, 1_000);
    await s.recordings.ended(s.journal.call);
    await s.recordings.settled();
    s.store.append = append;
    expect((await s.store.journal("call_1")).at(-1)?.event).toMatchObject({
      type: "recording.stored",
      durationMs: 1_000,
    });
    expect(s.files().filter((file) => file.endsWith(".undone"))).toEqual([]);
    await s[Symbol.asyncDispose]();
  });

  test("whose start cannot be written down is none: not a byte is kept", async () => {
    await using s = await studio();
    s.store.append = () => Promise.reject(new Error("the store is full"));
    expect(await s.recording.start()).toBe(false);
    s.talk(s.recording, 1_000);
    expect(s.files()).toEqual([]);
  });

  test("that is encrypted holds none of the sound in the clear, and without its key there is none", async () => {
    await using s = await studio({ settings: SEALED });
    await s.recording.start();
    s.talk(s.recording, 2_000);
    await s.recordings.ended(s.journal.call);
    await s.recordings.settled();
    const { location = "" } = { ...(await s.told()).stored[0] };
    const file = readFileSync(join(s.stateDir, location));
    expect(file.indexOf(Buffer.from([7, 107, 7, 107, 7, 107]))).toBe(-1);
    await using other = await studio({ stateDir: s.stateDir, call: Promise.resolve(s as never), clock: s.clock });
    await expect(other.recordings.open("call_1").then(({ stream }) => stream.toArray())).rejects.toThrow(
      RecordingUnreadableError,
    );
    truncateSync(join(s.stateDir, location), file.length - 1);
    expect((await s.plays()).caller.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, n) => n % 100));
  });

  test("is deleted with every file of it, and not found once the journal says so", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 1_000);
    expect(await s.recordings.deleteFilesOf("call_1")).toBe(1);
    expect(s.files()).toEqual([]);
    const [{ recordingId } = { recordingId: "" }] = await s.recordings.places("call_1");
    await s.journal.write({ type: "recording.deleted", recordingId, because: "retention" });
    await expect(s.recordings.open("call_1")).rejects.toThrow("nothing of this call was recorded");
    expect(await s.recordings.deleteFilesOf("call_1")).toBe(0);
  });

  test("that was to be dropped leaves nothing", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 1_000);
    await s.recording.discard();
    await s.recordings.settled();
    expect(s.files()).toEqual([]);
    expect(await s.written("recording.deleted")).toMatchObject([{ because: "order" }]);
  });

  test("of which the journal knows nothing is removed at the next start: it was not begun", async () => {
    const clock = handClock();
    const call = answeredCall({ clock });
    await using s = await studio({ clock, call });
    await s.recording.start();
    s.talk(s.recording, 1_000);
    const fresh = answeredCall({ clock });
    await (await fresh).journal.write({ type: "call.ended", reason: "lost", longestSilenceMs: 0 });
    await using next = await studio({ clock, call: fresh, stateDir: s.stateDir });
    await next.recordings.takeUp("default");
    expect(next.files()).toEqual([]);
  });

  test("runs no timer and holds nothing once it has ended", async () => {
    await using s = await studio();
    await s.recording.start();
    s.talk(s.recording, 500);
    await s.recordings.ended(s.journal.call);
    await s.recordings.settled();
    await s.journal.flush();
    expect(s.clock.running).toBe(0);
    expect(s.recordings.live("call_1")).toBeUndefined();
    expect((await s.told()).types).toEqual(["recording.started", "recording.stopped", "recording.stored"]);
  });
});

test("a carrier's recording is kept as the file it is, encrypted where ours are", async () => {
  for (const settings of [SETTINGS, SEALED]) {
    await using s = await studio({ settings });
    const wav = Buffer.concat([Buffer.from("RIFF"), randomBytes(20_000)]);
    const shelf = s.recordings.shelf("default");
    expect(shelf.encrypted).toBe(settings === SEALED);
    await s.journal.write({
      type: "recording.started",
      recordingId: "re_1",
      by: "carrier",
      encrypted: shelf.encrypted,
    });
    const sound = async function* () {
      yield wav.subarray(0, 7_000);
      yield wav.subarray(7_000);
    };
    const ref = { callId: "call_1", recordingId: "re_1" };
    await shelf.put(ref, sound(), AbortSignal.timeout(5_000));
    const { location, bytes } = await shelf.put(ref, sound(), AbortSignal.timeout(5_000));
    await s.journal.write({ type: "recording.stored", recordingId: "re_1", location, bytes, durationMs: 1 });
    expect(statSync(join(s.stateDir, location)).size).toBe(bytes);
    const { stream, bytes: announced } = await s.recordings.open("call_1");
    expect(Buffer.concat(await stream.toArray()).equals(wav)).toBe(true);
    expect(announced).toBe(wav.length);
    const failing = async function* () {
      yield wav;
      throw new Error("The carrier hung up.");
    };
    const other = { callId: "call_1", recordingId: "re_2" };
    await expect(shelf.put(other, failing(), AbortSignal.timeout(5_000))).rejects.toThrow("hung up");
    expect(s.files()).toHaveLength(1);
  }
});
