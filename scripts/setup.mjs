// Runs a command under a Node that suits this project, with its packages installed:
//
//     node scripts/setup.mjs <command> [arguments…]
//
// Plain JavaScript for Node 18 and later, without a dependency: it has to run where nothing is set up yet.
// The host's install script refuses an older Node, so the right one must be there before `npm ci`.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const toolchain = join(root, ".toolchain");
const lockfile = join(root, "package-lock.json");
const stamp = join(root, "node_modules", ".setup-stamp");

/** Whether `version` ("24.21.0") is in an npm range of the form ">=24.16.0 <25 || >=26.1.0". */
export function satisfies(version, range) {
  return range.split("||").some((part) =>
    part
      .trim()
      .split(/\s+/)
      .every((comparator) => {
        const [, operator, bound] = /^(>=|<)(\d+(?:\.\d+){0,2})$/.exec(comparator) ?? [];
        if (bound === undefined) throw new Error(`package.json: engines.node has a part not understood: ${comparator}`);
        return operator === ">=" ? compare(version, bound) >= 0 : compare(version, bound) < 0;
      }),
  );
}

/** Whether `installed` (npm's record inside node_modules) holds everything that `locked` asks for on this machine. */
export function holdsAll(installed, locked) {
  return Object.entries(locked.packages).every(([path, wanted]) => {
    const found = installed.packages[path];
    // Packages for other systems are optional and stay out.
    if (found === undefined) return path === "" || wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

async function main([command, ...args]) {
  if (command === undefined) throw new Error("Say what to run: node scripts/setup.mjs <command> [arguments…]");
  const range = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node;
  let node = usableNode(range);
  if (node === undefined || !packagesInstalled()) {
    await alone(async () => {
      node = usableNode(range) ?? (await installNode(range)); // another process may have been quicker
      if (!packagesInstalled()) await installPackages(node);
    });
  }
  await run(command === "node" ? node : command, args, node);
}

function usableNode(range) {
  if (satisfies(process.versions.node, range)) return process.execPath;
  const own = toolchainNode();
  if (!existsSync(own)) return undefined;
  // Asked, not read: an interrupted installation may have left half a file.
  const { stdout } = spawnSync(own, ["--version"], { encoding: "utf8" });
  return satisfies(stdout?.trim().replace(/^v/, "") || "0", range) ? own : undefined;
}

function toolchainNode() {
  return join(toolchain, "node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node");
}

async function installNode(range) {
  say(`Node ${process.versions.node} is not ${range}: fetching Node 24 into .toolchain`);
  rmSync(join(toolchain, "node_modules"), { recursive: true, force: true });
  writeFileSync(join(toolchain, "package.json"), '{ "private": true }\n');
  // npm's `node` package only chooses one of these by an install script, and npm may be set not to run any.
  const system = process.platform === "win32" ? "win" : process.platform;
  const name = `${system === "darwin" && process.arch === "arm64" ? "node-bin" : "node"}-${system}-${process.arch}`;
  const install = ["install", "--no-save", "--no-package-lock", "--ignore-scripts", `node@npm:${name}@24`];
  await npm(install, { cwd: toolchain, node: process.execPath, doing: "fetching Node 24" });
  const node = usableNode(range);
  if (node === undefined)
    throw new Error(`Fetched ${name}@24, but it does not run here. Install Node ${range} yourself.`);
  return node;
}

function packagesInstalled() {
  const wanted = readFileSync(lockfile);
  const hash = createHash("sha256").update(wanted).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return true;
  const record = join(root, "node_modules", ".package-lock.json"); // npm writes it last
  if (!existsSync(record) || !holdsAll(JSON.parse(readFileSync(record, "utf8")), JSON.parse(wanted))) return false;
  writeFileSync(stamp, hash);
  return true;
}

async function installPackages(node) {
  say("installing packages (a minute or so)");
  const startedAt = Date.now();
  await npm(["ci", "--include=dev", "--no-audit", "--no-fund"], { cwd: root, node, doing: "installing packages" });
  if (!packagesInstalled()) throw new Error("npm ci succeeded, yet node_modules does not match package-lock.json.");
  say(`packages installed in ${seconds(startedAt)} s`);
}

/** Runs npm quietly under `node`; what it printed is shown only when it fails. */
async function npm(args, { cwd, node, doing }) {
  // Inside `npm run` npm says where it is; a second npm of another version on PATH does not get in between.
  const cli = process.env.npm_execpath ?? "";
  const [command, first] = /npm-cli\.c?js$/.test(cli) ? [node, [cli]] : ["npm", []];
  const child = spawn(command, [...first, ...args], {
    cwd,
    env: environment(node),
    stdio: ["ignore", "pipe", "pipe"],
    shell: command === "npm" && process.platform === "win32",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const startedAt = Date.now();
  const ticker = setInterval(() => say(`still ${doing} (${seconds(startedAt)} s)`), 15_000);
  const { code, error } = await ended(child);
  clearInterval(ticker);
  if (error) throw new Error(`npm could not be started: ${error.message}`, { cause: error });
  if (code !== 0) throw new Error(`npm ${args[0]} failed with code ${code}:\n${output.trim()}`);
}

/** Holds a lock file while `work` runs, so that two commands started on a fresh clone set it up once. */
async function alone(work) {
  mkdirSync(toolchain, { recursive: true });
  const lock = join(toolchain, "setup.lock");
  for (let waited = false; !take(lock); waited = true) {
    if (!waited) say("waiting for another set-up of this folder");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const release = () => rmSync(lock, { force: true });
  process.once("exit", release);
  try {
    await work();
  } finally {
    release();
    process.removeListener("exit", release);
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (!holderLives(lock)) rmSync(lock, { force: true });
  return false;
}

function holderLives(lock) {
  try {
    const pid = Number(readFileSync(lock, "utf8"));
    if (pid > 0) process.kill(pid, 0); // signal 0 only asks; an empty file is one whose owner is about to write it
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

async function run(command, args, node) {
  const child = spawn(command, args, { cwd: root, env: environment(node), stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both of us; a second one would count as "at once".
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  const { code, signal, error } = await ended(child);
  if (error) throw new Error(`${command} could not be started: ${error.message}`, { cause: error });
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
}

function environment(node) {
  const bin = [dirname(node), join(root, "node_modules/.bin")];
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
  return { ...process.env, [name]: [...bin, process.env[name] ?? ""].join(delimiter) };
}

function ended(child) {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ error }));
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < 3; i++) if ((left[i] ?? 0) !== (right[i] ?? 0)) return (left[i] ?? 0) - (right[i] ?? 0);
  return 0;
}

function seconds(sinceMs) {
  return Math.round((Date.now() - sinceMs) / 1000);
}

/** Goes to stderr: what the command prints on stdout stays its own. */
function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.slice(2)).catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
