import { MULAW_SILENCE, mulawMs } from "../../audio/g711.ts";
import type { MediaLeg, MediaListener } from "../../carriers/carrier.ts";
import { type Call, newCall } from "../../core/call.ts";
import type { TranscriptEntry } from "../../core/transcript.ts";
import type { EngineEvents, EngineSession } from "../../engines/engine.ts";
import type { Clip, ClipName } from "../clips.ts";
import type { Conversation } from "../conversation.ts";
import type { CallSound, ConversationParts } from "../conversation-parts.ts";
import type { VoiceTool } from "../tools.ts";
import type { FlightHeader } from "./header.ts";
import { errorLike } from "./redact.ts";
import type { SeenCall, SeenTool } from "./sides.ts";
import { StillSession } from "./still-session.ts";
import type { Field, Input } from "./tap.ts";

type Feed = (...fields: never[]) => void;
type Settle = PromiseWithResolvers<never>;

const LOUD = 0x00;

/** Everything around a conversation that is replayed: it does nothing, and says what was recorded when it is told to. */
export class Scene {
  readonly parts: ConversationParts;
  /** What is seen of things outside, by name. */
  readonly seen = new Map<string, string>();
  conversation: Conversation | undefined;
  readonly #header: FlightHeader;
  readonly #timers: { action: () => void; once: boolean }[] = [];
  readonly #beats = new Set<(nowMs: number) => void>();
  readonly #openings = new Waiters();
  readonly #writes = new Waiters();
  readonly #tools = new Waiters();
  readonly #asked = new Waiters();
  readonly #sessions: StillSession[] = [];
  readonly #progress: (((words: string) => void) | undefined)[] = [];
  readonly #agentWords: ((words: string) => void)[] = [];
  #listener: MediaListener | undefined;
  #prelude: Parameters<CallSound["opening"]>[0] | undefined;
  #beforeMs = 0;
  #call: { readonly json: string; readonly call: Call } | undefined;

  constructor(header: FlightHeader) {
    this.#header = header;
    this.parts = this.#makeParts(header);
  }

  beat(nowMs: number): void {
    for (const listener of this.#beats) listener(nowMs);
  }

  /** A frame of the caller with so many bytes of sound. */
  frame(bytes: number, audible: boolean): void {
    const base64 = Buffer.from(Buffer.alloc(bytes, audible ? LOUD : MULAW_SILENCE).toString("base64"), "latin1");
    this.#phone.audio(base64);
  }

  /** `beforeMs` is when something came in before. @throws Error it cannot come in: nobody waits for it, or knows it */
  feed([kind, ...fields]: Input, beforeMs: number): void {
    const feeds: Readonly<Record<string, Feed>> = this.#feeds;
    const feed = feeds[kind];
    if (!feed) throw new Error(`nothing of the kind "${kind}" is known`);
    this.#beforeMs = beforeMs;
    feed(...(fields as never[]));
  }

  get #phone(): MediaListener {
    if (!this.#listener) throw new Error("nobody listens to the phone");
    return this.#listener;
  }

  get #talk(): Conversation {
    return this.conversation as Conversation;
  }

