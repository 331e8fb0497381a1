import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { PROBE_HEADER } from "../calls/health/public-url.ts";
import type { Clock } from "../core/clock.ts";
import { VoiceError } from "../core/errors.ts";
import type { Logger } from "../hosts/host.ts";
import { apiRoutes } from "./api.ts";
import { BodyTooLarge } from "./body.ts";
import type { CallDesk, WebhookDesk } from "./doors.ts";
import type { Metrics } from "./metrics.ts";
import { cameThroughProxy, carrierPath, isOwnHost, isPublicPath, ownPath, pathPrefix, splitTarget } from "./paths.ts";
import { apiProblem, describeProblem, notFound, problemResponse, rateLimited } from "./problem.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { webhookRoutes } from "./webhooks.ts";

/** What the routes need. */
export interface AppParts {
  readonly apiToken: string;
  /** Scheme, host and path that the world uses for us. */
  readonly publicUrl: string;
  readonly calls: CallDesk;
  readonly webhooks: WebhookDesk;
  /** Sessions that calls belong to, as the host shows them. */
  readonly sessions: (limit: number) => Promise<readonly unknown[]>;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Numbers for Prometheus; absent: `GET /metrics` is not there. */
  readonly metrics?: Pick<Metrics, "contentType" | "text">;
  /** Told of the word that a request for `/health` brings along, which is how we find out whether it was ours. */
  readonly onProbe?: (word: string) => void;
  /** Aborted when the listener closes: streams end then. */
  readonly closing: AbortSignal;
}

/**
 * All routes of our listener. Every request passes, in this order: the rate limit, the host's name, the rule for
 * requests through a proxy, and only then a route with its own check (a token, or a signature).
 */
export function createApp(parts: AppParts): Hono<{ Bindings: Partial<HttpBindings> }> {
  const { limiter, logger, publicUrl } = parts;
  const prefix = pathPrefix(publicUrl);
  const app = new Hono<{ Bindings: Partial<HttpBindings> }>({
    getPath: (request) => ownPath(splitTarget(request.url).path, prefix),
  });

  app.onError((error, context) => {
    if (error instanceof BodyTooLarge) {
      const problem = describeProblem(413, "payload_too_large", "The body may have 64 KiB at most.");
      return problemResponse(problem, { connection: "close" });
    }
    const problem = apiProblem(error);
    if (!(error instanceof VoiceError)) {
      logger.error("a request failed", { method: context.req.method, path: context.req.path, error: error.stack });
    }
    return problemResponse(problem);
  });
  app.notFound(() => problemResponse(notFound()));

  app.use(async (context, next) => {
    const target = carrierPath(context.req.path);
    const address = context.env?.incoming?.socket.remoteAddress ?? "unknown";
    const wait = await limiter.take(address, target && `${target.carrier}/${target.accountId}`);
    if (wait === undefined) return next();
    return problemResponse(rateLimited(wait), { "retry-after": String(wait) });
  });
  app.use(async (context, next) => {
    const { req } = context;
    const host = req.header("host") ?? new URL(req.url).host;
    const allowed = isOwnHost(host, publicUrl) && (isPublicPath(req.path) || !cameThroughProxy(req.raw.headers.keys()));
    return allowed ? next() : problemResponse(notFound());
  });

  app.get("/health", (context) => {
    const word = context.req.header(PROBE_HEADER);
    if (word !== undefined) parts.onProbe?.(word);
    return context.json({ status: "ok" });
  });
  app.route("/", apiRoutes(parts));
  app.route("/", webhookRoutes(parts));
  return app;
}
