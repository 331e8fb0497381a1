import { STATUS_CODES } from "node:http";
import { VoiceError, type VoiceErrorCode } from "../core/errors.ts";

/** The HTTP status of each error of ours, behind the API's token. */
export const HTTP_STATUS: Readonly<Record<VoiceErrorCode, number>> = {
  invalid_request: 400,
  invalid_number: 400,
  invalid_signature: 403,
  not_allowed: 403,
  call_not_found: 404,
  account_unavailable: 404,
  call_over: 409,
  config_invalid: 409,
  secret_missing: 409,
  limit_reached: 429,
  package_missing: 501,
  carrier_refused: 502,
  engine_refused: 502,
  host_failed: 502,
  store_failed: 503,
  port_taken: 503,
  not_running: 503,
  carrier_unreachable: 504,
  engine_unreachable: 504,
};

/** Codes of refusals that only HTTP knows. */
export type HttpCode =
  | "unauthorized"
  | "not_found"
  | "payload_too_large"
  | "unsupported_media_type"
  | "rate_limited"
  | "internal_error";

/** The body of every error answer (RFC 9457, `application/problem+json`). */
export interface Problem {
  readonly type: "about:blank";
  /** The status in words. */
  readonly title: string;
  readonly status: number;
  /** Stable; decide by this. */
  readonly code: VoiceErrorCode | HttpCode;
  /** One sentence for a person, with what to do. */
  readonly message: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
}

/** What an error answer says. */
export function describeProblem(
  status: number,
  code: Problem["code"],
  message: string,
  retryable: boolean = false,
): Problem {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, code, message, retryable };
}

/** An error answer, ready to be sent. */
export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** What a client of the API is told of an error; one that is not ours stays inside. */
export function apiProblem(error: unknown): Problem {
  if (!(error instanceof VoiceError)) return internalProblem();
  return describeProblem(HTTP_STATUS[error.code], error.code, error.message, error.retryable);
}

/** What the outside world is told: no more than a real carrier needs, for anybody can ask. */
export function publicProblem(error: unknown): Problem {
  if (!(error instanceof VoiceError)) return internalProblem();
  switch (error.code) {
    case "invalid_signature":
    case "secret_missing":
      return describeProblem(403, error.code, "The request was not accepted as genuine. The channel's log says why.");
    case "invalid_request":
      return describeProblem(400, error.code, error.message);
    case "account_unavailable":
      return describeProblem(404, error.code, "No such account is running here.");
    default:
      return describeProblem(HTTP_STATUS[error.code], error.code, "The channel's log says why.", error.retryable);
  }
}

/** The answer where nothing is. */
export function notFound(): Problem {
  return describeProblem(404, "not_found", "There is nothing here.");
}

/** The answer to one who comes too often. */
export function rateLimited(retryAfterSeconds: number): Problem {
  return describeProblem(429, "rate_limited", `Too many requests. Try again in ${retryAfterSeconds} s.`, true);
}

// --- Internal helpers ---

function internalProblem(): Problem {
  return describeProblem(500, "internal_error", "Something failed inside. The channel's log says what.", true);
}
