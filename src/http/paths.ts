/** Where a carrier's request goes: `/twilio/default/voice`. */
export interface CarrierPath {
  readonly carrier: string;
  readonly accountId: string;
  /** What the carrier wants there: `voice`, `status`, `resume`, `stream` … */
  readonly door: string;
}

/** First segments that belong to the API; no carrier has such a name. */
export const API_ROOTS = ["status", "calls", "call", "erase", "links", "openclaw", "metrics"] as const;

/** Reads a carrier's path, or `undefined` when it is another one. */
export function carrierPath(path: string): CarrierPath | undefined {
  const match = /^\/([a-z][a-z0-9-]{0,31})\/([A-Za-z0-9_-]{1,64})\/([a-z]{1,32})$/.exec(path);
  if (!match || isApiPath(path)) return undefined;
  const [, carrier, accountId, door] = match as unknown as [string, string, string, string];
  return { carrier, accountId, door };
}

/** Whether a path is behind the API's token. */
export function isApiPath(path: string): boolean {
  const root = path.split("/", 2)[1];
  return API_ROOTS.some((known) => known === root);
}

/** Whether strangers may come here: carriers, engine providers and whoever asks for signs of life. */
export function isPublicPath(path: string): boolean {
  return path === "/health" || path === "/webhook" || carrierPath(path) !== undefined;
}

/**
 * The path without `publicUrl`'s own: one proxy passes `/phone/twilio/default/voice` on as it is, another cuts `/phone` off.
 * Cut only when a path of ours is left, for a cut path may begin with the same word.
 */
export function ownPath(path: string, prefix: string): string {
  if (prefix === "" || !path.startsWith(`${prefix}/`)) return path;
  const rest = path.slice(prefix.length);
  return isPublicPath(rest) || isApiPath(rest) ? rest : path;
}

/** `publicUrl`'s own path without a slash at its end; empty when it has none. */
export function pathPrefix(publicUrl: string): string {
  return new URL(publicUrl).pathname.replace(/\/+$/, "");
}

/** Path and query of a URL or of a request's target, each as it was sent. */
export function splitTarget(url: string): { path: string; query: string } {
  const target = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/#.*$/, "");
  const at = target.indexOf("?");
  const path = at < 0 ? target : target.slice(0, at);
  return { path: path === "" ? "/" : path, query: at < 0 ? "" : target.slice(at) };
}

/**
 * Whether a `Host` header is ours: `publicUrl`'s host or a name of this machine, with any port.
 * Any other is a page of somebody else that had its name point here (DNS rebinding), or a stray.
 */
export function isOwnHost(host: string | undefined, publicUrl: string): boolean {
  const name = hostName(host);
  if (name === undefined) return false;
  return ["localhost", "127.0.0.1", "[::1]", new URL(publicUrl).hostname].includes(name);
}

/** Whether a request says that it came through a proxy. Names in lower case. */
export function cameThroughProxy(headerNames: Iterable<string>): boolean {
  for (const name of headerNames) if (name === "forwarded" || name.startsWith("x-forwarded-")) return true;
  return false;
}

// --- Internal helpers ---

function hostName(host: string | undefined): string | undefined {
  if (!host || /[/@?#\\\s]/.test(host)) return undefined;
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return undefined;
  }
}
