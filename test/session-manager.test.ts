import { describe, expect, test } from "vitest";
import type { Clock } from "../src/core/clock.ts";
import { systemClock } from "../src/core/clock.ts";
import { HostError } from "../src/core/errors.ts";
import type { CallEvent } from "../src/core/events.ts";
import type { CallerRef, Host } from "../src/hosts/host.ts";
import { standaloneHost } from "../src/hosts/standalone.ts";
import { silentLogger } from "../src/logger.ts";
import { VoiceSessionManager } from "../src/session-manager.ts";
import { memoryStore } from "../src/stores/memory.ts";
import type { Store } from "../src/stores/store.ts";

const caller: CallerRef = { accountId: "default", agentId: "main", number: "+15550005678", direction: "inbound" };
const policy = { dmPolicy: "allowlist", allowFrom: ["+15550005678"] } as const;

function hostWith(parts: Partial<Host>): Host {
  return { ...standaloneHost({ logger: silentLogger }), ...parts };
}

async function manager(host: Host = hostWith({}), clock: Clock = systemClock()) {
  const store = memoryStore();
  await store.start();
  return { store, sessions: new VoiceSessionManager({ host, store, clock }) };
}

/** Writes a call as its journal would; `ended` unless it is to be left open. */
async function putCall(
  store: Store,
  {
    id,
    atMs,
    number = caller.number,
    sessionKey = `s:${number}`,
    accountId = "default",
    open = false,
    outbound = false,
  }: {
    id: string;
    atMs: number;
    number?: string;
    sessionKey?: string | null;
    accountId?: string;
    open?: boolean;
    outbound?: boolean;
  },
): Promise<void> {
  const [from, to] = outbound ? ["+15550001234", number] : [number, "+15550001234"];
  const events: CallEvent[] = [
    {
      type: "call.created",
      atMs,
      callId: id,
      accountId,
      direction: outbound ? "outbound" : "inbound",
      from,
      to,
      transport: "media-stream",
    },
  ];
  if (sessionKey !== null) events.push({ type: "caller.routed", atMs, agentId: "main", sessionKey, trust: "known" });
  if (!open) events.push({ type: "call.ended", atMs: atMs + 1_000, reason: "caller_hangup", longestSilenceMs: 0 });
  await store.append(id, events);
}

