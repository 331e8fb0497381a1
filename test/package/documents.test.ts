import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, expectTypeOf, test } from "vitest";
import { parseDocument } from "yaml";
import { configTypes } from "../../scripts/config-types.ts";
import { withSchema } from "../../scripts/manifest.ts";
import { type ConfigInput, configJsonSchema, type JsonSchema, parseConfig } from "../../src/config.ts";
import { loadConfigFile } from "../../src/config-file.ts";
import type { VoiceConfig } from "../../src/config-types.ts";
import { VERSION } from "../../src/version.ts";
import { root } from "./tarball.ts";

const read = (file: string) => readFileSync(join(root, file), "utf8");
const json = (file: string) => JSON.parse(read(file)) as Record<string, unknown>;
const pkg = json("package.json") as { files: string[]; scripts: Record<string, string> } & Record<string, unknown>;

/** Every setting's path in the schema; the account in it is called `default`. */
function settings(schema: JsonSchema, path: readonly string[] = []): string[] {
  if (schema.anyOf || schema.type === "array") return [];
  const { additionalProperties: other } = schema;
  // Whatever has names of the user's own stands for all of them under one: an account, or the beginning of a number.
  const name = path.at(-1) === "byPrefix" ? "+49" : "default";
  const children = { ...schema.properties, ...(typeof other === "object" && { [name]: other }) };
  return Object.entries(children).flatMap(([key, child]) => {
    const here = [...path, key];
    return [here.join("."), ...settings(child, here)];
  });
}

test("the manifest has the schema that the code has: npm run manifest", () => {
  expect(read("openclaw.plugin.json")).toBe(withSchema(read("openclaw.plugin.json")));
});

test("the configuration's types are those of its schema: npm run manifest", () => {
  const squeezed = (text: string) => text.replace(/\s+/g, "").replaceAll(":|", ":"); // the formatter breaks lines
  expect(squeezed(read("src/config-types.ts"))).toBe(squeezed(configTypes()));
  expectTypeOf<VoiceConfig>().toExtend<ConfigInput>();
});

test("skill.json says what package.json, the manifest and .env.example say", () => {
  const skill = json("skill.json") as { env: { required: string[]; optional: string[] }; config: { manifest: string } };
  const manifest = json("openclaw.plugin.json") as { contracts: { tools: string[] } };
  expect(skill).toMatchObject({
    name: pkg["name"],
    version: pkg["version"],
    description: pkg["description"],
    entry: pkg["main"],
    tools: manifest.contracts.tools,
  });
  expect(Object.keys(skill)).toEqual(["name", "version", "description", "entry", "tools", "env", "config"]);
  const { required, optional } = exampleVariables();
  expect(skill.env.required.sort()).toEqual(required);
  expect(skill.env.optional.sort()).toEqual(optional);
  expect(existsSync(join(root, skill.config.manifest))).toBe(true);
});

test("the code knows its version", () => {
  expect(VERSION).toBe(pkg["version"]);
});

test(".env.example names the variables that the configuration reads, and no others", () => {
  const reads = [...read("src/config-file.ts").matchAll(/env\["([A-Z_]+)"\]|^ {2}([A-Z_]+): "/gm)];
  const names = new Set(reads.map(([, indexed, required]) => indexed ?? required));
  const { required, optional } = exampleVariables();
  expect([...required, ...optional].sort()).toEqual([...names].sort());
});

test("the example configuration has every setting and no others", () => {
  const example = parseDocument(read("config/voice.example.yaml"));
  expect(example.errors).toEqual([]);
  expect(keysOf(example.toJS()).sort()).toEqual(settings(configJsonSchema()).sort());
});

test("every setting of the example configuration has its sentence", () => {
  const lines = read("config/voice.example.yaml").split("\n");
  const bare = lines.filter((line, i) => /^\s*\w+:/.test(line) && !/^\s*#/.test(lines[i - 1] ?? ""));
  expect(bare).toEqual(["  default:"]); // an account's name, told of above `accounts`
});

test("the example configuration is right, and shows the defaults", async () => {
  const env = {
    TWILIO_AUTH_TOKEN: "t",
    OPENAI_API_KEY: "k",
    OPENAI_WEBHOOK_SECRET: "s",
    VOICE_RECORDING_KEY: "0".repeat(64),
    VOICE_BUCKET_SECRET: "b",
  };
  const { config } = await loadConfigFile(join(root, "config/voice.example.yaml"), env);
  const example = parseConfig(config);
  // What has no default is shown by example.
  const { number, carrier, engine, timeZone, allowFrom, owner, tools, mcpServers, recording } = config.accounts[
    "default"
  ] as NonNullable<(typeof config.accounts)[string]>;
  const least = parseConfig({
    publicUrl: config.publicUrl,
    defaultAccount: "default",
    accounts: {
      default: {
        number,
        timeZone,
        allowFrom,
        ...(owner && { owner }),
        ...(tools && { tools }),
        ...(mcpServers && { mcpServers }),
        recording: { ...recording, mode: undefined, by: undefined, announcement: undefined, question: undefined },
        carrier: { accountSid: carrier.accountSid, authToken: carrier.authToken },
        engine: { apiKey: engine.apiKey, webhookSecret: engine.webhookSecret },
      },
    },
  });
  expect(example.accounts.get("default")).toHaveProperty("config");
  expect(example).toEqual(least);
});

test("the skill is called phone-calls: a name like `voice` would take the host's own command", () => {
  const [, name, description] =
    /^---\nname: (.+)\ndescription: (.+)\n---\n/.exec(read("skills/phone-calls/SKILL.md")) ?? [];
  expect(name).toBe("phone-calls");
  expect(description?.length).toBeGreaterThan(40);
});

test("every npm command that the README shows is there", () => {
  const shown = [...read("README.md").matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(
    ([, run, test]) => run ?? test,
  );
  expect(shown).toContain("demo");
  expect(shown).toContain("test");
  expect(shown.filter((name) => !(String(name) in pkg.scripts))).toEqual([]);
});

// --- Internal helpers ---

/** Variables of .env.example: those set in it, and those commented out. */
function exampleVariables(): { required: string[]; optional: string[] } {
  const named = (pattern: RegExp) =>
    [...read(".env.example").matchAll(pattern)].map(([, name]) => name as string).sort();
  return { required: named(/^([A-Z_]+)=/gm), optional: named(/^# ([A-Z_]+)=/gm) };
}

function keysOf(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const here = [...path, key];
    return [here.join("."), ...keysOf(child, here)];
  });
}
