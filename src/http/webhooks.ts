import { Hono } from "hono";
import type { AppParts } from "./app.ts";
import { BodyTooLarge, toRawRequest } from "./body.ts";
import { carrierPath } from "./paths.ts";
import { notFound, problemResponse, publicProblem } from "./problem.ts";

/**
 * Where carriers and engine providers call. Nothing here decides whether a request is genuine: the desk verifies
 * each one before it believes a word, and what the sender is told of a refusal is little.
 */
export function webhookRoutes({ webhooks, logger }: Pick<AppParts, "webhooks" | "logger">): Hono {
  const routes = new Hono();

  routes.onError((error, context) => {
    if (error instanceof BodyTooLarge) throw error;
    const problem = publicProblem(error);
    const log = problem.status >= 500 ? logger.error : logger.warn;
    log.call(logger, "a webhook was refused", { path: context.req.path, code: problem.code, error: String(error) });
    return problemResponse(problem);
  });

  routes.post("/webhook", async (context) => {
    const { body, headers } = await toRawRequest(context.req.raw, context.req.path);
    await webhooks.engineWebhook(body, headers);
    return context.body(null, 200);
  });
  routes.post("/:carrier/:accountId/:door", async (context) => {
    const target = carrierPath(context.req.path);
    if (!target) return problemResponse(notFound());
    const request = await toRawRequest(context.req.raw, context.req.path);
    const reply = await webhooks.carrierWebhook(target.carrier, target.accountId, request);
    const bodiless = reply.status === 204 || reply.status === 304;
    return new Response(bodiless ? null : reply.body, {
      status: reply.status,
      headers: { "content-type": reply.contentType, "cache-control": "no-store" },
    });
  });
  return routes;
}
