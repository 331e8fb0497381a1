import type { Recordings } from "../calls/recordings.ts";
import type { Call } from "../core/call.ts";
import { InvalidRequestError } from "../core/errors.ts";
import type { RecordingSound } from "../http/doors.ts";

/** The sound of a call, as far as it was kept; `undefined` when nothing of it is there. @throws VoiceError it cannot be read */
export async function soundOf(
  { id }: Pick<Call, "id">,
  recordings: Pick<Recordings, "open">,
): Promise<RecordingSound | undefined> {
  try {
    const opened = await recordings.open(id);
    return { sound: opened.stream, bytes: opened.bytes };
  } catch (error) {
    if (error instanceof InvalidRequestError) return undefined; // nothing of it was recorded, or it was deleted
    throw error;
  }
}
