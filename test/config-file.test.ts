// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax under test
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../src/config.ts";
import { configFromEnvironment, defaultStateDir, type Environment, loadConfigFile } from "../src/config-file.ts";

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-config-"));
  file = join(dir, "voice.yaml");
});
afterEach(() => rm(dir, { recursive: true }));

const SID = `AC${"0".repeat(32)}`;
const ENV = { TOKEN: "to: #ken", KEY: "sk-1", PORT: "9090", NUMBER: "+15550001234", NAME: "Nia", YES: "true" };
const YAML = `publicUrl: https://voice.example.com   # \${NOT_IN_A_VALUE}
listen: { port: \${PORT} }
accounts:
  default:
    number: \${NUMBER}
    carrier: { provider: twilio, accountSid: ${SID}, authToken: \${TOKEN} }
    engine: { apiKey: "\${KEY}" }
    persona: { name: "\${NAME} of $\${NAME}", greeting: "Hello, \${NAME}." }
    context: { writeBack: \${YES} }
    allowFrom: [ "\${NUMBER}", "*" ]
`;

async function load(text: string, env: Environment = ENV) {
  await writeFile(file, text);
  return loadConfigFile(file, env);
}

/** What goes wrong, with the file's folder cut off. */
async function complaint(text: string, env?: Environment): Promise<string> {
  const error = await load(text, env).catch((reason: Error) => reason);
  expect(error).toMatchObject({ code: "config_invalid" });
  return (error as Error).message.replaceAll(`${dir}/`, "");
}

test("references become what the environment says, in flow style, quotes and the middle of text", async () => {
  const { config } = await load(YAML);
  expect(config).toEqual({
    publicUrl: "https://voice.example.com",
    listen: { port: 9090 },
    accounts: {
      default: {
        number: "+15550001234",
        carrier: { provider: "twilio", accountSid: SID, authToken: "to: #ken" },
        engine: { apiKey: "sk-1" },
        persona: { name: "Nia of ${NAME}", greeting: "Hello, Nia." },
        context: { writeBack: true },
        allowFrom: ["+15550001234", "*"],
      },
    },
  });
  expect(parseConfig(config).accounts.get("default")).toHaveProperty("config");
});

test("an anchor's value is read wherever its alias stands", async () => {
  const { config } = await load("a: &x { b: ${N} }\nc: *x\n", { N: "1" });
  expect(config).toEqual({ a: { b: 1 }, c: { b: 1 } });
});

test("a quoted reference stays text, also when it looks like a number", async () => {
  const { config } = await load("a: ${N}\nb: '${N}'\nc: ${PIN}\nd: ${FLAG}", { N: "12", PIN: "0012", FLAG: "false" });
  expect(config).toEqual({ a: 12, b: "12", c: "0012", d: false });
});

test("a missing variable names place, setting and variable", async () => {
  const { PORT: _port, ...env } = ENV;
  expect(await complaint(YAML, env)).toBe(
    "voice.yaml:2:11: listen.port: needs the environment variable PORT, which is not set",
  );
});

test("an account without its secret is alone with that", async () => {
  const { TOKEN: _token, ...env } = ENV;
  const { config } = await load(YAML, env);
  expect(config.accounts["default"]?.carrier.authToken).toEqual({ source: "env", provider: "default", id: "TOKEN" });
  expect(parseConfig(config).accounts.get("default")).toHaveProperty("config");
});

test("a secret may be a reference as the host writes it", async () => {
  const text = YAML.replace('"${KEY}"', "{ source: env, provider: default, id: KEY }");
  expect((await load(text)).config.accounts["default"]?.engine.apiKey).toBe("sk-1");
  const elsewhere = { source: "file", provider: "x", id: "y" };
  const other = await load(YAML.replace('"${KEY}"', JSON.stringify(elsewhere)));
  expect(other.config.accounts["default"]?.engine.apiKey).toEqual(elsewhere);
});

test("what is not YAML is said with its place", async () => {
  expect(await complaint("publicUrl: x\nlisten: { port: ${PORT}\n")).toMatch(/^voice\.yaml:3:1: is not valid YAML: /);
  expect(await complaint("a: 1\na: 2\n")).toMatch(/^voice\.yaml:2:1: is not valid YAML: Map keys must be unique/);
  expect(await complaint("- a\n")).toMatch(/^voice\.yaml: must hold settings by name/);
  await rm(file);
  await expect(loadConfigFile(file, {})).rejects.toThrow(/voice\.yaml: cannot be read \(ENOENT\)/);
});

test("any setting can be found in the file, an absent one at its parent", async () => {
  const { whereIs } = await load(YAML);
  expect(whereIs("accounts.default.engine.apiKey")).toBe(`${file}:7:15`);
  expect(whereIs("accounts.default.allowFrom.1")).toBe(`${file}:10:31`);
  expect(whereIs("accounts.default.engine.voice")).toBe(`${file}:7:5`);
  expect(whereIs("nothing")).toBe(`${file}:1:1`);
});

const REQUIRED = {
  PUBLIC_URL: "https://voice.example.com",
  OPENAI_API_KEY: "sk-1",
  TWILIO_ACCOUNT_SID: SID,
  TWILIO_AUTH_TOKEN: "t",
  TWILIO_PHONE_NUMBER: "+15550001234",
};

test("without a file one account comes from the environment", () => {
  const { config } = configFromEnvironment({
    ...REQUIRED,
    PORT: "0",
    OPENAI_BASE_URL: "http://127.0.0.1:1/v1",
    OPENAI_MODEL: "gpt-realtime-2.1-mini",
    OPENAI_WEBHOOK_SECRET: "whsec_x",
    TWILIO_API_BASE_URL: "http://127.0.0.1:2",
    VOICE_ALLOW_FROM: "+15550005678, +15550005679",
  });
  const parsed = parseConfig(config);
  expect(parsed.settings).toMatchObject({ publicUrl: REQUIRED.PUBLIC_URL, listen: { port: 0 } });
  expect(parsed.accounts.get("default")).toMatchObject({
    config: {
      number: "+15550001234",
      allowFrom: ["+15550005678", "+15550005679"],
      carrier: { accountSid: SID, authToken: "t", apiBaseUrl: "http://127.0.0.1:2" },
      engine: {
        apiKey: "sk-1",
        baseUrl: "http://127.0.0.1:1/v1",
        model: "gpt-realtime-2.1-mini",
        webhookSecret: "whsec_x",
      },
    },
  });
  expect(parseConfig(configFromEnvironment(REQUIRED).config).settings.listen.port).toBe(8_080);
});

test("every variable that is missing is named at once", () => {
  const { TWILIO_AUTH_TOKEN: _token, ...rest } = REQUIRED;
  expect(() => configFromEnvironment(rest)).toThrow(
    "accounts.default.carrier.authToken: needs the environment variable TWILIO_AUTH_TOKEN, which is not set. Or use --config FILE.",
  );
  expect(() => configFromEnvironment({})).toThrow(/PUBLIC_URL, OPENAI_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN/);
  expect(() => configFromEnvironment({ ...REQUIRED, PORT: "http" })).toThrow(/listen.port: .*"http"/);
});

test("the state's folder is the one named, else one in the home", () => {
  expect(defaultStateDir({ OPENCLAW_VOICE_STATE_DIR: "/var/lib/voice" }, "/home/a")).toBe("/var/lib/voice");
  expect(defaultStateDir({}, "/home/a")).toBe("/home/a/.openclaw-voice");
});
