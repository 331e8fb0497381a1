import { Command } from "commander";
import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { afterEach, expect, test, vi } from "vitest";
import { registerCli } from "../../../src/hosts/openclaw/cli.ts";
import { link, receipt } from "../../http/desks.ts";

const { callGatewayFromCli } = vi.hoisted(() => ({ callGatewayFromCli: vi.fn() }));
vi.mock("openclaw/plugin-sdk/gateway-runtime", () => ({ callGatewayFromCli }));

afterEach(() => {
  vi.restoreAllMocks();
  callGatewayFromCli.mockReset();
  process.exitCode = undefined;
});

/** Runs a command of `openclaw voice` against a gateway that answers so. */
async function run(answer: object, ...args: string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line) => void out.push(line));
  vi.spyOn(console, "error").mockImplementation((line) => void errors.push(line));
  callGatewayFromCli.mockResolvedValue(answer);
  const program = new Command();
  const api = {
    registerCli: (add: (context: { readonly program: Command }) => void) => add({ program }),
  } as unknown as OpenClawPluginApi;
  registerCli(api);
  await program.parseAsync(["voice", ...args], { from: "user" });
  const asked = callGatewayFromCli.mock.calls.map(([method, , params]) => [method, params]);
  return { asked, out, errors };
}

const CALL = {
  callId: "call_1",
  createdAtMs: 0,
  direction: "outbound",
  from: "+1",
  to: "+2",
  state: "active",
  turns: 1,
};

test("say, dtmf and instruct reach the call that they name", async () => {
  const said = await run(CALL, "say", "call_1", "One moment.");
  expect(said.asked).toEqual([["voice.say", { callId: "call_1", text: "One moment." }]]);
  expect(said.out[0]).toMatch(/ call_1 {2}to \+2 {2}active {2}1 turns$/);
  callGatewayFromCli.mockClear();
  const keys = await run({ callId: "call_1", digits: "1w2#" }, "dtmf", "call_1", "1w2#", "--duration", "100");
  expect(keys.asked).toEqual([["voice.dtmf", { callId: "call_1", digits: "1w2#", durationMs: 100 }]]);
  expect(keys.out).toEqual(["Sent 1w2# on call_1."]);
  callGatewayFromCli.mockClear();
  const told = await run(CALL, "instruct", "call_1", "Be brief.", "--respond");
  expect(told.asked).toEqual([["voice.instruct", { callId: "call_1", text: "Be brief.", respond: true }]]);
});

test("a duration that is no number is said to be wrong, and nothing is sent", async () => {
  const { asked, errors } = await run({}, "dtmf", "call_1", "1", "--duration", "long");
  expect(asked).toEqual([]);
  expect(errors).toEqual([expect.stringContaining("--duration")]);
  expect(process.exitCode).toBe(1);
});

test("call names the conversation that it goes on with", async () => {
  const { asked } = await run(CALL, "call", "+15550001111", "--continues", "agent:main:direct:ann");
  expect(asked).toEqual([
    ["voice.place", expect.objectContaining({ to: "+15550001111", continues: "agent:main:direct:ann" })],
  ]);
});

test("tail prints what happens as it does, by the time since the call began", async () => {
  const entries = [
    { seq: 1, event: { type: "call.created", atMs: 1_000, direction: "inbound" } },
    { seq: 2, event: { type: "transcript.added", atMs: 2_500, entry: { speaker: "caller", text: "Hello?" } } },
  ];
  const { asked, out } = await run({ entries, over: true }, "tail", "call_1");
  expect(asked).toEqual([["voice.follow", { callId: "call_1", afterSeq: 0 }]]);
  expect(out).toEqual(["    0.0 s  call.created direction=inbound", "    1.5 s  caller: Hello?"]);
});

test("search and transcript print what was said", async () => {
  const hits = [{ callId: "call_1", entryId: "i1", speaker: "caller", atMs: 0, snippet: "a window seat" }];
  const found = await run({ hits, next: "2" }, "search", "window", "seat", "--caller", "+15550001111");
  expect(found.asked).toEqual([
    ["voice.search", { text: "window seat", accountId: undefined, caller: "+15550001111", limit: 20 }],
  ]);
  expect(found.out).toEqual(["1970-01-01 00:00:00  call_1  caller: a window seat", expect.stringContaining("more")]);
  callGatewayFromCli.mockClear();
  const told = await run({ body: "Ann: hello\n" }, "transcript", "call_1");
  expect(told.asked).toEqual([["voice.transcript", { callId: "call_1", format: "text" }]]);
  expect(told.out).toEqual(["Ann: hello"]);
});

test("erase asks for a yes, and prints what is outside our hands", async () => {
  const refused = await run({}, "erase", "+15550001111");
  expect(refused.asked).toEqual([]);
  expect(refused.errors).toEqual([expect.stringContaining("--yes")]);
  expect(process.exitCode).toBe(1);
  const answer = receipt({ number: "+15550001111" });
  const done = await run(answer, "erase", "+15550001111", "--yes");
  expect(done.asked).toEqual([["voice.erase", { number: "+15550001111", accountId: undefined }]]);
  expect(done.out.slice(1)).toEqual(["  call_1", "Outside our hands:", "  session: agent:main:voice"]);
});

test("links are shown, and one is taken back", async () => {
  const shown = await run({ links: [link] }, "links");
  expect(shown.asked).toEqual([["voice.links", { accountId: undefined }]]);
  expect(shown.out).toEqual(["1970-01-01 00:00:00  default  +15550001111  Ann (telegram:777)"]);
  callGatewayFromCli.mockClear();
  const removed = await run({ removed: [link] }, "unlink", "+15550001111", "--account", "default");
  expect(removed.asked).toEqual([["voice.unlink", { number: "+15550001111", accountId: "default" }]]);
  expect(removed.out).toEqual(["default: calls with +15550001111 are not Ann's any more."]);
});

test("a recording is paused and goes on", async () => {
  const answer = { recordings: [{ id: "rec_1", state: "paused" }] };
  const paused = await run(answer, "pause-recording", "call_1");
  expect(paused.asked).toEqual([["voice.recording", { callId: "call_1", paused: true }]]);
  expect(paused.out).toEqual(["rec_1 paused"]);
  callGatewayFromCli.mockClear();
  const resumed = await run(answer, "resume-recording", "call_1");
  expect(resumed.asked).toEqual([["voice.recording", { callId: "call_1", paused: false }]]);
});
