import type { IncomingMessage } from "node:http";
import { EngineRefusedError, EngineUnreachableError, VoiceError } from "../core/errors.ts";

/** Remedies by OpenAI's error codes; others get the general one. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ["invalid_api_key", "Set engine.apiKey to a valid key of your OpenAI project."],
  ["insufficient_quota", "Add credit or raise the budget of your OpenAI project."],
  ["billing_hard_limit_reached", "Raise the budget of your OpenAI organisation."],
  ["account_deactivated", "Ask OpenAI's support about the account."],
  ["model_not_found", "Set engine.model to a Realtime model that your project may use."],
  ["rate_limit_exceeded", "Wait, or ask OpenAI for a higher limit."],
  ["session_expired", "Nothing: a session lives 60 minutes at most."],
]);

/** A clear error for one of OpenAI's. */
export function refusal(code: string, message: string, cause?: unknown): EngineRefusedError {
  const remedy = REMEDIES.get(code) ?? "Check the engine's settings against OpenAI's documentation.";
  return new EngineRefusedError(code, message, remedy, { cause });
}

/** No connection: who was asked, what happened, what to check. */
export function unreachable(url: URL, cause: Error): EngineUnreachableError {
  return new EngineUnreachableError(
    `OpenAI Realtime at ${url.host} cannot be reached: ${cause.message}. Check engine.baseUrl and the network.`,
    {
      cause,
    },
  );
}

/** Reads why an upgrade was answered with plain HTTP. */
export async function readRefusal(response: IncomingMessage): Promise<VoiceError> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    if (chunks.length > 16) break;
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const status = response.statusCode ?? 0;
  if (status >= 500) return new EngineUnreachableError(`OpenAI Realtime answered ${status}. Try again later.`);
  const { code, message } = errorBody(text);
  return refusal(
    code ?? (status === 401 ? "invalid_api_key" : `http_${status}`),
    message ?? `the connection was answered with ${status}.`,
  );
}

/** Turns what OpenAI's client throws into one of our errors. */
export function toVoiceError(error: unknown): VoiceError {
  if (error instanceof VoiceError) return error;
  const { status, code, message } = error as { status?: number; code?: string | null; message?: string };
  if (status !== undefined && status < 500)
    return refusal(code ?? `http_${status}`, message ?? "the request was refused.", error);
  return new EngineUnreachableError(
    `OpenAI cannot be reached: ${message ?? String(error)}. Check engine.baseUrl and the network.`,
    {
      cause: error,
    },
  );
}

// --- Internal helpers ---

function errorBody(text: string): { code?: string; message?: string } {
  try {
    const parsed: unknown = JSON.parse(text);
    const error = (parsed as { error?: { code?: unknown; message?: unknown } }).error;
    return {
      ...(typeof error?.code === "string" && { code: error.code }),
      ...(typeof error?.message === "string" && { message: error.message }),
    };
  } catch {
    return {}; // proxies answer in HTML
  }
}
