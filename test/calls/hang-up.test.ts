import { EventEmitter } from "eventemitter3";
import { expect, test } from "vitest";
import { Conversation } from "../../src/calls/conversation.ts";
import { CallJournal } from "../../src/calls/journal.ts";
import { Ticker } from "../../src/calls/ticker.ts";
import type { MediaLeg } from "../../src/carriers/carrier.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import type { EngineEvents, EngineSession } from "../../src/engines/engine.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "./clock.ts";
import { CONVERSATION_ACCOUNT } from "./conversation-account.ts";

test("words that the model's side had not told when the caller hung up are in the transcript as they were heard", async () => {
  const clock = handClock();
  const store = memoryStore();
  await store.start();
  const over = new AbortController();
  const parts = { callId: "call_1", store, clock, logger: silentLogger, onDurable: () => {}, signal: over.signal };
  const journal = new CallJournal(parts);
  const events = new EventEmitter<EngineEvents>();
  const nothing = () => {};
  const session: EngineSession = {
    ...{ id: "sess_1", model: "m", pending: [], sendAudio: nothing, respond: nothing, say: nothing, hold: nothing },
    ...{ commitTurn: nothing, instruct: nothing, remember: nothing, stop: nothing, truncate: nothing },
    ...{ giveToolResult: nothing, update: nothing },
    on: (name, listener) => void events.on(name, listener as EventEmitter.EventListener<EngineEvents, typeof name>),
    close: () => {
      const text = "one two three four five six seven eight";
      events.emit("agentWords", { responseId: "r1", itemId: "i1", text, final: false });
    },
  };
  const leg: MediaLeg = {
    ...{ legId: "CA1", streamId: "MZ1", token: undefined, bufferedBytes: 0, sendAudio: nothing, mark: nothing },
    ...{ clear: nothing, listen: nothing, close: nothing, together: (sends) => sends() },
  };
  const written: TranscriptEntry[] = [];
  const conversation = new Conversation({
    ...{
      account: CONVERSATION_ACCOUNT,
      journal,
      clock,
      logger: silentLogger,
      ticker: new Ticker(clock),
      tools: () => [],
    },
    ...{ openers: [async () => session], onMediaClosed: nothing, onLeave: nothing },
    emit: (name, ...payload) => {
      if (name === "transcript") written.push(payload[0] as TranscriptEntry);
    },
  });
  await conversation.prepare();
  conversation.attach(leg, clock.now());
  events.emit("responseStarted", { responseId: "r1", cause: "greeting" });
  events.emit("audio", { responseId: "r1", itemId: "i1", audio: Buffer.alloc(16_000, 0x20) });
  clock.pass(1_000);
  conversation.close();
  expect(written).toMatchObject([{ speaker: "agent", text: "one two three four", cut: true }]);
  over.abort();
  await journal.flush();
  await store.stop();
  clock.pass(10_000);
  expect(clock.running).toBe(0);
});
