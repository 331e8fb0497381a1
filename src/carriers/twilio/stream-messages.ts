/** A message of Twilio on a media stream; only what is used of it. */
export type StreamMessage =
  | { readonly event: "connected" }
  | { readonly event: "start"; readonly start: StreamStart }
  | { readonly event: "media"; readonly streamId: string; readonly track: string; readonly payload: string }
  | { readonly event: "mark"; readonly streamId: string; readonly name: string }
  | { readonly event: "dtmf"; readonly streamId: string; readonly digit: string }
  | { readonly event: "stop"; readonly streamId: string }
  /** An event of a kind that we do not know: Twilio may add some. */
  | { readonly event: "other"; readonly name: string };

/** What a stream says of itself. */
export interface StreamStart {
  readonly streamId: string;
  readonly legId: string;
  readonly accountSid: string;
  /** Encoding, samples a second and channels, such as `audio/x-mulaw 8000 1`. */
  readonly format: string;
  readonly token: string | undefined;
}

/**
 * Reads a text frame of Twilio; `undefined` when it is not JSON or not of the documented shape.
 * @see https://www.twilio.com/docs/voice/media-streams/websocket-messages
 */
export function readStreamMessage(frame: Buffer): StreamMessage | undefined {
  const message = parseObject(frame);
  const event = text(message, "event");
  if (!message || event === undefined) return undefined;
  const streamId = text(message, "streamSid");
  switch (event) {
    case "connected":
      return { event };
    case "start":
      return readStart(object(message, "start"));
    case "stop":
      return streamId === undefined ? undefined : { event, streamId };
    case "media":
    case "mark":
    case "dtmf":
      return streamId === undefined ? undefined : readBody(event, streamId, object(message, event));
    default:
      return { event: "other", name: event.slice(0, 40) };
  }
}

/** Whether a text is base64 of at least one byte, as Twilio writes it. */
export function isBase64(payload: string): boolean {
  return payload.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(payload);
}

// --- Internal helpers ---

type Json = Readonly<Record<string, unknown>>;

function parseObject(frame: Buffer): Json | undefined {
  try {
    return asObject(JSON.parse(frame.toString("utf8")));
  } catch {
    return undefined; // the caller counts it
  }
}

function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

const object = (holder: Json | undefined, name: string) => asObject(holder?.[name]);

function text(holder: Json | undefined, name: string): string | undefined {
  const value = holder?.[name];
  return typeof value === "string" ? value : undefined;
}

function readBody(
  event: "media" | "mark" | "dtmf",
  streamId: string,
  body: Json | undefined,
): StreamMessage | undefined {
  if (event === "mark") {
    const name = text(body, "name");
    return name === undefined ? undefined : { event, streamId, name };
  }
  if (event === "dtmf") {
    const digit = text(body, "digit");
    return digit === undefined || !/^[0-9*#A-D]$/.test(digit) ? undefined : { event, streamId, digit };
  }
  const payload = text(body, "payload");
  if (payload === undefined || !isBase64(payload)) return undefined;
  return { event, streamId, track: text(body, "track") ?? "inbound", payload };
}

function readStart(start: Json | undefined): StreamMessage | undefined {
  const streamId = text(start, "streamSid");
  const legId = text(start, "callSid");
  const accountSid = text(start, "accountSid");
  if (!isId(streamId) || !isId(legId) || accountSid === undefined) return undefined;
  const media = object(start, "mediaFormat");
  const format = `${text(media, "encoding")} ${media?.["sampleRate"]} ${media?.["channels"]}`;
  const token = text(object(start, "customParameters"), "token");
  return { event: "start", start: { streamId, legId, accountSid, format, token } };
}

const isId = (value: string | undefined): value is string => value !== undefined && /^[A-Za-z0-9]{2,64}$/.test(value);
