import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from "yaml";
import { SECRET_PATHS } from "./config.ts";
import type { VoiceConfig } from "./config-types.ts";
import { ConfigError } from "./core/errors.ts";

/** The environment, as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration with its origin. */
export interface LoadedConfig {
  /** As `VoiceChannelPlugin` takes it. Accounts in it may still be wrong: `parseConfig` says so, one by one. */
  readonly config: VoiceConfig;
  /** Where a setting stands, as `file:line:column`; where its nearest parent does when it is absent. */
  whereIs(key: string): string;
}

/**
 * Reads a YAML file, with `${NAME}` in any value taken from the environment (`$${` writes a plain `${`).
 * A value that is nothing but an unquoted reference may become a number or a truth value; quoted ones stay text.
 * A secret of an account may also be `{ source: env, id: NAME }`. When its variable is not set, the account alone is
 * without its secret, and its status says so; for any other setting that is an error.
 * @throws ConfigError naming file, line and column: the file cannot be read, is not YAML, or needs a variable that is not set
 */
export async function loadConfigFile(path: string, env: Environment): Promise<LoadedConfig> {
  const file = resolve(path);
  const source = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(path, `cannot be read (${cause.code}). Name an existing file with --config.`, { cause });
  });
  const lines = new LineCounter();
  const document = parseDocument(hideReferences(source), { lineCounter: lines });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const [problem] = document.errors;
  if (problem) {
    const reason = showReferences(problem.message.split(/ at line \d/)[0] as string);
    throw new ConfigError(at(problem.pos[0]), `is not valid YAML: ${reason}`, { cause: problem });
  }
  const whereIs = (key: string) => at(offsetOf(document.contents, key.split(".")));
  const config = resolveNode(document.contents, [], { env, whereIs, document });
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new ConfigError(path, "must hold settings by name, like publicUrl: https://voice.example.com");
  }
  return { config: config as VoiceConfig, whereIs };
}

/**
 * One account `default` from the environment: PUBLIC_URL, OPENAI_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN,
 * TWILIO_PHONE_NUMBER; and where set PORT, OPENAI_BASE_URL, OPENAI_MODEL, OPENAI_WEBHOOK_SECRET, TWILIO_API_BASE_URL,
 * VOICE_ALLOW_FROM (numbers with commas between).
 * @throws ConfigError naming every variable that is missing
 */
export function configFromEnvironment(env: Environment): LoadedConfig {
  const missing = Object.keys(REQUIRED).filter((name) => !env[name]);
  const [first] = missing;
  if (first !== undefined) {
    const key = REQUIRED[first] as string;
    const all = missing.length > 1 ? ` All that are missing: ${missing.join(", ")}.` : "";
    throw new ConfigError(
      key,
      `needs the environment variable ${first}, which is not set.${all} Or use --config FILE.`,
    );
  }
  const config = {
    publicUrl: env["PUBLIC_URL"] as string,
    ...(env["PORT"] && { listen: { port: portFrom(env["PORT"]) } }),
    accounts: {
      default: {
        number: env["TWILIO_PHONE_NUMBER"] as string,
        carrier: {
          accountSid: env["TWILIO_ACCOUNT_SID"] as string,
          authToken: env["TWILIO_AUTH_TOKEN"] as string,
          ...(env["TWILIO_API_BASE_URL"] && { apiBaseUrl: env["TWILIO_API_BASE_URL"] }),
        },
        engine: {
          apiKey: env["OPENAI_API_KEY"] as string,
          ...(env["OPENAI_BASE_URL"] && { baseUrl: env["OPENAI_BASE_URL"] }),
          ...(env["OPENAI_MODEL"] && { model: env["OPENAI_MODEL"] }),
          ...(env["OPENAI_WEBHOOK_SECRET"] && { webhookSecret: env["OPENAI_WEBHOOK_SECRET"] }),
        },
        ...(env["VOICE_ALLOW_FROM"] && { allowFrom: env["VOICE_ALLOW_FROM"].split(",").map((each) => each.trim()) }),
      },
    },
  };
  return { config, whereIs: () => "environment" };
}

/** Where calls, token and recordings are kept: `$OPENCLAW_VOICE_STATE_DIR`, else `~/.openclaw-voice`. */
export function defaultStateDir(env: Environment, home: string = homedir()): string {
  return env["OPENCLAW_VOICE_STATE_DIR"] || join(home, ".openclaw-voice");
}

