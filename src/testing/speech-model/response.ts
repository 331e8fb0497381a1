import { encodeMulaw, SAMPLE_RATE } from "../../audio/g711.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { resample } from "../resample.ts";
import { type Conversation, type ModelItem, newItem, spokenShare, wireItem } from "./conversation.ts";
import type { Faults } from "./faults.ts";
import type { MindAction } from "./mind.ts";
import type { AudioFormat } from "./session-config.ts";
import { type Json, type JsonObject, newId, type WireEvent } from "./wire.ts";

/** How fast answers come; milliseconds of the server's clock. */
export interface Pace {
  readonly burst: number;
  readonly deltaMs: number;
  readonly firstDeltaMs: number;
  readonly thinkMs: number;
}

/** What one response is made from. */
export interface ResponseParts {
  readonly clock: Clock;
  readonly pace: Pace;
  readonly faults: Faults;
  /** Where items go; none for a response out of band. */
  readonly conversation: Conversation | undefined;
  readonly modality: "audio" | "text";
  readonly format: AudioFormat;
  readonly voice: Json;
  readonly maxOutputTokens: number | "inf";
  readonly metadata: Json;
  think(): Promise<readonly MindAction[]>;
  speak(text: string): Promise<Int16Array>;
  usage(output: { outputText: string; outputAudioMs: number }): JsonObject;
  send(event: WireEvent): void;
  /** Called once, after `response.done` went out. */
  ended(): void;
}

/** A response on its way. */
export interface RunningResponse {
  readonly id: string;
  /** When what was produced so far would have played out, had it been played at once; by the server's clock. */
  readonly playedOutAtMs: number;
  /** Ends it at once: what was begun is closed as incomplete, and `response.done` says why. */
  cancel(reason: "turn_detected" | "client_cancelled"): void;
}

/** Milliseconds of assistant audio in one token. */
const TOKEN_MS = 50;

