import type { HttpBindings } from "@hono/node-server";
import { Hono, type MiddlewareHandler } from "hono";
import { z } from "zod";
import { InvalidRequestError } from "../core/errors.ts";
import { requireE164 } from "../core/numbers.ts";
import { TRANSCRIPT_FORMATS } from "../core/transcript-export.ts";
import type { AppParts } from "./app.ts";
import { readJson } from "./body.ts";
import { eventStream } from "./event-stream.ts";
import { API_ROOTS } from "./paths.ts";
import { describeProblem, problemResponse } from "./problem.ts";
import { sameToken } from "./token.ts";

const words = z.string().min(1, "must not be empty").max(4_000, "may have 4,000 characters at most");
const name = z.string().min(1, "must not be empty").max(200, "may have 200 characters at most");
const limit = z.coerce.number().int().min(1).max(500);

const placeSchema = z.strictObject({
  to: z.string(),
  message: words.optional(),
  from: z.string().optional(),
  accountId: name.optional(),
  purpose: words.optional(),
  continues: words.optional(),
});
const saySchema = z.strictObject({ text: words });
const dtmfSchema = z.strictObject({ digits: z.string(), durationMs: z.number().optional() });
const instructionsSchema = z.strictObject({ text: words, respond: z.boolean().optional() });
const recordingSchema = z.strictObject({ paused: z.boolean() });
const listSchema = z.strictObject({
  accountId: name.optional(),
  caller: z.string().optional(),
  only: z.enum(["open", "unfinished"]).optional(),
  limit: limit.optional(),
  after: name.optional(),
});
const transcriptSchema = z.strictObject({ format: z.enum(TRANSCRIPT_FORMATS).default("json") });
const searchSchema = z.strictObject({
  q: words,
  accountId: name.optional(),
  caller: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(100).optional(),
  after: name.optional(),
});
const eraseSchema = z.strictObject({ number: z.string(), accountId: name.optional() });
const linksSchema = z.strictObject({ accountId: name.optional() });
const sessionsSchema = z.strictObject({ limit: limit.default(50) });

/**
 * What operators and tools do over HTTP. Every path needs `Authorization: Bearer <token>`, from wherever it comes:
 * a tunnel makes the whole world look like this machine.
 */
export function apiRoutes({ apiToken, calls, sessions, metrics, clock, logger, closing }: AppParts): Hono<Bound> {
  const api = new Hono<Bound>();

  for (const root of API_ROOTS) api.use(`/${root}/*`, requireToken(apiToken), requireJson);

  api.get("/status", async (context) => context.json(await calls.status()));
  api.get("/calls", async (context) => {
    const { caller, ...query } = read(listSchema, context.req.query());
    const found = await calls.calls(
      defined({ ...query, caller: caller === undefined ? undefined : requireE164(caller, "caller") }),
    );
    return context.json(found);
  });
  api.get("/calls/search", async (context) => {
    const { q: text, caller, ...query } = read(searchSchema, context.req.query());
    const found = await calls.search({
      ...defined({ ...query, caller: caller === undefined ? undefined : requireE164(caller, "caller") }),
      text,
    });
    return context.json(found);
  });
  api.get("/calls/:id", async (context) => context.json(await calls.call(context.req.param("id"))));

  api.get("/calls/:id/transcript", async (context) => {
    const callId = context.req.param("id");
    const { format } = read(transcriptSchema, context.req.query());
    const { contentType, extension, body } = await calls.transcriptOf(callId, format);
    return new Response(body, { headers: documentHeaders(contentType, `${callId}.${extension}`) });
  });
  api.get("/calls/:id/recording", async (context) => {
    const callId = context.req.param("id");
    const found = await calls.recordingOf(callId);
    if (!found) {
      const message = "Nothing of this call was recorded, or it was deleted.";
      return problemResponse(describeProblem(404, "not_found", message));
    }
    const headers = {
      ...documentHeaders("audio/wav", `${callId}.wav`),
      "content-length": String(found.bytes),
    };
    const broken = (error: unknown) => {
      logger.error("a recording could not be read to its end", { callId, error: String(error) });
      context.env?.outgoing?.destroy(); // half a file must not look like a whole one
    };
    return new Response(ReadableStream.from(untilBroken(found.sound, broken)) as ReadableStream<Uint8Array>, {
      headers,
    });
  });

  api.post("/call", async (context) => {
    const { to, from, ...request } = read(placeSchema, await readJson(context.req.raw));
    const placed = await calls.placeCall({
      ...defined(request),
      to: requireE164(to, "to"),
      ...(from !== undefined && { from: requireE164(from, "from") }),
      ...requestId(context.req.header("idempotency-key")),
    });
    return context.json(placed, 201);
  });
  api.delete("/call/:id", async (context) => {
    const { call, confirmed } = await calls.endCall(context.req.param("id"));
    return context.json(call, confirmed ? 200 : 202);
  });
  api.post("/call/:id/say", async (context) => {
    const { text } = read(saySchema, await readJson(context.req.raw));
    return context.json(await calls.say(context.req.param("id"), text));
  });
  api.post("/call/:id/dtmf", async (context) => {
    const { digits, ...timing } = read(dtmfSchema, await readJson(context.req.raw));
    return context.json(await calls.sendDigits(context.req.param("id"), digits, defined(timing)));
  });
  api.post("/call/:id/instructions", async (context) => {
    const { text, ...options } = read(instructionsSchema, await readJson(context.req.raw));
    return context.json(await calls.instruct(context.req.param("id"), text, defined(options)));
  });
  api.post("/call/:id/recording", async (context) => {
    const { paused } = read(recordingSchema, await readJson(context.req.raw));
    return context.json(await calls.pauseRecording(context.req.param("id"), paused));
  });
  api.get("/call/:id/events", async (context) => {
    const callId = context.req.param("id");
    const afterSeq = lastEventId(context.req.header("last-event-id"));
    await calls.call(callId); // an unknown call is a 404, not an empty stream
    return eventStream({
      callId,
      follow: (signal) => calls.follow(callId, afterSeq, signal),
      clock,
      logger,
      closing,
    });
  });

  if (metrics) {
    api.get("/metrics", async (context) =>
      context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
    );
  }
  api.post("/erase", async (context) => {
    const { number, ...order } = read(eraseSchema, await readJson(context.req.raw));
    return context.json(await calls.erase({ ...defined(order), number: requireE164(number, "number") }));
  });
  api.get("/links", async (context) => {
    const { accountId } = read(linksSchema, context.req.query());
    return context.json({ links: await calls.links(accountId) });
  });
  api.delete("/links/:number", async (context) => {
    const query = read(linksSchema, context.req.query());
    const removed = await calls.unlink({ ...defined(query), number: context.req.param("number") });
    return context.json({ removed });
  });

  api.get("/openclaw/sessions", async (context) => {
    const query = read(sessionsSchema, context.req.query());
    return context.json({ sessions: await sessions(query.limit) });
  });
  return api;
}

