import { CallJournal } from "../../src/calls/journal.ts";
import { KeyCollector } from "../../src/calls/key-collector.ts";
import { OwnerCheck, type OwnerCheckParts } from "../../src/calls/owner-code.ts";
import { RunningTools } from "../../src/calls/tools.ts";
import { callerNumber } from "../../src/core/call.ts";
import { bareHost } from "../../src/hosts/bare.ts";
import type { ChannelAddress, Logger, OutgoingMessage } from "../../src/hosts/host.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { type HandClock, handClock } from "./clock.ts";

export const OWNER: ChannelAddress = { channel: "telegram", to: "555" };
export const ANN = "+15550005678";

export interface BenchOptions {
  readonly store?: Store;
  readonly clock?: HandClock;
  readonly change?: Partial<OwnerCheckParts>;
}

/** An owner with a chat, and phones that ring; time stands still. */
export async function openBench(options: BenchOptions = {}) {
  const clock = options.clock ?? handClock();
  const store = options.store ?? memoryStore();
  await store.start();
  const sent: { readonly address: ChannelAddress; readonly message: OutgoingMessage }[] = [];
  const lines: string[] = [];
  const log = (message: string, fields?: unknown) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const host: OwnerCheckParts["host"] = {
    capabilities: { ...bareHost.capabilities, send: true },
    async send(address, message) {
      sent.push({ address, message });
      return {};
    },
  };
  let calls = 0;

  /** A call that is answered, of somebody who is nobody yet. */
  async function ring({ from = ANN, ...change }: Partial<OwnerCheckParts> & { from?: string } = {}) {
    calls += 1;
    const callId = `call_${calls}`;
    const over = new AbortController();
    const journal = new CallJournal({ callId, store, clock, logger, signal: over.signal, onDurable: () => {} });
    await journal.write(
      {
        type: "call.created",
        callId,
        accountId: "default",
        direction: "inbound",
        from,
        to: "+15550001234",
        transport: "media-stream",
      },
      { type: "caller.routed", agentId: "main", sessionKey: "session", trust: "stranger" },
    );
    const told: string[] = [];
    const listeners: ((text: string) => void)[] = [];
    /** Who the caller was each time that somebody was told of a change. */
    const raisedTo: string[] = [];
    const keys = new KeyCollector({ clock, onEntry: ({ digits }) => void told.push(`plain ${digits}`) });
    const check = new OwnerCheck({
      account: { id: "default", owner: OWNER },
      host,
      store,
      journal,
      clock,
      logger,
      collectKeys: (request) => keys.collect(request),
      tell(text) {
        told.push(text);
        for (const listener of listeners.splice(0)) listener(text);
      },
      onRaised: () => void raisedTo.push(journal.call.trust),
      ...options.change,
      ...change,
    });
    const tools = new RunningTools({
      tools: () => check.tools(),
      journal,
      clock,
      logger,
      signal: over.signal,
      facts: () => ({ ...journal.call, caller: callerNumber(journal.call) }),
    });
    let runs = 0;
    return {
      callId,
      check,
      keys,
      told,
      raisedTo,
      journal,
      signal: over,
      trust: () => journal.call.trust,
      nextTold: () => new Promise<string>((resolve) => void listeners.push(resolve)),
      /** The model calls a tool, as the conversation runs it. */
      use(name: string, args: object = {}) {
        runs += 1;
        return tools.run({ toolCallId: `tool_${runs}`, name, argumentsJson: JSON.stringify(args) });
      },
      /** Presses keys, and says how each may be written down. */
      press: (digits: string) =>
        [...digits]
          .map((digit) => {
            const shown = keys.shown(digit);
            keys.pressed(digit);
            return shown;
          })
          .join(""),
      events: async () => {
        await journal.flush();
        return (await store.journal(callId)).map(({ event }) => event);
      },
    };
  }

  return {
    clock,
    store,
    sent,
    lines,
    ring,
    /** The code that the owner was sent last. */
    code: () => /\b[0-9]{6}\b/.exec(sent.at(-1)?.message.text.replaceAll(/\+[0-9]+/g, "") ?? "")?.[0] ?? "none",
  };
}

/** Six digits that are not these. */
export const other = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, "0");
