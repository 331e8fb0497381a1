import { ConfigError } from "../../core/errors.ts";
import type { Trust } from "../../core/events.ts";
import type { VoiceTool } from "../tools.ts";
import { sendRequest, type WebRequest, type WebResponse } from "./http-request.ts";

/** A function that is a web request, as an account's settings have it. */
export interface HttpToolSettings {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly url: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly secretHeader?:
    | {
        readonly name: string;
        /** The environment variable that holds the value. */
        readonly env: string;
        /** What stands before the value. */
        readonly prefix: string;
      }
    | undefined;
  readonly trust: Trust;
  readonly timeoutSeconds: number;
  readonly maxCalls: number;
  /** Whether the URL may lead to loopback or a private network. */
  readonly allowPrivateNetwork: boolean;
}

export interface HttpToolsParts {
  /** Where secrets are: read once, here. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the settings stand, for what is said about them: `accounts.default.tools`. */
  readonly field: string;
  /** The system's resolver unless told. */
  readonly resolve?: WebRequest["resolve"];
}

/** What stands where a secret would. */
const MASK = "•••";
const MAX_REFUSAL = 500;

/** Makes tools of settings. @throws ConfigError the environment lacks a secret; the message names setting and variable */
export function httpTools(settings: readonly HttpToolSettings[], parts: HttpToolsParts): readonly VoiceTool[] {
  return settings.map((tool, index) => httpTool(tool, { ...parts, field: `${parts.field}[${index}]` }));
}

// --- Internal helpers ---

function httpTool(settings: HttpToolSettings, { env, field, resolve }: HttpToolsParts): VoiceTool {
  const { name, description, parameters, trust, timeoutSeconds, maxCalls, method, allowPrivateNetwork } = settings;
  const secret = secretOf(settings, env, field);
  const headers = {
    accept: "application/json, text/*;q=0.9",
    "user-agent": "openclaw-voice-channel",
    ...(settings.secretHeader && secret && { [settings.secretHeader.name]: settings.secretHeader.prefix + secret }),
  };
  const masked = (text: string) => (secret ? text.replaceAll(secret, MASK) : text);
  return {
    ...{ name, description, parameters, trust, maxCalls },
    timeoutMs: timeoutSeconds * 1_000,
    idempotent: method === "GET",
    async execute(args, { signal }) {
      requireDeclared(args, parameters);
      const asked = method === "GET" ? { url: withQuery(settings.url, args) } : withBody(settings.url, args);
      const response = await sendRequest({
        ...asked,
        ...{ method, headers, allowPrivateNetwork, signal },
        ...(resolve && { resolve }),
      });
      const text = masked(textOf(response));
      if (response.status < 200 || response.status > 299) {
        throw new Error(`${name} was answered with ${response.status}: ${text.slice(0, MAX_REFUSAL)}`);
      }
      return text === "" ? "done" : text;
    },
  };
}

function secretOf({ secretHeader }: HttpToolSettings, env: HttpToolsParts["env"], field: string): string | undefined {
  if (!secretHeader) return undefined;
  const value = env[secretHeader.env]?.trim();
  if (value) return value;
  throw new ConfigError(`${field}.secretHeader.env`, `the environment variable ${secretHeader.env} is not set`);
}

/** What the settings do not name is nothing that a model, or who talks to it, may send. */
function requireDeclared(args: Readonly<Record<string, unknown>>, schema: Readonly<Record<string, unknown>>): void {
  if (schema["additionalProperties"] === true) return;
  const declared = Object.keys(schema["properties"] ?? {});
  const other = Object.keys(args).find((name) => !declared.includes(name));
  if (other !== undefined) throw new Error(`There is no argument "${other}". There are: ${declared.join(", ")}.`);
}

/** What the URL itself says stays as it is. */
function withQuery(base: string, args: Readonly<Record<string, unknown>>): URL {
  const url = new URL(base);
  const own = new Set(url.searchParams.keys());
  for (const [name, value] of Object.entries(args)) {
    if (own.has(name) || value === null || value === undefined) continue;
    url.searchParams.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return url;
}

function withBody(base: string, args: Readonly<Record<string, unknown>>): { url: URL; body: string } {
  return { url: new URL(base), body: JSON.stringify(args) };
}

function textOf({ contentType, text }: WebResponse): string {
  const [kind = ""] = contentType.split(";");
  const isText = kind === "" || /^text\/|[/+](?:json|xml|x-www-form-urlencoded)$/i.test(kind.trim());
  return isText ? text : `(an answer that is no text: ${kind.trim()})`;
}
