import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Ears } from "../ears.ts";
import { selfSignedCertificate } from "../tls.ts";
import type { Speaker, Voice } from "../voice.ts";
import type { Faults } from "./faults.ts";
import { gullible, type Mind } from "./mind.ts";
import { type Admit, MODELS, type RestRequest, restDoor } from "./rest.ts";
import { ModelSession } from "./session.ts";
import { newSipCalls, type SipCall, type SipRing } from "./sip.ts";
import { energyVad, type VadSource } from "./vad.ts";
import { newId, oddJson, WireError } from "./wire.ts";

/** What a simulated speech model is made of. All times are milliseconds of its clock. */
export interface SpeechModelOptions {
  readonly clock?: Clock;
  /** Speeds up the clock that is made when none is handed in. */
  readonly speed?: number;
  readonly voice: Voice;
  readonly ears: Ears;
  readonly mind: Mind;
  /** Listens on TLS, with a certificate of its own: see `ca`. */
  readonly tls?: boolean;
  /** The only key that is let in (besides client secrets issued here); unset, any Bearer is. */
  readonly apiKey?: string;
  /** How many times faster than real time audio is produced. Default 5. */
  readonly burst?: number;
  /** Audio in one delta. Default 200. */
  readonly deltaMs?: number;
  /** Audio in the first delta of an item. Default 100. */
  readonly firstDeltaMs?: number;
  /** From `response.created` to the first delta. Default 150. */
  readonly thinkMs?: number;
  /** From a commit to its transcription, if the ears are done by then. Default 250. */
  readonly asrMs?: number;
  /** Who speaks. Default `slt`. */
  readonly speaker?: Speaker;
  /** Obeys whatever a caller says, calls tools that nobody offered, recites its context on request. */
  readonly gullible?: boolean;
  /** Who decides when the caller speaks. Default: by loudness. */
  readonly vad?: (session: ModelSession) => VadSource;
  /** What goes wrong; may be changed at any time through `SpeechModel.faults`. */
  readonly faults?: Faults;
  readonly host?: string;
  readonly port?: number;
}

/** A running simulator of OpenAI's Realtime API. */
export interface SpeechModel {
  /** `http(s)://127.0.0.1:port/v1`, a base URL for any client; the socket is at `/v1/realtime`. */
  readonly url: string;
  /** The authority to trust when `url` is on TLS. */
  readonly ca?: string;
  readonly clock: Clock;
  readonly faults: Faults;
  /** Every session since the start, oldest first. */
  readonly sessions: readonly ModelSession[];
  /** Every REST request since the start. */
  readonly requests: readonly RestRequest[];
  /** Upgrades that were refused, with the status they got. */
  readonly refusals: readonly number[];
  /** Resolves with the next session that nobody has taken yet, be it there already. */
  nextSession(): Promise<ModelSession>;
  /** A call arrives by SIP: sends the signed webhook and reports the answer. */
  ringSip(ring: SipRing): Promise<{ callId: string; webhookStatus: number }>;
  sipCall(callId: string): SipCall | undefined;
  /** Ends every session and frees the port. */
  stop(): Promise<void>;
}

