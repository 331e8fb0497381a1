import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { systemClock } from "../../src/core/clock.ts";
import { LimitReachedError } from "../../src/core/errors.ts";
import { type Listener, openListener } from "../../src/http/listener.ts";
import { apiToken } from "../../src/http/token.ts";
import { LinesLogger, link, PUBLIC_URL, receipt, ScriptedCalls, ScriptedWebhooks, summary } from "../http/desks.ts";
import { CapturedTerminal } from "./terminal.ts";

let dir: string;
let calls: ScriptedCalls;
let listener: Listener;
let terminal: CapturedTerminal;

async function open(port = 0): Promise<Listener> {
  return openListener({
    host: "127.0.0.1",
    port,
    apiToken: await apiToken(dir),
    publicUrl: PUBLIC_URL,
    calls,
    webhooks: new ScriptedWebhooks(),
    sessions: async () => [],
    logger: new LinesLogger(),
    clock: systemClock(),
  });
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-cli-"));
  calls = new ScriptedCalls();
  listener = await open();
  terminal = new CapturedTerminal({ PORT: String(listener.port), OPENCLAW_VOICE_STATE_DIR: dir });
});
afterEach(async () => {
  await listener.close();
  await rm(dir, { recursive: true });
});

const run = (...args: string[]) => runCli(args, terminal);

describe("talking to a channel that runs", () => {
  test("status shows the channel and each account", async () => {
    expect(await run("status")).toBe(0);
    expect(terminal.output[0]).toContain("The voice channel 0.0.0 runs");
    expect(terminal.output[1]).toBe("default +15550001234: running, live calls: 1");
    expect(terminal.output[2]).toBe("warning  default: owner_channel: No owner is set. Set one.");
    expect(terminal.output).toHaveLength(3); // what is well is for doctor
  });

  test("call rings with everything that was said, and --json prints the API's object", async () => {
    const options = ["--message", "Hi.", "--from", "+15550001234", "--account", "a", "--purpose", "p", "--json"];
    expect(await run("call", "+1 555 000 1111", ...options, "--continues", "agent:main:direct:ann")).toBe(0);
    const continues = "agent:main:direct:ann";
    expect(calls.placed).toEqual([
      { to: "+15550001111", message: "Hi.", from: "+15550001234", accountId: "a", purpose: "p", continues },
    ]);
    expect(JSON.parse(terminal.output.join(""))).toEqual(summary({ to: "+15550001111", state: "dialing" }));
  });

  test("calls lists what is asked for", async () => {
    expect(await run("calls", "--open", "--caller", "+15550001111", "--limit", "3", "--account", "a")).toBe(0);
    expect(calls.queries).toEqual([{ only: "open", caller: "+15550001111", limit: 3, accountId: "a" }]);
    expect(terminal.output).toHaveLength(1);
    expect(terminal.output[0]).toMatch(/call_1 {2}from/);
  });

  test("search finds words, however they are given, and shows a turn a line", async () => {
    calls.found = {
      hits: [{ callId: "call_1", entryId: "i", speaker: "caller", atMs: 0, snippet: "the blue café" }],
      next: "more",
      notYetSearched: 7,
    };
    expect(await run("search", "blue", "café", "--account", "a", "--caller", "+15550001111", "--limit", "5")).toBe(0);
    expect(calls.searches).toEqual([{ text: "blue café", accountId: "a", caller: "+15550001111", limit: 5 }]);
    expect(terminal.output).toEqual([
      "1970-01-01 00:00:00  call_1  caller: the blue café",
      "There is more. Say how much with --limit.",
      "7 older calls are still being read. Ask again.",
    ]);
    calls.found = { hits: [] };
    expect(await run("search", "nothing", "--json")).toBe(0);
    expect(JSON.parse(terminal.output.at(-1) ?? "")).toEqual({ hits: [] });
  });

  test("erase asks first, does nothing without a yes, and prints the receipt", async () => {
    expect(await run("erase", "+15550001111")).toBe(1);
    expect([calls.erased, terminal.output]).toEqual([[], []]);
    expect(terminal.questions).toEqual([
      "Erase everything that is kept of +15550001111? This cannot be undone. Type yes: ",
    ]);
    terminal.answer = "yes";
    expect(await run("erase", "+1 555 000 1111", "--account", "a")).toBe(0);
    expect(calls.erased).toEqual([{ number: "+15550001111", accountId: "a" }]);
    expect(terminal.output).toEqual([
      "Nothing of +15550001111 is kept any more. Calls: 1, journal entries: 9, recordings: 1, notes: 1, documents: 2.",
      "  call_1",
      "Outside our hands:",
      "  session: agent:main:voice",
    ]);
    expect(await run("erase", "+15550001111", "--yes", "--json")).toBe(0);
    expect(JSON.parse(terminal.output.at(-1) ?? "")).toEqual(receipt({ number: "+15550001111" }));
    expect(terminal.questions).toHaveLength(2);
  });

  test("links shows whose number is whose, and unlink takes it back", async () => {
    expect(await run("links")).toBe(0);
    calls.linked = [link, { ...link, accountId: "a" }];
    expect(await run("links", "--account", "a")).toBe(0);
    expect(await run("unlink", "+1 555 000 1111", "--account", "a")).toBe(0);
    expect(await run("unlink", "+15550001111", "--json")).toBe(0);
    expect(await run("unlink", "+15550001111")).toBe(0);
    expect(terminal.output).toEqual([
      "No number has been given a name by the owner.",
      "1970-01-01 00:00:00  a  +15550001111  Ann (telegram:777)",
      "a: calls with +15550001111 are not Ann's any more.",
      JSON.stringify({ removed: [link] }),
      "The owner has given +15550001111 no name. What the host links is in its settings.",
    ]);
    expect(await run("unlink", "Ann")).toBe(2);
  });

  test("end succeeds only once the carrier has confirmed", async () => {
    expect(await run("end", "call_1")).toBe(0);
    expect(terminal.output[0]).toContain("ended (agent_ended)");
    calls.confirmed = false;
    expect(await run("end", "call_1")).toBe(1);
    expect(terminal.errors[0]).toMatch(/has not confirmed/);
  });

  test("say, dtmf and instruct reach the call", async () => {
    expect(await run("say", "call_1", "One moment.")).toBe(0);
    expect(await run("dtmf", "call_1", "1w2#")).toBe(0);
    expect(await run("dtmf", "call_1", "5", "--duration", "100", "--json")).toBe(0);
    expect(await run("instruct", "call_1", "Be brief.")).toBe(0);
    expect(await run("instruct", "call_1", "Say goodbye.", "--respond")).toBe(0);
    expect(calls.said).toEqual([["call_1", "One moment."]]);
    expect(calls.keys).toEqual([
      ["call_1", "1w2#", {}],
      ["call_1", "5", { durationMs: 100 }],
    ]);
    expect(calls.instructed).toEqual([
      ["call_1", "Be brief.", { respond: false }],
      ["call_1", "Say goodbye.", { respond: true }],
    ]);
    expect(terminal.output[1]).toBe("Sent 1w2# on call_1.");
    expect(JSON.parse(terminal.output[2] as string)).toEqual({ callId: "call_1", digits: "5" });
  });

  test("tail shows a call to its end, each event once, also when the channel's listener is replaced meanwhile", async () => {
    const ended = { type: "call.ended", atMs: 5_000, reason: "caller_hangup", longestSilenceMs: 0 } as const;
    const entry = { id: "i", speaker: "caller", text: "Hello?", startMs: 0, heardMs: 500, cut: false } as const;
    calls.add({ type: "leg.ringing", atMs: 1_000 });
    const shown = terminal.next();
    const tail = run("tail", "call_1");
    await shown;
    const { port } = listener;
    await listener.close();
    listener = await open(port);
    calls.add({ type: "transcript.added", atMs: 2_500, entry });
    calls.add(ended);
    expect(await tail).toBe(0);
    expect(terminal.output).toEqual([
      "    0.0 s  leg.ringing",
      "    1.5 s  caller: Hello?",
      "    4.0 s  call.ended reason=caller_hangup longestSilenceMs=0",
    ]);
  });

  test("tail ends when its reader has enough", async () => {
    calls.add({ type: "leg.ringing", atMs: 1 });
    const shown = terminal.next();
    const tail = run("tail", "call_1", "--json");
    await shown;
    terminal.stopping.abort();
    expect(await tail).toBe(0);
    expect(JSON.parse(terminal.output[0] as string)).toEqual(calls.journal[0]);
  });
});

