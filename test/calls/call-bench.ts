import { CallJournal, type Unstamped } from "../../src/calls/journal.ts";
import { RunningTools, type ToolContext, type VoiceTool } from "../../src/calls/tools.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { CallEvent, Trust } from "../../src/core/events.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";

export const CALLER = "+15550005678";

/** A call that was answered, in a store of its own: its journal, and what a tool is told of it. */
export async function answeredCall({
  clock,
  trust = "known",
  said = [],
  callId = "call_1",
  store = memoryStore(),
  route = {},
}: {
  readonly clock: Clock;
  readonly trust?: Trust;
  /** Turns, `caller: …` or `agent: …`. */
  readonly said?: readonly string[];
  readonly callId?: string;
  readonly store?: ReturnType<typeof memoryStore>;
  readonly route?: { readonly principal?: string };
}) {
  await store.start();
  const over = new AbortController();
  const parts = { callId, store, clock, logger: silentLogger, signal: over.signal, onDurable: () => {} };
  const journal = new CallJournal(parts);
  const line = { direction: "inbound", from: CALLER, to: "+15550001234", transport: "media-stream" } as const;
  const events: Unstamped[] = [
    { type: "call.created", callId, accountId: "default", ...line },
    { type: "caller.routed", agentId: "main", sessionKey: "s", trust, ...route },
    { type: "leg.answered" },
    ...said.map((turn, at): Unstamped => ({ type: "transcript.added", entry: entry(turn, at) })),
  ];
  await journal.write(...events);
  const context: ToolContext = {
    callId,
    accountId: "default",
    caller: CALLER,
    trust,
    transcript: journal.call.transcript,
    signal: over.signal,
  };
  const written = async <Type extends CallEvent["type"]>(...types: readonly Type[]) => {
    await journal.flush();
    const entries = await store.journal(callId);
    return entries.flatMap(({ event: { atMs: _, ...event } }) => (types.includes(event.type as Type) ? [event] : []));
  };
  const toolParts = { journal, clock, logger: silentLogger, signal: over.signal };
  /** Uses a tool as the model does, within all that limits tools. */
  const use = (tool: VoiceTool | undefined) => {
    const facts = () => ({ ...journal.call, caller: CALLER });
    const running = new RunningTools({ ...toolParts, facts, tools: () => (tool ? [tool] : []) });
    let used = 0;
    return (args: Record<string, unknown>) =>
      running.run({ toolCallId: `tool_${++used}`, name: tool?.name ?? "none", argumentsJson: JSON.stringify(args) });
  };
  return { journal, context, over, store, written, use };
}

function entry(turn: string, at: number): TranscriptEntry {
  const [, speaker, text = ""] = /^(caller|agent): (.*)$/s.exec(turn) ?? [];
  return { id: `e${at}`, speaker: speaker as "caller" | "agent", text, startMs: at * 1_000, heardMs: 500, cut: false };
}
