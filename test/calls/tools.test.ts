import { expect, test } from "vitest";
import { CallJournal } from "../../src/calls/journal.ts";
import { ToolBook } from "../../src/calls/tools/tool-book.ts";
import { RunningTools, runTool, type ToolContext, type VoiceTool } from "../../src/calls/tools.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Trust } from "../../src/core/events.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "./clock.ts";

interface Changes {
  readonly brokenStore?: boolean;
  readonly trust?: Trust;
  /** Further words of the tool. */
  readonly tool?: Partial<VoiceTool>;
}

async function bench(execute: VoiceTool["execute"], changes: Changes = {}) {
  const store = memoryStore();
  await store.start();
  const clock = handClock();
  const call = new AbortController();
  const append = async () => {
    throw new StoreError("The disk is full.");
  };
  const journal = new CallJournal({
    callId: "call_1",
    store: changes.brokenStore ? { ...store, append } : store,
    clock,
    logger: silentLogger,
    signal: call.signal,
    onDurable: () => {},
  });
  const tool: VoiceTool = {
    name: "look_up",
    description: "Looks up.",
    parameters: { type: "object" },
    execute,
    ...changes.tool,
  };
  const facts = () => ({
    id: "call_1",
    accountId: "default",
    caller: "+15550005678",
    trust: changes.trust ?? ("known" as const),
    transcript: [],
  });
  const run = (argumentsJson = "{}", name = "look_up") =>
    runTool(
      { toolCallId: "tool_1", name, argumentsJson },
      { tools: [tool], journal, clock, logger: silentLogger, signal: call.signal, facts, book: new ToolBook() },
    );
  const spoken: string[] = [];
  const progress = (words: string) => void spoken.push(words);
  const tools = new RunningTools({
    ...{ tools: () => [tool], journal, clock, logger: silentLogger, signal: call.signal, facts, progress },
  });
  const events = async () => {
    await journal.flush();
    return (await store.journal("call_1")).map(({ event }) => event);
  };
  return { run, events, clock, call, store, tools, spoken };
}

test("a tool runs after it was written down, with its arguments and what it may know", async () => {
  const seen: unknown[] = [];
  const { run, events, store } = await bench(async (args, { signal, ...context }) => {
    seen.push(
      args,
      context,
      (await store.journal("call_1")).map(({ event }) => event.type),
    );
    return "It is seven.";
  });
  expect(await run('{"what":"time"}')).toBe("It is seven.");
  expect(seen).toEqual([
    { what: "time" },
    { callId: "call_1", accountId: "default", caller: "+15550005678", trust: "known", transcript: [] },
    ["tool.called"],
  ]);
  expect((await events()).at(-1)).toMatchObject({ type: "tool.finished", toolCallId: "tool_1", ok: true });
});

test("what could not be written down is not done, and the model is told", async () => {
  let ran = false;
  const { run } = await bench(
    async () => {
      ran = true;
    },
    { brokenStore: true },
  );
  expect(JSON.parse(await run())).toEqual({ error: "The disk is full." });
  expect(ran).toBe(false);
});

test.each<[string, string | undefined, unknown]>([
  ["an object", '{"a":1}', { a: 1 }],
  ["nothing", "done", undefined],
  ["a number", "7", 7],
  ["null", "null", null],
])("a result that is %s becomes text", async (_what, text, result) => {
  const { run } = await bench(async () => result);
  expect(await run()).toBe(text);
});

test("no arguments are an empty object", async () => {
  const { run } = await bench(async (args) => args);
  expect(await run("")).toBe("{}");
});

test.each([
  ["a list", "[1]", "not an object"],
  ["null", "null", "not an object"],
  ["half a text", '{"a":', "JSON"],
])("arguments that are %s are told as an error and nothing runs", async (_what, args, words) => {
  let ran = false;
  const { run, events } = await bench(async () => {
    ran = true;
  });
  expect((JSON.parse(await run(args)) as { error: string }).error).toContain(words);
  expect(ran).toBe(false);
  expect((await events()).at(-1)).toMatchObject({ type: "tool.finished", ok: false });
});