describe("who is on the phone", () => {
  test("a listed caller is routed, admitted and known", async () => {
    const { sessions } = await manager();
    expect(await sessions.identify(caller, policy)).toEqual({
      route: { agentId: "main", sessionKey: "voice:default:+15550005678" },
      admission: { allowed: true, reason: "allowlisted", trust: "known" },
    });
  });

  test("a listed number is never an owner by itself; only a host that verified the person says so", async () => {
    const verified: Host["admit"] = async () => ({ allowed: true, reason: "verified", trust: "owner" });
    const [byNumber, byHost] = [await manager(), await manager(hostWith({ admit: verified }))];
    expect((await byNumber.sessions.identify(caller, policy)).admission.trust).toBe("known");
    expect((await byHost.sessions.identify(caller, policy)).admission.trust).toBe("owner");
  });

  test("route and admission are asked side by side", async () => {
    const { promise: admitted, resolve: startAdmission } = Promise.withResolvers<void>();
    const { sessions } = await manager(
      hostWith({
        // Resolves only once the other question is asked as well.
        route: async () => admitted.then(() => ({ agentId: "main", sessionKey: "s" })),
        admit: async () => {
          startAdmission();
          return { allowed: false, reason: "not_allowlisted", trust: "stranger" };
        },
      }),
    );
    expect((await sessions.identify(caller, policy)).admission.allowed).toBe(false);
  });

  test("somebody whom the agent rings is not admitted but routed, and known when listed", async () => {
    const admit: Host["admit"] = () => Promise.reject(new Error("nobody asks who may be called"));
    const { sessions } = await manager(hostWith({ admit }));
    const callee: CallerRef = { ...caller, direction: "outbound" };
    const listed = await sessions.identifyCallee(callee, policy);
    expect(listed).toMatchObject({ admission: { allowed: true, trust: "known" }, route: { agentId: "main" } });
    const other = await sessions.identifyCallee(callee, { dmPolicy: "open", allowFrom: ["*"] });
    expect(other.admission).toMatchObject({ allowed: true, trust: "stranger" });
  });

  test("a host that fails is a host error with its cause, and its own host errors pass unchanged", async () => {
    const cause = new Error("gateway down");
    const { sessions } = await manager(hostWith({ route: () => Promise.reject(cause) }));
    const failed = await sessions.identify(caller, policy).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(HostError);
    expect(failed).toMatchObject({ cause });
    const own = new HostError("no such agent");
    const other = await manager(hostWith({ admit: () => Promise.reject(own) }));
    await expect(other.sessions.identify(caller, policy)).rejects.toBe(own);
  });

  test("a host that says nothing for two seconds is a host error, and no timer stays behind", async () => {
    const timers: { delayMs: number; action: () => void; stopped: boolean }[] = [];
    const clock: Clock = {
      now: () => 0,
      after(delayMs, action) {
        const timer = { delayMs, action, stopped: false };
        timers.push(timer);
        return {
          stop() {
            timer.stopped = true;
          },
        };
      },
      every: () => ({ stop() {} }),
    };
    const { sessions } = await manager(hostWith({ route: () => new Promise(() => {}) }), clock);
    const asked = sessions.identify(caller, policy);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([2_000]);
    timers[0]?.action();
    await expect(asked).rejects.toThrow(/within 2 s/);
    expect(timers.every(({ stopped }) => stopped)).toBe(true);
  });
});

describe("what was before", () => {
  test("history holds this person's finished calls with this account, newest first, both ways", async () => {
    const { store, sessions } = await manager();
    await putCall(store, { id: "old", atMs: 1_000 });
    await putCall(store, { id: "rang-them", atMs: 2_000, outbound: true });
    await putCall(store, { id: "somebody-else", atMs: 3_000, number: "+15550009999" });
    await putCall(store, { id: "other-account", atMs: 4_000, accountId: "second" });
    await putCall(store, { id: "now", atMs: 5_000, open: true });
    const history = await sessions.history("default", caller.number, 10);
    expect(history.map(({ callId }) => callId)).toEqual(["rang-them", "old"]);
  });

  test("open calls in front do not use up the limit", async () => {
    const { store, sessions } = await manager();
    for (let i = 0; i < 7; i++) await putCall(store, { id: `done-${i}`, atMs: i });
    for (let i = 0; i < 5; i++) await putCall(store, { id: `open-${i}`, atMs: 100 + i, open: true });
    const history = await sessions.history("default", caller.number, 3);
    expect(history.map(({ callId }) => callId)).toEqual(["done-6", "done-5", "done-4"]);
    expect(await sessions.history("default", caller.number, 0)).toEqual([]);
  });

  test("sessions fold their calls, latest first; callers without a session have none", async () => {
    const { store, sessions } = await manager();
    await putCall(store, { id: "a1", atMs: 1_000, sessionKey: "ann" });
    await putCall(store, { id: "b1", atMs: 2_000, number: "+15550009999", sessionKey: "bob" });
    await putCall(store, { id: "a2", atMs: 3_000, number: "+15550007777", sessionKey: "ann" });
    await putCall(store, { id: "refused", atMs: 4_000, number: "+15550006666", sessionKey: null });
    expect(await sessions.sessions(10)).toEqual([
      { sessionKey: "ann", agentId: "main", number: "+15550007777", calls: 2, lastCallAtMs: 3_000 },
      { sessionKey: "bob", agentId: "main", number: "+15550009999", calls: 1, lastCallAtMs: 2_000 },
    ]);
    expect(await sessions.sessions(1)).toHaveLength(1);
  });
});
