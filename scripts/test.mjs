// Everything that must hold before a change goes in. What fails before the tests ends the run once each of its
// neighbours is done; the tests come last, so that a run ends with the test runner's own summary.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "./pack.ts";

const workDir = await mkdtemp(join(tmpdir(), "voice-pack-"));
let tarball = "";

/** Two rows side by side; in each the first that fails ends the row. */
const rows = [
  [["types", () => quietly("tsc", ["--noEmit", "--project", "."])]],
  [
    ["lint", () => quietly("biome", ["ci", "--error-on-warnings", "--colors=off"])],
    ["dead code", () => quietly("knip", ["--no-progress", "--no-config-hints"])],
    ["build and pack", async () => (tarball = await pack(workDir))],
    ["package metadata", () => quietly("publint", ["run", tarball, "--strict"])],
    ["package types", () => quietly("attw", [tarball, "--profile", "esm-only", "--no-emoji"])],
  ],
];

try {
  const ends = await Promise.allSettled(
    rows.map(async (row) => {
      for (const [name, check] of row) await stage(name, check);
    }),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const { code } = await command("vitest", ["run"], {
    stdio: "inherit",
    env: { ...process.env, VOICE_TARBALL: tarball },
  });
  process.exitCode = code;
} catch (error) {
  console.error(error.stderr || error.stdout || error.message);
  process.exitCode = 1;
} finally {
  await rm(workDir, { recursive: true, force: true });
}

async function stage(name, check) {
  const startedAt = Date.now();
  const line = (word) => console.log(`${word}  ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  try {
    await check();
    line("ok    ");
  } catch (error) {
    line("FAILED");
    throw error;
  }
}

/** Runs a tool whose output matters only when it fails. */
async function quietly(name, args) {
  const { code, output } = await command(name, args, { stdio: ["ignore", "pipe", "pipe"] });
  if (code !== 0) throw new Error(`${name} ${args.join(" ")}\n${output.trim()}`);
}

function command(name, args, options) {
  const child = spawn(name, args, options);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