// --- Internal helpers ---

/** The setting that each variable is needed for. */
const REQUIRED: Readonly<Record<string, string>> = {
  PUBLIC_URL: "publicUrl",
  OPENAI_API_KEY: "accounts.default.engine.apiKey",
  TWILIO_ACCOUNT_SID: "accounts.default.carrier.accountSid",
  TWILIO_AUTH_TOKEN: "accounts.default.carrier.authToken",
  TWILIO_PHONE_NUMBER: "accounts.default.number",
};

// Braces would begin a map in YAML's flow style. Three characters of Unicode's private area stand in for `${` and `}`
// while YAML is read; the length stays, so that positions do.
const OPEN = "\uE000\uE001";
const CLOSE = "\uE002";
const HIDDEN = new RegExp(`${OPEN}(\\w+)${CLOSE}`, "g");

function hideReferences(source: string): string {
  return source.replace(/(?<!\$)\$\{([A-Za-z_]\w*)\}/g, `${OPEN}$1${CLOSE}`);
}

function showReferences(text: string): string {
  return text.replace(HIDDEN, (_whole, name: string) => `\${${name}}`);
}

interface Resolving {
  readonly env: Environment;
  readonly whereIs: (key: string) => string;
  readonly document: Document.Parsed;
}

function resolveNode(node: Node | null, path: readonly string[], parts: Resolving): unknown {
  if (isAlias(node)) return resolveNode(node.resolve(parts.document) ?? null, path, parts);
  if (isSeq<Node>(node)) return node.items.map((item, index) => resolveNode(item, [...path, String(index)], parts));
  if (isMap<Node, Node | null>(node)) {
    const record = Object.fromEntries(
      node.items.map(({ key, value }) => {
        const name = showReferences(String(key));
        return [name, resolveNode(value, [...path, name], parts)];
      }),
    );
    return isSecret(path) ? secretFrom(record, parts.env) : record;
  }
  if (!isScalar(node)) return undefined;
  return typeof node.value === "string" ? resolveText(node.value, node.type === "PLAIN", path, parts) : node.value;
}

function resolveText(text: string, plain: boolean, path: readonly string[], { env, whereIs }: Resolving): unknown {
  const names = [...text.matchAll(HIDDEN)].map(([, name]) => name as string);
  const missing = names.find((name) => env[name] === undefined);
  if (missing !== undefined) {
    if (isSecret(path)) return { source: "env", provider: "default", id: missing };
    const key = path.join(".");
    throw new ConfigError(`${whereIs(key)}: ${key}`, `needs the environment variable ${missing}, which is not set`);
  }
  const value = text.replace(HIDDEN, (_whole, name: string) => env[name] as string).replaceAll("$${", "${");
  const alone = plain && names.length === 1 && text === `${OPEN}${names[0]}${CLOSE}`;
  // No sign and no leading zero: what looks like a telephone number or a PIN stays text.
  if (alone && /^(?:0|[1-9]\d{0,8})(?:\.\d+)?$/.test(value)) return Number(value);
  if (alone && (value === "true" || value === "false")) return value === "true";
  return value;
}

function isSecret(path: readonly string[]): boolean {
  const [accounts, , ...rest] = path;
  return accounts === "accounts" && SECRET_PATHS.some((known) => known.join(".") === rest.join("."));
}

function secretFrom(reference: Readonly<Record<string, unknown>>, env: Environment): unknown {
  const { source, id } = reference;
  if (source !== "env" || typeof id !== "string") return reference;
  return env[id] || { provider: "default", ...reference };
}

/** The offset of a setting, or of the nearest parent that is there. */
function offsetOf(root: ParsedNode | null, path: readonly string[]): number {
  let node: unknown = root;
  let offset = root?.range[0] ?? 0;
  for (const name of path) {
    if (!isCollection(node)) break;
    const items: readonly unknown[] = node.items;
    const found = items.find((item, index) => (isPair(item) ? String(item.key) === name : String(index) === name));
    if (found === undefined) break;
    const named = isPair(found) ? (found.key as Node) : (found as Node);
    offset = named.range?.[0] ?? offset;
    node = isPair(found) ? found.value : found;
  }
  return offset;
}

function portFrom(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new ConfigError("listen.port", `the environment variable PORT is "${text}", which is not a port (0 to 65535)`);
}
