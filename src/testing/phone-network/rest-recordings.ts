import type { SimulatedCall } from "./call.ts";
import { rfc2822 } from "./ids.ts";
import type { RecordingOrder, SimulatedRecording } from "./recording.ts";
import type { Answer, RestParts, Wanted } from "./rest.ts";
import { pageBody, RestRefused } from "./rest-resources.ts";

/** Names the recording that runs now. */
const CURRENT = "Twilio.CURRENT";
const EVENTS: ReadonlySet<string> = new Set(["in-progress", "completed", "absent"]);

/** `Recordings.json` of the account, and `Calls/{sid}/Recordings.json`: start, list, look, pause, go on, stop, delete. */
export function routeRecordings(parts: RestParts, { method, resource, path, form }: Wanted): Answer | undefined {
  const { accountSid, recordings, calls } = parts;
  const names = resource.split("/");
  const [callSid, sid] = names[0] === "Calls" ? [names[1], names[3]] : [undefined, names[1]];
  const call = callSid === undefined ? undefined : calls.get(callSid);
  if (callSid !== undefined && !call) return undefined;
  if (sid === undefined) {
    if (method === "POST" && call) return { status: 201, body: recordingBody(begin(call, form), accountSid) };
    if (method !== "GET") return undefined;
    const wanted = callSid ?? form.get("CallSid");
    const all = [...recordings.values()].filter((one) => wanted === null || one.callSid === wanted).reverse();
    const bodies = all.map((one) => recordingBody(one, accountSid));
    return { status: 200, body: pageBody("recordings", bodies, path, Object.fromEntries(form)) };
  }
  const recording = sid === CURRENT ? call?.recorder.current : recordings.get(sid);
  if (!recording || (callSid !== undefined && recording.callSid !== callSid)) return undefined;
  if (method === "DELETE") {
    if (recording.isRunning) throw new RestRefused(400, 20_001, "A recording in progress cannot be deleted.");
    recording.cut();
    recordings.delete(recording.sid);
    return { status: 204, body: undefined };
  }
  if (method === "POST" && call) change(recording, form);
  else if (method !== "GET") return undefined;
  return { status: 200, body: recordingBody(recording, accountSid) };
}

/** The sound itself: `Recordings/{sid}.wav`, with both channels unless one is asked for. */
export function routeMedia({ recordings }: RestParts, { method, resource, form }: Wanted, type: string) {
  const [kind, sid = "", more] = resource.split("/");
  const recording = recordings.get(sid);
  if (method !== "GET" || kind !== "Recordings" || more !== undefined || recording?.status !== "completed") {
    return undefined;
  }
  if (type !== "wav") throw new RestRefused(501, 20_001, `This phone network does not model sound as ${type}.`);
  const { channels } = recording.order;
  const asked = Number(form.get("RequestedChannels") ?? channels);
  if (asked > channels) throw new RestRefused(400, 21_220, "The recording has one channel only.");
  return { status: 200, body: recording.toWav(asked === 2 ? 2 : 1) };
}

/** @throws RestRefused the call cannot be recorded */
function begin(call: SimulatedCall, form: URLSearchParams): SimulatedRecording {
  if (!call.isAnswered || call.isOver || call.recorder.current) {
    throw new RestRefused(400, 21_220, "Requested resource is not eligible for recording.");
  }
  return call.recorder.begin(readOrder(form));
}

function readOrder(form: URLSearchParams): RecordingOrder {
  const url = form.get("RecordingStatusCallback") ?? "";
  if (url !== "" && !(URL.canParse(url) && /^https?:/i.test(url))) {
    throw new RestRefused(400, 21_205, `Url is not a valid URL: ${url}`);
  }
  if (form.get("Trim") === "trim-silence") {
    throw new RestRefused(501, 20_001, "This phone network does not model Trim=trim-silence.");
  }
  const asked = form.getAll("RecordingStatusCallbackEvent").flatMap((value) => value.split(/[\s,]+/));
  const events = new Set(asked.filter((event) => EVENTS.has(event)));
  if (events.size === 0) events.add("completed");
  if (events.has("completed")) events.add("failed"); // it has no event of its own
  const track = form.get("RecordingTrack");
  return {
    channels: form.get("RecordingChannels") === "dual" ? 2 : 1,
    track: track === "inbound" || track === "outbound" ? track : "both",
    callback: { url, method: form.get("RecordingStatusCallbackMethod") === "GET" ? "GET" : "POST", events },
  };
}

/** @throws RestRefused it is over */
function change(recording: SimulatedRecording, form: URLSearchParams): void {
  if (!recording.isRunning) throw new RestRefused(400, 21_220, "The recording is not in progress.");
  const status = form.get("Status");
  if (status === "paused") recording.pause(form.get("PauseBehavior") === "skip" ? "skip" : "silence");
  else if (status === "in-progress") recording.goOn();
  else if (status === "stopped") recording.stop();
  else throw new RestRefused(400, 20_001, "Status must be paused, in-progress or stopped.");
}

/** A recording as the REST API shows it. */
function recordingBody(recording: SimulatedRecording, accountSid: string): object {
  const { sid, callSid, order, startedAt, status, errorCode, isRunning, durationMs } = recording;
  const uri = `/2010-04-01/Accounts/${accountSid}/Recordings/${sid}`;
  return {
    sid,
    account_sid: accountSid,
    api_version: "2010-04-01",
    call_sid: callSid,
    conference_sid: null,
    channels: order.channels,
    date_created: rfc2822(startedAt),
    date_updated: rfc2822(startedAt),
    start_time: rfc2822(startedAt),
    duration: isRunning || status === "processing" ? "-1" : String(Math.round(durationMs / 1000)),
    encryption_details: null,
    error_code: errorCode ?? null,
    price: null,
    price_unit: "USD",
    source: "StartCallRecordingAPI",
    status,
    track: order.track,
    uri: `${uri}.json`,
    media_url: `https://api.twilio.com${uri}`,
  };
}
