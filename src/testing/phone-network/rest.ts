import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Clock, sleep } from "../../core/clock.ts";
import type { SimulatedCall } from "./call.ts";
import type { Faults } from "./faults.ts";
import type { SimulatedRecording } from "./recording.ts";
import { type CallRequest, readCallRequest, readSource } from "./rest-calls.ts";
import { routeMedia, routeRecordings } from "./rest-recordings.ts";
import { callBody, errorBody, numberBody, pageBody, RestRefused } from "./rest-resources.ts";
import type { NumberOptions } from "./types.ts";

const BODY_LIMIT = 1_000_000;

/** A number of the account. */
export interface OwnNumber {
  readonly sid: string;
  readonly options: NumberOptions;
}

export interface RestParts {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly accountSid: string;
  readonly authToken: string;
  readonly calls: ReadonlyMap<string, SimulatedCall>;
  readonly numbers: ReadonlyMap<string, OwnNumber>;
  readonly recordings: Map<string, SimulatedRecording>;
  readonly place: (request: CallRequest) => SimulatedCall;
  /** Aborted when the network stops: whoever is being kept waiting is let go. */
  readonly stopped: AbortSignal;
}

/** An answer of the API: JSON, a sound, or nothing but its status. */
export interface Answer {
  readonly status: number;
  readonly body: object | Buffer | undefined;
}

/** The REST API of one account, as a server that does not listen yet. */
export function restServer(parts: RestParts): Server {
  const server = createServer((request, response) => {
    handle(parts, request, response).catch(() => request.socket.destroy());
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  return server;
}

async function handle(parts: RestParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "http://loopback");
  const method = request.method ?? "GET";
  const form = method === "POST" ? new URLSearchParams(await readBody(request)) : query;
  const fate = parts.faults.rest?.({ method, path, params: Object.fromEntries(form) }) ?? {};
  if (fate.delayMs) await sleep(parts.clock, fate.delayMs, parts.stopped);
  if (fate.unreachable) return void request.socket.destroy();
  const answer = fate.error
    ? refusal({ message: "Injected failure", ...fate.error })
    : act(parts, { request, method, path, form });
  if (fate.loseAnswer) return void request.socket.destroy();
  const { status, body } = answer;
  const payload = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "twilio-request-id": `RQ${request.socket.remotePort ?? 0}`,
    ...(payload && {
      "content-type": payload === body ? "audio/x-wav" : "application/json",
      "content-length": payload.length,
    }),
  });
  response.end(payload);
}

const refusal = (refused: { status: number; code: number; message: string }): Answer => ({
  status: refused.status,
  body: errorBody(refused),
});

interface RestRequest {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly path: string;
  readonly form: URLSearchParams;
}

function act(parts: RestParts, { request, method, path, form }: RestRequest): Answer {
  try {
    const { accountSid, authToken } = parts;
    const credentials = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;
    const [, resource = "", type] =
      new RegExp(`^/2010-04-01/Accounts/${accountSid}(?:/(.*))?\\.([a-z0-9]+)$`).exec(path) ?? [];
    if (request.headers.authorization !== credentials) throw new RestRefused(401, 20_003, "Authenticate");
    const wanted = { method, resource, path, form };
    const answer = type === "json" ? route(parts, wanted) : type && routeMedia(parts, wanted, type);
    if (!answer) throw new RestRefused(404, 20_404, `The requested resource ${path} was not found`);
    return answer;
  } catch (error) {
    if (error instanceof RestRefused) return refusal(error);
    throw error;
  }
}

/** A request that has been let in. */
export interface Wanted {
  readonly method: string;
  /** The path below the account, without its type. */
  readonly resource: string;
  readonly path: string;
  readonly form: URLSearchParams;
}

function route(parts: RestParts, wanted: Wanted): Answer | undefined {
  const { accountSid, calls, numbers } = parts;
  const { method, resource, path, form } = wanted;
  const params = Object.fromEntries(form);
  const [kind, sid, sub] = resource.split("/");
  if (kind === "Recordings" || sub === "Recordings") return routeRecordings(parts, wanted);
  if (kind === "" && method === "GET") {
    const body = { sid: accountSid, friendly_name: "Simulated account", status: "active", type: "Full" };
    return { status: 200, body };
  }
  if (kind === "IncomingPhoneNumbers" && method === "GET") {
    const all = [...numbers]
      .filter(([e164, number]) => (sid ? number.sid === sid : matches(e164, params["PhoneNumber"])))
      .map(([e164, number]) => numberBody(e164, number.sid, number.options, accountSid));
    if (!sid) return { status: 200, body: pageBody("incoming_phone_numbers", all, path, params) };
    return all[0] && { status: 200, body: all[0] };
  }
  if (kind !== "Calls") return undefined;
  if (!sid && method === "POST") {
    const call = parts.place(readCallRequest(form, (e164) => numbers.has(e164)));
    return { status: 201, body: callBody(call, accountSid) };
  }
  if (!sid && method === "GET") {
    const all = [...calls.values()]
      .reverse()
      .filter((call) => matches(call.from, params["From"]) && matches(call.to, params["To"]))
      .filter((call) => matches(call.status, params["Status"]))
      .map((call) => callBody(call, accountSid));
    return { status: 200, body: pageBody("calls", all, path, params) };
  }
  const call = sub === undefined ? calls.get(sid ?? "") : undefined;
  if (!call || (method !== "GET" && method !== "POST")) return undefined;
  if (method === "POST") update(call, form);
  return { status: 200, body: callBody(call, accountSid) };
}

const matches = (value: string, wanted: string | undefined) => wanted === undefined || value === wanted;

/** Ends or redirects a live call. */
function update(call: SimulatedCall, form: URLSearchParams): void {
  const status = form.get("Status");
  const source = readSource(form);
  if (call.isOver) throw new RestRefused(400, 21_220, "Call is not in-progress. Cannot redirect.");
  if (status === "completed") call.hangUpByApi();
  else if (status === "canceled") {
    if (!call.isAnswered) call.hangUpByApi();
  } else if (source) {
    if (!call.isAnswered) throw new RestRefused(400, 21_220, "Call is not in-progress. Cannot redirect.");
    call.instruct(source);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    length += (piece as Buffer).length;
    if (length > BODY_LIMIT) throw new Error("The request body is too large.");
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString("utf8");
}
