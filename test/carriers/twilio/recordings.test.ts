import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  CarrierRefusedError,
  CarrierUnreachableError,
  InvalidRequestError,
  InvalidSignatureError,
  SecretMissingError,
} from "../../../src/core/errors.ts";
import { ACCOUNT_SID, CALL_SID, handClock, posted, read, TOKEN, twilio } from "./fixtures.ts";

const signal = new AbortController().signal;
const RECORDING_SID = `RE${"4".repeat(32)}`;
const AT = { legId: CALL_SID, id: RECORDING_SID };
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCOUNT_SID}:${TOKEN}`).toString("base64")}`;
const RECORDINGS = `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${CALL_SID}/Recordings`;

/** A stand-in for `fetch` that answers everything alike and keeps what it was asked. */
function answering(status: number, body: unknown) {
  const asked: { method: string; path: string; form: Record<string, string> }[] = [];
  const fetch = async (url: unknown, { method = "", body: form }: RequestInit = {}) => {
    asked.push({ method, path: new URL(String(url)).pathname, form: Object.fromEntries(form as URLSearchParams) });
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  };
  return {
    asked,
    fetch: ((url: unknown, init: RequestInit) =>
      fetch(url, { ...init, body: init.body ?? new URLSearchParams() })) as typeof globalThis.fetch,
  };
}

