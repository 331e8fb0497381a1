import { describe } from "vitest";
import { openaiRealtime } from "../../src/engines/openai-realtime.ts";
import { engineConformance } from "../../src/testing/engine-conformance.ts";

const vad = { kind: "server", silenceMs: 500, threshold: 0.5, eagerness: "high" } as const;
const options = { model: "gpt-realtime-2.1", voice: "marin", speed: 1, transcriptionModel: "gpt-transcribe", vad };

describe("OpenAI Realtime", () => engineConformance((at) => openaiRealtime({ ...options, ...at })));
