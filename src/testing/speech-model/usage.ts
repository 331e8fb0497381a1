import type { ModelItem } from "./conversation.ts";
import type { SessionConfig } from "./session-config.ts";
import type { JsonObject } from "./wire.ts";

/** Milliseconds of audio in one token, as billed: the caller's, and the assistant's. */
const CALLER_TOKEN_MS = 100;
const ASSISTANT_TOKEN_MS = 50;

interface Share {
  /** Changes whenever the share's content does; the cache holds up to the first difference. */
  readonly key: string;
  readonly text: number;
  readonly audio: number;
}

/** Counts a session's tokens: the whole conversation is sent with every response, mostly from the cache. */
export interface Meter {
  /** The `usage` of a response that read `items` under `instructions` and produced the rest. */
  measure(parts: {
    config: SessionConfig;
    instructions: string;
    items: readonly ModelItem[];
    outputText: string;
    outputAudioMs: number;
  }): JsonObject;
}

export function newMeter(): Meter {
  let cached: readonly Share[] = [];
  return {
    measure({ config, instructions, items, outputText, outputAudioMs }) {
      const head = instructions + JSON.stringify(config.tools);
      const shares: Share[] = [{ key: head, text: textTokens(head), audio: 0 }, ...items.map(itemShare)];
      const firstNew = shares.findIndex((share, index) => share.key !== cached[index]?.key);
      const known = total(shares.slice(0, firstNew === -1 ? shares.length : firstNew));
      const input = total(shares);
      cached = shares;
      const output = { text: textTokens(outputText), audio: Math.ceil(outputAudioMs / ASSISTANT_TOKEN_MS) };
      return {
        total_tokens: input.text + input.audio + output.text + output.audio,
        input_tokens: input.text + input.audio,
        output_tokens: output.text + output.audio,
        input_token_details: {
          text_tokens: input.text,
          audio_tokens: input.audio,
          image_tokens: 0,
          cached_tokens: known.text + known.audio,
          cached_tokens_details: { text_tokens: known.text, audio_tokens: known.audio, image_tokens: 0 },
        },
        output_token_details: { text_tokens: output.text, audio_tokens: output.audio },
      };
    },
  };
}

/** The `usage` of a transcription, in tokens as the newer recognisers bill it. */
export function transcriptionUsage(audioMs: number, transcript: string): JsonObject {
  const audio = Math.ceil(audioMs / CALLER_TOKEN_MS);
  const output = textTokens(transcript);
  return {
    type: "tokens",
    total_tokens: audio + output,
    input_tokens: audio,
    input_token_details: { text_tokens: 0, audio_tokens: audio },
    output_tokens: output,
  };
}

// --- Internal helpers ---

/** About four characters a token: close enough for a bill that nobody pays. */
const textTokens = (text: string): number => Math.ceil(text.length / 4);

function itemShare(item: ModelItem): Share {
  const spoken = item.audioMs > 0;
  const tokenMs = item.role === "assistant" ? ASSISTANT_TOKEN_MS : CALLER_TOKEN_MS;
  return {
    key: `${item.id}:${item.truncated}:${item.audioMs}`,
    text: spoken ? 0 : textTokens(item.text),
    audio: Math.ceil(item.audioMs / tokenMs),
  };
}

function total(shares: readonly Share[]): { text: number; audio: number } {
  return shares.reduce((sum, { text, audio }) => ({ text: sum.text + text, audio: sum.audio + audio }), {
    text: 0,
    audio: 0,
  });
}
