import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { FRAME_BYTES, MULAW_SILENCE } from "../../../src/audio/g711.ts";
import { MULAW_WAV_HEAD_BYTES, readMulawWavHead } from "../../../src/audio/wav-mulaw.ts";
import type { CallRecording } from "../../../src/calls/recording/call-recording.ts";
import type { RecordingSettings } from "../../../src/calls/recording/settings.ts";
import { Recordings, type RecordingsParts } from "../../../src/calls/recordings.ts";
import { Ticker } from "../../../src/calls/ticker.ts";
import { silentLogger } from "../../../src/logger.ts";
import { answeredCall } from "../call-bench.ts";
import { type HandClock, handClock } from "../clock.ts";

export const SETTINGS: RecordingSettings = {
  mode: "announce",
  byPrefix: {},
  by: "own",
  announcement: "This call is recorded.",
  question: "May this call be recorded?",
};

/** A frame whose bytes tell which it is; none is silence. */
export const frameOf = (n: number, from = 0): Uint8Array => new Uint8Array(FRAME_BYTES).fill(from + (n % 100));

/** A call that was answered at the hour of its clock, and the recordings of a process in a folder of its own. */
export async function studio({
  settings = SETTINGS,
  stateDir = mkdtempSync(join(tmpdir(), "recordings-")),
  clock = handClock(),
  callId = "call_1",
  parts = {},
  call = answeredCall({ clock, callId }),
  hasConsent = true,
}: {
  readonly settings?: RecordingSettings;
  readonly stateDir?: string;
  readonly clock?: HandClock;
  readonly callId?: string;
  readonly parts?: Partial<RecordingsParts>;
  readonly call?: ReturnType<typeof answeredCall>;
  readonly hasConsent?: boolean;
} = {}) {
  const { journal, store, written } = await call;
  if (hasConsent && !journal.call.consent)
    await journal.write({ type: "consent.decided", ok: true, by: "announcement" });
  const ticker = new Ticker(clock);
  const ids = { next: 0 };
  const opened: FileHandle[] = [];
  const recordings = new Recordings({
    stateDir,
    store,
    clock,
    ticker,
    logger: silentLogger,
    newId: () => `rec_${callId}_${++ids.next}_${Math.round(clock.now())}`,
    settingsOf: () => settings,
    write: async (id, ...events) => {
      if (id === callId) return journal.write(...events);
      await store.append(id, events.map((event) => ({ ...event, atMs: clock.now() })) as never);
    },
    openFile: async (path) => {
      const file = await open(path, "wx", 0o600);
      opened.push(file);
      return file;
    },
    ...parts,
  });
  const answeredAtMs = journal.call.answeredAtMs as number;
  /** So many milliseconds of talk: each side says frames that tell their number. */
  const talk = (recording: CallRecording, ms: number, { caller = true, agent = true } = {}) => {
    for (let at = 0; at < ms; at += 20) {
      const n = Math.round((clock.now() - answeredAtMs) / 20);
      if (agent) recording.agentPlays([{ itemId: "a", audio: frameOf(n, 100), startsAtMs: clock.now() }]);
      clock.pass(20);
      if (caller) recording.callerFrame(frameOf(n), clock.now());
    }
  };
  const files = () =>
    readdirSync(stateDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  return {
    clock,
    journal,
    store,
    written,
    recordings,
    stateDir,
    talk,
    files,
    recording: recordings.of(journal, settings),
    /** What the journal says of recordings that are where they stay, and of those that failed. */
    async told() {
      await journal.flush();
      const events = (await store.journal(callId)).map(({ event }) => event);
      return {
        types: events.map(({ type }) => type).filter((type) => type.startsWith("recording.")),
        stored: events.filter((event) => event.type === "recording.stored"),
        failed: events.filter((event) => event.type === "recording.failed"),
      };
    },
    /** What plays when the whole call is opened. */
    async plays() {
      const { stream, bytes } = await recordings.open(callId);
      const file = await buffer(stream);
      return { ...sidesOf(file), announced: bytes, bytes: file.length };
    },
    async [Symbol.asyncDispose]() {
      await recordings.stop();
      for (const file of opened) await file.close(); // as the end of a killed process does
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Both sides of a recording, in whole frames; undefined for a frame that is not one and the same byte. */
export function sidesOf(file: Buffer) {
  const head = readMulawWavHead(file);
  const sound = file.subarray(MULAW_WAV_HEAD_BYTES);
  const frames = (side: 0 | 1) =>
    Array.from({ length: Math.floor(sound.length / 2 / FRAME_BYTES) }, (_, n) => {
      const bytes = Array.from({ length: FRAME_BYTES }, (_, i) => sound[(n * FRAME_BYTES + i) * 2 + side]);
      const [first] = bytes;
      return bytes.every((byte) => byte === first) ? first : undefined;
    });
  return { head, caller: frames(0), agent: frames(1), ms: sound.length / 16 };
}

export const SILENT = MULAW_SILENCE;
