import { EngineRefusedError, EngineUnreachableError, VoiceError } from "../core/errors.ts";
import type { ResponseFailure, ResponseOrder } from "./engine.ts";

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

/** With these the account is refused: whatever is asked, now or in a minute, is refused as well. */
const ACCOUNT_REFUSED: ReadonlySet<string> = new Set([
  "insufficient_quota",
  "invalid_api_key",
  "account_deactivated",
  "billing_hard_limit_reached",
]);

/** With these the same request may succeed later. */
const PASSING: ReadonlySet<string> = new Set(["rate_limit_exceeded", "server_error", "session_expired"]);

/** OpenAI refused for now; the same request may succeed later. */
class EngineRefusedForNowError extends EngineRefusedError {
  override readonly retryable = true;
}

/** Whether an error says that the account, not the request, is refused. */
export const isAccountRefused = (code: string): boolean => ACCOUNT_REFUSED.has(code);

/** Whether a refusal only says that a cancel or a cut came when there was nothing left to cancel or to cut. */
export function isCrossing(code: string, message: string): boolean {
  if (code === "response_cancel_not_active" || code === "input_audio_buffer_commit_empty") return true;
  return /^item_(truncate|delete)_invalid_item_id$/.test(code) || /is already shorter than \d+ ?ms/.test(message);
}

/** A clear error for one of OpenAI's. */
export function refusal(code: string, message: string, cause?: unknown): EngineRefusedError {
  return refused(PASSING.has(code) ? EngineRefusedForNowError : EngineRefusedError, code, message, cause);
}

/** Why a response failed: everything but a refused account is worth another try. */
export function responseFailure(
  error: { code?: string; message?: string } | undefined,
  order: ResponseOrder | undefined,
): ResponseFailure {
  const { code = "response_failed", message = "a response failed." } = error ?? {};
  const kind = isAccountRefused(code) ? EngineRefusedError : EngineRefusedForNowError;
  return {
    error: refused(kind, code, message),
    ...(code === "rate_limit_exceeded" && { retryAfterMs: advisedMs(message) }),
    ...(order && { order }),
  };
}

/** A model that says nothing on a connection that stands. */
export function silent(): EngineUnreachableError {
  return new EngineUnreachableError(
    "The speech model has stopped answering, though its connection stands. Check OpenAI's status page.",
  );
}

/** A model that takes nothing on a connection that stands. */
export function stalled(): EngineUnreachableError {
  return new EngineUnreachableError("The speech model takes no more of the caller's audio. Check the network.");
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

/** Reads why a request was refused, or an upgrade answered with plain HTTP. */
export async function readRefusal(
  status: number,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<VoiceError> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    if (chunks.length > 16) break;
  }
  const text = Buffer.concat(chunks).toString("utf8");
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

const RATE_LIMIT_MS = 1_000;

/** How long OpenAI advises to wait: `Please try again in 1.5s.` */
function advisedMs(message: string): number {
  const [, amount, unit] = /try again in ([\d.]+) ?(ms|s)\b/i.exec(message) ?? [];
  if (amount === undefined) return RATE_LIMIT_MS;
  return Math.ceil(Number(amount) * (unit === "ms" ? 1 : 1_000));
}

function refused(kind: typeof EngineRefusedError, code: string, message: string, cause?: unknown): EngineRefusedError {
  const remedy = REMEDIES.get(code) ?? "Check the engine's settings against OpenAI's documentation.";
  return new kind(code, message, remedy, { cause });
}

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