describe("orders", () => {
  test("a recording has both sides apart, nothing trimmed, and its message brings our ids back", async () => {
    const { asked, fetch } = answering(201, { sid: RECORDING_SID, status: "in-progress" });
    const order = { legId: CALL_SID, callId: "call_1", recordingId: "rec_1" };
    expect(await twilio({ fetch }).startRecording(order, signal)).toBe(RECORDING_SID);
    expect(asked).toEqual([
      {
        method: "POST",
        path: `${RECORDINGS}.json`,
        form: {
          RecordingChannels: "dual",
          RecordingTrack: "both",
          Trim: "do-not-trim",
          RecordingStatusCallback: "https://voice.example.com/twilio/default/recording?call=call_1&recording=rec_1",
          RecordingStatusCallbackMethod: "POST",
          RecordingStatusCallbackEvent: "absent", // the second of two
        },
      },
    ]);
  });

  test("a pause asks for silence in its place; going on and stopping ask for no more than that", async () => {
    const { asked, fetch } = answering(200, { sid: RECORDING_SID, status: "paused" });
    const carrier = twilio({ fetch });
    await carrier.pauseRecording(AT, signal);
    await carrier.resumeRecording(AT, signal);
    await carrier.stopRecording(AT, signal);
    expect(new Set(asked.map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set([`POST ${RECORDINGS}/${RECORDING_SID}.json`]),
    );
    expect(asked.map(({ form }) => form)).toEqual([
      { Status: "paused", PauseBehavior: "silence" },
      { Status: "in-progress" },
      { Status: "stopped" },
    ]);
  });

  test("a recording is deleted by its call", async () => {
    const { asked, fetch } = answering(204, undefined);
    await twilio({ fetch }).deleteRecording(AT, signal);
    expect(asked).toMatchObject([{ method: "DELETE", path: `${RECORDINGS}/${RECORDING_SID}.json` }]);
  });

  test("what another order began is none of ours", async () => {
    const ours = { sid: RECORDING_SID, status: "completed", duration: "12", source: "StartCallRecordingAPI" };
    const body = { recordings: [ours, { ...ours, sid: "RE5", source: "OutboundAPI" }], page: 0, next_page_uri: null };
    expect(await twilio({ fetch: answering(200, body).fetch }).findRecordings(CALL_SID, signal)).toEqual([
      { id: RECORDING_SID, state: "ready", durationMs: 12_000, carrierStatus: "completed" },
    ]);
  });

  test.each([
    ["in-progress", "-1", { state: "running" }],
    ["paused", "-1", { state: "paused" }],
    ["stopped", "-1", { state: "processing" }],
    ["processing", undefined, { state: "processing" }],
    ["completed", "7", { state: "ready", durationMs: 7_000 }],
    ["absent", "0", { state: "absent", durationMs: 0 }],
    ["failed", "0", { state: "failed", durationMs: 0 }],
    ["deleted", "7", { state: "gone", durationMs: 7_000 }],
    ["pondering", "7", { state: "unknown", durationMs: 7_000 }],
  ])("the state of one that is %s", async (status, duration, state) => {
    const { fetch } = answering(200, { sid: RECORDING_SID, status, duration });
    expect(await twilio({ fetch }).fetchRecordingState(AT, signal)).toEqual({
      ...state,
      id: RECORDING_SID,
      carrierStatus: status,
    });
  });

  test("a state that is refused is no state at all", async () => {
    const { fetch } = answering(401, { code: 20_003, message: "Authenticate", status: 401 });
    await expect(twilio({ fetch }).fetchRecordingState(AT, signal)).rejects.toThrow(CarrierUnreachableError);
    await expect(twilio({ fetch }).findRecordings(CALL_SID, signal)).rejects.toThrow(CarrierUnreachableError);
  });
});

describe("messages", () => {
  const PATH = "/twilio/default/recording?call=call_1&recording=rec_1";
  const MESSAGE = {
    AccountSid: ACCOUNT_SID,
    CallSid: CALL_SID,
    RecordingSid: RECORDING_SID,
    RecordingUrl: "https://elsewhere.example.com/a.wav", // never asked: the account's own API is
    RecordingStatus: "completed",
    RecordingDuration: "65",
    RecordingChannels: "2",
    RecordingSource: "StartCallRecordingAPI",
  };

  test("name call and recording by our ids, and what became of it", () => {
    expect(read(PATH, MESSAGE)).toEqual({
      type: "recording.reported",
      key: `${CALL_SID}:recording:${RECORDING_SID}:completed`,
      legId: CALL_SID,
      callId: "call_1",
      recordingId: "rec_1",
      recording: { id: RECORDING_SID, state: "ready", durationMs: 65_000, carrierStatus: "completed" },
    });
    expect(read(PATH, { ...MESSAGE, RecordingStatus: "absent" })).toMatchObject({ recording: { state: "absent" } });
  });

  test.each<[string, Record<string, string>, string]>([
    ["without our id", MESSAGE, "/twilio/default/recording?call=call_1"],
    ["of another account", { ...MESSAGE, AccountSid: "AC9" }, PATH],
    ["without a recording", { ...MESSAGE, RecordingSid: "" }, PATH],
    ["whose recording is a path", { ...MESSAGE, RecordingSid: "../Calls" }, PATH],
    ["without a status", { ...MESSAGE, RecordingStatus: "" }, PATH],
  ])("%s are refused", (_, fields, path) => {
    expect(() => read(path, fields)).toThrow(InvalidRequestError);
  });

  test("with another query than was signed are refused", () => {
    const request = posted(PATH, MESSAGE);
    expect(() => twilio().verify({ ...request, path: PATH.replace("rec_1", "rec_2") })).toThrow(InvalidSignatureError);
  });
});

describe("the sound", () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  });

  /** A server that answers as told, and what it was asked. */
  async function serve(answer: Parameters<typeof createServer>[1]) {
    const asked: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      asked.push(request);
      answer?.(request, response);
    });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  }
  const open = async (apiBaseUrl: string, options: object = {}) =>
    twilio({ apiBaseUrl, ...options }).fetchRecording(AT, signal);
  async function all(sound: AsyncIterable<Uint8Array>) {
    const pieces = [];
    for await (const piece of sound) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  test("is asked for with both channels and with the account's credentials, and comes piece by piece", async () => {
    const { url, asked } = await serve((_, response) => {
      response.write("RIFF");
      setImmediate(() => response.end("more"));
    });
    expect((await all(await open(`${url}/base/`))).toString()).toBe("RIFFmore");
    expect(asked[0]?.url).toBe(
      `/base/2010-04-01/Accounts/${ACCOUNT_SID}/Recordings/${RECORDING_SID}.wav?RequestedChannels=2`,
    );
    expect(asked[0]?.headers.authorization).toBe(AUTHORIZATION);
  });

  test("may lie elsewhere: the credentials do not go there", async () => {
    const media = await serve((_, response) => response.end("RIFF"));
    const api = await serve((_, response) => response.writeHead(307, { location: `${media.url}/a.wav` }).end());
    expect((await all(await open(api.url))).toString()).toBe("RIFF");
    expect(api.asked[0]?.headers.authorization).toBe(AUTHORIZATION);
    expect(media.asked).toHaveLength(1);
    expect(media.asked[0]?.headers.authorization).toBeUndefined();
  });

  test("that is not there is refused, that breaks off is no sound, and neither is one without an answer", async () => {
    const none = await serve((_, response) => response.writeHead(404).end("nothing"));
    await expect(open(none.url)).rejects.toThrow(CarrierRefusedError);
    const broken = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("RIFF");
      setImmediate(() => response.destroy());
    });
    const sound = await open(broken.url);
    await expect(all(sound)).rejects.toThrow(CarrierUnreachableError);
    const failing = await serve((_, response) => response.writeHead(503).end());
    await expect(open(failing.url)).rejects.toThrow(CarrierUnreachableError);
    await expect(open("http://127.0.0.1:1")).rejects.toThrow(CarrierUnreachableError);
    await expect(open(none.url, { authToken: undefined })).rejects.toThrow(SecretMissingError);
  });

  test("that stops coming is given up after 30 s, and nothing is left of it", async () => {
    const clock = handClock();
    const gone = Promise.withResolvers<void>();
    const { url } = await serve((request, response) => {
      request.socket.on("close", () => gone.resolve());
      response.write("RIFF");
    });
    const sound = (await open(url, { clock }))[Symbol.asyncIterator]();
    expect(await sound.next()).toMatchObject({ done: false });
    const next = sound.next();
    next.catch(() => {}); // looked at below
    await Promise.resolve();
    clock.advance(29_999);
    expect(clock.timers).toBe(1);
    clock.advance(1);
    await expect(next).rejects.toThrow(/no answer within 30 seconds/);
    await gone.promise;
    expect(clock.timers).toBe(0);
  });

  test("lets go of the connection when its reader leaves early", async () => {
    const gone = Promise.withResolvers<void>();
    const { url } = await serve((request, response) => {
      request.socket.on("close", () => gone.resolve());
      response.write("RIFF");
    });
    for await (const piece of await open(url)) {
      expect(piece).toHaveLength(4);
      break;
    }
    await gone.promise;
  });
});
