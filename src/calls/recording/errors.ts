import { VoiceError } from "../../core/errors.ts";

/** A recording is there, but it cannot be opened: its key is missing, or it was altered. Nothing of it was given out. */
export class RecordingUnreadableError extends VoiceError {
  readonly code = "store_failed";
}
