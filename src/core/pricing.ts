import type { Usage } from "./events.ts";

/** US dollars per million tokens of one speech model. */
interface ModelPrice {
  readonly textIn: number;
  readonly textCached: number;
  readonly textOut: number;
  readonly audioIn: number;
  readonly audioCached: number;
  readonly audioOut: number;
}

const FULL: ModelPrice = { textIn: 4, textCached: 0.4, textOut: 24, audioIn: 32, audioCached: 0.4, audioOut: 64 };
const MINI: ModelPrice = { textIn: 0.6, textCached: 0.06, textOut: 2.4, audioIn: 10, audioCached: 0.3, audioOut: 20 };

/** List prices by model (OpenAI's model pages, read 2026-11-21). */
const MODELS: ReadonlyMap<string, ModelPrice> = new Map([
  ["gpt-realtime-2.1", FULL],
  ["gpt-realtime-2", FULL],
  ["gpt-realtime-2.1-mini", MINI],
  ["gpt-realtime-1.5", { ...FULL, textOut: 16 }],
]);

/** Twilio list prices, US dollars a started minute: local inbound, outbound, and the media stream on top. */
const MINUTE_USD = { inbound: 0.0085, outbound: 0.014, mediaStream: 0.004 };

export const NO_USAGE: Usage = {
  inputTextTokens: 0,
  inputAudioTokens: 0,
  cachedTextTokens: 0,
  cachedAudioTokens: 0,
  outputTextTokens: 0,
  outputAudioTokens: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTextTokens: a.inputTextTokens + b.inputTextTokens,
    inputAudioTokens: a.inputAudioTokens + b.inputAudioTokens,
    cachedTextTokens: a.cachedTextTokens + b.cachedTextTokens,
    cachedAudioTokens: a.cachedAudioTokens + b.cachedAudioTokens,
    outputTextTokens: a.outputTextTokens + b.outputTextTokens,
    outputAudioTokens: a.outputAudioTokens + b.outputAudioTokens,
  };
}

/** What `usage` costs at list price; `undefined` when the model's price is not known. */
export function engineCostUsd(model: string, usage: Usage): number | undefined {
  const price = MODELS.get(model);
  if (!price) return undefined;
  return (
    ((usage.inputTextTokens - usage.cachedTextTokens) * price.textIn +
      usage.cachedTextTokens * price.textCached +
      (usage.inputAudioTokens - usage.cachedAudioTokens) * price.audioIn +
      usage.cachedAudioTokens * price.audioCached +
      usage.outputTextTokens * price.textOut +
      usage.outputAudioTokens * price.audioOut) /
    1e6
  );
}

/** What the carrier's leg costs at US list price; every started minute counts. */
export function carrierCostUsd(direction: "inbound" | "outbound", connectedMs: number): number {
  return Math.ceil(connectedMs / 60_000) * (MINUTE_USD[direction] + MINUTE_USD.mediaStream);
}
