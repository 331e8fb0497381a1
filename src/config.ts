import { z } from "zod";
import { flightSchema } from "./config-flight.ts";
import { healthSchema } from "./config-health.ts";
import { firstProblem } from "./config-problem.ts";
import { recordingSchema } from "./config-recording.ts";
import { retentionSchema } from "./config-retention.ts";
import { retriesSchema } from "./config-retries.ts";
import { ConfigError, SecretMissingError } from "./core/errors.ts";
import { parseE164 } from "./core/numbers.ts";

const number = z.string().transform((raw, context) => {
  const parsed = parseE164(raw);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "is not a number in E.164 form, like +15550001234" });
  return z.NEVER;
});

/** A secret is a string, or the host's reference to one while that could not be resolved. */
const secret = z.union([
  z.string().min(1),
  z.strictObject({ source: z.enum(["env", "file", "exec", "store"]), provider: z.string(), id: z.string() }),
]);

const webUrl = z
  .url({ protocol: /^https?$/, error: "is not an http or https URL" })
  .transform((url) => url.replace(/\/+$/, ""));

const timeZone = z.string().refine(isTimeZone, { error: "is not an IANA time zone, like Europe/Berlin" });

const carrierSchema = z.strictObject({
  provider: z.literal("twilio").default("twilio").describe("Who carries the phone calls."),
  accountSid: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/i, "is not an account SID (AC and 32 hex digits)")
    .describe("Twilio's account SID."),
  authToken: secret.describe("Twilio's auth token: signs webhooks and authenticates the API."),
  apiBaseUrl: webUrl.default("https://api.twilio.com").describe("Where Twilio's REST API is."),
});

const engineSchema = z.strictObject({
  provider: z.literal("openai-realtime").default("openai-realtime").describe("Which kind of speech model talks."),
  apiKey: secret.describe("OpenAI's API key."),
  model: z.string().min(1).default("gpt-realtime-2.1").describe("Which model talks."),
  fallbackModels: z
    .array(z.string().min(1))
    .default([])
    .describe("Models that talk when that one refuses or cannot be had, best first."),
  voice: z.string().min(1).default("marin").describe("The voice that the model speaks with."),
  speed: z.number().min(0.25).max(1.5).default(1).describe("How fast the model speaks, relative to its own pace."),
  transcriptionModel: z
    .string()
    .min(1)
    .default("gpt-transcribe")
    .describe("Which model writes down what the caller says."),
  baseUrl: webUrl.default("https://api.openai.com/v1").describe("Where OpenAI's API is, ending in /v1."),
  webhookSecret: secret
    .optional()
    .describe("Secret of OpenAI's webhook endpoint (whsec_…); without it POST /webhook refuses."),
  vad: z
    .strictObject({
      kind: z
        .enum(["server", "semantic"])
        .default("server")
        .describe("Whether loudness or meaning ends a caller's turn."),
      silenceMs: z
        .int()
        .min(100)
        .max(5000)
        .default(500)
        .describe("Server VAD: milliseconds of silence that end a turn."),
      threshold: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe("Server VAD: how sure the model must be that it hears speech."),
      eagerness: z
        .enum(["low", "medium", "high", "auto"])
        .default("high")
        .describe("Semantic VAD: how soon a turn counts as over."),
    })
    .prefault({})
    .describe("How the end of the caller's turn is found."),
});

const toolName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "is not 1 to 64 letters, digits, _ or -");

/** A secret in an environment variable: lists of settings cannot hold references of the host's. */
const secretHeader = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, "is not a header's name")
    .describe("The header's name."),
  env: z.string().min(1).describe("The environment variable that holds its value."),
  prefix: z.string().default("").describe("What stands before the value, such as `Bearer `."),
});

const httpToolSchema = z.strictObject({
  name: toolName.describe("The function's name, as the model calls it."),
  description: z.string().min(1).describe("What it does and when it is to be called; the model reads it."),
  parameters: z
    .record(z.string(), z.unknown())
    .default({ type: "object", properties: {} })
    .describe("JSON Schema of its arguments."),
  url: webUrl.describe("Where the request goes: arguments as JSON body, or as query of a GET."),
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).default("POST").describe("The request's method."),
  secretHeader: secretHeader.optional().describe("A header with a secret."),
  trust: z.enum(["stranger", "known", "owner"]).default("known").describe("Who must call for it to be offered."),
  timeoutSeconds: z.int().min(1).max(60).default(10).describe("So long it may take."),
  maxCalls: z.int().min(1).max(100).default(10).describe("How often it may be called on one call."),
  allowPrivateNetwork: z
    .boolean()
    .default(false)
    .describe("Whether the URL may lead to loopback or a private network."),
});

const mcpServerSchema = z.strictObject({
  label: toolName.describe("What the server is called."),
  url: webUrl.describe("Where it is."),
  authorizationEnv: z.string().min(1).optional().describe("The environment variable that holds its access token."),
  allowedTools: z.array(z.string().min(1)).default([]).describe("Which of its tools may be used; empty: all."),
  trust: z.enum(["known", "owner"]).default("known").describe("Who must call for it to be offered."),
});