/** Starts a simulator; resolves when it listens. */
export async function startSpeechModel(options: SpeechModelOptions): Promise<SpeechModel> {
  const { clock = systemClock({ speed: options.speed ?? 1 }), host = "127.0.0.1", faults = {} } = options;
  const sessions: ModelSession[] = [];
  const requests: RestRequest[] = [];
  const refusals: number[] = [];
  const secrets = new Set<string>();
  const takers: PromiseWithResolvers<ModelSession>[] = [];
  let taken = 0;
  let stopping = false;

  const openSession = (model: string, callId?: string): ModelSession => {
    const session = new ModelSession({
      clock,
      voice: options.voice,
      ears: options.ears,
      mind: options.gullible ? gullible(options.mind) : options.mind,
      gullible: options.gullible ?? false,
      pace: {
        burst: options.burst ?? 5,
        deltaMs: options.deltaMs ?? 200,
        firstDeltaMs: options.firstDeltaMs ?? 100,
        thinkMs: options.thinkMs ?? 150,
      },
      faults,
      speaker: options.speaker ?? "slt",
      asrMs: options.asrMs ?? 250,
      model,
      vad: options.vad ?? (() => energyVad()),
      ...(callId === undefined ? {} : { callId }),
    });
    sessions.push(session);
    const taker = takers.shift();
    if (taker) {
      taken += 1;
      taker.resolve(session);
    }
    return session;
  };
  const calls = newSipCalls({ clock, openSession });
  const admit: Admit = (authorization) => {
    const key = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
    if (key === undefined) return new WireError("invalid_api_key", "You didn't provide an API key.");
    if (options.apiKey === undefined || key === options.apiKey || secrets.has(key)) return undefined;
    return new WireError("invalid_api_key", "Incorrect API key provided.");
  };

  const door = restDoor({
    clock,
    admit,
    calls,
    issueSecret: (value) => secrets.add(value),
    log: (entry) => requests.push(entry),
  });
  const certificate = options.tls ? await selfSignedCertificate(host) : undefined;
  const server: Server = certificate ? createTlsServer(certificate, door) : createServer(door);
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 32 * 1024 * 1024,
    handleProtocols: (offered) => (offered.has("realtime") ? "realtime" : false),
  });
  const streams = new Set<Duplex>();
  server.on("connection", (stream: Duplex) => {
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
  });

  const upgrade = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    stream.on("error", () => stream.destroy());
    if (faults.openAfterMs !== undefined) {
      await new Promise<void>((resolve) => void clock.after(faults.openAfterMs ?? 0, resolve));
    }
    const found = entrance(request, admit, faults);
    let session = found instanceof Refusal || found.callId === undefined ? undefined : sidebandOf(found.callId);
    if (found instanceof Refusal || session instanceof Refusal) {
      const refusal = found instanceof Refusal ? found : (session as Refusal);
      refusals.push(refusal.status);
      return refuse(stream, refusal);
    }
    if (stream.destroyed || stopping) return void stream.destroy();
    sockets.handleUpgrade(request, stream, head, (socket) => {
      session ??= openSession(found.model);
      serve(socket, session as ModelSession, found.callId !== undefined, found.model);
    });
  };
  const sidebandOf = (callId: string): ModelSession | Refusal => {
    try {
      return calls.sideband(callId);
    } catch (error) {
      return new Refusal(404, error as WireError);
    }
  };
  const serve = (socket: WebSocket, session: ModelSession, sideband: boolean, model: string): void => {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: RawData) => session.receive(data.toString()));
    const detach = session.attach((event) => socket.send(faults.oddJson ? oddJson(event) : JSON.stringify(event)));
    if (!sideband && !MODELS.includes(model)) {
      const message = `The model '${model}' does not exist or you do not have access to it.`;
      session.push({ type: "error", error: new WireError("model_not_found", message).body() });
      session.end("unknown model");
    }
    const drop =
      faults.dropAfterMs === undefined ? undefined : clock.after(faults.dropAfterMs, () => socket.terminate());
    socket.once("close", () => {
      drop?.stop();
      detach();
      if (!sideband) session.end("the client left");
    });
    session.closed.then((why) => socket.close(why === "expired" ? 1001 : 1000, why), undefined);
  };
  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    upgrade(request, stream, head).catch(() => stream.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  server.on("error", () => undefined); // a late error of the listener is seen by its clients

  const { port } = server.address() as AddressInfo;
  return {
    url: `${certificate ? "https" : "http"}://${host}:${port}/v1`,
    ...(certificate ? { ca: certificate.cert } : {}),
    clock,
    faults,
    sessions,
    requests,
    refusals,
    nextSession() {
      const ready = sessions[taken];
      if (ready) {
        taken += 1;
        return Promise.resolve(ready);
      }
      const taker = Promise.withResolvers<ModelSession>();
      takers.push(taker);
      return taker.promise;
    },
    ringSip: (ring) => calls.ring(ring),
    sipCall: (callId) => calls.find(callId),
    async stop() {
      stopping = true;
      for (const session of sessions) session.end("the server stops");
      for (const taker of takers) taker.reject(new Error("The speech model was stopped."));
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets.clients) socket.terminate();
      for (const stream of streams) stream.destroy();
      await closed;
    },
  };
}

// --- Internal helpers ---

class Refusal {
  readonly status: number;
  readonly error: WireError;
  constructor(status: number, error: WireError) {
    this.status = status;
    this.error = error;
  }
}

/** Who comes in, and where to; or why not. */
function entrance(
  request: IncomingMessage,
  admit: Admit,
  faults: Faults,
): { model: string; callId?: string } | Refusal {
  const fault = faults.refuseUpgrade;
  if (fault) return new Refusal(fault.status, new WireError(fault.code ?? null, fault.message ?? "Simulated fault."));
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname !== "/v1/realtime") return new Refusal(404, new WireError("not_found", "Not found."));
  const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(/, */);
  const browserKey = protocols.find((name) => name.startsWith("openai-insecure-api-key."))?.slice(24);
  const refused = admit(browserKey === undefined ? request.headers.authorization : `Bearer ${browserKey}`);
  if (refused) return new Refusal(401, refused);
  if (request.headers["openai-beta"] !== undefined) {
    return new Refusal(
      400,
      new WireError("beta_api_shape_disabled", "The Realtime Beta API is gone: omit OpenAI-Beta."),
    );
  }
  const [model, callId, intent] = ["model", "call_id", "intent"].map((name) => url.searchParams.get(name));
  if ([model, callId, intent].filter((value) => value !== null).length !== 1) {
    return new Refusal(400, new WireError("invalid_request", "Exactly one of model, call_id and intent is needed."));
  }
  if (intent) return new Refusal(400, new WireError("invalid_value", "This simulator has no transcription sessions."));
  return callId ? { model: "", callId } : { model: model as string };
}

function refuse(stream: Duplex, { status, error }: Refusal): void {
  const body = JSON.stringify({ error: error.body() });
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${newId("req")}`,
    "connection: close",
  ];
  stream.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
