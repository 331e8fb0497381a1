import type { Call, CallRecording } from "../core/call.ts";
import type { RecordingSound } from "../http/doors.ts";

/** Opens the sound of a stored recording; `undefined` when it is not there any more. */
export type OpenSound = (
  recording: CallRecording,
  call: Call,
) => Promise<Omit<RecordingSound, "recordingId"> | undefined>;

/** The sound of a call's stored recording: that with this id, or the first. Without `open` none is kept here. */
export async function soundOf(
  call: Call,
  recordingId: string | undefined,
  open?: OpenSound,
): Promise<RecordingSound | undefined> {
  const wanted = call.recordings.find(
    ({ id, state }) => state === "stored" && (recordingId === undefined || id === recordingId),
  );
  const opened = wanted && (await open?.(wanted, call));
  return opened && { recordingId: wanted.id, ...opened };
}
