import { Command } from "commander";
import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { afterEach, expect, test, vi } from "vitest";
import { registerCli } from "../../../src/hosts/openclaw/cli.ts";

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
  expect(said.out[0]).toMatch(/^call_1 .* active, 1 turns$/);
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
