import { describe, expect, test } from "vitest";
import type { Account } from "../../src/calls/account.ts";
import type { Conversation } from "../../src/calls/conversation.ts";
import type { CallParts } from "../../src/calls/desk.ts";
import { Finaliser } from "../../src/calls/finalise.ts";
import { JournalFeed } from "../../src/calls/journal-feed.ts";
import { LiveCalls } from "../../src/calls/live-calls.ts";
import { placeCall } from "../../src/calls/outbound.ts";
import { StreamTokens } from "../../src/calls/stream-tokens.ts";
import { StoreError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { CALLER } from "./call-bench.ts";
import { handClock } from "./clock.ts";

async function bench() {
  const store = memoryStore();
  await store.start();
  const clock = handClock();
  const calls = new LiveCalls();
  const logger = silentLogger;
  const route = { agentId: "main", sessionKey: "agent:main:direct:ann" };
  const identify = async () => ({ route, admission: { allowed: true, reason: "outbound", trust: "known" as const } });
  const parts: CallParts = {
    store,
    clock,
    logger,
    calls,
    feed: new JournalFeed(),
    observe: () => {},
    tokens: new StreamTokens(clock),
    finaliser: new Finaliser({ calls, clock, logger, onEnded: () => {}, onMediaLost: async () => {} }),
    emit: () => {},
    stopping: new AbortController().signal,
    identifyCaller: identify,
    identifyCallee: identify,
    converse: () => ({}) as Conversation, // it is not answered here
  };
  const dialled: string[] = [];
  const carrier = { dial: async ({ to }: { to: string }) => `leg_${dialled.push(to)}` };
  const limits = { maxCallSeconds: 60, maxConcurrentCalls: 10, placementsPerMinute: 5 };
  const account = { id: "default", numbers: ["+15550001234"], carrier, limits } as unknown as Account;
  return { parts, account, store, dialled };
}

describe("a call that goes on with a conversation", () => {
  test("is stored with that session before anything is dialled", async () => {
    const { parts, account, store, dialled } = await bench();
    const { callId } = await placeCall(parts, account, { to: CALLER, continues: "agent:main:direct:ann" });
    const [created, , dialling] = await store.journal(callId);
    expect(created?.event).toMatchObject({ type: "call.created", continues: "agent:main:direct:ann" });
    expect(dialling?.event.type).toBe("leg.dialling");
    expect((await store.call(callId))?.continues).toBe("agent:main:direct:ann");
    expect(dialled).toEqual([CALLER]);
  });

  test("is any other call where no session is named", async () => {
    const { parts, account, store } = await bench();
    const { callId } = await placeCall(parts, account, { to: CALLER });
    expect(await store.call(callId)).not.toHaveProperty("continues");
  });

  test.each([" ", "x".repeat(501)])("is refused with what is no key of a session", async (continues) => {
    const { parts, account, store, dialled } = await bench();
    await expect(placeCall(parts, account, { to: CALLER, continues })).rejects.toThrow(/^continues: /);
    expect([dialled, (await store.calls()).calls]).toEqual([[], []]);
  });
});

test("case 24: a disk that fails once dials nothing, holds no line, and is in the way of no later call", async () => {
  const { parts, account, store, dialled } = await bench();
  const one = { ...account, limits: { ...account.limits, maxConcurrentCalls: 1 } };
  let broken = true;
  const append: Store["append"] = (...order) =>
    broken ? Promise.reject(new StoreError("The disk is full.")) : store.append(...order);
  const faulty = { ...parts, store: { ...store, append } };
  await expect(placeCall(faulty, one, { to: CALLER })).rejects.toThrow(StoreError);
  expect([dialled, parts.calls.size]).toEqual([[], 0]);
  broken = false;
  expect(await placeCall(faulty, one, { to: CALLER })).toMatchObject({ to: CALLER, state: "dialing" });
  expect(dialled).toEqual([CALLER]);
});
