import { describe, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../openclaw.plugin.json" with { type: "json" };
import { parseAccount, parseConfig, requireSecret, SECRET_PATHS } from "../src/config.ts";
import { ConfigError, SecretMissingError } from "../src/core/errors.ts";

const account = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  number: "+1 555 000 1234",
  carrier: { accountSid: `AC${"0".repeat(32)}`, authToken: "token" },
  engine: { apiKey: "sk-test" },
  ...changes,
});
const config = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  publicUrl: "https://voice.example.com/",
  accounts: { default: account() },
  ...changes,
});
const errorOf = (raw: unknown): ConfigError => {
  const parsed = parseAccount("default", raw);
  if (!("error" in parsed)) throw new Error("The account was accepted.");
  return parsed.error;
};
const engine = (changes: Record<string, unknown>): Record<string, unknown> =>
  account({ engine: { apiKey: "sk-test", ...changes } });

describe("a setting that does not exist", () => {
  test.each([
    [account({ persona: { greating: "Hi" } }), "accounts.default.persona.greating", "greeting"],
    [account({ dmpolicy: "open" }), "accounts.default.dmpolicy", "dmPolicy"],
    [account({ limit: {} }), "accounts.default.limit", "limits"],
    [engine({ vad: { silenceMS: 300 } }), "accounts.default.engine.vad.silenceMS", "silenceMs"],
    [account({ carrier: { acountSid: "AC1", authToken: "t" } }), "accounts.default.carrier.acountSid", "accountSid"],
  ])("is named with the nearest that does: %#", (raw, key, nearest) => {
    const error = errorOf(raw);
    expect(error).toMatchObject({ code: "config_invalid", key });
    expect(error.message).toBe(`${key}: there is no such setting. Did you mean "${nearest}"?`);
  });

  test("beside the accounts is named too, and accounts itself is among the candidates", () => {
    expect(() => parseConfig(config({ publicURL: "x" }))).toThrow(/^publicURL: .*Did you mean "publicUrl"\?$/);
    const { accounts, ...rest } = config();
    expect(() => parseConfig({ ...rest, acounts: accounts })).toThrow(/Did you mean "accounts"\?$/);
  });

  test("and is like none that does is to be removed", () => {
    expect(errorOf(account({ zzzzzzzzzzzzzzz: 1 })).message).toMatch(/there is no such setting\. Remove it\.$/);
  });
});

describe("one wrong account", () => {
  test.each([
    ["an unknown key", account({ colour: "red" })],
    ["a missing number", account({ number: undefined })],
    ["a number that is none", account({ number: "555" })],
    ["nothing at all", null],
    ["a list", []],
    ["a wrong type deep inside", engine({ vad: { silenceMs: "long" } })],
  ])("leaves the others as they would be alone: %s", (_, wrong) => {
    const { accounts, settings } = parseConfig(config({ accounts: { good: account(), wrong, other: account() } }));
    expect([...accounts.keys()]).toEqual(["good", "wrong", "other"]);
    expect(accounts.get("wrong")).toEqual({ error: expect.any(ConfigError) });
    expect((accounts.get("wrong") as { error: ConfigError }).error.key).toMatch(/^accounts\.wrong/);
    for (const id of ["good", "other"]) expect(accounts.get(id)).toEqual(parseAccount(id, account()));
    expect(settings).toEqual(parseConfig(config()).settings);
  });

  test.each(["", "a/b", "with space", "../x", "é", "x".repeat(65)])(
    "may be one whose name cannot stand in a path: %j",
    (id) => {
      const { accounts } = parseConfig(config({ accounts: { good: account(), [id]: account() } }));
      expect(accounts.get("good")).toHaveProperty("config");
      expect(accounts.get(id)).toEqual({
        error: expect.objectContaining({ message: expect.stringMatching(/webhook/) }),
      });
    },
  );

  test("says which key, and what about it", () => {
    expect(errorOf(account({ number: undefined })).message).toBe("accounts.default.number: is required and missing");
    expect(errorOf(account({ number: "555" })).message).toMatch(
      /^accounts\.default\.number: is not a number in E\.164/,
    );
    expect(errorOf(account({ timeZone: "Mars/Base" })).message).toMatch(/^accounts\.default\.timeZone: .*IANA/);
    expect(errorOf(engine({ baseUrl: "ftp://x" })).message).toMatch(/^accounts\.default\.engine\.baseUrl: .*URL/);
    expect(errorOf(account({ allowFrom: ["+15550001234", "nobody"] })).key).toBe("accounts.default.allowFrom.1");
    expect(errorOf(account({ limits: { maxCallSeconds: 5 } })).key).toBe("accounts.default.limits.maxCallSeconds");
  });

  test("never shows a secret in its message", () => {
    const raw = account({
      carrier: { accountSid: "AC1", authToken: "hush-hush" },
      engine: { apiKey: "hush-hush", x: 1 },
    });
    expect(errorOf(raw).message).not.toContain("hush");
  });
});

