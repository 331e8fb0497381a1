import { isObject, type Json, type JsonObject, objectAt, stringAt, WireError } from "./wire.ts";

/** How audio is written on the wire. */
export type AudioFormat = { readonly type: "audio/pcm"; readonly rate: 24_000 } | { readonly type: "audio/pcmu" };

/** When a caller's turn begins and ends, with every default filled in. */
export interface TurnDetection extends JsonObject {
  readonly type: "server_vad" | "semantic_vad";
  readonly create_response: boolean;
  readonly interrupt_response: boolean;
  /** server_vad only: 0 hears everything, 1 hardly anything. */
  readonly threshold?: number;
  /** server_vad only. */
  readonly prefix_padding_ms?: number;
  /** server_vad only. */
  readonly silence_duration_ms?: number;
  /** server_vad only. */
  readonly idle_timeout_ms?: number | null;
  /** semantic_vad only. */
  readonly eagerness?: "low" | "medium" | "high" | "auto";
}

/** The effective session object, as `session.created` and `session.updated` echo it. */
export interface SessionConfig extends JsonObject {
  readonly type: "realtime";
  readonly id: string;
  readonly object: "realtime.session";
  readonly model: string;
  readonly instructions: string;
  readonly output_modalities: readonly ("audio" | "text")[];
  readonly tools: readonly JsonObject[];
  readonly tool_choice: Json;
  readonly max_output_tokens: number | "inf";
  readonly expires_at: number;
  readonly audio: {
    readonly input: {
      readonly format: AudioFormat;
      readonly noise_reduction: JsonObject | null;
      readonly transcription: JsonObject | null;
      readonly turn_detection: TurnDetection | null;
    };
    readonly output: { readonly format: AudioFormat; readonly voice: Json; readonly speed: number };
  };
}

/** What a session is before its first update. */
export function newSessionConfig(parts: { id: string; model: string; expiresAt: number }): SessionConfig {
  return {
    type: "realtime",
    object: "realtime.session",
    id: parts.id,
    model: parts.model,
    output_modalities: ["audio"],
    instructions: "You are a helpful, witty and friendly assistant. Talk quickly.",
    tools: [],
    tool_choice: "auto",
    max_output_tokens: "inf",
    tracing: null,
    truncation: "auto",
    prompt: null,
    expires_at: parts.expiresAt,
    audio: {
      input: {
        format: { type: "audio/pcm", rate: 24_000 },
        transcription: null,
        noise_reduction: null,
        turn_detection: turnDetection({ type: "server_vad" }, "session.audio.input.turn_detection"),
      },
      output: { format: { type: "audio/pcm", rate: 24_000 }, voice: "alloy", speed: 1 },
    },
    include: null,
  };
}

/** What else decides whether an update is allowed. */
export interface UpdateRules {
  /** Whether the assistant has been heard: its voice is settled then. */
  readonly spoken?: boolean;
  /** Whether this is the body of a SIP accept, where the sizes of server_vad are refused. */
  readonly sipAccept?: boolean;
}

/**
 * Lays an update over a session: what it names changes, what it leaves out stays, formats included.
 * @throws WireError naming the first parameter that is unknown, missing, of a wrong type or settled; nothing changed
 */
export function updatedConfig(current: SessionConfig, patch: Json | undefined, rules: UpdateRules = {}): SessionConfig {
  const update = objectAt(patch, "session");
  if (stringAt(update["type"], "session.type") !== "realtime") throw invalid("session.type", "realtime");
  onlyKnown(update, SESSION_KEYS, "session");
  if (update["model"] !== undefined && update["model"] !== current.model && !rules.sipAccept) {
    throw new WireError("invalid_value", "The model of a session cannot be changed.", "session.model");
  }
  const { audio, ...rest } = update;
  const next = { ...current, ...defined(rest), audio: updatedAudio(current, audio, rules) };
  if (typeof next.instructions !== "string") throw invalid("session.instructions", "a string");
  if (!Array.isArray(next.tools)) throw invalid("session.tools", "an array");
  next.tools.forEach(checkTool);
  const modes = next.output_modalities;
  if (!Array.isArray(modes) || modes.length !== 1 || !["audio", "text"].includes(modes[0] as string)) {
    throw invalid("session.output_modalities", '["audio"] or ["text"]');
  }
  return next;
}

/** The output format a response asks for, or `fallback`. */
export function audioFormat(value: Json | undefined, param: string, fallback: AudioFormat): AudioFormat {
  if (value === undefined) return fallback;
  const format = objectAt(value, param);
  const type = stringAt(format["type"], `${param}.type`);
  onlyKnown(format, type === "audio/pcm" ? ["type", "rate"] : ["type"], param);
  if (type === "audio/pcmu") return { type };
  if (type === "audio/pcma") {
    throw new WireError("invalid_value", "This simulator has no A-law: use audio/pcmu or audio/pcm.", `${param}.type`);
  }
  if (type !== "audio/pcm") throw invalid(`${param}.type`, "audio/pcm, audio/pcmu or audio/pcma");
  if (format["rate"] !== undefined && format["rate"] !== 24_000) throw invalid(`${param}.rate`, "24000");
  return { type, rate: 24_000 };
}

