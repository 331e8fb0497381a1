const LOOPBACK = /^(?:127(?:\.\d+){3}|localhost|\[::1\])$/;

/**
 * Where a public URL really is: its base replaced by the loopback base that `routes` names for it (the longest
 * match wins), in `http:` or `ws:`. A loopback URL is its own place. Undefined for every other URL: nothing here
 * leaves the machine.
 */
export function resolveRoute(url: string, routes: Readonly<Record<string, string>>): URL | undefined {
  if (!URL.canParse(url)) return undefined;
  const isSocket = /^wss?:/i.test(url);
  const httpUrl = url.replace(/^ws/i, "http");
  const base = Object.keys(routes)
    .filter((candidate) => isUnder(httpUrl, candidate.replace(/\/$/, "")))
    .sort((a, b) => b.length - a.length)[0];
  let target = httpUrl;
  if (base !== undefined) {
    target = (routes[base] as string).replace(/\/$/, "") + httpUrl.slice(base.replace(/\/$/, "").length);
  }
  const place = new URL(target);
  if (!LOOPBACK.test(place.hostname)) return undefined;
  place.hash = "";
  if (isSocket) place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
  return place;
}

const isUnder = (url: string, base: string) => url.startsWith(base) && /^(?:[/?#]|$)/.test(url.slice(base.length));

/** Headers by which the request looks as it does behind a tunnel: the public host, and who was forwarded. */
export function tunnelHeaders(url: string): Record<string, string> {
  const { host, protocol } = new URL(url);
  const scheme = protocol === "https:" || protocol === "wss:" ? "https" : "http";
  return { host, "x-forwarded-proto": scheme, "x-forwarded-for": "203.0.113.7" };
}