describe("what is left out", () => {
  test("takes its default, so that number, carrier and engine credentials are enough", () => {
    const { settings, accounts } = parseConfig(config());
    expect(settings).toMatchObject({
      enabled: true,
      publicUrl: "https://voice.example.com",
      listen: { host: "127.0.0.1", port: 8080 },
      store: "sqlite",
      logging: { level: "info", callerNumbers: false, words: false },
    });
    expect(accounts.get("default")).toMatchObject({
      config: {
        enabled: true,
        number: "+15550001234",
        transport: "media-stream",
        turns: "ours",
        dmPolicy: "allowlist",
        allowFrom: [],
        carrier: { provider: "twilio", apiBaseUrl: "https://api.twilio.com" },
        engine: { model: "gpt-realtime-2.1", baseUrl: "https://api.openai.com/v1", vad: { silenceMs: 500 } },
        context: { budgetTokens: 2_000, dailyFiles: 2, writeBack: true },
        limits: { maxCallSeconds: 1_800, maxConcurrentCalls: 10, placementsPerMinute: 5 },
        timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
      },
    });
  });

  test("inside a group that is given in part takes its default as well", () => {
    expect(parseAccount("default", account({ limits: { maxCallSeconds: 60 } }))).toMatchObject({
      config: { limits: { maxCallSeconds: 60, maxConcurrentCalls: 10 } },
    });
  });

  test("can be every account, but not the public address", () => {
    expect(parseConfig({ publicUrl: "https://voice.example.com" }).accounts.size).toBe(0);
    expect(() => parseConfig({})).toThrow("publicUrl: is required and missing");
    expect(() => parseConfig(undefined)).toThrow(ConfigError);
    expect(() => parseConfig(config({ accounts: "default" }))).toThrow(/^accounts: /);
  });
});

describe("a secret", () => {
  const reference = { source: "env", provider: "default", id: "TWILIO_AUTH_TOKEN" };

  test("may still be the host's reference when it is read, and fails closed when it is needed", () => {
    const raw = account({ carrier: { accountSid: `AC${"0".repeat(32)}`, authToken: reference } });
    expect(parseAccount("default", raw)).toMatchObject({ config: { carrier: { authToken: reference } } });
    expect(requireSecret("token", "x")).toBe("token");
    for (const absent of [undefined, "", reference, null, 7]) {
      expect(() => requireSecret(absent, "accounts.default.carrier.authToken")).toThrow(SecretMissingError);
      expect(() => requireSecret(absent, "accounts.default.carrier.authToken")).toThrow(/^accounts\.default\.carrier/);
    }
  });

  test("is expected where the list of secrets says, and nowhere else", () => {
    const withReferences = (path: readonly string[]): unknown => {
      const raw = structuredClone(account());
      const [group = "", key = ""] = path;
      raw[group] = { ...(raw[group] as object | undefined), [key]: reference };
      return raw;
    };
    for (const path of SECRET_PATHS) expect(parseAccount("default", withReferences(path))).toHaveProperty("config");
    expect(parseAccount("default", withReferences(["engine", "model"]))).toHaveProperty("error");
  });
});

describe("the manifest's JSON Schema", () => {
  type Node = { description?: string; properties?: Record<string, Node>; additionalProperties?: Node };
  const schema = (manifest as { channelConfigs: { voice: { schema: Node } } }).channelConfigs.voice.schema;
  const walk = (node: Node, path: string): [string, Node][] => [
    [path, node],
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => walk(child, `${path}.${key}`)),
    ...(typeof node.additionalProperties === "object" ? walk(node.additionalProperties, `${path}.*`) : []),
  ];
  const nodes = walk(schema, "voice");

  test("describes every option in words", () => {
    const silent = nodes.filter(([, { description }]) => !/^\S.*[.:]/.test(description ?? "")).map(([path]) => path);
    expect(silent).toEqual(["voice", "voice.accounts", "voice.accounts.*"]);
    expect(nodes.length).toBeGreaterThan(50);
    expect(nodes.map(([path]) => path)).toContain("voice.accounts.*.engine.vad.silenceMs");
  });

  test("refuses nothing, because the host stops whole on a strict one", () => {
    const text = JSON.stringify(schema);
    expect(text).not.toMatch(/"(required|additionalProperties":false|enum|pattern|minimum|maximum|const|anyOf|oneOf)/);
    const keywords = new Set(nodes.flatMap(([, node]) => Object.keys(node)));
    expect([...keywords].sort()).toEqual(["additionalProperties", "description", "properties", "type"]);
  });

  test("takes what the strict reading refuses alone: unknown keys and wrong values of one account", () => {
    const host = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
    for (const raw of [config(), config({ accounts: { a: account({ colour: 1, number: 7 }) }, later: true }), {}]) {
      expect(host.safeParse(raw).success).toBe(true);
    }
  });
});