/** Refuses parameters that the API does not know, in its own words. */
export function onlyKnown(object: JsonObject, known: readonly string[], path: string): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue;
    const param = path === "" ? key : `${path}.${key}`;
    throw new WireError("unknown_parameter", `Unknown parameter: '${param}'.`, param);
  }
}

// --- Internal helpers ---

const SESSION_KEYS = [
  ...["type", "model", "output_modalities", "instructions", "max_output_tokens", "parallel_tool_calls", "reasoning"],
  ...["tool_choice", "tools", "tracing", "prompt", "include", "truncation", "audio"],
];
const MCP_KEYS = [
  ...["type", "server_label", "server_url", "tunnel_id", "connector_id", "authorization", "headers", "allowed_tools"],
  ...["require_approval", "server_description", "defer_loading", "allowed_callers"],
];
const SERVER_VAD_KEYS = ["threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"];

function updatedAudio(current: SessionConfig, patch: Json | undefined, rules: UpdateRules): SessionConfig["audio"] {
  if (patch === undefined) return current.audio;
  const audio = objectAt(patch, "session.audio");
  onlyKnown(audio, ["input", "output"], "session.audio");
  let { input, output } = current.audio;
  if (audio["input"] !== undefined) {
    const path = "session.audio.input";
    const given = objectAt(audio["input"], path);
    onlyKnown(given, ["format", "noise_reduction", "transcription", "turn_detection"], path);
    const turns = given["turn_detection"];
    input = {
      ...input,
      ...defined(given),
      format: audioFormat(given["format"], `${path}.format`, input.format),
      turn_detection:
        turns === undefined ? input.turn_detection : turnDetection(turns, `${path}.turn_detection`, rules.sipAccept),
    };
  }
  if (audio["output"] !== undefined) {
    const path = "session.audio.output";
    const given = objectAt(audio["output"], path);
    onlyKnown(given, ["format", "voice", "speed"], path);
    if (rules.spoken && given["voice"] !== undefined && given["voice"] !== output.voice) {
      const message = "Cannot update a conversation's voice if assistant audio is present.";
      throw new WireError("cannot_update_voice", message, `${path}.voice`);
    }
    const format = audioFormat(given["format"], `${path}.format`, output.format);
    output = { ...output, ...defined(given), format };
    if (typeof output.speed !== "number" || output.speed < 0.25 || output.speed > 1.5) {
      throw invalid(`${path}.speed`, "a number from 0.25 to 1.5");
    }
  }
  return { input, output };
}

function turnDetection(value: Json, param: string, sipAccept = false): TurnDetection | null {
  if (value === null) return null;
  const given = objectAt(value, param);
  const type = stringAt(given["type"], `${param}.type`);
  const common = ["type", "create_response", "interrupt_response"];
  const owner = { create_response: true, interrupt_response: true };
  if (type === "semantic_vad") {
    onlyKnown(given, [...common, "eagerness"], param);
    return { ...owner, eagerness: "auto", ...defined(given), type };
  }
  if (type !== "server_vad") throw invalid(`${param}.type`, "server_vad or semantic_vad");
  // A SIP accept refuses the sizes: https://github.com/openai/openai-agents-js/issues/741
  onlyKnown(given, sipAccept ? [...common, "idle_timeout_ms"] : [...common, ...SERVER_VAD_KEYS], param);
  const sizes = { threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500, idle_timeout_ms: null };
  return { ...owner, ...sizes, ...defined(given), type };
}

function checkTool(tool: Json, index: number): void {
  const path = `session.tools[${index}]`;
  const given = objectAt(tool, path);
  const type = stringAt(given["type"], `${path}.type`);
  if (type === "mcp") {
    checkMcpServer(given, path);
    return;
  }
  if (type !== "function") throw invalid(`${path}.type`, "function or mcp");
  onlyKnown(given, ["type", "name", "description", "parameters"], path);
  stringAt(given["name"], `${path}.name`);
  if (given["parameters"] !== undefined && !isObject(given["parameters"]))
    throw invalid(`${path}.parameters`, "an object");
}

/** A server of tools: it is taken as it is and never called. */
function checkMcpServer(given: JsonObject, path: string): void {
  onlyKnown(given, MCP_KEYS, path);
  stringAt(given["server_label"], `${path}.server_label`);
  const places = ["server_url", "tunnel_id", "connector_id"].filter((key) => given[key] !== undefined);
  if (places.length !== 1) throw invalid(path, "exactly one of server_url, tunnel_id and connector_id");
  const approval = given["require_approval"] ?? "always";
  if (!isObject(approval) && approval !== "always" && approval !== "never") {
    throw invalid(`${path}.require_approval`, "always, never or a filter");
  }
  const allowed = given["allowed_tools"] ?? [];
  if (!Array.isArray(allowed) && !isObject(allowed)) throw invalid(`${path}.allowed_tools`, "an array or a filter");
}

function defined(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function invalid(param: string, expected: string): WireError {
  return new WireError("invalid_value", `Invalid value for '${param}': expected ${expected}.`, param);
}