// --- Internal helpers ---

/** What a request that came over a socket brings. */
interface Bound {
  Bindings: Partial<HttpBindings>;
}

async function* untilBroken(sound: AsyncIterable<Uint8Array>, broken: (error: unknown) => void) {
  try {
    yield* sound;
  } catch (error) {
    broken(error);
  }
}

function requireToken(token: string): MiddlewareHandler {
  return async (context, next) => {
    const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    if (given !== undefined && sameToken(given, token)) return next();
    const message = "This needs the header Authorization: Bearer <token>. The token is in the file api-token.";
    return problemResponse(describeProblem(401, "unauthorized", message), { "www-authenticate": "Bearer" });
  };
}

/** Refuses any other type: a form of somebody else's page cannot send JSON by its name. */
const requireJson: MiddlewareHandler = async (context, next) => {
  if (context.req.method !== "POST") return next();
  if (/^application\/json\s*(;|$)/i.test(context.req.header("content-type") ?? "")) return next();
  const message = "The body must be JSON, with the header Content-Type: application/json.";
  return problemResponse(describeProblem(415, "unsupported_media_type", message));
};

/** A document of a call, with the name that it has as a file. */
function documentHeaders(contentType: string, fileName: string): Record<string, string> {
  return {
    "content-type": contentType,
    "content-disposition": `inline; filename="${fileName.replace(/[^\w.-]/g, "_")}"`,
    "cache-control": "no-store",
  };
}

/** @throws InvalidRequestError naming the field, and the known ones when it is not one of them */
function read<Schema extends z.ZodObject>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // A misspelt field is also a missing one; the spelling is what helps.
  const { issues } = parsed.error;
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue?.code === "unrecognized_keys") {
    const known = Object.keys(schema.shape).join(", ");
    throw new InvalidRequestError(issue.keys.join(", "), `there is no such field. Known fields: ${known}.`);
  }
  const field = issue?.path.join(".") || "body";
  const missing = issue?.path.length === 1 && (value as Record<string, unknown>)[field] === undefined;
  throw new InvalidRequestError(field, missing ? "is required and missing" : (issue?.message ?? "is invalid"));
}

/** Without the keys that were not given: absent and `undefined` differ in our contracts. */
function defined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function requestId(header: string | undefined): { requestId?: string } {
  if (header === undefined) return {};
  if (!/^[\x21-\x7e]{1,200}$/.test(header)) {
    throw new InvalidRequestError("Idempotency-Key", "must be 1 to 200 visible characters");
  }
  return { requestId: header };
}

function lastEventId(header: string | undefined): number {
  if (header === undefined || header === "") return 0;
  const seq = Number(header);
  if (!/^\d+$/.test(header) || !Number.isSafeInteger(seq)) {
    throw new InvalidRequestError("Last-Event-ID", "must be the id of an event, a whole number");
  }
  return seq;
}
