import { VoiceError, type VoiceErrorCode } from "../core/errors.ts";

/** An error as the journal notes it: a code that is stable, and what it says. */
export function faultOf(error: unknown): { readonly code: VoiceErrorCode | "internal"; readonly message: string } {
  if (error instanceof VoiceError) return { code: error.code, message: error.message };
  return { code: "internal", message: String(error) };
}
