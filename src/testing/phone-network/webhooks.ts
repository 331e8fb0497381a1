import { randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { type Clock, sleep } from "../../core/clock.ts";
import type { Faults, WebhookFate } from "./faults.ts";
import { resolveRoute, tunnelHeaders } from "./routes.ts";
import { signRequest } from "./signature.ts";
import type { WebhookKind, WebhookRecord } from "./types.ts";

/** An application must answer within this time. */
const ANSWER_WITHIN_MS = 15_000;

export interface WebhookOrder {
  readonly kind: WebhookKind;
  readonly callSid: string;
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly params: Readonly<Record<string, string>>;
  /** Where the request and its answer are written down. */
  readonly records: WebhookRecord[];
}

export interface WebhookAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** A webhook without a usable answer; `code` is what Twilio's debugger shows. */
export class WebhookFailed extends Error {
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WebhookFailed";
    this.code = code;
  }
}

export interface WebhooksParts {
  readonly clock: Clock;
  readonly authToken: string;
  readonly routes: Readonly<Record<string, string>>;
  readonly faults: Faults;
}

/** Sends signed webhooks over real connections, as badly as the faults say. */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #stopped = new AbortController();
  /** Requests on their way, by call; those that a fault holds back are not among them. */
  readonly #underWay = new Map<string, Set<Promise<unknown>>>();
  /** Requests of a call that wait for its next one to be answered. */
  readonly #swapped = new Map<string, (() => void)[]>();

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
  }

  /**
   * Sends one webhook. Resolves with a 2xx answer.
   * @throws WebhookFailed 11200 for any other answer or none in 15 s, 11205 no connection, 11210 no such host
   */
  async send(order: WebhookOrder): Promise<WebhookAnswer> {
    const { kind, callSid, url, params } = order;
    const fate = this.#parts.faults.webhook?.({ kind, callSid, url, params }) ?? {};
    // Those that were held back before this one leave once it has been answered.
    const held = fate.swapWithNext ? [] : (this.#swapped.get(callSid) ?? []);
    if (held.length > 0) this.#swapped.delete(callSid);
    if (fate.swapWithNext) {
      await new Promise<void>((leave) => {
        this.#swapped.set(callSid, [...(this.#swapped.get(callSid) ?? []), leave]);
      });
    }
    if (fate.delayMs) await sleep(this.#parts.clock, fate.delayMs, this.#stopped.signal);
    const delivery = this.#deliver(order, fate);
    const underWay = this.#underWay.get(callSid) ?? new Set();
    this.#underWay.set(callSid, underWay.add(delivery));
    try {
      return await delivery;
    } finally {
      underWay.delete(delivery);
      if (underWay.size === 0) this.#underWay.delete(callSid);
      for (const leave of held) leave();
    }
  }

  /** Resolves when no webhook of the call is on its way, but for those that a fault holds back. */
  async settled(callSid: string): Promise<void> {
    for (let open = this.#underWay.get(callSid); open; open = this.#underWay.get(callSid)) {
      await Promise.allSettled(open);
    }
  }

  /** Cuts everything that is on its way. */
  stop(): void {
    this.#stopped.abort(new WebhookFailed(11_200, "The network was stopped."));
  }

  async #deliver(order: WebhookOrder, fate: WebhookFate): Promise<WebhookAnswer> {
    const record = { kind: order.kind, url: signedUrl(order), params: order.params, status: 0, body: "" };
    order.records.push(record);
    if (fate.lose) throw new WebhookFailed(11_205, `${order.url} was lost on its way.`);
    const token = randomUUID();
    const copies = Array.from({ length: fate.copies ?? 1 }, () => this.#attemptTwice(order, token));
    const [first] = await Promise.allSettled(copies);
    if (first?.status !== "fulfilled") throw first?.reason;
    if (fate.loseAnswer) throw new WebhookFailed(11_200, `The answer of ${order.url} was lost.`);
    record.status = first.value.status;
    record.body = first.value.body.toString("utf8");
    if (record.status < 200 || record.status > 299) {
      throw new WebhookFailed(11_200, `${order.url} answered ${record.status}.`);
    }
    return first.value;
  }

  /** A connection that fails is tried once more, with the same idempotency token. */
  async #attemptTwice(order: WebhookOrder, token: string): Promise<WebhookAnswer> {
    try {
      return await this.#attempt(order, token);
    } catch (error) {
      if (!(error instanceof WebhookFailed) || error.code !== 11_205 || this.#stopped.signal.aborted) throw error;
      return await this.#attempt(order, token);
    }
  }

  #attempt(order: WebhookOrder, token: string): Promise<WebhookAnswer> {
    const { clock, authToken, routes } = this.#parts;
    const url = signedUrl(order);
    const target = resolveRoute(url, routes);
    if (!target) throw new WebhookFailed(11_210, `${url} has no route to loopback.`);
    const isPost = order.method === "POST";
    const body = isPost ? new URLSearchParams(order.params).toString() : "";
    return new Promise((resolve, reject) => {
      const fail = (code: number, message: string, cause?: unknown) =>
        reject(new WebhookFailed(code, `${url}: ${message}`, { cause }));
      let connected = false;
      const request = httpRequest(target, {
        method: order.method,
        agent: false,
        signal: this.#stopped.signal,
        headers: {
          ...tunnelHeaders(url),
          "user-agent": "TwilioProxy/1.1",
          accept: "*/*",
          "x-twilio-signature": signRequest(authToken, url, isPost ? order.params : {}),
          "i-twilio-idempotency-token": token,
          ...(isPost && {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "content-length": Buffer.byteLength(body),
          }),
        },
      });
      const timer = clock.after(ANSWER_WITHIN_MS, () => {
        fail(11_200, "no answer within 15 seconds");
        request.destroy();
      });
      request.on("socket", (socket) => socket.on("connect", () => (connected = true)));
      request.on("error", (error) => fail(connected ? 11_200 : 11_205, error.message, error));
      request.on("close", () => timer.stop());
      request.on("response", (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", (error) => fail(11_200, error.message, error));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers["content-type"] ?? "",
            body: Buffer.concat(pieces),
          }),
        );
      });
      request.end(body);
    });
  }
}

/** The URL as it is signed: a GET carries its parameters in the query; a fragment never leaves. */
function signedUrl({ url, method, params }: WebhookOrder): string {
  const bare = url.replace(/#.*$/, "");
  if (method === "POST" || Object.keys(params).length === 0) return bare;
  return `${bare}${bare.includes("?") ? "&" : "?"}${new URLSearchParams(params)}`;
}
