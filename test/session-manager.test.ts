import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../src/core/clock.ts";
import { systemClock } from "../src/core/clock.ts";
import { HostError } from "../src/core/errors.ts";
import type { CallEvent } from "../src/core/events.ts";
import type { CallerRef, Host, Route } from "../src/hosts/host.ts";
import { standaloneHost } from "../src/hosts/standalone.ts";
import { silentLogger } from "../src/logger.ts";
import { VoiceSessionManager } from "../src/session-manager.ts";
import { memoryStore } from "../src/stores/memory.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import type { Store } from "../src/stores/store.ts";

const caller: CallerRef = { accountId: "default", agentId: "main", number: "+15550005678", direction: "inbound" };
const policy = { dmPolicy: "allowlist", allowFrom: ["+15550005678"] } as const;

function hostWith(parts: Partial<Host>): Host {
  return { ...standaloneHost({ logger: silentLogger }), ...parts };
}

async function manager(host: Host = hostWith({}), clock: Clock = systemClock(), store: Store = memoryStore()) {
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
      { sessionKey: "ann", agentId: "main", number: "+15550007777", calls: 2, lastCallAtMs: 3_000, linked: [] },
      { sessionKey: "bob", agentId: "main", number: "+15550009999", calls: 1, lastCallAtMs: 2_000, linked: [] },
    ]);
    expect(await sessions.sessions(1)).toHaveLength(1);
  });
});

/** Whose number it is, as the owner has confirmed. */
async function putLink(store: Store, principal: string, addresses = [telegram], number = caller.number) {
  await store.keep("link", `default:${number}`, { principal, addresses, by: "owner", atMs: 1 }, 0);
}

const telegram = { channel: "telegram", to: "555" };

describe("who is linked", () => {
  test("our own link names a person whom the host does not; the session, the trust and the host's own name stay", async () => {
    const { store, sessions } = await manager();
    const before = await sessions.identify(caller, policy);
    await putLink(store, "Ann");
    const after = await sessions.identify(caller, policy);
    expect(after).toEqual({ ...before, route: { ...before.route, principal: "Ann" } });
    const route = async () => ({ agentId: "main", sessionKey: "s", principal: "annie" });
    const other = await manager(hostWith({ route }), systemClock(), store);
    expect((await other.sessions.identify(caller, policy)).route.principal).toBe("annie");
    const { trust } = (await sessions.identify(caller, { dmPolicy: "open", allowFrom: [] })).admission;
    expect(trust).toBe("stranger");
    const callee = await sessions.identifyCallee({ ...caller, direction: "outbound" }, policy);
    expect(callee.route.principal).toBe("Ann");
    expect((await sessions.route(caller)).principal).toBe("Ann");
  });

  test("links that cannot be read keep nobody from talking", async () => {
    const store: Store = { ...memoryStore(), document: () => Promise.reject(new Error("corrupt")) };
    const { sessions } = await manager(hostWith({}), systemClock(), store);
    expect((await sessions.identify(caller, policy)).route).toEqual({
      agentId: "main",
      sessionKey: "voice:default:+15550005678",
    });
    expect(await sessions.linked(caller)).toEqual([]);
  });

  test("sessions show where else their person is reached, by the host's links and our own", async () => {
    const discord = { channel: "discord", to: "bob" };
    const linked: Host["linked"] = async ({ number }) => (number === "+15550009999" ? [discord] : []);
    const { store, sessions } = await manager(hostWith({ linked }));
    await putCall(store, { id: "a", atMs: 2_000, sessionKey: "ann" });
    await putCall(store, { id: "b", atMs: 1_000, number: "+15550009999", sessionKey: "bob" });
    await putLink(store, "Ann");
    expect((await sessions.sessions(10)).map(({ sessionKey, linked: to }) => [sessionKey, to])).toEqual([
      ["ann", [telegram]],
      ["bob", [discord]],
    ]);
  });

  test("a person's sessions: the one of now with its channels, then those of earlier calls", async () => {
    const { store, sessions } = await manager();
    await putCall(store, { id: "old", atMs: 1_000, sessionKey: "voice:call:old" });
    await putCall(store, { id: "new", atMs: 2_000, sessionKey: "voice:default:+15550005678" });
    await putCall(store, { id: "refused", atMs: 3_000, sessionKey: null });
    await putLink(store, "Ann");
    expect(await sessions.linkedSessions(caller)).toEqual([
      { sessionKey: "voice:default:+15550005678", agentId: "main", channels: [telegram] },
      { sessionKey: "voice:call:old", agentId: "main", channels: [] },
    ]);
  });
});

