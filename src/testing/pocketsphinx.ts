import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Ears } from "./ears.ts";
import { resample } from "./resample.ts";

const PROGRAM = "pocketsphinx_batch";
/** Where Debian's `pocketsphinx-en-us` puts the stock model. */
const MODEL = "/usr/share/pocketsphinx/model/en-us";
const MODEL_HZ = 16_000;

/** Whether the recogniser and its English model are on this machine. */
export function pocketsphinxInstalled(model = MODEL): boolean {
  return programPath() !== undefined && readable(join(model, "en-us.lm.bin"));
}

/** How the recogniser listens. */
export interface PocketsphinxOptions {
  /** Folder of the acoustic and language model. */
  readonly model?: string;
  /** Processes side by side; 2 unless told. */
  readonly atOnce?: number;
  /**
   * Only these sentences can be understood, in whole: a grammar instead of free speech, several times faster.
   * It forces foreign speech into one of them.
   */
  readonly sentences?: readonly string[];
}

/**
 * A real recogniser for English: one process per utterance, on the whole of it (live decoding is far worse), at most
 * `atOnce` side by side. It takes about a second and a half for five seconds of free speech.
 * @throws Error from `hear`, when the program or its model is missing or fails
 */
export function pocketsphinxEars(options: PocketsphinxOptions = {}): Ears {
  const { model = MODEL, atOnce = 2, sentences } = options;
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    kind: "pocketsphinx",
    async hear(samples) {
      if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await recognise(samples, model, sentences);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}

// --- Internal helpers ---

async function recognise(samples: Int16Array, model: string, sentences?: readonly string[]): Promise<string> {
  const program = programPath();
  if (program === undefined) {
    throw new Error(`${PROGRAM} is not on PATH: apt-get install pocketsphinx pocketsphinx-en-us`);
  }
  const folder = await mkdtemp(join(tmpdir(), "pocketsphinx-"));
  try {
    const wide = resample(samples, 8_000, MODEL_HZ);
    await writeFile(join(folder, "heard.raw"), new Uint8Array(wide.buffer, wide.byteOffset, wide.byteLength));
    await writeFile(join(folder, "list"), "heard\n");
    if (sentences) await writeFile(join(folder, "grammar"), grammarOf(sentences));
    const language = sentences ? ["-jsgf", join(folder, "grammar")] : ["-lm", join(model, "en-us.lm.bin")];
    await run(program, [
      ...["-hmm", join(model, "en-us"), ...language, "-dict", join(model, "cmudict-en-us.dict")],
      ...["-adcin", "yes", "-samprate", String(MODEL_HZ), "-cepdir", folder, "-cepext", ".raw"],
      ...["-ctl", join(folder, "list"), "-hyp", join(folder, "words"), "-logfn", join(folder, "log")],
    ]);
    const line = await readFile(join(folder, "words"), "utf8");
    return line.replace(/\s*\([^()]*\)\s*$/, "").trim(); // each line ends with the file's name and a score
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A grammar of whole sentences (JSpeech Grammar Format). */
function grammarOf(sentences: readonly string[]): string {
  const rules = sentences.map((sentence) =>
    sentence
      .toLowerCase()
      .replace(/[^a-z' ]+/g, " ")
      .trim(),
  );
  return `#JSGF V1.0;\ngrammar lines;\npublic <line> = ${rules.join(" | ")};\n`;
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${PROGRAM} ended with ${code ?? signal}.`));
    });
  });
}

function programPath(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, PROGRAM)).find((path) => readable(path, constants.X_OK));
}

function readable(path: string, mode = constants.R_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false; // absent or forbidden: not installed, as far as we are concerned
  }
}
