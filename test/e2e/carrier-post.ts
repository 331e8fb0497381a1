import { request } from "node:http";
import { WebSocket } from "ws";
import { tunnelHeaders } from "../../src/testing/phone-network/routes.ts";
import { signRequest } from "../../src/testing/phone-network/signature.ts";
import { ANN, OUR_NUMBER, PUBLIC_URL, type World } from "./world.ts";

/** The answer to a webhook, and how long it took by the world's clock. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
}

let count = 0;
/** A call id of the carrier that nobody has used before. */
export const newSid = (): string => `CA${String(++count).padStart(32, "0")}`;

/** Posts a webhook as the carrier signs it. Fields are those of an inbound call unless told. */
export function post(world: World, path: string, fields: Record<string, string> = {}): Promise<Answer> {
  const url = `${PUBLIC_URL}${path}`;
  const form = {
    CallSid: newSid(),
    AccountSid: world.phones.accountSid,
    From: ANN,
    To: OUR_NUMBER,
    CallStatus: "ringing",
    Direction: "inbound",
    ApiVersion: "2010-04-01",
    ...fields,
  };
  const since = world.clock.now();
  return new Promise((resolve, reject) => {
    const sending = request(`${world.url}${path}`, {
      method: "POST",
      agent: false,
      headers: {
        ...tunnelHeaders(url),
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signRequest(world.phones.authToken, url, form),
      },
    });
    sending.on("error", reject);
    sending.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, tookMs: world.clock.now() - since }));
    });
    sending.end(new URLSearchParams(form).toString());
  });
}

/** A media socket as the carrier opens it; resolves once it is open. @throws Error the upgrade was refused */
export function openStream(world: World, { signed = true } = {}): Promise<WebSocket> {
  const path = "/twilio/default/stream";
  const url = `wss://${PUBLIC_URL.slice(8)}${path}`;
  const socket = new WebSocket(`${world.url.replace("http", "ws")}${path}`, {
    perMessageDeflate: false,
    headers: { ...tunnelHeaders(url), "x-twilio-signature": signed ? signRequest(world.phones.authToken, url) : "no" },
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Sends what opens a media stream, with `token` for the leg `callSid`. */
export function startStream(world: World, socket: WebSocket, { callSid = newSid(), token = "" } = {}): void {
  const streamSid = callSid.replace("CA", "MZ");
  socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
  socket.send(
    JSON.stringify({
      event: "start",
      sequenceNumber: "1",
      start: {
        accountSid: world.phones.accountSid,
        streamSid,
        callSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: { token },
      },
      streamSid,
    }),
  );
}

/** Resolves with the code that a socket is closed with. */
export const closeCode = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.once("close", (code) => resolve(code)));

/** The token that an answer gives to the media stream. */
export const tokenOf = ({ body }: { body: string }): string => /name="token" value="([^"]+)"/.exec(body)?.[1] ?? "";
