import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { HostError } from "../../../src/core/errors.ts";
import type { ConsultRequest, TurnRequest } from "../../../src/hosts/host.ts";
import { agentAsker, sessionOfTurn } from "../../../src/hosts/openclaw/ask.ts";
import { completeText } from "../../../src/hosts/openclaw/complete.ts";
import { consultAgent } from "../../../src/hosts/openclaw/consult.ts";
import { wakeAgent } from "../../../src/hosts/openclaw/wake.ts";
import { warmAgent } from "../../../src/hosts/openclaw/warm-up.ts";
import { silentLogger } from "../../../src/logger.ts";
import { fakeRuntime, type RuntimeParts } from "./runtimes.ts";

const never = new AbortController().signal;
const session = { agentId: "main", sessionKey: "agent:main:direct:ann" };
const call = { callId: "call_1", accountId: "default", ...session };

const turn: TurnRequest = { ...call, number: "+15551112222", trust: "owner", turnId: "t1", text: "Hello?" };

/** What a turn was dispatched with. */
interface Dispatched {
  readonly route: { readonly sessionKey: string };
  readonly ctxPayload: { readonly messageId: string; readonly message: { readonly commandBody: string } };
  readonly replyOptions: Record<string, unknown>;
  readonly delivery: { deliver(payload: object, info: { kind: string }): Promise<unknown> };
}

describe("a question to the agent", () => {
  const question: ConsultRequest = { ...call, trust: "owner", tools: "owner", question: "When?", transcript: [] };

  /** What the agent was run with. */
  async function asked(more: Partial<ConsultRequest>): Promise<Record<string, unknown>> {
    let params: Record<string, unknown> = {};
    const runtime = fakeRuntime({
      runEmbeddedAgent: async (given) => {
        params = given;
        return { payloads: [{ text: "At nine." }] };
      },
    });
    expect(await consultAgent(runtime, { ...question, ...more }, never)).toBe("At nine.");
    return params;
  }

  test("of a verified owner has the hands that were asked for", async () => {
    expect(await asked({ tools: "owner" })).toMatchObject({ senderIsOwner: true, bootstrapContextMode: "full" });
    expect(await asked({ tools: "owner" })).not.toHaveProperty("toolsAllow");
    expect(await asked({ tools: "read" })).toMatchObject({ toolsAllow: expect.arrayContaining(["read"]) });
    expect(await asked({ tools: "none" })).toMatchObject({ disableTools: true });
  });

  test.each(["known", "stranger"] as const)(
    "of a %s caller has no hands and no files, whatever was asked for",
    async (trust) => {
      for (const tools of ["none", "read", "owner"] as const) {
        expect(await asked({ trust, tools })).toMatchObject({
          disableTools: true,
          senderIsOwner: false,
          bootstrapContextMode: "lightweight",
        });
      }
    },
  );

  test.each([
    ["failed", [{ text: "Half an answer." }, { text: "⚠️ Agent run failed", isError: true }]],
    ["says only what it thinks", [{ text: "Hm.", isReasoning: true }]],
    ["says nothing", []],
  ])("whose agent %s has no answer", async (_, payloads) => {
    const runtime = fakeRuntime({ runEmbeddedAgent: async () => ({ payloads }) });
    await expect(consultAgent(runtime, question, never)).rejects.toThrow(HostError);
  });
});

