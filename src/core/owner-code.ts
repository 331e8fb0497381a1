import { readDigits } from "./spoken-digits.ts";

/** Digits of a code: a million of them, of which five may be guessed in an hour. */
export const CODE_DIGITS = 6;
/** How long a code may be used after it was sent. */
export const CODE_LIVES_MS = 300_000;
const CODES_AN_HOUR = 3;
const WRONG_TRIES_AN_HOUR = 5;
const HOUR_MS = 3_600_000;
/** Bytes from here on would make the low digits more frequent: 250 is the last multiple of ten that fits. */
const FAIR_BELOW = 250;

/** What is known of an account's codes: the rules count over all its calls. */
export interface OwnerCodes {
  /** When codes were sent, as far as it is less than an hour ago. Milliseconds since the epoch, like all times here. */
  readonly sentAtMs: readonly number[];
  /** When wrong codes were given, as far as it is less than an hour ago. */
  readonly wrongAtMs: readonly number[];
  /** Until then no code is sent and none is right; 0: it was never locked. */
  readonly lockedUntilMs: number;
  /** The newest code, until it is used; it is right on the call that asked for it alone. */
  readonly current?: { readonly callId: string; readonly hash: string; readonly expiresAtMs: number };
}

/** An account that has sent nothing yet. */
export const NO_CODES: OwnerCodes = { sentAtMs: [], wrongAtMs: [], lockedUntilMs: 0 };

/** Whether a code may be sent, and when again if not. */
export type SendVerdict =
  | { readonly verdict: "sent" }
  | { readonly verdict: "locked" | "too_many"; readonly againAtMs: number };

/**
 * What a code that was given is worth. `wrong` may have locked everything, which `lockedUntilMs` then says.
 * `expired`: this call's code is too old. `none`: no code waits for this call: none was sent, it was used, or another
 * call's has taken its place. Only `wrong` counts as a try: the others tell nothing of any code.
 */
export type TryVerdict =
  | { readonly verdict: "right" | "wrong" | "expired" | "none" }
  | { readonly verdict: "locked"; readonly againAtMs: number };

/** Six digits, each as likely as any other, from a source of random bytes. */
export function makeCode(randomBytes: (count: number) => Uint8Array): string {
  let code = "";
  while (code.length < CODE_DIGITS) {
    const fair = randomBytes(2 * CODE_DIGITS).filter((byte) => byte < FAIR_BELOW);
    code += [...fair].map((byte) => byte % 10).join("");
  }
  return code.slice(0, CODE_DIGITS);
}

/** A code as somebody said or keyed it; undefined when it is not six digits. */
export function readCode(said: string): string | undefined {
  const digits = readDigits(said);
  return digits?.length === CODE_DIGITS ? digits : undefined;
}

/** A code is to be sent for a call: it takes the place of the one before. */
export function sendCode(
  before: OwnerCodes,
  { callId, hash }: { readonly callId: string; readonly hash: string },
  nowMs: number,
): { readonly codes: OwnerCodes } & SendVerdict {
  const codes = recent(before, nowMs);
  if (codes.lockedUntilMs > nowMs) return { codes, verdict: "locked", againAtMs: codes.lockedUntilMs };
  const [oldest] = codes.sentAtMs;
  if (oldest !== undefined && codes.sentAtMs.length >= CODES_AN_HOUR)
    return { codes, verdict: "too_many", againAtMs: oldest + HOUR_MS };
  return {
    verdict: "sent",
    codes: {
      ...codes,
      sentAtMs: [...codes.sentAtMs, nowMs],
      current: { callId, hash, expiresAtMs: nowMs + CODE_LIVES_MS },
    },
  };
}

/** A code that was counted as sent at `sentAtMs` did not leave after all. */
export function takeBack(
  codes: OwnerCodes,
  { hash, sentAtMs }: { readonly hash: string; readonly sentAtMs: number },
): OwnerCodes {
  const at = codes.sentAtMs.indexOf(sentAtMs);
  const rest = { ...codes, sentAtMs: codes.sentAtMs.filter((_, index) => index !== at) };
  return codes.current?.hash === hash ? used(rest) : rest;
}

/** Somebody on a call gave a code. `isRight` compares it with a hash, in a time that tells nothing. */
export function tryCode(
  before: OwnerCodes,
  { callId, isRight }: { readonly callId: string; readonly isRight: (hash: string) => boolean },
  nowMs: number,
): { readonly codes: OwnerCodes } & TryVerdict {
  const codes = recent(before, nowMs);
  const { current, lockedUntilMs } = codes;
  if (lockedUntilMs > nowMs) return { codes, verdict: "locked", againAtMs: lockedUntilMs };
  if (current?.callId !== callId) return { codes, verdict: "none" };
  if (current.expiresAtMs <= nowMs) return { codes, verdict: "expired" };
  if (isRight(current.hash)) return { codes: used(codes), verdict: "right" };
  const wrong = { ...codes, wrongAtMs: [...codes.wrongAtMs, nowMs] };
  if (wrong.wrongAtMs.length < WRONG_TRIES_AN_HOUR) return { codes: wrong, verdict: "wrong" };
  return { codes: used({ ...wrong, lockedUntilMs: nowMs + HOUR_MS }), verdict: "wrong" };
}

// --- Internal helpers ---

/** Forgets what is an hour ago. */
function recent(codes: OwnerCodes, nowMs: number): OwnerCodes {
  const isRecent = (atMs: number) => atMs > nowMs - HOUR_MS;
  return { ...codes, sentAtMs: codes.sentAtMs.filter(isRecent), wrongAtMs: codes.wrongAtMs.filter(isRecent) };
}

/** No code waits any more. */
function used({ current: _, ...codes }: OwnerCodes): OwnerCodes {
  return codes;
}
