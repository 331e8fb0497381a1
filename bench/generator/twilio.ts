import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { ACCOUNT, callerNumber } from "../messages.ts";
import { connectWire, type WireSocket } from "../wire/socket.ts";

/** The part of the `twilio` package that signs. Its CommonJS entry would load the whole client. */
const { getExpectedTwilioSignature: sign } = createRequire(import.meta.url)(
  "twilio/lib/webhooks/webhooks.js",
) as typeof import("twilio/lib/webhooks/webhooks.js");

const HOST = new URL(ACCOUNT.publicUrl).host;
const PATH = "/twilio/default";

/** What Twilio asks of our plugin on a call, signed as Twilio signs. */
export class TwilioSide {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(port: number) {
    this.#port = port;
  }

  /** Rings. Resolves with the media stream that the plugin asked for. @throws Error it did not */
  async ring(legId: string, index: number): Promise<{ socket: WireSocket; parameters: Record<string, string> }> {
    const twiml = await this.#post("voice", { ...this.#fields(legId, index), CallStatus: "ringing" });
    const token = /<Parameter name="token" value="([^"]+)"/.exec(twiml)?.[1];
    const url = /<Stream url="([^"]+)"/.exec(twiml)?.[1];
    if (token === undefined || url === undefined) throw new Error(`The call was not connected: ${twiml.slice(0, 300)}`);
    const headers = { Host: HOST, "X-Twilio-Signature": sign(ACCOUNT.authToken, url, {}) };
    const socket = await connectWire({ port: this.#port, path: new URL(url).pathname, headers });
    return { socket, parameters: { token } };
  }

  /** Tells that a call has ended. */
  async completed(legId: string, index: number): Promise<void> {
    await this.#post("status", { ...this.#fields(legId, index), CallStatus: "completed", SequenceNumber: "3" });
  }

  close(): void {
    this.#agent.destroy();
  }

  #fields(legId: string, index: number): Record<string, string> {
    const from = callerNumber(index);
    return {
      AccountSid: ACCOUNT.sid,
      ApiVersion: "2010-04-01",
      CallSid: legId,
      Direction: "inbound",
      From: from,
      To: ACCOUNT.number,
      Caller: from,
      Called: ACCOUNT.number,
    };
  }

  #post(verb: "voice" | "status", fields: Record<string, string>): Promise<string> {
    const signature = sign(ACCOUNT.authToken, `${ACCOUNT.publicUrl}${PATH}/${verb}`, fields);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          method: "POST",
          path: `${PATH}/${verb}`,
          agent: this.#agent,
          headers: {
            host: HOST,
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": signature,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const body = Buffer.concat(chunks).toString();
            if (response.statusCode === 200 || response.statusCode === 204) resolve(body);
            else reject(new Error(`${verb} answered ${response.statusCode}: ${body.slice(0, 300)}`));
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(new URLSearchParams(fields).toString());
    });
  }
}
