import { z } from "zod";
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

function firstProblem(
  error: z.ZodError,
  schema: z.ZodObject,
  prefix: string,
  raw: unknown,
  alsoKnown: string[] = [],
): ConfigError {
  // A misspelt key is also a missing one; the spelling is what helps.
  const issue = (error.issues.find(({ code }) => code === "unrecognized_keys") ?? error.issues[0]) as z.core.$ZodIssue;
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0] as string;
    const nearest = nearestKey(unknown, [...knownKeys(schema, path), ...alsoKnown]);
    const hint = nearest === undefined ? "Remove it." : `Did you mean "${nearest}"?`;
    return new ConfigError(`${prefix}${[...path, unknown].join(".")}`, `there is no such setting. ${hint}`, {
      cause: error,
    });
  }
  const key = `${prefix}${path.join(".")}`.replace(/\.$/, "");
  const missing = path.length > 0 && valueAt(raw, path) === undefined;
  return new ConfigError(key, missing ? "is required and missing" : issue.message, { cause: error });
}

function valueAt(raw: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], raw);
}

function knownKeys(schema: z.ZodObject, path: readonly string[]): string[] {
  let node: z.core.$ZodType = schema;
  for (const key of path) {
    while (!(node instanceof z.ZodObject) && "innerType" in node._zod.def)
      node = node._zod.def.innerType as z.core.$ZodType;
    const child: z.core.$ZodType | undefined = node instanceof z.ZodObject ? node.shape[key] : undefined;
    if (!child) return [];
    node = child;
  }
  while (!(node instanceof z.ZodObject) && "innerType" in node._zod.def)
    node = node._zod.def.innerType as z.core.$ZodType;
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

function nearestKey(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(word.toLowerCase(), candidate.toLowerCase()),
  }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(2, Math.ceil(best.candidate.length / 2)) ? best.candidate : undefined;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

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