  readonly #feeds = {
    marked: (name: string) => this.#phone.marked(name),
    key: (digit: string) => this.#phone.dtmf(digit),
    "not-understood": (length: number) => this.#phone.unrecognised("x".repeat(length)),
    media: (how: "stopped" | "lost") => this.#phone.closed(how),
    timer: (id: number) => this.#fire(id),
    written: (id: number) => this.#writes.resolve(id, undefined),
    "not-written": (id: number, error: Field) => this.#writes.reject(id, errorLike(error)),
    "tool-done": (id: number, length: number, unreadable: boolean) =>
      this.#tools.resolve(id, unreadable ? unreadableResult(length) : "x".repeat(length)),
    "tool-failed": (id: number, error: Field) => this.#tools.reject(id, errorLike(error)),
    progress: (id: number, words: string) => this.#progress[id - 1]?.(words),
    agent: (id: number, words: string) => this.#agentWords[id - 1]?.(words),
    "agent-done": (id: number) => this.#asked.resolve(id, undefined),
    "agent-failed": (id: number, error: Field) => this.#asked.reject(id, errorLike(error)),
    opened: (id: number, name: string, model: string) => {
      const session = new StillSession(name, model, this.#sessions.length + 1, this.seen);
      this.#sessions.push(session);
      this.#openings.resolve(id, session);
    },
    "not-opened": (id: number, error: Field) => this.#openings.reject(id, errorLike(error)),
    engine: (session: number, name: keyof EngineEvents, ...fields: Field[]) => {
      const known = this.#sessions[session - 1];
      if (!known) throw new Error(`there is no session ${session}`);
      known.tell(name, fields as never[]);
    },
    prepare: () => void this.#talk.prepare().catch(() => {}), // it is told by what goes out
    attach: (answeredMs: number, waitsMs: number) =>
      this.#talk.attach(this.#leg(), this.#beforeMs + answeredMs, this.#beforeMs + waitsMs),
    "prelude-says": (text: string) => void this.#prelude?.say(text),
    "prelude-over": () => this.#prelude?.goOn(),
    say: (text: string) => void this.#talk.say(text),
    "collect-keys": (_id: number, request: string) => void this.#talk.collectKeys(JSON.parse(request)),
    instruct: (length: number, respond: boolean) => void this.#talk.instruct("x".repeat(length), respond),
    update: (instructions: number | null, tools: number | null, mcpServers: number | null) =>
      void this.#talk.update({
        ...(instructions !== null && { instructions: "x".repeat(instructions) }),
        ...(tools !== null && { tools: Array.from({ length: tools }, blankTool) }),
        ...(mcpServers !== null && { mcpServers: Array.from({ length: mcpServers }, blankServer) }),
      }),
    leave: () => this.#talk.leave(),
    "send-keys": (digits: string, durationMs: number | null) =>
      void this.#talk.sendDigits(digits, durationMs === null ? {} : { durationMs }),
    "last-words": (limitMs: number) => void this.#talk.lastWords(limitMs),
    close: () => void this.#talk.close(),
  };

  #makeParts(header: FlightHeader): ConversationParts {
    const { turns, records, minSpeechMs, idlePromptSeconds, idleEndSeconds, greeting, clips, brain } = header;
    const limits = { idlePromptSeconds, idleEndSeconds };
    const account: Pick<ConversationParts["account"], "turns" | "bargeIn" | "clips"> & {
      persona: Pick<ConversationParts["account"]["persona"], "greeting">;
      limits: typeof limits;
    } = {
      turns,
      bargeIn: { minSpeechMs },
      persona: { greeting },
      limits,
      clips: { get: (name) => clipLike(name, clips[name]) },
    };
    const call = () => this.#seenCall;
    const nothing = () => {};
    return {
      account: account as ConversationParts["account"],
      journal: {
        get call() {
          return call();
        },
        note: nothing,
        write: () => this.#writes.next(),
      },
      tools: () => (JSON.parse(this.seen.get("tools") ?? "[]") as SeenTool[]).map((tool) => this.#tool(tool)),
      clock: {
        now: () => 0, // the tap tells the time
        after: (_delayMs, action) => this.#timer(action, true),
        every: (_periodMs, action) => this.#timer(action, false),
      },
      ticker: {
        add: (listener) => {
          this.#beats.add(listener);
          return () => void this.#beats.delete(listener);
        },
      },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      emit: nothing,
      openers: Array.from({ length: header.engines }, () => () => this.#openings.next() as Promise<EngineSession>),
      ...(brain === "agent" && {
        askAgent: (_turn, onWords) => {
          this.#agentWords.push(onWords);
          return this.#asked.next();
        },
      }),
      ...(records && { recording: this.#sound }),
      onMediaClosed: nothing,
      onLeave: nothing,
    };
  }

  /** Keeps nothing. What stands before the conversation does as it did. */
  get #sound(): CallSound {
    const nothing = () => {};
    const answers = { mayGoOn: () => false, pressed: () => false };
    return {
      opening: (commands) => {
        this.#prelude = commands;
        return { ...answers, heard: nothing, words: nothing, close: nothing };
      },
      hideKey: nothing,
      callerFrame: nothing,
      agentPlays: nothing,
      cleared: nothing,
    };
  }

  get #seenCall(): Call {
    const json = this.seen.get("call") ?? "{}";
    if (this.#call?.json !== json) {
      const { spoken, ...facts } = JSON.parse(json) as SeenCall;
      const { earlier, callId = "" } = this.#header;
      const transcript: readonly TranscriptEntry[] = earlier.length > 0 || !spoken ? earlier : [SOMETHING];
      this.#call = { json, call: { ...newCall(), ...facts, id: callId, transcript } };
    }
    return this.#call.call;
  }

  #tool(tool: SeenTool): VoiceTool {
    return {
      ...blankTool(),
      ...tool,
      execute: (_args, { progress }) => {
        this.#progress.push(progress);
        return this.#tools.next();
      },
    };
  }

  #timer(action: () => void, once: boolean) {
    const id = this.#timers.push({ action, once }) - 1;
    return { stop: () => void delete this.#timers[id] };
  }

  #fire(id: number): void {
    const timer = this.#timers[id - 1];
    if (!timer) throw new Error(`timer ${id} does not run`);
    if (timer.once) delete this.#timers[id - 1];
    timer.action();
  }

  #leg(): MediaLeg {
    const { seen } = this;
    const nothing = () => {};
    return {
      legId: "",
      streamId: "",
      token: undefined,
      get bufferedBytes() {
        return Number(seen.get("buffered") ?? 0);
      },
      sendAudio: nothing,
      mark: nothing,
      clear: nothing,
      together: (sends) => sends(),
      listen: (listener) => {
        this.#listener = listener;
      },
      close: nothing,
    };
  }
}

// --- Internal helpers ---

/** Those who wait for a result, in the order in which they asked. */
class Waiters {
  readonly #waiting: (Settle | undefined)[] = [];

  next(): Promise<never> {
    const settle = Promise.withResolvers<never>();
    this.#waiting.push(settle);
    return settle.promise;
  }

  resolve(id: number, value: unknown): void {
    this.#take(id).resolve(value as never);
  }

  reject(id: number, error: Error): void {
    this.#take(id).reject(error);
  }

  #take(id: number): Settle {
    const settle = this.#waiting[id - 1];
    if (!settle) throw new Error("nobody waits for it");
    this.#waiting[id - 1] = undefined;
    return settle;
  }
}

const SOMETHING: TranscriptEntry = { id: "ours:0", speaker: "agent", text: "", startMs: 0, heardMs: 0, cut: false };

const blankTool = (): VoiceTool => ({ name: "", description: "", parameters: {}, execute: async () => undefined });
const blankServer = () => ({ label: "", url: "" });

/** What JSON cannot hold, with a message of that length. */
function unreadableResult(length: number): unknown {
  return {
    toJSON() {
      throw new Error("x".repeat(length));
    },
  };
}

function clipLike(name: ClipName, mark: readonly [bytes: number, text: string] | undefined): Clip | undefined {
  if (!mark) return undefined;
  const [bytes, text] = mark;
  return { name, audio: new Uint8Array(bytes).fill(MULAW_SILENCE), text, language: "", durationMs: mulawMs(bytes) };
}
