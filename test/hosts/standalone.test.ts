import { describe, expect, test, vi } from "vitest";
import { HostError } from "../../src/core/errors.ts";
import type {
  AnswerVerdict,
  CallerRef,
  ChannelAnswer,
  ConsultRequest,
  SessionRecord,
  TurnRequest,
} from "../../src/hosts/host.ts";
import { standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";

const caller: CallerRef = { accountId: "default", agentId: "main", number: "+15550005678", direction: "inbound" };
const never = new AbortController().signal;
const record: SessionRecord = {
  callId: "call_1",
  agentId: "main",
  sessionKey: "voice:default:+15550005678",
  accountId: "default",
  number: "+15550005678",
  trust: "known",
  answeredAtMs: 0,
  entries: [
    { id: "a", speaker: "agent", text: "Hello.", startMs: 0, heardMs: 400, cut: false },
    { id: "b", speaker: "caller", text: "Hi.", startMs: 900, heardMs: 300, cut: false },
  ],
};
const question: ConsultRequest = {
  callId: "call_1",
  agentId: "main",
  sessionKey: "s",
  accountId: "default",
  trust: "known",
  tools: "none",
  question: "When is my flight?",
  transcript: [],
};

const turn: TurnRequest = {
  callId: "call_1",
  agentId: "main",
  sessionKey: "s",
  accountId: "default",
  number: "+15550005678",
  trust: "owner",
  turnId: "t1",
  text: "Hello?",
};

describe("without callbacks", () => {
  const host = standaloneHost({ logger: silentLogger, workspaceDir: "/srv/agent" });

  test("each number has a session of its own in the one workspace", async () => {
    expect(await host.route(caller)).toEqual({
      agentId: "main",
      sessionKey: "voice:default:+15550005678",
      workspaceDir: "/srv/agent",
    });
  });

  test.each([
    ["per-caller", "voice:default:+15550005678"],
    ["per-call", "voice:default:call_1"],
    ["main", "voice:default"],
  ] as const)("an account that wants sessions %s gets %s", async (scope, sessionKey) => {
    expect(await host.route({ ...caller, scope, callId: "call_1" })).toMatchObject({ sessionKey });
  });

  test("what needs a callback is not offered, and says so when it is asked for", async () => {
    expect(Object.values(host.capabilities)).toEqual(Object.values(host.capabilities).map(() => false));
    const address = { channel: "telegram", to: "555" };
    await expect(host.send(address, { text: "Hi" }, never)).rejects.toThrow(HostError);
    await expect(host.ask(turn, () => {}, never)).rejects.toThrow(HostError);
    expect(await host.linked(caller)).toEqual([]);
    expect(await host.recentTurns(turn, 8)).toEqual([]);
  });

  test.each([
    ["disabled", ["+15550005678"], false, "disabled", "stranger"],
    ["allowlist", ["+15550005678"], true, "allowlisted", "known"],
    ["allowlist", ["+15550009999"], false, "not_allowlisted", "stranger"],
    ["allowlist", ["*"], true, "open", "stranger"],
    ["pairing", ["+15550005678"], true, "allowlisted", "known"],
    ["pairing", [], false, "not_allowlisted", "stranger"],
    ["open", [], true, "open", "stranger"],
    ["open", ["+15550005678"], true, "allowlisted", "known"],
  ] as const)("%s with %j: allowed %s (%s), %s", async (dmPolicy, allowFrom, allowed, reason, trust) => {
    expect(await host.admit(caller, { dmPolicy, allowFrom })).toEqual({ allowed, reason, trust });
  });

  test("a question fails and says which callback answers questions", async () => {
    await expect(host.consult(question, never)).rejects.toThrow(/Pass `consult`/);
  });

  test("a finished call is nobody's business", async () => {
    expect(await host.record(record, never)).toEqual({ how: "callback", rows: 0 });
  });

  test("the report names what is missing, and that nobody can pair", async () => {
    const checks = (await standaloneHost({ logger: silentLogger }).report()).map(({ check }) => check);
    expect(checks).toEqual(["consult", "record", "workspace", "pairing"]);
    expect((await host.report()).map(({ check }) => check)).not.toContain("workspace");
  });
});

test("without a logger, warnings and errors are seen, and no field of theirs", () => {
  const written: unknown[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((line) => written.push(line) > 0);
  try {
    const { logger } = standaloneHost();
    logger.debug("a");
    logger.info("b");
    logger.warn("c", { number: "+15550005678" });
    logger.error("d", { apiKey: "hush" });
  } finally {
    spy.mockRestore();
  }
  expect(written).toEqual(["voice: warning: c\n", "voice: error: d\n"]);
});

describe("with callbacks", () => {
  test("a report with everything in place has nothing to say", async () => {
    const host = standaloneHost({
      logger: silentLogger,
      workspaceDir: "/srv/agent",
      admit: () => ({ allowed: true, reason: "mine", trust: "known" }),
      record: () => undefined,
      consult: () => "yes",
    });
    expect(await host.report()).toEqual([]);
    expect((await host.admit(caller, { dmPolicy: "disabled", allowFrom: [] })).reason).toBe("mine");
    expect(await host.consult(question, never)).toBe("yes");
  });

  test("each turn is told once, also when two ask at once and when more turns come later", async () => {
    const told: string[] = [];
    const host = standaloneHost({
      logger: silentLogger,
      record: async ({ entries }) => void told.push(...entries.map(({ id }) => id)),
    });
    const both = await Promise.all([host.record(record, never), host.record(record, never)]);
    expect(both.map(({ rows }) => rows)).toEqual([2, 0]);
    const more = { id: "c", speaker: "agent", text: "Bye.", startMs: 2_000, heardMs: 300, cut: false } as const;
    expect(await host.record({ ...record, entries: [...record.entries, more] }, never)).toMatchObject({ rows: 1 });
    expect(told).toEqual(["a", "b", "c"]);
  });

  test("a turn that the callback refused is told again, and so is one that another asked for meanwhile", async () => {
    let refusals = 1;
    const host = standaloneHost({
      logger: silentLogger,
      record: async () => {
        if (refusals-- > 0) throw new Error("disk full");
      },
    });
    const [first, second] = await Promise.allSettled([host.record(record, never), host.record(record, never)]);
    expect(first).toMatchObject({ status: "rejected", reason: expect.any(HostError) });
    expect(second).toMatchObject({ status: "fulfilled", value: { rows: 2 } });
  });

  test("a callback that throws becomes a host error that names it and keeps the cause", async () => {
    const cause = new Error("boom");
    const fail = () => {
      throw cause;
    };
    const host = standaloneHost({ logger: silentLogger, route: fail, admit: fail, consult: fail });
    const attempts = [
      ["route", host.route(caller)],
      ["admit", host.admit(caller, { dmPolicy: "open", allowFrom: [] })],
      ["consult", host.consult(question, never)],
    ] as const;
    for (const [name, attempt] of attempts) {
      const error = await attempt.catch((error: unknown) => error);
      expect(error).toBeInstanceOf(HostError);
      expect(error).toMatchObject({ message: expect.stringContaining(`\`${name}\``), cause });
    }
  });

  test("an empty answer is a failure, not an answer", async () => {
    const host = standaloneHost({ logger: silentLogger, consult: () => "  " });
    await expect(host.consult(question, never)).rejects.toThrow(HostError);
  });

  test("a question that nobody waits for any more ends at once, though the callback goes on", async () => {
    const stop = new AbortController();
    const host = standaloneHost({ logger: silentLogger, consult: () => new Promise<string>(() => {}) });
    const asked = host.consult(question, stop.signal);
    stop.abort(new Error("hung up"));
    await expect(asked).rejects.toMatchObject({ code: "host_failed", cause: { message: "hung up" } });
  });

  test("a question that is over before it begins never reaches the callback", async () => {
    let asked = 0;
    const host = standaloneHost({ logger: silentLogger, consult: () => `${++asked}` });
    await expect(host.consult(question, AbortSignal.abort())).rejects.toThrow(HostError);
    expect(asked).toBe(0);
  });

  test("each verb is offered when its callback is given, and hands over what it was asked", async () => {
    const calls: unknown[] = [];
    const note = { text: "Ann rang.", key: "k" };
    const host = standaloneHost({
      logger: silentLogger,
      send: (address, message) => {
        calls.push([address, message]);
        return { messageId: "m1" };
      },
      answers: () => () => {},
      linked: () => [{ channel: "telegram", to: "555" }],
      recentTurns: (_, limit) => [{ role: "person", text: `last ${limit}`, atMs: 1 }],
      complete: ({ prompt }) => prompt.toUpperCase(),
      ask: async ({ text }, onWords) => onWords(`You said ${text}`),
      wake: async (session, told) => void calls.push([session.sessionKey, told]),
    });
    expect(Object.values(host.capabilities)).toEqual(Object.values(host.capabilities).map(() => true));
    const address = { channel: "telegram", to: "555" };
    expect(await host.send(address, { text: "Hi" }, never)).toEqual({ messageId: "m1" });
    expect(await host.linked(caller)).toEqual([address]);
    expect(await host.recentTurns(turn, 3)).toEqual([{ role: "person", text: "last 3", atMs: 1 }]);
    const request = { agentId: "main", purpose: "summary", system: "", prompt: "hello" };
    expect(await host.complete(request, never)).toBe("HELLO");
    const heard: string[] = [];
    await host.ask(turn, (words) => heard.push(words), never);
    expect(heard).toEqual(["You said Hello?"]);
    await host.wake(turn, note);
    expect(calls).toEqual([
      [address, { text: "Hi" }],
      ["s", note],
    ]);
  });

  test("a listener that fails is no trouble for the chat that told it", async () => {
    let listener: (answer: ChannelAnswer) => Promise<AnswerVerdict> = async () => ({ taken: true });
    let listening = 0;
    const host = standaloneHost({
      logger: silentLogger,
      answers: (given) => {
        listener = given;
        listening += 1;
        return () => {
          listening -= 1;
        };
      },
    });
    const leave = host.onAnswer(async () => {
      throw new Error("boom");
    });
    const verdict = await listener({ channel: "telegram", from: "555", how: "button", value: "q1:yes" });
    expect(verdict).toEqual({ taken: false });
    leave();
    expect(listening).toBe(0);
  });

  test("nothing is spoken of a turn that nobody waits for any more", async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    let say: (words: string) => void = () => {};
    const host = standaloneHost({
      logger: silentLogger,
      ask: (_, onWords) => {
        say = onWords;
        return new Promise<void>(() => {});
      },
    });
    const asked = host.ask(turn, (words) => heard.push(words), stop.signal);
    await vi.waitFor(() => say("One."));
    stop.abort();
    await expect(asked).rejects.toThrow(HostError);
    say("Two.");
    expect(heard).toEqual(["One."]);
  });

  test("a host that sends but hears no answers says so", async () => {
    const report = await standaloneHost({ logger: silentLogger, send: () => ({}) }).report();
    expect(report).toContainEqual(expect.objectContaining({ check: "answers", level: "warning" }));
  });
});
