import fc from "fast-check";
import { expect, test } from "vitest";
import { Consults } from "../../../src/calls/consult.ts";
import { CallWatch, STEPS } from "../../../src/calls/health/call-watch.ts";
import { apply, type Call, isSettled, newCall } from "../../../src/core/call.ts";
import { AFTERWARDS, type CallEvent } from "../../../src/core/events.ts";
import { standaloneHost } from "../../../src/hosts/standalone.ts";
import { silentLogger } from "../../../src/logger.ts";
import { journals } from "../../../src/testing/journals.ts";
import { created as createdCall } from "../../../src/testing/store-events.ts";
import { handClock } from "../clock.ts";

/** Shows a journal to a watch, entry by entry, as it becomes durable. */
function show(watch: CallWatch, events: readonly CallEvent[], from: Call = newCall()) {
  let call = from;
  const observed = events.map((event, index) => {
    call = apply(call, event);
    return watch.observe({ seq: index + 1, event }, call);
  });
  return { call, observed };
}

const created: CallEvent = { ...createdCall("call_1"), atMs: 1_000 };
const speech = (what: "started" | "stopped", speaker: "caller" | "agent", atMs: number): CallEvent => ({
  type: `speech.${what}`,
  speaker,
  atMs,
});
const nobody = () => false;

test("every call that ends has ended once, whatever comes later", () => {
  fc.assert(
    fc.property(fc.array(journals(), { maxLength: 4 }), (all) => {
      const watch = new CallWatch();
      const ids = new Set<string>();
      for (const events of all) {
        const id = (events[0] as { callId: string }).callId;
        if (ids.has(id)) continue;
        ids.add(id);
        const { call, observed } = show(watch, events);
        expect(observed.filter(({ hasEnded }) => hasEnded)).toHaveLength(call.state === "ended" ? 1 : 0);
      }
    }),
  );
});

test("a call is open until it ends or is released, and nobody's after a while when nobody owns it", () => {
  fc.assert(
    fc.property(journals({ callId: "call_1" }), (events) => {
      const watch = new CallWatch();
      const { call } = show(watch, events);
      const nowMs = Math.max(...events.map(({ atMs }) => atMs)) + 30_000;
      const lastOfLife = events.at(-1)?.type;
      const isOpen = call.state !== "ended" && lastOfLife !== "call.released";
      expect(watch.orphans(nobody, nowMs)).toEqual(isOpen ? ["call_1"] : []);
      expect(watch.orphans(() => true, nowMs)).toEqual([]);
      expect(watch.orphans(nobody, (events.at(-1)?.atMs ?? 0) + 29_999)).toEqual([]);
    }),
  );
});

test("what waits after calls is what their folded journals say", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(journals(), { selector: ([first]) => (first as { callId: string }).callId, maxLength: 4 }),
      (all) => {
        const watch = new CallWatch();
        const ended = all.map((events) => show(watch, events).call).filter(({ state }) => state === "ended");
        const waiting = watch.waiting();
        expect(waiting.record).toBe(ended.filter(({ recorded }) => !recorded).length);
        expect(waiting.note).toBe(ended.filter(({ noted }) => !noted).length);
        for (const step of AFTERWARDS)
          expect(waiting[step]).toBe(ended.filter(({ afterwards }) => !afterwards.includes(step)).length);
        expect(STEPS.every((step) => waiting[step] === 0)).toBe(ended.every(isSettled));
      },
    ),
  );
});

test("the agent's first sound counts from the end of the caller's turn, once a turn", () => {
  const { observed } = show(new CallWatch(), [
    created,
    speech("started", "agent", 2_000), // the greeting answers nobody
    speech("stopped", "agent", 3_000),
    speech("started", "caller", 4_000),
    speech("stopped", "caller", 5_000),
    speech("started", "caller", 5_100), // went on speaking
    speech("stopped", "caller", 6_000),
    speech("started", "agent", 6_700),
    speech("started", "agent", 7_000),
  ]);
  expect(observed.flatMap(({ latency }) => latency ?? [])).toEqual([{ part: "first_audio", ms: 700 }]);
});

test("a question to the agent is told from other tools, by the name that the model knows", () => {
  const consults = new Consults({
    host: standaloneHost({ logger: silentLogger }),
    clock: handClock(),
    callId: "call_1",
    timeoutMs: 1,
    isOver: () => true,
    stopped: new AbortController().signal,
    onLate: () => false,
  });
  const { name } = consults.tool(() => ({ agentId: "main", sessionKey: "s" }));
  const { observed } = show(new CallWatch(), [
    created,
    { type: "tool.called", atMs: 2_000, toolCallId: "1", name, argumentsJson: "{}" },
    { type: "tool.called", atMs: 2_000, toolCallId: "2", name: "end_call", argumentsJson: "{}" },
    { type: "tool.finished", atMs: 2_500, toolCallId: "2", ok: true, durationMs: 3 },
    { type: "tool.finished", atMs: 4_000, toolCallId: "1", ok: true, durationMs: 1_998 },
    { type: "tool.finished", atMs: 4_000, toolCallId: "unknown", ok: false, durationMs: 0 },
  ]);
  expect(observed.flatMap(({ latency }) => latency ?? [])).toEqual([
    { part: "tool", ms: 3 },
    { part: "consult", ms: 1_998 },
  ]);
});
