import { expect, test } from "vitest";
import { CallJournal } from "../../src/calls/journal.ts";
import { runTool, type ToolContext, type VoiceTool } from "../../src/calls/tools.ts";
import { StoreError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "./clock.ts";

async function bench(execute: VoiceTool["execute"], changes: { brokenStore?: boolean } = {}) {
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
  const tool: VoiceTool = { name: "look_up", description: "Looks up.", parameters: { type: "object" }, execute };
  const facts = () => ({
    id: "call_1",
    accountId: "default",
    caller: "+15550005678",
    trust: "known" as const,
    transcript: [],
  });
  const run = (argumentsJson = "{}", name = "look_up") =>
    runTool(
      { toolCallId: "tool_1", name, argumentsJson },
      { tools: [tool], journal, clock, logger: silentLogger, signal: call.signal, facts },
    );
  const events = async () => {
    await journal.flush();
    return (await store.journal("call_1")).map(({ event }) => event);
  };
  return { run, events, clock, call, store };
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
