import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { chmod, link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../core/errors.ts";

const FILE = "api-token";

/**
 * The API's token: made at the first start in `stateDir` (folder 0700, file 0600), the same ever after.
 * Two processes that start at once get the same one.
 * @throws ConfigError the file holds something that is too short to be a secret
 */
export async function apiToken(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const existing = await readApiToken(stateDir);
  if (existing !== undefined) {
    await chmod(join(stateDir, FILE), 0o600);
    return existing;
  }
  await createOnce(join(stateDir, FILE), randomBytes(32).toString("base64url"));
  return (await readApiToken(stateDir)) as string;
}

/** The token of the channel that keeps its state in `stateDir`, or `undefined` when none was ever started there. @throws ConfigError */
export async function readApiToken(stateDir: string): Promise<string | undefined> {
  const file = join(stateDir, FILE);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const token = text?.trim();
  if (token !== undefined && !/^[\x21-\x7e]{32,}$/.test(token)) {
    throw new ConfigError(
      file,
      "does not hold a token of at least 32 characters. Delete it; the next start makes one.",
    );
  }
  return token;
}

/** Compares without telling by its time how much was right. */
export function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

// --- Internal helpers ---

/** Writes a whole file that was not there, or leaves the one that somebody else made meanwhile. */
async function createOnce(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(`${text}\n`);
    await handle.sync();
    await handle.close();
    // A link appears with its content or not at all, and never replaces.
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await handle.close();
    await unlink(draft);
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
