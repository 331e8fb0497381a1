import { encodeMulaw } from "../audio/g711.ts";
import { pocketsphinxEars, pocketsphinxInstalled } from "./pocketsphinx.ts";
import type { Voice } from "./voice.ts";

/** Turns speech into words. */
export interface Ears {
  readonly kind: "pocketsphinx" | "script";
  /** What is said in an utterance (8 kHz, 16 bit); "" when nothing was understood. */
  hear(samples: Int16Array): Promise<string>;
}

/** Ears that know by heart what can be said. */
export interface ScriptEars extends Ears {
  readonly kind: "script";
  /** From now on `samples` is understood as `text`, wherever its sound comes through unchanged. */
  learn(text: string, samples: Int16Array): void;
}

/** Telephone bytes of 50 ms: long enough that no other sound has them by chance. */
const PROBE_BYTES = 400;
/** Bytes that find a probe's place in one look-up. */
const KEY_BYTES = 6;
/** Shorter than this is no evidence. */
const LEAST_BYTES = 800;

/**
 * Ears without a recogniser: they find the taught lines by their µ-law bytes, which a telephone path carries
 * unchanged. A line cut at either end gives its words in proportion, several lines come in order, anything else
 * (noise, music, a real person, a path that changes samples) gives "".
 */
export function scriptEars(): ScriptEars {
  const clips: Clip[] = [];
  const known = new Set<string>();
  const index = new Map<number, Probe[]>();
  return {
    kind: "script",
    learn(text, samples) {
      const bytes = telephoneBytes(samples);
      const key = `${text}\n${bytes.toString("latin1")}`;
      if (known.has(key)) return;
      known.add(key);
      const clip = { text, bytes };
      clips.push(clip);
      for (let at = 0; at + PROBE_BYTES <= bytes.length; at += PROBE_BYTES / 2) {
        const probe = { clip, at };
        if (!lively(bytes.subarray(at, at + PROBE_BYTES))) continue;
        const slot = keyAt(bytes, at);
        const others = index.get(slot);
        if (others) others.push(probe);
        else index.set(slot, [probe]);
      }
    },
    hear: async (samples) => understood(telephoneBytes(samples), index),
  };
}

/** A voice that teaches `ears` everything it says. */
export function taughtVoice(voice: Voice, ears: ScriptEars): Voice {
  return {
    async speak(text, options) {
      const samples = await voice.speak(text, options);
      ears.learn(text, samples);
      return samples;
    },
  };
}

/** Real ears when they are asked for and installed, otherwise the script's; `kind` says which. */
export function bestEars(script: ScriptEars, options: { readonly real?: boolean } = {}): Ears {
  return options.real && pocketsphinxInstalled() ? pocketsphinxEars() : script;
}

// --- Internal helpers ---

interface Clip {
  readonly text: string;
  readonly bytes: Buffer;
}

interface Probe {
  readonly clip: Clip;
  readonly at: number;
}

/** A stretch of the utterance that is byte by byte a stretch of a clip. */
interface Match {
  readonly clip: Clip;
  /** Where the clip's first byte would be in the utterance. */
  readonly origin: number;
  readonly from: number;
  readonly to: number;
}

/** µ-law has two zeros; decoding and encoding again makes them one. */
function telephoneBytes(samples: Int16Array): Buffer {
  const bytes = Buffer.from(encodeMulaw(samples).buffer);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x7f) bytes[i] = 0xff;
  return bytes;
}

function keyAt(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, KEY_BYTES);
}

/** Whether a stretch is more than silence: silences of all clips are alike. */
function lively(bytes: Uint8Array): boolean {
  const loud = bytes.reduce((count, byte) => count + ((byte & 0x7f) < 0x60 ? 1 : 0), 0);
  return loud > bytes.length / 4;
}

function understood(heard: Buffer, index: ReadonlyMap<number, readonly Probe[]>): string {
  const found: Match[] = [];
  for (let at = 0; at + PROBE_BYTES <= heard.length; at++) {
    for (const { clip, at: probeAt } of index.get(keyAt(heard, at)) ?? []) {
      const origin = at - probeAt;
      const covered = found.some((match) => match.clip === clip && match.origin === origin && match.to > at);
      if (covered || heard.compare(clip.bytes, probeAt, probeAt + PROBE_BYTES, at, at + PROBE_BYTES) !== 0) continue;
      found.push(extended(heard, clip, origin, at));
    }
  }
  const chosen: Match[] = [];
  for (const match of found.filter(({ from, to }) => to - from >= LEAST_BYTES).sort(byLength)) {
    if (chosen.every((other) => match.to <= other.from || match.from >= other.to)) chosen.push(match);
  }
  return chosen
    .sort((a, b) => a.from - b.from)
    .reduce<Match[]>(joined, [])
    .map(({ clip, origin, from, to }) => wordsBetween(clip, from - origin, to - origin))
    .filter((words) => words !== "")
    .join(" ");
}

/** Grows a probe's match in both directions as far as the bytes agree. */
function extended(heard: Buffer, clip: Clip, origin: number, at: number): Match {
  let from = at;
  while (from > 0 && from > origin && heard[from - 1] === clip.bytes[from - 1 - origin]) from--;
  let to = at + PROBE_BYTES;
  while (to < heard.length && to - origin < clip.bytes.length && heard[to] === clip.bytes[to - origin]) to++;
  return { clip, origin, from, to };
}

/** Puts a line together again that lost or doubled a few frames on its way. */
function joined(matches: Match[], next: Match): Match[] {
  const last = matches.at(-1);
  const slip = last && Math.abs(next.origin - last.origin);
  if (!last || last.clip !== next.clip || slip === undefined || slip > 4_000 || next.from - last.to > 4_000) {
    return [...matches, next];
  }
  return [...matches.slice(0, -1), { ...next, from: last.from - last.origin + next.origin }];
}

/** The words whose middle lies in a stretch of the clip; a word's place in time is its place in the text. */
function wordsBetween({ text, bytes }: Clip, from: number, to: number): string {
  return [...text.matchAll(/\S+/g)]
    .filter(({ 0: word, index }) => {
      const middle = ((index + word.length / 2) / text.length) * bytes.length;
      return middle >= from && middle <= to;
    })
    .map(([word]) => word)
    .join(" ");
}

function byLength(a: Match, b: Match): number {
  return b.to - b.from - (a.to - a.from);
}
