import type { Clock } from "../core/clock.ts";
import type { Engine } from "./engine.ts";
import { type OpenAIRealtimeOptions, openaiRealtime } from "./openai-realtime.ts";

/** An engine's settings by provider. */
export type EngineOptions = { readonly provider: "openai-realtime" } & Omit<OpenAIRealtimeOptions, "clock">;

/** The engines that ship, by provider name. */
export function createEngine(options: EngineOptions, clock: Clock): Engine {
  switch (options.provider) {
    case "openai-realtime":
      return openaiRealtime({ ...options, clock });
    default:
      return options.provider satisfies never;
  }
}
