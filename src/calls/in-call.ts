import { isKeySequence, type KeyTiming, TONE_MS } from "../audio/dtmf.ts";
import { CallOverError, InvalidRequestError } from "../core/errors.ts";
import type { LiveCall } from "./live-calls.ts";

/** Keys and pauses of one order at most: no number, code or menu path is longer. */
const MOST_DIGITS = 32;

/** Has a text said word for word. @throws InvalidRequestError it is empty @throws CallOverError there is nobody to hear it */
export function say({ id, conversation }: LiveCall, text: string): void {
  requireWords(text);
  if (!conversation.say(text)) throw new CallOverError(id, "say anything yet");
}

/**
 * Sends keys as tones, in the call's own sound: it is the same stream before and after.
 * @throws InvalidRequestError they are no keys, or the carrier cannot send any; nothing was sent
 * @throws CallOverError there is no sound to send them in
 */
export function sendDigits({ id, account, conversation }: LiveCall, digits: string, timing: KeyTiming): void {
  requireDigits(digits, timing);
  if (!account.carrier.capabilities.sendsDigits) {
    throw new InvalidRequestError("digits", "the carrier of this call cannot send keys");
  }
  if (!conversation.sendDigits(digits, timing)) throw new CallOverError(id, "send keys yet");
}

/** Gives the model a standing instruction. @throws InvalidRequestError it is empty @throws CallOverError there is no model */
export function instruct({ id, conversation }: LiveCall, text: string, respond: boolean): void {
  requireWords(text);
  if (!conversation.instruct(text, respond)) throw new CallOverError(id, "take instructions yet");
}

// --- Internal helpers ---

function requireWords(text: string): void {
  if (text.trim() === "") throw new InvalidRequestError("text", "must say something");
}

/** Refuses what would be dropped on the way. */
function requireDigits(digits: string, { durationMs = TONE_MS.usual }: KeyTiming): void {
  if (digits.length > MOST_DIGITS) throw new InvalidRequestError("digits", `may have ${MOST_DIGITS} keys at most`);
  if (!isKeySequence(digits)) {
    throw new InvalidRequestError("digits", "must be keys (0-9, *, #, A-D), with w or , for pauses of half a second");
  }
  if (!(durationMs >= TONE_MS.least && durationMs <= TONE_MS.most)) {
    throw new InvalidRequestError("durationMs", `must be ${TONE_MS.least} to ${TONE_MS.most}`);
  }
}