test("a tool that does not exist is told as an error", async () => {
  const { run } = await bench(async () => "x");
  expect(JSON.parse(await run("{}", "launch"))).toEqual({ error: 'There is no tool "launch" on this call.' });
});

test("a tool that fails is told as an error, whether it throws or rejects", async () => {
  const { run } = await bench(() => {
    throw new Error("No such file.");
  });
  expect(JSON.parse(await run())).toEqual({ error: "No such file." });
  const other = await bench(() => Promise.reject("just words"));
  expect(JSON.parse(await other.run())).toEqual({ error: "just words" });
});

/** A tool that runs until it is told to stop, or longer. */
function endless() {
  const started = Promise.withResolvers<ToolContext>();
  return {
    started: started.promise,
    execute: (_args: unknown, context: ToolContext) => {
      started.resolve(context);
      return new Promise<never>(() => {});
    },
  };
}

test("a tool that takes a minute is given up and told so; it learns of it, and no timer is left", async () => {
  const { started, execute } = endless();
  const { run, clock, events } = await bench(execute);
  const output = run();
  const { signal } = await started;
  clock.pass(59_999);
  expect(signal.aborted).toBe(false);
  clock.pass(1);
  expect(JSON.parse(await output)).toEqual({ error: "The tool took longer than 60 s." });
  expect(signal.aborted).toBe(true);
  expect((await events()).at(-1)).toMatchObject({ type: "tool.finished", ok: false, durationMs: 60_000 });
  clock.pass(50);
  expect(clock.running).toBe(0);
});

test("the end of the call ends the tool", async () => {
  const { started, execute } = endless();
  const { run, call, clock } = await bench(execute);
  const output = run();
  const { signal } = await started;
  call.abort(new Error("The call is over."));
  expect(JSON.parse(await output)).toEqual({ error: "The call is over." });
  expect(signal.aborted).toBe(true);
  clock.pass(50);
  expect(clock.running).toBe(0);
});

test("a result that is too long to be read aloud is cut, and says so", async () => {
  const { run } = await bench(async () => "a".repeat(8_001));
  expect(await run()).toBe(`${"a".repeat(8_000)} … (cut)`);
  const fits = await bench(async () => "a".repeat(8_000));
  expect(await fits.run()).toBe("a".repeat(8_000));
});

const asked = (toolCallId: string, argumentsJson = "{}", name = "look_up") => ({ toolCallId, name, argumentsJson });

test.each<[Trust, Trust | undefined, boolean]>([
  ["stranger", undefined, false],
  ["stranger", "stranger", true],
  ["known", undefined, true],
  ["known", "owner", false],
  ["owner", "owner", true],
])("case 34: a %s calls a tool that is for %s: it runs: %s", async (trust, needs, runs) => {
  let ran = false;
  const execute = async () => {
    ran = true;
    return "It is seven.";
  };
  const { run, events } = await bench(execute, { trust, ...(needs && { tool: { trust: needs } }) });
  const output = await run();
  expect(ran).toBe(runs);
  if (!runs) expect(JSON.parse(output)).toEqual({ error: 'There is no tool "look_up" on this call.' });
  expect(await events()).toMatchObject([{ type: "tool.called" }, { type: "tool.finished", ok: runs }]);
});

test("a tool runs as often on one call as it may, and the model is told why no more", async () => {
  let ran = 0;
  const { tools, events } = await bench(async () => ++ran, { tool: { maxCalls: 2 } });
  for (const id of ["a", "b", "c"]) await tools.run(asked(id, `{"for":"${id}"}`));
  expect(ran).toBe(2);
  expect(JSON.parse(await tools.run(asked("c")))).toEqual({
    error: "look_up has run 2 times on this call, which is as often as it may.",
  });
  expect((await events()).flatMap((event) => (event.type === "tool.finished" ? event.ok : []))).toEqual([
    true,
    true,
    false,
  ]);
});

