import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseAccount } from "../../src/config.ts";
import { ConfigError, SecretMissingError } from "../../src/core/errors.ts";
import { recordingSettings } from "../../src/plugin/recording.ts";

const KEY = randomBytes(32).toString("hex");

/** The settings of an account that records so. */
function settings(recording: Record<string, unknown>, { env = {}, ...more }: Record<string, unknown> = {}) {
  const parsed = parseAccount("default", {
    number: "+15550001234",
    carrier: { accountSid: `AC${"0".repeat(32)}`, authToken: "token" },
    engine: { apiKey: "key" },
    recording,
    ...more,
  });
  if ("error" in parsed) throw parsed.error;
  return recordingSettings(parsed.config, "accounts.default", env as NodeJS.ProcessEnv);
}

describe("the settings of recordings", () => {
  test("record nothing unless told, and keep plain files here", () => {
    expect(settings({})).toEqual({
      mode: "off",
      byPrefix: {},
      by: "own",
      announcement: "This call is recorded.",
      question: "May this call be recorded? Please say yes or no, or press 1 for yes or 2 for no.",
    });
  });

  test("have a mode by the beginning of a number, and refuse what is none", () => {
    expect(settings({ byPrefix: { "+49": "ask", "+1": "announce" } }).byPrefix).toEqual({
      "+49": "ask",
      "+1": "announce",
    });
    expect(() => settings({ byPrefix: { "49": "ask" } })).toThrow(ConfigError);
    expect(() => settings({ byPrefix: { "+49": "sometimes" } })).toThrow(ConfigError);
  });

  test("have a key of 32 bytes with a name, and older keys from the environment", () => {
    const old = randomBytes(32).toString("base64");
    const { keys } = settings(
      { encryptionKey: KEY, encryptionKeyId: "2026", olderKeys: [{ id: "2025", env: "OLD_KEY" }] },
      { env: { OLD_KEY: old } },
    );
    expect(keys?.map(({ id, secret }) => [id, secret.length])).toEqual([
      ["2026", 32],
      ["2025", 32],
    ]);
    expect(keys?.[0].secret.toString("hex")).toBe(KEY);
  });

  test.each([
    [{ encryptionKey: "a password" }, {}, "accounts.default.recording.encryptionKey"],
    [{ encryptionKey: KEY, olderKeys: [{ id: "x", env: "GONE" }] }, {}, "accounts.default.recording.olderKeys[0].env"],
    [{ encryptionKey: KEY, olderKeys: [{ id: "x", env: "BAD" }] }, { env: { BAD: "1" } }, "olderKeys[0].env"],
    [{ encryptionKey: KEY, olderKeys: [{ id: "1", env: "OLD" }] }, { env: { OLD: KEY } }, "encryptionKeyId"],
    [{ olderKeys: [{ id: "1", env: "OLD" }] }, { env: { OLD: KEY } }, "recording.encryptionKey"],
    [{ mode: "ask" }, { turns: "server" }, "recording.mode"],
    [{ byPrefix: { "+49": "ask" } }, { turns: "server" }, "recording.mode"],
  ])("that cannot work are refused by name: %#", (recording, more, name) => {
    expect(() => settings(recording, more)).toThrow(ConfigError);
    expect(() => settings(recording, more)).toThrow(name);
  });

  test("fail closed while a secret is not resolved: nothing is kept in the clear for want of a key", () => {
    const reference = { source: "env", provider: "default", id: "KEY" };
    const bucket = { url: "https://s3.example.com/calls", accessKeyId: "me" };
    expect(() => settings({ encryptionKey: reference })).toThrow(SecretMissingError);
    expect(() => settings({ bucket })).toThrow(SecretMissingError);
    expect(() => settings({ bucket, bucketSecretKey: reference })).toThrow(SecretMissingError);
    const { bucket: made } = settings({ bucket: { ...bucket, prefix: "voice/" }, bucketSecretKey: "secret" });
    expect(made?.locationOf("call_1/rec_1.wav")).toBe("https://s3.example.com/calls/voice/call_1/rec_1.wav");
  });
});