describe("what goes wrong is one line with a remedy", () => {
  test("the channel's own refusal, with its code under --json", async () => {
    calls.failure = new LimitReachedError("placementsPerMinute", 5);
    expect(await run("call", "+15550001111")).toBe(1);
    expect(terminal.errors).toEqual([
      "Error: The account's limit placementsPerMinute (5) is reached. Wait, or raise the limit in the configuration.",
    ]);
    expect(await run("end", "call_9", "--json")).toBe(1);
    const message = "There is no call call_9. List the calls to find its id.";
    expect(JSON.parse(terminal.output[0] as string)).toEqual({
      error: { code: "call_not_found", message, retryable: false },
    });
  });

  test("nothing runs there, nothing was ever started, or the token is another's", async () => {
    const { port } = listener;
    await listener.close();
    expect(await run("status")).toBe(1);
    expect(terminal.errors.pop()).toMatch(`No voice channel answers at http://127.0.0.1:${port}. Start it with:`);
    expect(await run("status", "--state-dir", join(dir, "none"))).toBe(1);
    expect(terminal.errors.pop()).toMatch(/There is no API token in .*none\. Start the channel/);
    listener = await open(port);
    await apiToken(join(dir, "other"));
    expect(await run("status", "--state-dir", join(dir, "other"))).toBe(1);
    expect(terminal.errors.pop()).toMatch(/--state-dir/);
  });

  test("something else answers there", async () => {
    const other = createServer((_request, answer) => answer.end("hello")).listen(0, "127.0.0.1");
    await once(other, "listening");
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    expect(await run("end", "call_1", "--url", url)).toBe(1);
    expect(terminal.errors.pop()).toMatch(/is no voice channel\. Check --url/);
    other.close();
  });

  test.each([
    [["call", "555"], /with country code/],
    [["dtmf", "call_1", "1", "--duration", "long"], /whole number of milliseconds/],
    [["call"], /missing required argument 'number'/],
    [["bogus"], /unknown command/],
    [["calls", "--opne"], /unknown option '--opne'[\s\S]*--open/],
    [["status", "--config", "/nowhere/voice.yaml"], /cannot be read \(ENOENT\)/],
  ])("misuse: %j", async (args, complaint) => {
    expect(await run(...args)).toBe(2);
    expect(terminal.errors.join("\n")).toMatch(complaint);
  });

  test("help is no failure", async () => {
    expect(await run("--help")).toBe(0);
    expect(terminal.output.join("\n")).toMatch(/serve[\s\S]*doctor[\s\S]*tail/);
  });
});
