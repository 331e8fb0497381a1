import type { Clock } from "../../core/clock.ts";
import type { Speaker, Voice } from "../voice.ts";
import { RESPONSE_KEYS } from "./client-events.ts";
import { type Conversation, isReference, type ModelItem, parseItem } from "./conversation.ts";
import type { Faults } from "./faults.ts";
import type { MindAction } from "./mind.ts";
import { type Pace, type RunningResponse, startResponse } from "./response.ts";
import { audioFormat, onlyKnown, type SessionConfig } from "./session-config.ts";
import type { Question } from "./thinking.ts";
import { newMeter } from "./usage.ts";
import { isObject, type Json, type JsonObject, stringAt, WireError, type WireEvent } from "./wire.ts";

/** Who speaks: at most one response at a time in the conversation, any number beside it. */
export interface Responder {
  /** The response of the conversation that is on its way. */
  readonly active: RunningResponse | undefined;
  /** Starts what a `response.create` asks for. @throws WireError, `conversation_already_has_active_response` among them */
  respond(request: JsonObject, eventId?: string): void;
  /** @throws WireError `response_cancel_not_active` */
  cancel(responseId: Json | undefined): void;
  /** Cuts the active response, if there is one, because the caller speaks. */
  interrupt(): void;
  /** Ends everything that is on its way. */
  stop(): void;
}

export interface ResponderParts {
  readonly clock: Clock;
  readonly pace: Pace;
  readonly faults: Faults;
  readonly voice: Voice;
  readonly speaker: Speaker;
  readonly conversation: Conversation;
  config(): SessionConfig;
  think(question: Question): Promise<readonly MindAction[]>;
  send(event: WireEvent): void;
  fail(error: WireError, eventId: string | null): void;
  after(delayMs: number, action: () => void): void;
  began(): void;
  ended(response: RunningResponse): void;
}

export function newResponder(parts: ResponderParts): Responder {
  const meter = newMeter();
  const apart = new Set<RunningResponse>();
  let active: RunningResponse | undefined;

  const checkFree = (request: JsonObject): void => {
    if (request["conversation"] === "none" || !active) return;
    throw new WireError(
      "conversation_already_has_active_response",
      `Conversation already has an active response in progress: ${active.id}. Wait until the response is finished before creating a new one.`,
    );
  };
  const inputOf = (value: Json | undefined): ModelItem[] | undefined => {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) {
      throw new WireError("invalid_type", "Invalid type for 'response.input': expected an array.", "response.input");
    }
    return (value as readonly Json[]).map((entry, index) =>
      isReference(entry) ? parts.conversation.get(entry.id, "retrieve") : parseItem(entry, `response.input[${index}]`),
    );
  };
  const begin = (request: JsonObject): void => {
    const config = parts.config();
    const items = inputOf(request["input"]) ?? [...parts.conversation.items];
    const modes = (request["output_modalities"] ?? config.output_modalities) as readonly string[];
    const audio = isObject(request["audio"]) && isObject(request["audio"]["output"]) ? request["audio"]["output"] : {};
    const asked = request["instructions"];
    const own = asked === undefined || asked === null ? undefined : stringAt(asked, "response.instructions");
    const { instructions } = config;
    const tools = (request["tools"] ?? config.tools) as readonly JsonObject[];
    const toolsForbidden = (request["tool_choice"] ?? config.tool_choice) === "none";
    const outOfBand = request["conversation"] === "none";
    const format = audioFormat(audio["format"], "response.audio.output.format", config.audio.output.format);
    parts.began();
    const response = startResponse({
      clock: parts.clock,
      pace: parts.pace,
      faults: parts.faults,
      conversation: outOfBand ? undefined : parts.conversation,
      modality: modes[0] === "text" ? "text" : "audio",
      format,
      voice: audio["voice"] ?? config.audio.output.voice,
      maxOutputTokens: (request["max_output_tokens"] ?? config.max_output_tokens) as number | "inf",
      metadata: request["metadata"] ?? null,
      think: () => parts.think({ items, instructions, own, tools, toolsForbidden }),
      speak: (text) => parts.voice.speak(text.trim(), { speaker: parts.speaker }),
      usage: (output) => meter.measure({ config, instructions: own ?? instructions, items, ...output }),
      send: (event) => parts.send(event),
      ended: () => {
        apart.delete(response);
        if (active === response) active = undefined;
        parts.ended(response);
      },
    });
    if (outOfBand) apart.add(response);
    else active = response;
  };

  return {
    get active() {
      return active;
    },
    respond(request, eventId) {
      onlyKnown(request, RESPONSE_KEYS, "response");
      checkFree(request);
      const lateMs = parts.faults.createdAfterMs ?? 0;
      if (lateMs === 0) {
        begin(request);
        return;
      }
      parts.after(lateMs, () => {
        try {
          checkFree(request);
          begin(request);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          parts.fail(error, eventId ?? null);
        }
      });
    },
    cancel(responseId) {
      const wanted = responseId === undefined ? undefined : stringAt(responseId, "response_id");
      const running = [active, ...apart].find((response) => response && (!wanted || response.id === wanted));
      if (!running) throw new WireError("response_cancel_not_active", "Cancellation failed: no active response found");
      running.cancel("client_cancelled");
    },
    interrupt: () => active?.cancel("turn_detected"),
    stop() {
      active?.cancel("client_cancelled");
      for (const response of apart) response.cancel("client_cancelled");
    },
  };
}
