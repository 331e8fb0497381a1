import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import { InvalidNumberError } from "./errors.ts";

/**
 * Reads a telephone number in E.164 form, forgiving spaces, brackets, hyphens and the prefixes `voice:` and `tel:`.
 * Possible numbers pass, whether or not a network has given them to somebody.
 */
export function parseE164(raw: string): string | undefined {
  const text = raw.trim().replace(/^(?:voice|tel):/i, "");
  if (!/^\+[\d\s().-]+$/.test(text)) return undefined;
  const number = parsePhoneNumberFromString(text);
  return number?.isPossible() ? number.number : undefined;
}

/** As `parseE164`. @throws InvalidNumberError naming the field */
export function requireE164(raw: string, field: string): string {
  const number = parseE164(raw);
  if (number === undefined) throw new InvalidNumberError(field, raw);
  return number;
}

/** A number as logs show it when numbers are not to be logged: country and last two digits stay. */
export function maskNumber(e164: string): string {
  return e164.length < 7 ? "…" : `${e164.slice(0, 2)}…${e164.slice(-2)}`;
}
