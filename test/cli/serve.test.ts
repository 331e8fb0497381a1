import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { CapturedTerminal } from "./terminal.ts";

let dir: string;
/** Stands where OpenAI and Twilio would be, and knows nothing. */
let outside: Server;
let outsideUrl: string;
let env: Record<string, string>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-serve-"));
  outside = createServer((_request, answer) => answer.writeHead(404).end()).listen(0, "127.0.0.1");
  await once(outside, "listening");
  outsideUrl = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
  env = {
    OPENCLAW_VOICE_STATE_DIR: dir,
    PORT: "0",
    PUBLIC_URL: "https://voice.example.com/phone",
    OPENAI_API_KEY: "sk-1",
    OPENAI_BASE_URL: `${outsideUrl}/v1`,
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
    TWILIO_AUTH_TOKEN: "t",
    TWILIO_PHONE_NUMBER: "+15550001234",
    TWILIO_API_BASE_URL: outsideUrl,
  };
});
afterEach(async () => {
  outside.closeAllConnections();
  outside.close();
  await rm(dir, { recursive: true });
});

/** Starts the command as a process of its own. */
function start(...args: string[]) {
  const child = spawn(process.execPath, ["src/cli.ts", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit").then(([code]) => code as number);
  return { child, exit, errors: text(child.stderr) };
}

test("serve says where it listens and what to configure, answers, and ends with the signal", async () => {
  const { child, exit } = start("serve", "--json");
  const [line] = await once(child.stdout, "data");
  const said = JSON.parse(String(line));
  const base = "https://voice.example.com/phone/twilio/default";
  expect(said).toMatchObject({
    webhooks: [{ accountId: "default", number: "+15550001234", voice: `${base}/voice`, status: `${base}/status` }],
    engineWebhook: "https://voice.example.com/phone/webhook",
  });
  const { url } = said.listening;
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok" });
  const voice = await fetch(`${url}/phone/twilio/default/voice`, { method: "POST", body: "" });
  expect(voice.status).toBe(403);
  const authorization = `Bearer ${(await readFile(join(dir, "api-token"), "utf8")).trim()}`;
  expect(await (await fetch(`${url}/status`, { headers: { authorization } })).json()).toMatchObject({ running: true });
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
});

test("serve starts over in the same process with the options that suit calls, once", async () => {
  const starts = join(dir, "starts");
  const spy = join(dir, "spy.mjs");
  await writeFile(
    spy,
    `import { appendFileSync } from "node:fs";
     import { isMainThread } from "node:worker_threads";
     const told = [process.pid, process.execArgv.includes("--max-semi-space-size=2")];
     if (isMainThread) appendFileSync(${JSON.stringify(starts)}, JSON.stringify(told) + "\\n");`,
  );
  env["NODE_OPTIONS"] = `--import=${spy}`;
  const { child, exit } = start("serve");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
  const told = (await readFile(starts, "utf8")).trim().split("\n");
  expect(told.map((one) => JSON.parse(one))).toEqual([
    [child.pid, false],
    [child.pid, true],
  ]);
});

test("case 22: a second serve on the same port says so in one line", async () => {
  env["PORT"] = String((outside.address() as AddressInfo).port);
  const { exit, errors } = start("serve");
  expect(await exit).toBe(1);
  expect((await errors).trim().split("\n")).toEqual([
    `Error: listen.port: 127.0.0.1:${env["PORT"]} is taken by another process. Stop that process or set another port.`,
  ]);
});

test("a mistake in the file is said with its place, and nothing is started", async () => {
  const file = join(dir, "voice.yaml");
  const terminal = new CapturedTerminal(env);
  await writeFile(file, "publicUrl: https://voice.example.com\nlisten:\n  prot: 1\n");
  expect(await runCli(["serve", "--config", file], terminal)).toBe(2);
  expect(terminal.errors).toEqual([`Error: ${file}:3:3: listen.prot: there is no such setting. Did you mean "port"?`]);
});

test("a wrong account is said with its place; the others run", async () => {
  const file = join(dir, "voice.yaml");
  const account = (number: string) =>
    `{ number: "${number}", carrier: { accountSid: "${env["TWILIO_ACCOUNT_SID"]}", authToken: t, apiBaseUrl: "${outsideUrl}" }, engine: { apiKey: k, baseUrl: "${outsideUrl}/v1" } }`;
  await writeFile(
    file,
    `publicUrl: https://voice.example.com\nlisten: { port: 0 }\naccounts:\n  good: ${account("+15550001234")}\n  bad: ${account("555")}\n`,
  );
  const terminal = new CapturedTerminal(env);
  const listening = terminal.next();
  const serving = runCli(["serve", "--config", file], terminal);
  await listening;
  terminal.stopping.abort();
  expect(await serving).toBe(0);
  expect(terminal.errors[0]).toMatch(`An account does not run: ${file}:5:10: accounts.bad.number: is not a number`);
});

test("without any account that runs, serve fails and says why", async () => {
  const terminal = new CapturedTerminal({ ...env, TWILIO_PHONE_NUMBER: "555" });
  expect(await runCli(["serve"], terminal)).toBe(1);
  expect(terminal.errors.at(-1)).toMatch(/^Error: No account runs\. default: .*number/);
});

test("doctor prints each finding with its remedy and fails when one is an error", async () => {
  const terminal = new CapturedTerminal(env);
  expect(await runCli(["doctor"], terminal)).toBe(1);
  const lines = terminal.output.join("\n");
  expect(lines).toMatch(/^ok {7}default: configuration/m);
  expect(lines).toMatch(/^ok {7}store/m);
  expect(lines).toMatch(/^error {4}default: carrier: .*Correct the account's carrier settings/m);
  expect(await runCli(["doctor", "--json"], terminal)).toBe(1);
  const { findings } = JSON.parse(terminal.output.at(-1) as string);
  expect(findings).toContainEqual(expect.objectContaining({ level: "error", check: "engine", accountId: "default" }));
});

test("doctor beside a channel that runs leaves port and store to it", async () => {
  const file = join(dir, "state", "calls.db");
  const running = createServer((_request, answer) => answer.end('{"status":"ok"}')).listen(0, "127.0.0.1");
  await once(running, "listening");
  const port = String((running.address() as AddressInfo).port);
  const terminal = new CapturedTerminal({ ...env, PORT: port, OPENCLAW_VOICE_STATE_DIR: join(dir, "state") });
  await runCli(["doctor", "--json"], terminal);
  running.close();
  const { findings } = JSON.parse(terminal.output[0] as string) as { findings: { level: string; check: string }[] };
  expect(findings.filter(({ check }) => check === "port" || check === "store")).toMatchObject([
    { level: "ok", check: "port" },
  ]);
  await expect(readFile(file)).rejects.toThrow("ENOENT");
});
