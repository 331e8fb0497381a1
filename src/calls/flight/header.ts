import { CLIP_TEXTS, type ClipName } from "../clips.ts";
import type { ConversationParts } from "../conversation-parts.ts";
import { meaningless, meaningOf, shapeOf } from "./redact.ts";

/** The version of what a record holds: another one cannot be replayed. */
export const FORMAT = 1;

/** A turn of an earlier life of the call, without its words. */
export interface EarlierTurn {
  readonly id: string;
  readonly speaker: "caller" | "agent";
  readonly text: string;
  readonly startMs: number;
  readonly heardMs: number;
  readonly cut: boolean;
}

/** What was so before anything came in, and decides. */
export interface FlightHeader {
  readonly format: number;
  /** The version of the package that recorded. */
  readonly version: string;
  /** Absent in a record that was exported. */
  readonly callId?: string;
  readonly startedAtMs: number;
  /** How many engines there are, and whether the agent takes the turns itself. */
  readonly engines: number;
  readonly brain: "engine" | "agent";
  readonly turns: "ours" | "server";
  /** Whether the call's sound may be kept: then something may have to be said before it begins. */
  readonly records: boolean;
  readonly minSpeechMs: number;
  readonly idlePromptSeconds: number;
  readonly idleEndSeconds: number;
  /** The first sentence, without its words. */
  readonly greeting: string;
  /** The sounds of ours by name: bytes of sound, and what they say, without its words. */
  readonly clips: Readonly<Record<string, readonly [bytes: number, text: string]>>;
  readonly earlier: readonly EarlierTurn[];
}

/** The header of a record that begins now. */
export function headerOf(
  { account, journal, openers, askAgent, recording }: ConversationParts,
  version: string,
  startedAtMs: number,
  nameOf: (id: string) => string,
): FlightHeader {
  const { limits, bargeIn, turns, persona, clips } = account;
  const { call } = journal;
  const sounds = (Object.keys(CLIP_TEXTS) as ClipName[]).flatMap((name) => {
    const clip = clips?.get(name);
    return clip ? [[name, [clip.audio.length, shapeOf(clip.text)]] as const] : [];
  });
  return {
    format: FORMAT,
    version,
    callId: call.id,
    startedAtMs,
    engines: openers.length,
    brain: askAgent ? "agent" : "engine",
    turns,
    records: recording !== undefined,
    minSpeechMs: bargeIn.minSpeechMs,
    idlePromptSeconds: limits.idlePromptSeconds,
    idleEndSeconds: limits.idleEndSeconds,
    greeting: shapeOf(persona.greeting),
    clips: Object.fromEntries(sounds),
    earlier: call.transcript.map(({ id, speaker, text, startMs, heardMs, cut }) => ({
      id: id.startsWith("ours:") ? id : nameOf(id),
      speaker,
      text: speaker === "agent" ? shapeOf(text) : meaningless(meaningOf(text)),
      startMs,
      heardMs,
      cut,
    })),
  };
}
