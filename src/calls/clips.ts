import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FRAME_BYTES, isAudible, MULAW_SILENCE, mulawMs } from "../audio/g711.ts";

/** What each clip says in English, which is also what it means. The cue says nothing. */
export const CLIP_TEXTS = {
  cue: "",
  "one-moment": "One moment, please.",
  "just-a-moment": "Just a moment, please.",
  "still-working": "I am still working on it.",
  "thank-you": "Thank you for waiting.",
  "too-long": "I am sorry, that is taking too long.",
  "still-there": "Are you still there?",
  apology: "I am sorry, I cannot go on right now. Please call again in a few minutes. Goodbye.",
  goodbye: "I do not hear you any more, so I will hang up now. Goodbye.",
} as const;

export type ClipName = keyof typeof CLIP_TEXTS;

/** Sound that is there before it is needed: it plays when model, disk or host is dead. */
export interface Clip {
  readonly name: ClipName;
  /** µ-law at 8 kHz in whole 20 ms frames, of which at most one at each end is quiet. */
  readonly audio: Uint8Array;
  /** What it says; for the transcript. */
  readonly text: string;
  /** Language of its words, as its folder is called. */
  readonly language: string;
  readonly durationMs: number;
}

/** Whose clips, and where they are. */
export interface ClipSource {
  /** BCP 47 language of the calls. */
  readonly language: string;
  /** The account's folder: `<folder>/<language>/<name>.ulaw`, with the words in `<name>.txt` beside it; empty: none. */
  readonly folder?: string;
  /** The package's folder. */
  readonly packaged?: string;
}

/**
 * The clips of one account. Each is taken in the account's language, else in that language without its region, else in
 * English; in each from the account's folder before the package's. `load` reads them all, before the first call.
 */
export class Clips {
  readonly language: string;
  readonly #folders: readonly string[];
  readonly #clips = new Map<ClipName, Clip>();
  #missing: readonly ClipName[] = [];
  #problems: string[] = [];
  #loading: Promise<void> | undefined;

  constructor({ language, folder = "", packaged = packagedClips() }: ClipSource) {
    this.language = language;
    this.#folders = folder === "" ? [packaged] : [folder, packaged];
  }

  /** Reads every clip, once. Never rejects: what cannot be used is a problem. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** A clip; undefined before `load` has resolved, and when it is in no folder. Never touches the disk. */
  get(name: ClipName): Clip | undefined {
    return this.#clips.get(name);
  }

  /** The clips that say something and are not there in the language of the calls. */
  get missing(): readonly ClipName[] {
    return this.#missing;
  }

  /** What is wrong with files that are there, a sentence each. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  async #load(): Promise<void> {
    const names = Object.keys(CLIP_TEXTS) as ClipName[];
    await Promise.all(names.map((name) => this.#find(name)));
    const primary = primaryOf(this.language);
    const spoken = (name: ClipName) => primaryOf(this.#clips.get(name)?.language ?? "") === primary;
    this.#missing = names.filter((name) => (name === "cue" ? !this.#clips.has(name) : !spoken(name)));
  }

  async #find(name: ClipName): Promise<void> {
    for (const language of fallBack(this.language)) {
      for (const folder of this.#folders) {
        const clip = await this.#read(folder, language, name);
        if (!clip) continue;
        this.#clips.set(name, clip);
        return;
      }
    }
  }

  async #read(folder: string, language: string, name: ClipName): Promise<Clip | undefined> {
    const file = join(folder, language, `${name}.ulaw`);
    try {
      const audio = playable(await readFile(file));
      const text = await wordsOf(join(folder, language, `${name}.txt`), CLIP_TEXTS[name]);
      return { name, audio, text, language, durationMs: mulawMs(audio.length) };
    } catch (error) {
      if (!isAbsent(error)) this.#problems.push(`${file} ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }
}

// --- Internal helpers ---

/** The longest clip: a phrase is finished before anything else is said. */
const MAX_MS = 20_000;
/** The longest pause in a clip: it is there to break the silence. */
const MAX_PAUSE_MS = 1_000;

/** The package's own clips lie beside `dist`, and beside `src`. */
function packagedClips(): string {
  const [built, source] = ["../clips", "../../clips"].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return existsSync(built as string) ? (built as string) : (source as string);
}

/** The languages to look for, the best first. What is no language tag names no folder. */
function fallBack(language: string): string[] {
  const tag = canonical(language);
  return [...new Set([...(tag === undefined ? [] : [tag, primaryOf(tag)]), "en"])];
}

const primaryOf = (language: string): string => canonical(language)?.split("-")[0] ?? language;

function canonical(language: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(language)[0];
  } catch {
    return undefined; // not a tag: an operator's free text, or a path
  }
}

/** Whole frames, with at most one quiet one at each end. @throws Error whose message continues the file's name */
function playable(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new Error("is empty.");
  if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "RIFF")
    throw new Error("is a WAV file; raw µ-law at 8 kHz without a header is wanted.");
  if (mulawMs(bytes.length) > MAX_MS) throw new Error(`is longer than ${MAX_MS / 1000} s.`);
  const audio = new Uint8Array(Math.ceil(bytes.length / FRAME_BYTES) * FRAME_BYTES).fill(MULAW_SILENCE);
  audio.set(bytes);
  const audible: number[] = [];
  for (let at = 0; at < audio.length; at += FRAME_BYTES) {
    if (isAudible(audio.subarray(at, at + FRAME_BYTES))) audible.push(at);
  }
  const [first, last] = [audible[0], audible.at(-1)];
  if (first === undefined || last === undefined) throw new Error("has nothing audible: all of it is below -45 dBFS.");
  const pauses = audible.slice(1).map((at, index) => mulawMs(at - (audible[index] as number) - FRAME_BYTES));
  if (Math.max(0, ...pauses) > MAX_PAUSE_MS) throw new Error(`has a pause of more than ${MAX_PAUSE_MS} ms.`);
  return audio.slice(Math.max(0, first - FRAME_BYTES), last + 2 * FRAME_BYTES);
}

async function wordsOf(file: string, otherwise: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim() || otherwise;
  } catch (error) {
    if (isAbsent(error)) return otherwise;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
