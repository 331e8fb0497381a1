import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./public-address.ts";

/** An address that a name stands for. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** One web request. */
export interface WebRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether it may go to this machine, its network or its cloud. */
  readonly allowPrivateNetwork: boolean;
  readonly signal: AbortSignal;
  /** The system's resolver unless told. */
  readonly resolve?: (hostname: string) => Promise<readonly ResolvedAddress[]>;
}

/** What came back. */
export interface WebResponse {
  readonly status: number;
  readonly contentType: string;
  /** The first 64 kB. */
  readonly text: string;
}

const MOST_REDIRECTS = 3;
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Sends a request to a host that is looked up once: the address that was checked is the one that is connected to.
 * Redirects are followed within the host.
 * @throws Error the host may not be reached, cannot be, or redirects elsewhere; no message holds a header or a query
 */
export async function sendRequest(request: WebRequest): Promise<WebResponse> {
  let { url, method, body, ...rest } = request;
  for (let redirects = 0; ; redirects++) {
    const response = await exchange({ ...rest, url, method, ...(body === undefined ? {} : { body }) });
    const next = redirectOf(response, url);
    if (!next) return { ...response, contentType: response.headers["content-type"] ?? "" };
    if (redirects === MOST_REDIRECTS) throw new Error(`${url.hostname} redirects more than ${MOST_REDIRECTS} times.`);
    const isUpgrade = url.protocol === "http:" && next.origin === `https://${url.hostname}`;
    if (next.origin !== url.origin && !isUpgrade) throw new Error(`${url.hostname} redirects to another host.`);
    // https://fetch.spec.whatwg.org/#http-redirect-fetch
    if (response.status === 303 || (response.status < 303 && method === "POST")) {
      method = "GET";
      body = undefined;
    }
    url = next;
  }
}

// --- Internal helpers ---

interface Exchanged {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

async function exchange(request: WebRequest): Promise<Exchanged> {
  const { url, method, body, headers, signal } = request;
  const addresses = await permitted(request);
  signal.throwIfAborted();
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = send(url, {
        method,
        signal,
        // A socket that is used again may lead to an address that was never checked for this request.
        agent: false,
        lookup: always(addresses),
        headers: {
          ...headers,
          "accept-encoding": "identity",
          ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        },
      });
      outgoing.on("response", resolve);
      outgoing.on("error", reject); // stays for as long as the socket does
      outgoing.end(body);
    });
    return { status: response.statusCode ?? 0, headers: response.headers, text: await beginningOf(response) };
  } catch (cause) {
    signal.throwIfAborted();
    const { code = "connection failed" } = cause as NodeJS.ErrnoException;
    throw new Error(`${url.hostname} cannot be reached (${code}).`, { cause });
  }
}

/** The host's addresses. @throws Error one of them is not to be reached */
async function permitted({ url, allowPrivateNetwork, resolve = systemResolve }: WebRequest) {
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const family = isIP(hostname);
  const addresses = family === 0 ? await found(hostname, resolve) : [{ address: hostname, family }];
  if (!allowPrivateNetwork && !addresses.every(({ address }) => isPublicAddress(address))) {
    throw new Error(`${url.hostname} leads to a private network, which this tool may not reach.`);
  }
  return addresses;
}

async function found(hostname: string, resolve: NonNullable<WebRequest["resolve"]>) {
  const addresses = await resolve(hostname).catch((cause: unknown) => {
    throw new Error(`${hostname} is not found.`, { cause });
  });
  if (addresses.length === 0) throw new Error(`${hostname} is not found.`);
  return addresses;
}

const systemResolve = (hostname: string) => lookup(hostname, { all: true });

/** Answers every lookup with what is known. */
function always(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, answer) => {
    const [first] = addresses as [ResolvedAddress];
    if (options.all) answer(null, [...addresses]);
    else answer(null, first.address, first.family);
  };
}

function redirectOf({ status, headers }: Exchanged, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || headers.location === undefined) return undefined;
  if (!URL.canParse(headers.location, from.href)) throw new Error(`${from.hostname} redirects to nowhere.`);
  return new URL(headers.location, from);
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
    if (bytes >= MAX_BODY_BYTES) break; // which also closes the connection
  }
  return Buffer.concat(pieces).subarray(0, MAX_BODY_BYTES).toString("utf8");
}
