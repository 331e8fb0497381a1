import { SAMPLE_RATE } from "../../audio/g711.ts";
import type { Ears } from "../ears.ts";
import { type Conversation, type ModelItem, newItem, wireItem } from "./conversation.ts";
import type { Faults } from "./faults.ts";
import { transcriptionUsage } from "./usage.ts";
import type { WireEvent } from "./wire.ts";

/** What becomes of committed audio: an item at once, words when the ears are done, a transcription if asked for. */
export interface Hearing {
  commit(itemId: string, samples: Int16Array, transcribe: boolean): void;
  /** The words of a committed item, once they are known; rejects when the ears failed. */
  words(itemId: string): Promise<string> | undefined;
  /** The next commit is heard as `text`. */
  dictate(text: string): void;
}

export function newHearing(parts: {
  ears: Ears;
  faults: Faults;
  conversation: Conversation;
  asrMs: number;
  after(delayMs: number, action: () => void): void;
  send(event: WireEvent): void;
}): Hearing {
  const { conversation, send } = parts;
  const pending = new Map<string, Promise<string>>();
  const dictated: string[] = [];

  const failed = (item: ModelItem, message: string): void => {
    const error = { type: "transcription_error", code: "audio_unintelligible", message, param: null };
    send({ type: `${TRANSCRIPTION}.failed`, item_id: item.id, content_index: 0, error });
  };
  const transcribed = (item: ModelItem, text: string): void => {
    const at = { item_id: item.id, content_index: 0 };
    for (const delta of text.match(/(?:\S+\s*){1,4}/g) ?? []) send({ type: `${TRANSCRIPTION}.delta`, ...at, delta });
    item.parts[0] = { type: "input_audio", transcript: text };
    const usage = transcriptionUsage(item.audioMs, text);
    send({ type: `${TRANSCRIPTION}.completed`, ...at, transcript: text, usage });
  };
  const transcribe = (item: ModelItem, words: Promise<string>): void => {
    const settled = words.then(
      (text) => () => (parts.faults.failTranscriptions ? failed(item, "Simulated fault.") : transcribed(item, text)),
      (cause: unknown) => () => failed(item, cause instanceof Error ? cause.message : String(cause)),
    );
    parts.after(parts.asrMs, () => void settled.then((tell) => tell()));
  };

  return {
    commit(itemId, samples, wanted) {
      const audioMs = (samples.length * 1_000) / SAMPLE_RATE;
      const shown = [{ type: "input_audio", transcript: null }];
      const item = newItem({ id: itemId, type: "message", role: "user", status: "completed", audioMs, parts: shown });
      const previous = conversation.add(item);
      send({ type: "input_audio_buffer.committed", item_id: itemId, previous_item_id: previous });
      send({ type: "conversation.item.added", previous_item_id: previous, item: wireItem(item) });
      send({ type: "conversation.item.done", previous_item_id: previous, item: wireItem(item) });
      const known = dictated.shift();
      const heard = known === undefined ? parts.ears.hear(samples) : Promise.resolve(known);
      const words = heard.then((text) => {
        item.text = text;
        return text;
      });
      pending.set(itemId, words);
      words.catch(() => undefined); // whoever needs the words is told
      if (wanted) transcribe(item, words);
    },
    words: (itemId) => pending.get(itemId),
    dictate: (text) => void dictated.push(text),
  };
}

// --- Internal helpers ---

const TRANSCRIPTION = "conversation.item.input_audio_transcription";