const accountSchema = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether the account takes and makes calls."),
  number: number.describe("The account's telephone number in E.164 form."),
  moreNumbers: z.array(number).default([]).describe("Further numbers that outbound calls may come from."),
  carrier: carrierSchema.describe("Who carries the calls."),
  engine: engineSchema.describe("Who speaks."),
  persona: z
    .strictObject({
      name: z.string().min(1).default("the assistant").describe("What the agent calls itself."),
      instructions: z.string().default("").describe("How the agent is to behave on the phone."),
      greeting: z
        .string()
        .default("")
        .describe("First sentence of an inbound call, word for word; empty lets the model greet."),
      language: z.string().min(2).default("en").describe("BCP 47 language of the call."),
    })
    .prefault({})
    .describe("Who the agent is on the phone."),
  clips: z
    .string()
    .default("")
    .describe("Folder of spoken clips, <language>/<name>.ulaw (µ-law, 8 kHz), used before the package's; empty: none."),
  transport: z.literal("media-stream").default("media-stream").describe("How the voice travels."),
  turns: z
    .enum(["ours", "server"])
    .default("ours")
    .describe("Who decides when the agent speaks: this process, or the model's server."),
  bargeIn: z
    .strictObject({
      minSpeechMs: z
        .int()
        .min(20)
        .max(1_000)
        .default(60)
        .describe("So many milliseconds of a voice are heard before the agent falls silent; `turns: ours` only."),
    })
    .prefault({})
    .describe("How a caller interrupts."),
  agentId: z.string().min(1).default("main").describe("The OpenClaw agent behind the voice."),
  dmPolicy: z.enum(["disabled", "allowlist", "pairing", "open"]).default("allowlist").describe("Who may ring."),
  allowFrom: z
    .array(z.union([z.literal("*"), number]))
    .default([])
    .describe("Numbers that may ring, under `allowlist` and `pairing`."),
  owner: z
    .strictObject({
      channel: z.string().min(1).describe("The OpenClaw channel in which the owner is reached, such as telegram."),
      to: z.string().min(1).describe("The owner in that channel, in the channel's own form."),
      accountId: z.string().min(1).optional().describe("Which of that channel's accounts sends."),
    })
    .optional()
    .describe("Who gets cards, codes and questions; unset, nobody does and status says so."),
  brain: z
    .enum(["engine", "agent"])
    .default("engine")
    .describe("Who thinks: the speech model, which may ask the agent; or the agent, whose replies are read out."),
  sessionScope: z
    .enum(["host", "per-caller", "per-call", "main"])
    .default("host")
    .describe("Which session calls belong to: as the host's session.dmScope says, or a rule of the account's own."),
  recording: recordingSchema(secret),
  consult: z
    .strictObject({
      timeoutSeconds: z.int().min(5).max(120).default(20).describe("So long the agent may take to answer a question."),
    })
    .prefault({})
    .describe("How the speech model asks the agent."),
  tools: z
    .array(httpToolSchema)
    .default([])
    .describe("Functions that the model may call during calls, each a web request."),
  mcpServers: z
    .array(mcpServerSchema)
    .default([])
    .describe("MCP servers that the speech model calls by itself; for callers who are known."),
  afterCall: z
    .strictObject({
      card: z.boolean().default(true).describe("Whether the owner gets a card about each call that was answered."),
      notifyLinked: z
        .boolean()
        .default(false)
        .describe("Whether the person's other channels get a line about the call."),
      wake: z.boolean().default(true).describe("Whether the agent is woken when there is something to do."),
    })
    .prefault({})
    .describe("What happens once a call is over."),
  retention: retentionSchema.prefault({}).describe("How long what calls leave is kept."),
  timeZone: timeZone
    .default(localTimeZone)
    .describe("IANA zone of the account's days and times; the machine's unless set."),
  context: z
    .strictObject({
      budgetTokens: z
        .int()
        .min(200)
        .max(16_000)
        .default(2_000)
        .describe("Hard limit of the instructions, in o200k tokens."),
      dailyFiles: z.int().min(0).max(31).default(2).describe("How many daily memory files are read, today's included."),
      linkedTurns: z
        .int()
        .min(0)
        .max(50)
        .default(8)
        .describe("How many of the last turns of the person's session are told; 0 none."),
      writeBack: z.boolean().default(true).describe("Whether a note of each call goes into the daily file."),
    })
    .prefault({})
    .describe("What the model is told before the call."),
  limits: z
    .strictObject({
      maxCallSeconds: z.int().min(10).max(14_400).default(1_800).describe("A call ends after so many seconds."),
      maxConcurrentCalls: z.int().min(1).max(1_000).default(10).describe("Further calls are turned away."),
      placementsPerMinute: z.int().min(0).max(600).default(5).describe("Outbound calls in any 60 seconds."),
      idlePromptSeconds: z
        .int()
        .min(0)
        .max(600)
        .default(15)
        .describe("A caller who says nothing for so many seconds is asked whether they are there; 0 never asks."),
      idleEndSeconds: z
        .int()
        .min(1)
        .max(600)
        .default(15)
        .describe("A caller who does not answer that question for so many seconds is told goodbye."),
    })
    .prefault({})
    .describe("What an account may use."),
});