describe("case 30: keys of sessions are the host's alone", () => {
  /** What OpenClaw's router answers under each `session.dmScope`, for a number that it links to ann and for one it does not. */
  const golden = {
    main: ["agent:main:main", "agent:main:main"],
    "per-peer": ["agent:main:direct:ann", "agent:main:direct:+15550009999"],
    "per-channel-peer": ["agent:main:voice:direct:ann", "agent:main:voice:direct:+15550009999"],
    "per-account-channel-peer": ["agent:main:voice:default:direct:ann", "agent:main:voice:default:direct:+15550009999"],
  } as const;

  test.each(Object.entries(golden))(
    "case 30: under %s a caller keeps the host's key, linked by us or not",
    async (_, keys) => {
      const [ann, other] = keys;
      const route = async ({ number }: CallerRef): Promise<Route> =>
        number === caller.number
          ? { agentId: "main", sessionKey: ann, principal: "ann" }
          : { agentId: "main", sessionKey: other };
      const { store, sessions } = await manager(hostWith({ route }));
      const stranger = { ...caller, number: "+15550009999" };
      for (const linked of [false, true]) {
        if (linked) await putLink(store, "Bob", [telegram], stranger.number);
        expect((await sessions.identify(caller, policy)).route.sessionKey).toBe(ann);
        expect((await sessions.identify(stranger, policy)).route.sessionKey).toBe(other);
        const callee = await sessions.identifyCallee({ ...stranger, direction: "outbound" }, policy);
        expect(callee.route.sessionKey).toBe(other);
      }
    },
  );

  test("case 30: the account's rule about sessions goes to the host as it is; no key is made of it here", async () => {
    const asked: CallerRef[] = [];
    const route = async (ref: CallerRef): Promise<Route> => {
      asked.push(ref);
      return { agentId: "main", sessionKey: "the host's" };
    };
    const { sessions } = await manager(hostWith({ route }));
    const scopes = ["per-caller", "per-call", "main"] as const;
    const refs = scopes.map((scope) => ({ ...caller, scope, callId: "call_1" }));
    for (const ref of refs) expect((await sessions.identify(ref, policy)).route.sessionKey).toBe("the host's");
    expect(asked).toEqual(refs);
  });

  test("case 30: the caller is known again after a restart: the same session, name, channels and history", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sessions-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const known = async (prepare?: (store: Store) => Promise<void>) => {
      const store = sqliteStore({ path: join(folder, "calls.db"), logger: silentLogger });
      const { sessions } = await manager(hostWith({}), systemClock(), store);
      await prepare?.(store);
      const { route, admission } = await sessions.identify(caller, policy);
      const channels = await sessions.linked(caller);
      const history = await sessions.history("default", caller.number, 3);
      const listed = await sessions.sessions(3);
      await store.stop();
      return { route, admission, channels, listed, calls: history.map(({ callId }) => callId) };
    };
    const before = await known(async (store) => {
      await putCall(store, { id: "call_1", atMs: 1_000, sessionKey: "voice:default:+15550005678" });
      await putLink(store, "Ann");
    });
    expect(before).toMatchObject({
      route: { agentId: "main", sessionKey: "voice:default:+15550005678", principal: "Ann" },
      channels: [telegram],
      calls: ["call_1"],
      listed: [{ sessionKey: "voice:default:+15550005678", linked: [telegram] }],
    });
    expect(await known()).toEqual(before);
  });
});
