import type { OpenAI } from "openai";
import type { WebSocket } from "ws";
import type { Clock } from "../core/clock.ts";
import { EngineRefusedError, EngineUnreachableError, InvalidSignatureError } from "../core/errors.ts";
import type { Engine, EngineConfig, EngineSession, EngineWebhooks } from "./engine.ts";
import { readRefusal, toVoiceError, unreachable } from "./openai-errors.ts";
import { OpenAIRealtimeSession, SessionMemory } from "./openai-realtime-session.ts";
import { sessionConfig } from "./openai-realtime-wire.ts";
import type { ConnectOptions } from "./shared-reads.ts";

/** One account's use of OpenAI Realtime. */
export interface OpenAIRealtimeOptions {
  readonly apiKey: string;
  readonly model: string;
  readonly voice: string;
  /** 0.25 to 1.5 of the model's own pace. */
  readonly speed: number;
  readonly transcriptionModel: string;
  /** `http…/v1`; WebSocket and REST addresses follow from it. */
  readonly baseUrl: string;
  /** `whsec_…` of the webhook endpoint. */
  readonly webhookSecret?: string;
  readonly vad: {
    readonly kind: "server" | "semantic";
    readonly silenceMs: number;
    readonly threshold: number;
    readonly eagerness: "low" | "medium" | "high" | "auto";
  };
  readonly clock: Clock;
}

/** How long the engine may take to accept a session. */
const OPEN_TIMEOUT_MS = 8_000;

/** Engine for OpenAI's Realtime API (GA) over WebSocket, µ-law both ways. */
export function openaiRealtime(options: OpenAIRealtimeOptions): Engine {
  const webhooks = realtimeWebhooks(options);
  const memory = new SessionMemory();
  return {
    capabilities: { truncation: true, ourTurns: true },
    async warmUp() {
      await import("ws");
    },
    open: (config, signal) => open(options, memory, config, signal),
    async probe(signal) {
      const url = new URL(`${options.baseUrl}/models/${encodeURIComponent(options.model)}`);
      // Asked again and again while the channel runs: OpenAI's client would be 35 MB for this one request.
      const headers = { authorization: `Bearer ${options.apiKey}` };
      const response = await fetch(url, { headers, redirect: "error", signal }).catch((cause: Error) => {
        throw unreachable(url, cause.cause instanceof Error ? cause.cause : cause);
      });
      if (!response.ok) throw await readRefusal(response.status, response.body ?? []);
      await response.body?.cancel();
    },
    ...(webhooks && { webhooks }),
  };
}

// --- Internal helpers ---

async function open(
  options: OpenAIRealtimeOptions,
  memory: SessionMemory,
  config: EngineConfig,
  signal: AbortSignal,
): Promise<EngineSession> {
  const { WebSocket: Socket } = await import("ws");
  signal.throwIfAborted();
  const url = new URL(`${options.baseUrl.replace(/^http/, "ws")}/realtime`);
  url.searchParams.set("model", options.model);
  const socket = new Socket(url, {
    headers: { Authorization: `Bearer ${options.apiKey}` },
    perMessageDeflate: false, // negotiated compression costs five times the CPU
    skipUTF8Validation: true,
    createConnection: (asked: object) => memory.reads.connect(asked as ConnectOptions, url.protocol === "wss:"),
  });
  const session = new OpenAIRealtimeSession(socket, memory, options.model, options.clock);
  let fail: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const timer = options.clock.after(OPEN_TIMEOUT_MS, () =>
    fail(
      new EngineUnreachableError(
        `OpenAI Realtime at ${url.host} did not answer within ${OPEN_TIMEOUT_MS / 1000} s. Check engine.baseUrl and the network.`,
      ),
    ),
  );
  const onAbort = () => fail(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("error", (error) => fail(unreachable(url, error)));
  socket.on("unexpected-response", (_request, response) => {
    readRefusal(response.statusCode ?? 0, response).then(fail, fail);
  });
  socket.on("close", (code) => fail(unreachable(url, new Error(`closed with code ${code}`))));
  try {
    await Promise.race([failure, session.configure(sessionConfig(options, config), config)]);
    return session;
  } catch (error) {
    discard(socket);
    throw error;
  } finally {
    timer.stop();
    signal.removeEventListener("abort", onAbort);
    failure.catch(() => {}); // whoever lost the race is of no interest
  }
}

function discard(socket: WebSocket): void {
  socket.on("error", () => {}); // closing a socket that never opened reports an error of its own
  socket.terminate();
}

async function restClient({ apiKey, baseUrl, webhookSecret }: OpenAIRealtimeOptions): Promise<OpenAI> {
  const { OpenAI: Client } = await import("openai");
  return new Client({ apiKey, baseURL: baseUrl, webhookSecret: webhookSecret ?? null, maxRetries: 1, timeout: 8_000 });
}

/** Verifies OpenAI's webhooks and declines offered calls (Standard Webhooks signature; REST reject). */
function realtimeWebhooks(options: OpenAIRealtimeOptions): EngineWebhooks | undefined {
  if (options.webhookSecret === undefined) return undefined;
  return {
    async read(body, headers) {
      const client = await restClient(options);
      const key = headers["webhook-id"];
      if (!key) throw new InvalidSignatureError("the header webhook-id is missing.");
      try {
        const event = await client.webhooks.unwrap(body, definedHeaders(headers));
        return event.type === "realtime.call.incoming" ? { key, engineCallId: event.data.call_id } : { key };
      } catch (error) {
        if (error instanceof SyntaxError) throw new InvalidSignatureError("the body is not JSON.");
        throw new InvalidSignatureError((error as Error).message);
      }
    },
    async decline(engineCallId, sipStatus, signal) {
      const client = await restClient(options);
      await client.realtime.calls
        .reject(engineCallId, { status_code: sipStatus }, { signal })
        .catch((error: unknown) => {
          const known = toVoiceError(error);
          // The offer may have been withdrawn meanwhile: then there is nothing left to decline.
          if (known instanceof EngineRefusedError && (error as { status?: number }).status === 404) return;
          throw known;
        });
    },
  };
}

function definedHeaders(headers: Readonly<Record<string, string | undefined>>): Headers {
  const defined = new Headers();
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) defined.set(name, value);
  return defined;
}
