import { describe, expect, test } from "vitest";
import { callSessionKey, isSharedSession, routeCaller } from "../../../src/hosts/openclaw/caller-route.ts";
import { fakeRuntime } from "./runtimes.ts";

const ANN = "+15551112222";
const caller = { accountId: "default", agentId: "main", number: ANN };
const identityLinks = { ann: ["telegram:555", `voice:${ANN}`] };

function keyUnder(session: object, more: object = {}): string {
  return routeCaller(fakeRuntime({ config: { session } }), { ...caller, ...more }).sessionKey;
}

describe("case 30: keys are the host's own, and the same after every restart", () => {
  test.each([
    [{}, "agent:main:main"],
    [{ dmScope: "per-peer" }, `agent:main:direct:${ANN}`],
    [{ dmScope: "per-peer", identityLinks }, "agent:main:direct:ann"],
    [{ dmScope: "per-channel-peer", identityLinks }, "agent:main:voice:direct:ann"],
    [{ dmScope: "per-account-channel-peer", identityLinks }, "agent:main:voice:default:direct:ann"],
  ])("a host with %j: %s", (session, key) => {
    expect(keyUnder(session)).toBe(key);
  });

  test.each([
    ["main", "agent:main:main"],
    ["per-caller", "agent:main:direct:ann"],
    ["per-call", "agent:main:voice:default:direct:call_a1"],
  ] as const)("an account that wants %s, whatever the host's rule: %s", (scope, key) => {
    for (const dmScope of ["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]) {
      expect(keyUnder({ dmScope, identityLinks }, { scope, callId: "call_A1" })).toBe(key);
    }
  });
});

test("the host's bindings choose the agent, and the account's agent answers without one", () => {
  const bindings = [{ agentId: "sales", match: { channel: "voice", peer: { kind: "direct", id: ANN } } }];
  const agents = { list: [{ id: "main", default: true }, { id: "sales" }, { id: "desk" }] };
  const bound = fakeRuntime({ config: { agents, bindings } });
  const free = fakeRuntime({ config: { agents } });
  expect(routeCaller(bound, { ...caller, agentId: "desk" }).agentId).toBe("sales");
  expect(routeCaller(bound, { ...caller, scope: "per-call", callId: "call_1" })).toMatchObject({
    agentId: "sales",
    sessionKey: "agent:sales:voice:default:direct:call_1",
  });
  expect(routeCaller(free, { ...caller, agentId: "desk" }).agentId).toBe("desk");
});

test("a linked number has its person's name, another has none", () => {
  const runtime = fakeRuntime({ config: { session: { identityLinks } } });
  expect(routeCaller(runtime, caller).principal).toBe("ann");
  expect(routeCaller(runtime, { ...caller, number: "+15559998888" })).not.toHaveProperty("principal");
});

test("the session that everybody shares is told from all others, under the name that the host gives it", () => {
  const runtime = fakeRuntime({ config: { session: { mainKey: "home" } } });
  const shared = routeCaller(runtime, { ...caller, scope: "main" });
  expect(shared.sessionKey).toBe("agent:main:home");
  expect(isSharedSession(runtime, shared)).toBe(true);
  expect(isSharedSession(runtime, { agentId: "main", sessionKey: "agent:main:direct:ann" })).toBe(false);
});

test("calls never share a session, nor do a call and a question that it asks", () => {
  const runtime = fakeRuntime();
  const key = (callId: string, part?: string) => callSessionKey(runtime, { ...caller, callId }, part);
  expect(new Set([key("call_1"), key("call_2"), key("call_1", "consult")]).size).toBe(3);
});
