import type { Attestation } from "../../core/events.ts";

const LEVELS: Readonly<Record<string, Attestation>> = { A: "full", B: "partial", C: "gateway" };

/**
 * What Twilio says of a caller's number by `StirVerstat`: `TN-Validation-Passed-A` and the like, with `-Diverted` behind
 * it where a forwarding network has signed, and `-Passthrough` where the signature was handed on. Both count as their
 * level. Undefined when nothing was said (the parameter is there on signed calls alone), when no verdict was reached
 * (`No-TN-Validation`), and for words that are not known.
 * @see https://www.twilio.com/docs/voice/trusted-calling-with-shakenstir
 */
export function readVerdict(stirVerstat: string | undefined): Attestation | undefined {
  // By Twilio's table the word NULL is a failure of which not even the level is known.
  if (stirVerstat === "NULL" || stirVerstat?.startsWith("TN-Validation-Failed")) return "failed";
  const level = /^TN-Validation-Passed-([ABC])(?:-\w+)?$/.exec(stirVerstat ?? "")?.[1];
  return level === undefined ? undefined : LEVELS[level];
}
