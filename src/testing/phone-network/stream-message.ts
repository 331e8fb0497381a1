/** A message of the application on a media stream. */
export type StreamMessage =
  | { readonly event: "media"; readonly audio: Uint8Array }
  | { readonly event: "mark"; readonly name: string }
  | { readonly event: "clear" };

/** A frame the application must not send. 31950: not a JSON text frame. 31951: JSON of a wrong shape. */
export class BadStreamMessage extends Error {
  readonly code: 31_950 | 31_951;
  constructor(code: 31_950 | 31_951, message: string) {
    super(message);
    this.name = "BadStreamMessage";
    this.code = code;
  }
}

/**
 * Reads one frame of the application on stream `streamSid`.
 * @see https://www.twilio.com/docs/voice/media-streams/websocket-messages#send-websocket-messages-to-twilio
 * @throws BadStreamMessage
 */
export function readStreamMessage(frame: Buffer, isBinary: boolean, streamSid: string): StreamMessage {
  if (isBinary) throw new BadStreamMessage(31_950, "A binary frame; only text frames are allowed.");
  const message = parseObject(frame.toString("utf8"));
  if (message["streamSid"] !== streamSid) throw wrong(`streamSid is ${JSON.stringify(message["streamSid"])}`);
  switch (message["event"]) {
    case "media":
      return { event: "media", audio: readAudio(field(message, "media", "payload")) };
    case "mark":
      return { event: "mark", name: field(message, "mark", "name") };
    case "clear":
      return { event: "clear" };
    default:
      throw wrong(`event is ${JSON.stringify(message["event"])}`);
  }
}

const wrong = (what: string) => new BadStreamMessage(31_951, `Invalid message: ${what}.`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadStreamMessage(31_950, `Not JSON: ${text.slice(0, 40)}`);
  }
  if (!isObject(value)) throw new BadStreamMessage(31_950, `Not a JSON object: ${text.slice(0, 40)}`);
  return value;
}

function field(message: Record<string, unknown>, part: string, name: string): string {
  const holder = message[part];
  const value = isObject(holder) ? holder[name] : undefined;
  if (typeof value !== "string" || value === "") throw wrong(`${part}.${name} is missing`);
  return value;
}

function readAudio(payload: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(payload)) throw wrong("media.payload is not base64");
  const audio = Buffer.from(payload, "base64");
  if (audio.toString("latin1", 0, 4) === "RIFF") throw wrong("media.payload has a WAV header");
  return audio;
}
