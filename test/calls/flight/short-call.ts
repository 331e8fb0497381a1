import { EventEmitter } from "eventemitter3";
import type { ConversationParts } from "../../../src/calls/conversation-parts.ts";
import { TappedConversation } from "../../../src/calls/flight/conversation.ts";
import { beginningOf, type Flight } from "../../../src/calls/flight/file.ts";
import { headerOf } from "../../../src/calls/flight/header.ts";
import { payloadsOf, readItems } from "../../../src/calls/flight/items.ts";
import { Recorder } from "../../../src/calls/flight/recorder.ts";
import { CallJournal } from "../../../src/calls/journal.ts";
import { Ticker } from "../../../src/calls/ticker.ts";
import type { VoiceTool } from "../../../src/calls/tools.ts";
import type { MediaLeg, MediaListener } from "../../../src/carriers/carrier.ts";
import { EngineRefusedError, EngineUnreachableError } from "../../../src/core/errors.ts";
import type { EngineEvents, EngineSession, PendingResponse, ResponseOrder } from "../../../src/engines/engine.ts";
import { silentLogger } from "../../../src/logger.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { handClock } from "../clock.ts";

export const CALLER = "+15550005678";
export const SECRET_WORDS = "my card is four two four two";

/** One thing that happens on a short call. */
export type Event =
  | { readonly do: "frames"; readonly count: number; readonly loud: boolean }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "speech"; readonly words: string; readonly written: boolean }
  | { readonly do: "answer"; readonly words: string; readonly bytes: number }
  | { readonly do: "tool"; readonly name: string; readonly argumentsJson: string }
  | { readonly do: "key"; readonly digit: string }
  | { readonly do: "say" | "instruct"; readonly text: string }
  | { readonly do: "send-keys"; readonly digits: string }
  | { readonly do: "collect" | "marks" | "leave" | "update" | "last-words" | "stall" | "strange" }
  | { readonly do: "lose"; readonly refused: boolean };

const LOUD_FRAME = Buffer.from(
  Buffer.from(Array.from({ length: 160 }, (_, i) => (i % 50 < 25 ? 0x10 : 0x90))).toString("base64"),
);
const QUIET_FRAME = Buffer.from(Buffer.alloc(160, 0xff).toString("base64"));

/** A model that does what it is told to tell. */
class ToldSession implements EngineSession {
  readonly id: string;
  readonly model = "gpt-realtime-2.1";
  readonly orders: ResponseOrder[] = [];
  readonly #events = new EventEmitter<EngineEvents>();

  constructor(id: string) {
    this.id = id;
  }

  get pending(): readonly PendingResponse[] {
    return this.orders.map((order) => ({ order }));
  }