test("the same tool call told twice runs once, and both are told what came of it", async () => {
  let ran = 0;
  const { tools, events } = await bench(async () => `Run ${++ran}.`);
  const [first, second] = await Promise.all([tools.run(asked("a")), tools.run(asked("a"))]);
  expect([first, second, await tools.run(asked("a"))]).toEqual(["Run 1.", "Run 1.", "Run 1."]);
  expect((await events()).map(({ type }) => type)).toEqual(["tool.called", "tool.finished"]);
});

test.each([
  ["once, as it may do more the second time", false, 1],
  ["twice, as it says that this does no harm", true, 2],
])("what is asked for twice at once is done %s", async (_what, idempotent, runs) => {
  const done = Promise.withResolvers<string>();
  const began = Promise.withResolvers<void>();
  let ran = 0;
  const { tools, events } = await bench(
    () => {
      if (++ran === runs) began.resolve();
      return done.promise;
    },
    { tool: { idempotent } },
  );
  const both = Promise.all([tools.run(asked("a", '{"to":"Ann"}')), tools.run(asked("b", '{"to":"Ann"}'))]);
  await began.promise;
  done.resolve("Sent.");
  expect(await both).toEqual(["Sent.", "Sent."]);
  expect(ran).toBe(runs);
  expect(await events()).toMatchObject([
    { type: "tool.called", toolCallId: "a" },
    { type: "tool.called", toolCallId: "b" },
    { type: "tool.finished", ok: true },
    { type: "tool.finished", ok: true },
  ]);
  await tools.run(asked("c", '{"to":"Ann"}'));
  expect(ran).toBe(runs + 1);
});

test("arguments that are secret reach the tool and are written nowhere", async () => {
  const { run, events } = await bench(async ({ code }) => `${String(code).length} digits`, {
    tool: { secretArguments: ["code"] },
  });
  expect(await run('{"code":"123456","who":"Ann"}')).toBe("6 digits");
  const written = JSON.stringify(await events());
  expect(written).toContain("Ann");
  expect(written).not.toContain("123456");
});

test("secret arguments are written nowhere also when the tool is not for this caller", async () => {
  const tool = { secretArguments: ["code"], trust: "owner" as const };
  const { run, events } = await bench(async () => "", { tool });
  await run('{"code":"123456"}');
  expect(JSON.stringify(await events())).not.toContain("123456");
});

test("a tool's own limit of time holds, and no limit is above a minute", async () => {
  for (const [timeoutMs, holdsMs] of [
    [2_000, 2_000],
    [300_000, 60_000],
  ] as const) {
    const { started, execute } = endless();
    const { run, clock } = await bench(execute, { tool: { timeoutMs } });
    const output = run();
    const { signal } = await started;
    clock.pass(holdsMs - 1);
    expect(signal.aborted).toBe(false);
    clock.pass(1);
    expect(JSON.parse(await output)).toEqual({ error: `The tool took longer than ${holdsMs / 1000} s.` });
  }
});

test("what a tool is doing is said in few words, once in 4 s, and not after it is over", async () => {
  const { started, execute } = endless();
  const { tools, clock, spoken } = await bench(execute);
  const output = tools.run(asked("a"));
  const { progress } = await started;
  progress?.("I am reading\nyour calendar.");
  progress?.("Still reading.");
  clock.pass(3_999);
  progress?.("Still reading.");
  clock.pass(1);
  progress?.("  ");
  progress?.("a".repeat(500));
  expect(spoken).toEqual(["I am reading your calendar.", `${"a".repeat(119)}…`]);
  tools.abort();
  expect(JSON.parse(await output)).toEqual({ error: "The tool took too long." });
  clock.pass(10_000);
  progress?.("Too late.");
  expect(spoken).toHaveLength(2);
});