/** Starts a response: `response.created` goes out now, everything else by the clock. */
export function startResponse(parts: ResponseParts): RunningResponse {
  const { clock, pace, faults, conversation } = parts;
  const id = newId("resp");
  const stopped = new AbortController();
  const output: ModelItem[] = [];
  let closeItem: ((status: "completed" | "incomplete") => void) | undefined;
  let ended = false;
  let outputText = "";
  let outputAudioMs = 0;
  let playedOutAtMs = clock.now();

  const snapshot = (status: string, details: Json, usage: Json): JsonObject => ({
    object: "realtime.response",
    id,
    status,
    status_details: details,
    output: output.map(wireItem),
    conversation_id: conversation?.id ?? null,
    output_modalities: [parts.modality],
    max_output_tokens: parts.maxOutputTokens,
    audio: { output: { format: parts.format, voice: parts.voice } },
    usage,
    metadata: parts.metadata,
  });
  const finish = (status: string, details: JsonObject | null): void => {
    if (ended) return;
    ended = true;
    closeItem?.(status === "completed" ? "completed" : "incomplete");
    stopped.abort();
    const usage = parts.usage({ outputText, outputAudioMs });
    parts.send({ type: "response.done", response: snapshot(status, details, usage) });
    parts.ended();
  };
  const pause = (ms: number): Promise<void> => (ms > 0 ? sleep(clock, ms, stopped.signal) : Promise.resolve());
  const forever = (): Promise<never> =>
    new Promise((_, reject) => stopped.signal.addEventListener("abort", () => reject(stopped.signal.reason)));

  /** Opens an output item; returns the ids that every event about it carries. */
  const openItem = (item: ModelItem): { response_id: string; item_id: string; output_index: number } => {
    const at = { response_id: id, item_id: item.id, output_index: output.push(item) - 1 };
    const previous = conversation?.add(item) ?? null;
    parts.send({
      type: "response.output_item.added",
      response_id: id,
      output_index: at.output_index,
      item: wireItem(item),
    });
    if (conversation) {
      parts.send({ type: "conversation.item.added", previous_item_id: previous, item: wireItem(item) });
    }
    return at;
  };
  const sealItem = (item: ModelItem, status: "completed" | "incomplete"): void => {
    item.status = status;
    const at = output.indexOf(item);
    if (conversation) {
      const previous = conversation.previousOf(item);
      parts.send({ type: "conversation.item.done", previous_item_id: previous, item: wireItem(item) });
    }
    parts.send({ type: "response.output_item.done", response_id: id, output_index: at, item: wireItem(item) });
    closeItem = undefined;
  };

  const say = async (text: string): Promise<void> => {
    const kind = parts.modality === "audio" ? "output_audio" : "output_text";
    const item = newItem({ type: "message", role: "assistant", status: "in_progress", parts: [{ type: kind }] });
    const sentences = split(text);
    let clip = parts.modality === "audio" ? parts.speak(sentences[0] as string) : undefined;
    const first = await clip; // no item before there is something to say
    if (ended) return;
    const at = { ...openItem(item), content_index: 0 };
    const part = (words: string) =>
      parts.modality === "audio" ? { type: "audio", transcript: words } : { type: "text", text: words };
    parts.send({ type: "response.content_part.added", ...at, part: part("") });
    let told = "";
    const tell = (words: string): void => {
      if (words === "") return;
      told += words;
      outputText += words;
      if (!item.truncated) item.text = told.trimEnd();
      const name = parts.modality === "audio" ? "output_audio_transcript" : "output_text";
      parts.send({ type: `response.${name}.delta`, ...at, delta: words });
    };
    closeItem = (status) => {
      const words = told.trimEnd();
      if (parts.modality === "audio") {
        parts.send({ type: "response.output_audio.done", ...at });
        parts.send({ type: "response.output_audio_transcript.done", ...at, transcript: words });
      } else {
        parts.send({ type: "response.output_text.done", ...at, text: words });
      }
      parts.send({ type: "response.content_part.done", ...at, part: part(words) });
      sealItem(item, status);
    };
    if (first === undefined) {
      for (const word of text.match(/\S+\s*/g) ?? []) {
        tell(word);
        await pause(pace.deltaMs / pace.burst / 4);
        if (ended) return;
      }
      return closeItem("completed");
    }
    const startedAt = clock.now();
    let producedMs = 0;
    playedOutAtMs = Math.max(playedOutAtMs, startedAt);
    for (const [index, sentence] of sentences.entries()) {
      const samples = (await clip) as Int16Array;
      const slice = encoder(samples, parts.format);
      const next = sentences[index + 1];
      clip = next === undefined ? undefined : parts.speak(next);
      clip?.catch(() => undefined); // awaited above in the next round, unless the response ends first
      if (ended) return;
      let toldShare = "";
      for (let from = 0; from < samples.length; ) {
        if (faults.stallAfterMs !== undefined && producedMs >= faults.stallAfterMs) await forever();
        const lengthMs = producedMs === 0 ? pace.firstDeltaMs : pace.deltaMs;
        const to = Math.min(samples.length, from + (lengthMs * SAMPLE_RATE) / 1_000);
        await pause(startedAt + producedMs / pace.burst - clock.now());
        if (ended) return;
        const known = spokenWords(sentence, to / samples.length);
        tell(known.slice(toldShare.length));
        toldShare = known;
        const deltaMs = ((to - from) * 1_000) / SAMPLE_RATE;
        producedMs += deltaMs;
        outputAudioMs += deltaMs;
        playedOutAtMs += deltaMs;
        if (!item.truncated) item.audioMs = producedMs;
        const delta = slice(from, to);
        parts.send({ type: "response.output_audio.delta", ...at, delta });
        from = to;
        if (parts.maxOutputTokens !== "inf" && outputAudioMs / TOKEN_MS >= parts.maxOutputTokens) {
          return finish("incomplete", { type: "incomplete", reason: "max_output_tokens" });
        }
      }
    }
    closeItem("completed");
  };

  const call = async (name: string, args: object): Promise<void> => {
    const callId = newId("call");
    const item = newItem({ type: "function_call", status: "in_progress", name, callId, arguments: "" });
    const at = openItem(item);
    closeItem = (status) => sealItem(item, status);
    const json = JSON.stringify(args);
    for (const delta of json.match(/.{1,16}/gs) ?? []) {
      item.arguments += delta;
      parts.send({ type: "response.function_call_arguments.delta", ...at, call_id: callId, delta });
      await pause(5);
      if (ended) return;
    }
    outputText += json;
    item.text = json;
    parts.send({ type: "response.function_call_arguments.done", ...at, call_id: callId, name, arguments: json });
    closeItem("completed");
  };

  const run = async (): Promise<void> => {
    parts.send({ type: "rate_limits.updated", rate_limits: RATE_LIMITS });
    if (faults.failResponses !== undefined) {
      const { code, message = `The response failed: ${code}.`, type = "server_error" } = faults.failResponses;
      return finish("failed", { type: "failed", error: { type, code, message } });
    }
    if (faults.muteResponses) await forever();
    const thought = parts.think().then((actions) => {
      const first = actions.find((action) => "say" in action);
      if (first && parts.modality === "audio") parts.speak(split(first.say)[0] as string).catch(() => undefined); // warms the voice
      return actions;
    });
    const [actions] = await Promise.all([thought, pause(faults.thinkMs ?? pace.thinkMs)]);
    for (const action of actions) {
      if (ended) return;
      if ("say" in action) {
        if (action.say.trim() !== "") await say(action.say.trim());
      } else if ("call" in action) await call(action.call, action.args);
      else await pause(action.silence);
    }
    finish("completed", null);
  };

  parts.send({ type: "response.created", response: snapshot("in_progress", null, null) });
  // Not before the caller holds the response: a failure ends it at once.
  const running = Promise.resolve().then(run);
  running.catch((cause: unknown) => {
    if (ended) return; // what was pending was told to stop
    const message = cause instanceof Error ? cause.message : String(cause);
    finish("failed", { type: "failed", error: { type: "server_error", code: "server_error", message } });
  });
  return {
    id,
    get playedOutAtMs() {
      return playedOutAtMs;
    },
    cancel: (reason) => finish("cancelled", { type: "cancelled", reason }),
  };
}

// --- Internal helpers ---

const RATE_LIMITS = [{ name: "tokens", limit: 40_000, remaining: 39_000, reset_seconds: 1.5 }];

/** Sentences, so that the first sound does not wait for the last word. */
function split(text: string): string[] {
  return text.trim().match(/.+?(?:[.!?]+\s+|$)/gs) ?? [text];
}

/** The words of a sentence that begin within its first `share`, with the spaces after them. */
function spokenWords(sentence: string, share: number): string {
  if (share >= 1) return sentence;
  const words = spokenShare(sentence, share);
  return words + (/^\s*/.exec(sentence.slice(words.length))?.[0] ?? "");
}

/** Encodes a clip for the wire, piece by piece, without clicks at the seams. */
function encoder(samples: Int16Array, format: AudioFormat): (from: number, to: number) => string {
  if (format.type === "audio/pcmu") {
    return (from, to) => Buffer.from(encodeMulaw(samples.subarray(from, to))).toString("base64");
  }
  const wide = resample(samples, SAMPLE_RATE, format.rate);
  const factor = format.rate / SAMPLE_RATE;
  return (from, to) => {
    const piece = wide.subarray(from * factor, to * factor);
    return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("base64");
  };
}