const settingsSchema = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether the channel runs."),
  publicUrl: webUrl.describe("What carriers and OpenAI call: owns scheme, host and path of every webhook."),
  listen: z
    .strictObject({
      host: z.string().min(1).default("127.0.0.1").describe("Address of the channel's own listener."),
      port: z.int().min(0).max(65_535).default(8_080).describe("Its port; 0 takes any free one."),
    })
    .prefault({})
    .describe("The channel's own HTTP listener."),
  store: z
    .enum(["sqlite", "memory"])
    .default("sqlite")
    .describe("Where calls are kept; memory forgets them at the end."),
  drainSeconds: z
    .int()
    .min(0)
    .max(3_600)
    .default(30)
    .describe(
      "So long live calls may go on when `serve` is told to stop; what is live then is let go of, to be resumed.",
    ),
  flight: flightSchema,
  health: healthSchema,
  retries: retriesSchema,
  defaultAccount: z.string().optional().describe("The account that outbound calls use when none is named."),
  logging: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error"])
        .default("info")
        .describe("Least important lines that are written."),
      callerNumbers: z.boolean().default(false).describe("Whether logs show whole telephone numbers."),
      words: z.boolean().default(false).describe("Whether logs show what was said."),
    })
    .prefault({})
    .describe("What logs may show."),
});

/** One account's settings, complete with defaults. Secrets may still be unresolved references. */
export type AccountConfig = z.output<typeof accountSchema>;
/** The channel's settings beside its accounts. */
export type VoiceSettings = z.output<typeof settingsSchema>;
/** The configuration as the schema would have it written; `VoiceConfig` says the same without the schema's library. */
export type ConfigInput = z.input<typeof settingsSchema> & { accounts: Record<string, z.input<typeof accountSchema>> };

/** An account as configured: usable, or why it is not. */
export type ParsedAccount = { readonly config: AccountConfig } | { readonly error: ConfigError };

/** A configuration, read account by account: one wrong account never stops another. */
export interface ParsedConfig {
  readonly settings: VoiceSettings;
  readonly accounts: ReadonlyMap<string, ParsedAccount>;
}

/** Where an account keeps its secrets. */
export const SECRET_PATHS = [
  ["carrier", "authToken"],
  ["engine", "apiKey"],
  ["engine", "webhookSecret"],
  ["recording", "encryptionKey"],
  ["recording", "bucketSecretKey"],
] as const;

/**
 * Reads the channel's settings and each account by itself.
 * @throws ConfigError a setting beside the accounts is wrong; a wrong account is reported in its place instead
 */
export function parseConfig(raw: unknown): ParsedConfig {
  if (typeof raw !== "object" || raw === null) throw new ConfigError("channels.voice", "must be an object of settings");
  const { accounts = {}, ...rest } = raw as Record<string, unknown>;
  const settings = settingsSchema.safeParse(rest);
  if (!settings.success) throw firstProblem(settings.error, settingsSchema, "", rest, ["accounts"]);
  if (typeof accounts !== "object" || accounts === null)
    throw new ConfigError("accounts", "must be an object of accounts by name");
  const entries = Object.entries(accounts).map(([id, account]) => [id, parseAccount(id, account)] as const);
  return { settings: settings.data, accounts: new Map(entries) };
}

/** Reads one account's settings. */
export function parseAccount(accountId: string, raw: unknown): ParsedAccount {
  const path = `accounts.${accountId}`;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(accountId)) {
    return {
      error: new ConfigError(
        path,
        "an account's name is 1 to 64 letters, digits, _ or -: it is part of its webhook paths",
      ),
    };
  }
  const parsed = accountSchema.safeParse(raw ?? {});
  return parsed.success
    ? { config: parsed.data }
    : { error: firstProblem(parsed.error, accountSchema, `${path}.`, raw) };
}

/** The value of a secret. @throws SecretMissingError it is absent or an unresolved reference */
export function requireSecret(value: unknown, path: string): string {
  if (typeof value !== "string" || value === "") throw new SecretMissingError(path);
  return value;
}

/** JSON Schema of `channels.voice`, as strict as the settings are. */
export function configJsonSchema(): JsonSchema {
  const whole = settingsSchema.extend({ accounts: z.record(z.string(), accountSchema) });
  return z.toJSONSchema(whole, {
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema, path }) => {
      if (path.at(-1) === "timeZone") delete jsonSchema.default; // it is this machine's
    },
  }) as JsonSchema;
}

/** What this project reads of a JSON Schema. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: JsonSchema | boolean;
}

// --- Internal helpers ---

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function localTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
