import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { apiToken, readApiToken, sameToken } from "../../src/http/token.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-token-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("the token is made once, for its owner alone, and stays", async () => {
  const state = join(dir, "state");
  expect(await readApiToken(state)).toBeUndefined();
  const token = await apiToken(state);
  expect(Buffer.from(token, "base64url")).toHaveLength(32);
  expect((await stat(state)).mode & 0o777).toBe(0o700);
  expect((await stat(join(state, "api-token"))).mode & 0o777).toBe(0o600);
  expect(await apiToken(state)).toBe(token);
  expect(await readApiToken(state)).toBe(token);
});

test("ten starts at once agree on one token and leave one file", async () => {
  const tokens = await Promise.all(Array.from({ length: 10 }, () => apiToken(dir)));
  expect(new Set(tokens).size).toBe(1);
  expect(await readdir(dir)).toEqual(["api-token"]);
});

test("an operator's own token is kept, closed to others; one too short is refused", async () => {
  const own = "o".repeat(40);
  await writeFile(join(dir, "api-token"), `${own}\n`, { mode: 0o644 });
  expect(await apiToken(dir)).toBe(own);
  expect((await stat(join(dir, "api-token"))).mode & 0o777).toBe(0o600);
  await writeFile(join(dir, "api-token"), "");
  await expect(apiToken(dir)).rejects.toThrow(/at least 32 characters/);
});

test("tokens are the same only when they are", () => {
  expect(sameToken("a", "a")).toBe(true);
  expect(sameToken("a", "b")).toBe(false);
  expect(sameToken("a", "aa")).toBe(false);
});
