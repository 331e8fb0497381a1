import type { RecordingListInstance } from "twilio/lib/rest/api/v2010/account/call/recording.js";
import type { Carrier, CarrierRecording, RecordingRef } from "../carrier.ts";
import { ANSWER_WITHIN_MS, ask, authorization } from "./api.ts";
import { asUnknown, isNotLive, toVoiceError } from "./errors.ts";
import type { TwilioOptions } from "./index.ts";
import { requireToken } from "./signature.ts";
import type { WebhookUrls } from "./urls.ts";

/** Sound that stops coming for so long comes no more. */
const IDLE_MS = 30_000;
/** The longest call that Twilio allows, in stereo, is half of this. */
const SOUND_LIMIT_BYTES = 2 ** 30;
/** How Twilio names the origin of recordings that were asked for as `startRecording` does. */
const OURS = "StartCallRecordingAPI";

const STATES: ReadonlyMap<string, CarrierRecording["state"]> = new Map([
  ["in-progress", "running"],
  ["paused", "paused"],
  ["stopped", "processing"],
  ["processing", "processing"],
  ["completed", "ready"],
  ["absent", "absent"],
  ["failed", "failed"],
  ["deleted", "gone"],
]);

/** The verbs of a carrier that act on recordings. */
type Recordings = Pick<
  Carrier,
  | "startRecording"
  | "pauseRecording"
  | "resumeRecording"
  | "stopRecording"
  | "findRecordings"
  | "fetchRecordingState"
  | "fetchRecording"
  | "deleteRecording"
>;

/**
 * Recordings of calls by Twilio's own resource, and their media by plain requests.
 * @see https://www.twilio.com/docs/voice/api/recording
 */
export function createRecordings(options: TwilioOptions, urls: WebhookUrls): Recordings {
  const onList = <T>(
    legId: string,
    what: string,
    signal: AbortSignal,
    act: (recordings: RecordingListInstance) => Promise<T>,
  ) => ask(options, what, signal, ({ calls }) => act(calls(legId).recordings));
  const change = async (
    { legId, id }: RecordingRef,
    status: "paused" | "in-progress" | "stopped",
    signal: AbortSignal,
  ) => {
    const pause = status === "paused" ? { pauseBehavior: "silence" } : {};
    await onList(legId, "change the recording", signal, (recordings) => recordings(id).update({ status, ...pause }));
  };

  return {
    async startRecording({ legId, callId, recordingId }, signal) {
      const { sid } = await onList(legId, "record the call", signal, (recordings) =>
        recordings.create({
          recordingChannels: "dual",
          recordingTrack: "both",
          trim: "do-not-trim",
          recordingStatusCallback: urls.recording(callId, recordingId),
          recordingStatusCallbackMethod: "POST",
          recordingStatusCallbackEvent: ["completed", "absent"],
        }),
      );
      return sid;
    },

    pauseRecording: (recording, signal) => change(recording, "paused", signal),
    resumeRecording: (recording, signal) => change(recording, "in-progress", signal),
    stopRecording: (recording, signal) => change(recording, "stopped", signal).catch(unlessOver),

    async findRecordings(legId, signal) {
      try {
        const page = await onList(legId, "list the recordings", signal, (recordings) => recordings.page());
        const found = page.instances.filter(({ source }) => source === OURS);
        return found.map(({ sid, status, duration }) => describeRecording(sid, status, duration));
      } catch (error) {
        if (isNotLive(error)) return [];
        throw asUnknown(error, "The recording's state cannot be had.");
      }
    },

    async fetchRecordingState({ legId, id }, signal) {
      try {
        const found = await onList(legId, "look the recording up", signal, (recordings) => recordings(id).fetch());
        return describeRecording(id, found.status, found.duration);
      } catch (error) {
        if (isNotLive(error)) return { id, state: "gone", carrierStatus: "not found" };
        throw asUnknown(error, "The recording's state cannot be had.");
      }
    },

    fetchRecording: ({ id }, signal) => openSound(options, id, signal),

    async deleteRecording({ legId, id }, signal) {
      await onList(legId, "delete the recording", signal, (recordings) => recordings(id).remove()).catch(unlessOver);
    },
  };
}

/** A recording in our words; `seconds` as Twilio counts them. */
export function describeRecording(id: string, status: string, seconds: string | undefined): CarrierRecording {
  const durationMs = /^\d{1,9}$/.test(seconds ?? "") ? Number(seconds) * 1000 : undefined;
  return {
    id,
    state: STATES.get(status) ?? "unknown",
    ...(durationMs !== undefined && { durationMs }),
    carrierStatus: status,
  };
}

// --- Internal helpers ---

/** What is over or gone needs no end. */
function unlessOver(error: unknown): void {
  if (!isNotLive(error)) throw error;
}

async function openSound(options: TwilioOptions, id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const { accountSid, apiBaseUrl, clock, fetch = globalThis.fetch } = options;
  const token = requireToken(options.authToken, options.accountId);
  const path = `/2010-04-01/Accounts/${accountSid}/Recordings/${encodeURIComponent(id)}.wav?RequestedChannels=2`;
  const stop = new AbortController();
  const within = (limitMs: number) =>
    clock.after(limitMs, () => stop.abort(new Error(`no answer within ${limitMs / 1000} seconds`)));
  const timer = within(ANSWER_WITHIN_MS);
  try {
    // Twilio may send us on to where the media lies: `fetch` takes the credentials to no other origin.
    const response = await fetch(apiBaseUrl.replace(/\/+$/, "") + path, {
      headers: { authorization: authorization(accountSid, token), "user-agent": "openclaw-voice-channel" },
      signal: AbortSignal.any([signal, stop.signal]),
    });
    if (response.ok && response.body) return readSound(response.body, stop, within);
    stop.abort();
    throw Object.assign(new Error("There is no such sound"), { status: response.ok ? 502 : response.status });
  } catch (error) {
    throw toVoiceError(error, "send the recording");
  } finally {
    timer.stop();
  }
}

/** The sound piece by piece; leaving it early lets go of the connection. */
async function* readSound(
  body: ReadableStream<Uint8Array>,
  stop: AbortController,
  within: (limitMs: number) => { stop(): void },
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const timer = within(IDLE_MS);
      const { done, value } = await reader.read().finally(() => timer.stop());
      if (done) return;
      bytes += value.length;
      if (bytes > SOUND_LIMIT_BYTES) throw new Error(`it sent more than ${SOUND_LIMIT_BYTES} bytes`);
      yield value;
    }
  } catch (error) {
    throw toVoiceError(error, "send the recording");
  } finally {
    stop.abort();
  }
}
