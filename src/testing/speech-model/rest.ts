import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";
import type { SipCalls } from "./sip.ts";
import { isObject, type JsonObject, newId, WireError } from "./wire.ts";

/** One REST request, as the server saw it. */
export interface RestRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: JsonObject;
  /** What was answered. */
  readonly status: number;
}

/** The models that this server says it has. */
export const MODELS = [
  "gpt-realtime-2.1",
  "gpt-realtime-2.1-mini",
  "gpt-realtime-2",
  "gpt-realtime-1.5",
  "gpt-realtime",
];

/** Whether a request may enter, and the complaint when not. */
export type Admit = (authorization: string | undefined) => WireError | undefined;

/** Answers the REST part of the API. */
export function restDoor(parts: {
  clock: Clock;
  admit: Admit;
  calls: SipCalls;
  issueSecret: (value: string) => void;
  log: (request: RestRequest) => void;
}): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const method = request.method ?? "GET";
    readBody(request)
      .then((body) => ({ body, answer: answered(() => route(parts, request, method, path, body)) }))
      .catch((error: unknown) => ({ body: {}, answer: refusal(error) }))
      .then(({ body, answer }) => {
        parts.log({ method, path, headers: request.headers, body, status: answer.status });
        const text = answer.body === undefined ? "" : JSON.stringify(answer.body);
        response
          .writeHead(answer.status, { "content-type": "application/json", "x-request-id": newId("req") })
          .end(text);
      })
      .catch(() => response.destroy());
  };
}

// --- Internal helpers ---

interface Answer {
  readonly status: number;
  readonly body?: JsonObject;
}

const STATUS: Readonly<Record<string, number>> = {
  invalid_api_key: 401,
  call_id_not_found: 404,
  model_not_found: 404,
  not_found: 404,
};
const MAX_BODY_BYTES = 1024 * 1024;

function route(
  parts: Parameters<typeof restDoor>[0],
  request: IncomingMessage,
  method: string,
  path: string,
  body: JsonObject,
): Answer {
  const refused = parts.admit(request.headers.authorization);
  if (refused) throw refused;
  const [, call, verb] = /^\/v1\/realtime\/calls\/([^/]+)\/(accept|reject|refer|hangup)$/.exec(path) ?? [];
  if (method === "POST" && call !== undefined && verb !== undefined) {
    parts.calls.act(decodeURIComponent(call), verb, body);
    return { status: 200 };
  }
  const seconds = Math.floor(parts.clock.now() / 1_000);
  if (method === "POST" && path === "/v1/realtime/client_secrets") {
    const value = newId("ek");
    parts.issueSecret(value);
    const asked = isObject(body["session"]) ? body["session"] : {};
    const life = isObject(body["expires_after"]) ? Number(body["expires_after"]["seconds"] ?? 600) : 600;
    const session = {
      type: "realtime",
      object: "realtime.session",
      id: newId("sess"),
      model: MODELS[0] as string,
      ...asked,
    };
    return { status: 200, body: { value, expires_at: seconds + life, session } };
  }
  const model = (id: string): JsonObject => ({ id, object: "model", created: 1_780_000_000, owned_by: "system" });
  if (method === "GET" && path === "/v1/models")
    return { status: 200, body: { object: "list", data: MODELS.map(model) } };
  const [, wanted] = /^\/v1\/models\/([^/]+)$/.exec(path) ?? [];
  if (method === "GET" && wanted !== undefined) {
    if (MODELS.includes(wanted)) return { status: 200, body: model(wanted) };
    throw new WireError("model_not_found", `The model '${wanted}' does not exist or you do not have access to it.`);
  }
  throw new WireError("not_found", `Invalid URL (${method} ${path})`);
}

function answered(act: () => Answer): Answer {
  try {
    return act();
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): Answer {
  if (!(error instanceof WireError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: 500, body: { error: { type: "server_error", code: null, message, param: null } } };
  }
  return { status: STATUS[error.code ?? ""] ?? 400, body: { error: error.body() } };
}

async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new WireError("invalid_value", "The body is too large.");
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError("invalid_json", "We could not parse the JSON body of your request.");
  }
  if (isObject(value)) return value;
  throw new WireError("invalid_json", "The body must be a JSON object.");
}