describe("a turn of the agent's own", () => {
  type Turn = (dispatched: Dispatched) => Promise<object | undefined>;

  const asker = (take: Turn, more: RuntimeParts = {}) =>
    agentAsker({
      logger: silentLogger,
      clock: systemClock(),
      activity: { idle: async () => {} },
      runtime: fakeRuntime({
        ...more,
        dispatch: async (params) => ({
          dispatched: true,
          dispatchResult: (await take(params as unknown as Dispatched)) ?? {},
        }),
      }),
    });

  async function heard(take: Turn, more: Partial<TurnRequest> = {}): Promise<string[]> {
    const words: string[] = [];
    await asker(take)({ ...turn, ...more }, (sentence) => words.push(sentence), never);
    return words;
  }

  test("is a message of that name in the person's session, and its reply is heard in sentences", async () => {
    let seen: Dispatched | undefined;
    const words = await heard(async (dispatched) => {
      seen = dispatched;
      await dispatched.delivery.deliver({ text: "It is late. Sleep well." }, { kind: "final" });
      return undefined;
    });
    expect(words).toEqual(["It is late. Sleep well."]);
    expect(seen?.route.sessionKey).toBe(session.sessionKey);
    expect(seen?.ctxPayload.messageId).toBe("t1");
    expect(seen?.replyOptions).not.toHaveProperty("disableTools");
  });

  test("of who is no verified owner is taken in a session of the call's own, without hands and files", async () => {
    for (const trust of ["known", "stranger"] as const) {
      let seen: Dispatched | undefined;
      await heard(
        async (dispatched) => {
          seen = dispatched;
          await dispatched.delivery.deliver({ text: "Good day." }, { kind: "final" });
          return undefined;
        },
        { trust },
      );
      expect(seen?.route.sessionKey).toBe("agent:main:voice:default:direct:call_1");
      expect(seen?.replyOptions).toMatchObject({ disableTools: true, bootstrapContextMode: "lightweight" });
    }
    expect(sessionOfTurn(fakeRuntime(), turn)).toBe(session.sessionKey);
  });

  test.each(["Stop.", "/new", "! reset", "please stop"])("never reaches the host as a command: %s", async (text) => {
    let body = "";
    await heard(
      async ({ ctxPayload, delivery }) => {
        body = ctxPayload.message.commandBody;
        await delivery.deliver({ text: "Good." }, { kind: "final" });
        return undefined;
      },
      { text },
    );
    expect(body).not.toMatch(/^[/!]|^(please )?stop/i);
    expect(body.toLowerCase()).toContain(text.replace(/^[/! ]+/, "").toLowerCase());
  });

  test("that fails half way is a failure, and nothing more of it is heard", async () => {
    const words: string[] = [];
    const ask = asker(async ({ delivery, replyOptions }) => {
      (replyOptions["onPartialReply"] as (part: object) => void)({ text: "One moment. I am" });
      await delivery.deliver({ text: "⚠️ Agent run failed", isError: true }, { kind: "final" });
      await delivery.deliver({ text: "One moment. I am sorry." }, { kind: "final" });
      return undefined;
    });
    await expect(ask(turn, (sentence) => words.push(sentence), never)).rejects.toThrow(HostError);
    expect(words).toEqual(["One moment."]);
  });

  test.each([
    ["says nothing", async () => undefined],
    ["is fed into a turn that runs already", async () => ({ deferredToActiveRun: "steer" })],
    ["throws", () => Promise.reject(new Error("boom"))],
  ])("that %s is a failure", async (_, take) => {
    await expect(heard(take)).rejects.toThrow(HostError);
  });

  test("that waits behind another of the session is over when it has been answered", async () => {
    const words = await heard(async ({ delivery, replyOptions }) => {
      setImmediate(async () => {
        await delivery.deliver({ text: "Now I can." }, { kind: "final" });
        (replyOptions["onQueuedFollowupSettled"] as () => void)();
      });
      return { deferredToActiveRun: "followup" };
    });
    expect(words).toEqual(["Now I can."]);
  });

  test("of somebody whom the host bars is refused before the agent hears of it", async () => {
    let taken = 0;
    const ask = asker(
      async () => {
        taken += 1;
        return undefined;
      },
      { allowed: false },
    );
    await expect(ask(turn, () => {}, never)).rejects.toThrow(/because/);
    expect(taken).toBe(0);
  });

  test("follows the one before in its session, and one that was given up meanwhile is never taken", async () => {
    const log: string[] = [];
    const first = Promise.withResolvers<void>();
    const ask = asker(async ({ ctxPayload, delivery }) => {
      log.push(`begins ${ctxPayload.messageId}`);
      if (ctxPayload.messageId === "t1") await first.promise;
      await delivery.deliver({ text: "Yes." }, { kind: "final" });
      log.push(`ends ${ctxPayload.messageId}`);
      return undefined;
    });
    const stop = new AbortController();
    const turns = [
      ask(turn, () => {}, never),
      ask({ ...turn, turnId: "t2" }, () => {}, stop.signal),
      ask({ ...turn, turnId: "t3" }, () => {}, never),
    ];
    stop.abort(new Error("interrupted"));
    first.resolve();
    expect((await Promise.allSettled(turns)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(log).toEqual(["begins t1", "ends t1", "begins t3", "ends t3"]);
  });
});

test("after a turn that was given up the next one waits until its run has ended", async () => {
  const log: string[] = [];
  const ended = Promise.withResolvers<void>();
  const stop = new AbortController();
  const ask = agentAsker({
    logger: silentLogger,
    clock: systemClock(),
    activity: { idle: () => ended.promise },
    runtime: fakeRuntime({
      dispatch: async (params) => {
        const { ctxPayload, delivery } = params as unknown as Dispatched;
        log.push(ctxPayload.messageId);
        stop.abort(new Error("interrupted"));
        await delivery.deliver({ text: "Yes." }, { kind: "final" });
        return { dispatched: true, dispatchResult: {} };
      },
    }),
  });
  await expect(ask(turn, () => {}, stop.signal)).rejects.toThrow("interrupted");
  const next = ask({ ...turn, turnId: "t2" }, () => {}, never);
  log.push("the run ends");
  ended.resolve();
  await next;
  expect(log).toEqual(["t1", "the run ends", "t2"]);
});

describe("what the host's text model writes", () => {
  const request = { agentId: "main", purpose: "summary", system: "Sum up.", prompt: "Ann rang." };

  test("is asked for without naming an agent, which the host would refuse", async () => {
    let given: Record<string, unknown> = {};
    const complete = async (params: Record<string, unknown>) => {
      given = params;
      return { text: "Ann rang." };
    };
    expect(await completeText(fakeRuntime({ complete }), request, never)).toBe("Ann rang.");
    expect(given).toMatchObject({ systemPrompt: "Sum up.", messages: [{ role: "user", content: "Ann rang." }] });
    expect(given).not.toHaveProperty("agentId");
  });

  test.each([
    ["nothing", async () => ({ text: " " })],
    ["half of it", async () => ({ text: "Ann", stopReason: "error" })],
    ["an error", () => Promise.reject(new Error("no key"))],
  ])("is a failure when it is %s", async (_, complete) => {
    await expect(completeText(fakeRuntime({ complete }), request, never)).rejects.toThrow(HostError);
  });
});

describe("waking the agent", () => {
  const note = { text: "Ann rang.", key: "call_1" };

  test("leaves the note under its key, in the session, and asks for a look at it", async () => {
    const log: unknown[] = [];
    const system = {
      enqueueSystemEvent: (text: string, options: object) => log.push([text, options]) > 0,
      requestHeartbeat: (options: object) => log.push(options),
    };
    await wakeAgent(fakeRuntime({ system }), session, note);
    expect(log).toEqual([
      ["Ann rang.", { ...session, contextKey: "voice:call_1" }],
      expect.objectContaining({ ...session, intent: "event" }),
    ]);
  });

  test("fails when there is nothing to look at, or the host refuses", async () => {
    const system = {
      enqueueSystemEvent: () => {
        throw new Error("closed");
      },
    };
    await expect(wakeAgent(fakeRuntime({ system }), session, note)).rejects.toThrow(HostError);
    await expect(wakeAgent(fakeRuntime({ system }), session, { text: " ", key: "k" })).rejects.toThrow(/no words/);
  });
});

describe("warming up", () => {
  test("ends at the model's door", async () => {
    const run = Promise.withResolvers<boolean>();
    const runEmbeddedAgent = async (params: Record<string, unknown>) => {
      const signal = params["abortSignal"] as AbortSignal;
      const onPhase = params["onExecutionPhase"] as (info: { phase: string }) => void;
      onPhase({ phase: "runner_entered" });
      const early = signal.aborted;
      onPhase({ phase: "context_assembled" });
      run.resolve(!early && signal.aborted);
      throw new Error("aborted");
    };
    await warmAgent(fakeRuntime({ runEmbeddedAgent }), silentLogger);
    expect(await run.promise).toBe(true);
  });

  test("never rejects", async () => {
    const runEmbeddedAgent = () => Promise.reject(new Error("boom"));
    await expect(warmAgent(fakeRuntime({ runEmbeddedAgent }), silentLogger)).resolves.toBeUndefined();
  });
});