  on<Name extends keyof EngineEvents>(name: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(name, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }

  tell<Name extends keyof EngineEvents>(name: Name, ...payload: EngineEvents[Name]): void {
    this.#events.emit(name, ...(payload as EventEmitter.EventArgs<EngineEvents, Name>));
  }

  sendAudio(): void {}
  respond(order: ResponseOrder): void {
    this.orders.push(order);
  }
  hold(): void {}
  commitTurn(): void {}
  instruct(): void {}
  remember(): void {}
  say(): void {}
  stop(): void {
    this.orders.length = 0;
  }
  truncate(): void {}
  giveToolResult(): void {}
  update(): void {}
  close(): void {
    this.tell("closed", { reason: "asked for" });
  }
}

const tools: VoiceTool[] = [
  { name: "add", description: "", parameters: {}, trust: "stranger", execute: async (args) => ({ got: args }) },
  {
    name: "slow",
    description: "",
    parameters: {},
    trust: "stranger",
    execute: async (_args, { progress, signal }) => {
      progress?.("I am looking.");
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  },
  {
    name: "fail",
    description: "",
    parameters: {},
    trust: "stranger",
    execute: async () => Promise.reject(new Error('the "shelf" is empty')),
  },
];

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Holds a call over sides that are stood in for, and gives its record. `killed`: nobody ends it. */
export async function shortCall(
  events: readonly Event[],
  { turns = "ours", killed = false }: { readonly turns?: "ours" | "server"; readonly killed?: boolean } = {},
): Promise<{ flight: Flight; bytes: Buffer }> {
  const clock = handClock();
  const store = memoryStore();
  await store.start();
  const over = new AbortController();
  const journalParts = { callId: "call_1", store, clock, logger: silentLogger, signal: over.signal };
  const journal = new CallJournal({ ...journalParts, onDurable: () => {} });
  await journal.write(
    {
      type: "call.created",
      callId: "call_1",
      accountId: "default",
      direction: "inbound",
      from: CALLER,
      to: "+15550001234",
      transport: "media-stream",
    },
    { type: "leg.answered" },
  );
  const sessions: ToldSession[] = [];
  let refuses = false;
  const listeners: MediaListener[] = [];
  const marks: string[] = [];
  let buffered = 0;
  const leg: MediaLeg = {
    legId: "leg",
    streamId: "stream",
    token: undefined,
    get bufferedBytes() {
      return buffered;
    },
    sendAudio: () => {},
    mark: (name) => void marks.push(name),
    clear: () => {},
    together: (sends) => sends(),
    listen: (listener) => {
      listeners.push(listener);
      listener.audio(QUIET_FRAME); // it had come before
    },
    close: () => {},
  };
  const parts: ConversationParts = {
    account: {
      persona: { name: "Nia", instructions: "", greeting: "Hello, this is Nia.", language: "en" },
      turns,
      bargeIn: { minSpeechMs: 60 },
      limits: {
        maxCallSeconds: 600,
        maxConcurrentCalls: 1,
        placementsPerMinute: 1,
        idlePromptSeconds: 15,
        idleEndSeconds: 15,
      },
    },
    journal,
    tools: () => tools,
    clock,
    ticker: new Ticker(clock),
    logger: silentLogger,
    emit: () => {},
    openers: [
      async () => {
        if (refuses) throw new EngineUnreachableError("The model does not answer.");
        const session = new ToldSession(`sess_${sessions.length}`);
        sessions.push(session);
        return session;
      },
    ],
    onMediaClosed: () => {},
    onLeave: () => {},
  };
  const blocks: Buffer[] = [];
  const sink = { write: (block: Buffer) => void blocks.push(block), end: () => {} };
  const recorder = new Recorder({ clock, sink });
  const header = headerOf(parts, "1", recorder.now(), (id) => recorder.learn(id));
  const talk = new TappedConversation(parts, recorder, "secret");
  await talk.prepare();
  talk.attach(leg, clock.now());
  await turn();

  let count = 0;
  const phone = () => listeners[0] as MediaListener;
  const model = () => sessions.at(-1) as ToldSession;
  const happen = async (event: Event): Promise<void> => {
    count += 1;
    const itemId = `item_${count}`;
    const responseId = `resp_${count}`;
    switch (event.do) {
      case "frames":
        for (let i = 0; i < event.count; i++) {
          clock.pass(20);
          phone().audio(event.loud ? LOUD_FRAME : QUIET_FRAME);
        }
        return;
      case "pass":
        clock.pass(event.ms);
        return;
      case "speech":
        model().tell("speechStarted", { itemId, atInputMs: 100 * count });
        clock.pass(60);
        model().tell("speechStopped", { itemId, atInputMs: 100 * count + 50 });
        model().tell("turnCommitted", { itemId });
        if (event.written) model().tell("callerWords", { itemId, text: event.words, final: true });
        else model().tell("callerWordsFailed", { itemId });
        return;
      case "answer": {
        const order = model().orders.shift();
        model().tell("responseStarted", { responseId, cause: order?.cause ?? "engine" });
        model().tell("audio", { responseId, itemId, audio: Buffer.alloc(event.bytes, 0x10) });
        model().tell("agentWords", { responseId, itemId, text: event.words.slice(0, 5), final: false });
        model().tell("agentWords", { responseId, itemId, text: event.words, final: true });
        model().tell("audioDone", { responseId, itemId });
        model().tell("responseEnded", { responseId, status: "completed" });
        return;
      }
      case "tool":
        model().tell("toolCalled", { toolCallId: itemId, name: event.name, argumentsJson: event.argumentsJson });
        return;
      case "key":
        phone().dtmf(event.digit);
        return;
      case "say":
        talk.say(event.text);
        return;
      case "instruct":
        talk.instruct(event.text, true);
        return;
      case "send-keys":
        talk.sendDigits(event.digits);
        return;
      case "collect":
        void talk.collectKeys({ maxDigits: 3, terminator: "0", secret: true });
        return;
      case "marks":
        for (const name of marks.splice(0)) phone().marked(name);
        return;
      case "leave":
        talk.leave();
        return;
      case "update":
        talk.update({ instructions: SECRET_WORDS, tools: [] });
        return;
      case "last-words":
        void talk.lastWords(300);
        return;
      case "stall":
        buffered = buffered === 0 ? 300_000 : 0;
        return;
      case "strange":
        phone().unrecognised(SECRET_WORDS);
        return;
      case "lose":
        refuses = event.refused;
        model().tell("closed", {
          reason: "it broke",
          error: event.refused
            ? new EngineRefusedError("no_budget", "no budget", "Pay.")
            : new EngineUnreachableError("It broke."),
        });
    }
  };
  for (const event of events) {
    await happen(event);
    await turn();
  }
  if (!killed) {
    phone().closed("stopped");
    talk.close();
    await turn();
    await turn();
  } else clock.pass(2_100);
  over.abort();
  const bytes = Buffer.concat([beginningOf(header), ...blocks]);
  const items = [...payloadsOf(Buffer.concat(blocks))].flatMap(readItems);
  return { flight: { header, items }, bytes };
}
