import { type KeyRing, parseKey, type RecordingKey } from "../calls/recording/keys.ts";
import { s3Bucket } from "../calls/recording/s3.ts";
import type { RecordingSettings } from "../calls/recording/settings.ts";
import { type AccountConfig, requireSecret } from "../config.ts";
import { ConfigError } from "../core/errors.ts";

type RecordingConfig = AccountConfig["recording"];

/**
 * How an account records, with its secrets. `path`: where the account's settings are.
 * @throws ConfigError @throws SecretMissingError
 */
export function recordingSettings(
  { recording, turns }: Pick<AccountConfig, "recording" | "turns">,
  path: string,
  env: NodeJS.ProcessEnv = process.env,
): RecordingSettings {
  const { mode, byPrefix, by, announcement, question } = recording;
  const asks = [mode, ...Object.values(byPrefix)].includes("ask");
  if (asks && turns === "server") {
    throw new ConfigError(
      `${path}.recording.mode`,
      "must not be `ask` where `turns` is `server`: the model would answer the caller's yes or no by itself",
    );
  }
  const keys = keyRing(recording, `${path}.recording`, env);
  const bucket = bucketOf(recording, `${path}.recording`);
  return { mode, byPrefix, by, announcement, question, ...(keys && { keys }), ...(bucket && { bucket }) };
}

// --- Internal helpers ---

function keyRing(
  { encryptionKey, encryptionKeyId, olderKeys }: RecordingConfig,
  path: string,
  env: NodeJS.ProcessEnv,
): KeyRing | undefined {
  const older = olderKeys.map(({ id, env: name }, index) => {
    const at = `${path}.olderKeys[${index}].env`;
    const written = env[name];
    if (!written) throw new ConfigError(at, `the environment has no variable ${name}: set it`);
    return key(id, written, at);
  });
  if (encryptionKey === undefined) {
    if (older.length === 0) return undefined;
    throw new ConfigError(`${path}.encryptionKey`, "is required where there are olderKeys");
  }
  const at = `${path}.encryptionKey`;
  const current = key(encryptionKeyId, requireSecret(encryptionKey, at), at);
  if (older.some(({ id }) => id === current.id)) {
    throw new ConfigError(
      `${path}.encryptionKeyId`,
      `an older key is called "${current.id}" too: give the new one another name`,
    );
  }
  return [current, ...older];
}

function key(id: string, written: string, path: string): RecordingKey {
  const secret = parseKey(written);
  if (secret) return { id, secret };
  throw new ConfigError(path, "is not a key of 32 bytes: write 64 hex digits (openssl rand -hex 32) or base64");
}

function bucketOf({ bucket, bucketSecretKey }: RecordingConfig, path: string) {
  if (!bucket) return undefined;
  return s3Bucket({ ...bucket, secretAccessKey: requireSecret(bucketSecretKey, `${path}.bucketSecretKey`) });
}
