import type { MediaLeg } from "../carriers/carrier.ts";
import { callerNumber, summarise } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { VoiceError } from "../core/errors.ts";
import type { VoiceEvents } from "../core/events.ts";
import { heardText } from "../core/transcript.ts";
import type { EngineSession } from "../engines/engine.ts";
import type { Logger } from "../hosts/host.ts";
import type { Account } from "./account.ts";
import type { CallJournal } from "./journal.ts";
import { MediaBridge } from "./media-bridge.ts";
import type { ItemPlayout } from "./playout.ts";
import type { Ticker } from "./ticker.ts";
import { runTool, type VoiceTool } from "./tools.ts";

/** Tells the plugin's listeners. */
export type Emit = <Name extends keyof VoiceEvents>(name: Name, ...payload: VoiceEvents[Name]) => void;

export interface ConversationParts {
  readonly account: Account;
  readonly journal: CallJournal;
  /** What the model may call on this call. */
  readonly tools: () => readonly VoiceTool[];
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly logger: Logger;
  readonly emit: Emit;
  /** Builds the context and opens the engine's session. */
  readonly openSession: (signal: AbortSignal) => Promise<EngineSession>;
  /** The media connection is over. */
  readonly onMediaClosed: (how: "stopped" | "lost") => void;
  /** The engine is gone for good: the conversation cannot go on. */
  readonly onEngineLost: (error: VoiceError) => void;
}

/**
 * One call's talk: owner of the greeting, of the turns, of the interruption and of the transcript.
 * It has a phone side and a model side, which become ready in any order.
 */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #bridge: MediaBridge;
  readonly #over = new AbortController();
  readonly #agentWords = new Map<string, string>();
  readonly #callerSpeech = new Map<string, { startedAtMs: number; endedAtMs: number }>();
  /** Caller turns whose words are still to come. */
  readonly #unwritten = new Set<string>();
  #allWritten: (() => void) | undefined;
  #session: EngineSession | undefined;
  #opening: Promise<void> | undefined;
  #answeredAtMs: number | undefined;
  /** `asked` until its first sound is heard; a greeting that nobody heard is given again. */
  #greeting: "due" | "asked" | "given" = "due";
  #speakingItem: string | undefined;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#bridge = new MediaBridge({
      clock: parts.clock,
      ticker: parts.ticker,
      onHeard: (item) => this.#heard(item, false),
      onDtmf: (digit) => this.#pressed(digit),
      onClosed: parts.onMediaClosed,
      onStall: (message) => parts.journal.note({ type: "fault.noted", code: "carrier_stalled", message }),
    });
  }

  /** Opens the engine's session, once. Resolves when it is ready. @throws VoiceError it will not be */
  prepare(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Whether the phone's media has arrived. */
  get hasMedia(): boolean {
    return this.#bridge.hasLeg;
  }

  /** Connects the phone's side. `answeredAtMs` is when the caller began to wait for us. */
  attach(leg: MediaLeg, answeredAtMs: number): void {
    this.#answeredAtMs = answeredAtMs;
    this.#bridge.silence.answered(answeredAtMs);
    this.#bridge.attachLeg(leg);
    this.#greet();
  }

  /** Says a text word for word as soon as nobody speaks. Says whether it can. */
  say(text: string): boolean {
    if (!this.#session || !this.#bridge.hasLeg) return false;
    this.#session.say(text, "say");
    return true;
  }

  /** Resolves when the words of every finished caller turn are there, or after `limitMs`. */
  async lastWords(limitMs: number): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const enough = new AbortController();
    const written = new Promise<void>((resolve) => {
      this.#allWritten = resolve;
    });
    await Promise.race([written, sleep(this.#parts.clock, limitMs, enough.signal).catch(() => {})]);
    enough.abort();
  }

  /** Ends the talk on our side: nothing is sent or heard any more. Says how long the longest silence was. */
  close(): { longestSilenceMs: number } {
    this.#over.abort(new Error("The call is over."));
    const endedAtMs = this.#bridge.legClosedAtMs ?? this.#parts.clock.now();
    const longestSilenceMs = this.#answeredAtMs === undefined ? 0 : this.#bridge.silence.longestMs(endedAtMs);
    for (const item of this.#bridge.close()) this.#heard(item, true);
    this.#session?.close();
    return { longestSilenceMs };
  }

  async #open(): Promise<void> {
    const session = await this.#parts.openSession(this.#over.signal);
    if (this.#over.signal.aborted) {
      session.close();
      throw this.#over.signal.reason;
    }
    this.#session = session;
    this.#parts.journal.note({ type: "engine.opened", sessionId: session.id, model: session.model });
    this.#hearEngine(session);
    this.#bridge.attachSession(session);
    this.#greet();
  }

  #hearEngine(session: EngineSession): void {
    const { journal, emit } = this.#parts;
    session.on("audio", ({ itemId, audio }) => this.#bridge.fromAgent(itemId, audio));
    session.on("audioDone", ({ itemId }) => this.#bridge.agentItemDone(itemId));
    session.on("agentWords", ({ itemId, text }) => {
      this.#agentWords.set(itemId, text);
      if (itemId !== this.#speakingItem) journal.note({ type: "speech.started", speaker: "agent" });
      this.#speakingItem = itemId;
      emit("partial", { speaker: "agent", text }, this.#summary());
    });
    session.on("speechStarted", ({ itemId, atInputMs }) => this.#callerStarted(itemId, atInputMs));
    session.on("speechStopped", ({ itemId }) => this.#callerStopped(itemId));
    session.on("turnCommitted", ({ itemId }) => this.#callerTurn(itemId));
    session.on("callerWordsFailed", ({ itemId }) => this.#written(itemId));
    session.on("callerWords", ({ itemId, text, final }) => this.#callerWords(itemId, text, final));
    session.on("responseStarted", ({ responseId, cause }) => {
      journal.note({ type: "response.started", responseId, cause });
    });
    session.on("responseEnded", ({ responseId, status, usage }) => {
      journal.note({ type: "response.ended", responseId, status, ...(usage && { usage }) });
      const { costUsd } = this.#summary();
      if (usage && costUsd !== undefined) emit("costChanged", costUsd, this.#summary());
    });
    session.on("toolCalled", (call) => void this.#tool(session, call));
    session.on("fault", (error) => journal.note({ type: "fault.noted", code: error.code, message: error.message }));
    session.on("closed", ({ reason, error }) => {
      journal.note({ type: "engine.closed", reason });
      if (error && !this.#over.signal.aborted) this.#parts.onEngineLost(error);
    });
  }

  /** Speaks first, once, when both sides are ready. */
  #greet(): void {
    if (this.#greeting !== "due" || !this.#session || !this.#bridge.hasLeg) return;
    this.#greeting = "asked";
    const { direction, message } = this.#parts.journal.call;
    const text = direction === "outbound" ? message : this.#parts.account.persona.greeting;
    if (text) this.#session.say(text, "greeting");
    else this.#session.respond({ cause: "greeting" });
  }

  #callerStarted(itemId: string, atInputMs: number): void {
    const now = this.#parts.clock.now();
    const startedAtMs = this.#bridge.spokenAtMs(atInputMs);
    this.#callerSpeech.set(itemId, { startedAtMs, endedAtMs: now });
    this.#bridge.silence.callerStarted(startedAtMs, now);
    this.#parts.journal.note({ type: "speech.started", speaker: "caller" });
    this.#session?.hold(true);
    this.#interrupt();
  }

  /** The caller speaks: the agent falls silent, and the model learns what of its words was heard. */
  #interrupt(): void {
    const session = this.#session as EngineSession;
    const spoke = this.#bridge.agentSpeaks;
    session.stop();
    if (!spoke) {
      if (this.#greeting === "asked") this.#greeting = "due";
      return;
    }
    const cuts = this.#bridge.interrupt();
    if (this.#greeting === "asked") this.#greeting = cuts.some(({ heardMs }) => heardMs > 0) ? "given" : "due";
    for (const cut of cuts) {
      const { itemId, heardMs, producedMs } = cut;
      session.truncate(itemId, heardMs);
      this.#parts.journal.note({ type: "playout.cut", itemId, heardMs, producedMs });
      this.#heard(cut, true);
      this.#parts.emit("bargeIn", { itemId, heardMs }, this.#summary());
    }
  }

  #callerStopped(itemId: string): void {
    const now = this.#parts.clock.now();
    const speech = this.#callerSpeech.get(itemId);
    if (speech) speech.endedAtMs = this.#bridge.silence.callerHeardUntilMs;
    this.#bridge.silence.callerStopped(now);
    this.#session?.hold(false);
    this.#parts.journal.note({ type: "speech.stopped", speaker: "caller" });
  }

  #callerTurn(itemId: string): void {
    this.#unwritten.add(itemId);
    if (this.#parts.account.turns === "server" || !this.#bridge.hasLeg) return;
    // A caller who speaks before they were greeted is answered by the greeting.
    if (this.#greeting === "due") this.#greet();
    else if (this.#greeting === "given") this.#session?.respond({ cause: "turn" });
  }

  #callerWords(itemId: string, text: string, final: boolean): void {
    if (!final) {
      this.#parts.emit("partial", { speaker: "caller", text }, this.#summary());
      return;
    }
    this.#written(itemId);
    const words = text.trim();
    const speech = this.#callerSpeech.get(itemId);
    this.#callerSpeech.delete(itemId);
    if (words === "") return;
    const startedAtMs = speech?.startedAtMs ?? this.#parts.clock.now();
    const heardMs = Math.max(0, Math.round((speech?.endedAtMs ?? startedAtMs) - startedAtMs));
    this.#add({
      id: itemId,
      speaker: "caller",
      text: words,
      startMs: this.#sinceAnswer(startedAtMs),
      heardMs,
      cut: false,
    });
  }

  #written(itemId: string): void {
    this.#unwritten.delete(itemId);
    if (this.#unwritten.size === 0) this.#allWritten?.();
  }

  /** An agent item is over for the caller's ears: played out, or cut. */
  #heard({ itemId, heardMs, producedMs, startedAtMs }: ItemPlayout, cut: boolean): void {
    const words = this.#agentWords.get(itemId) ?? "";
    this.#agentWords.delete(itemId);
    if (!cut) this.#parts.journal.note({ type: "speech.stopped", speaker: "agent" });
    if (this.#greeting === "asked" && heardMs > 0) this.#greeting = "given";
    const text = heardText(words, heardMs, producedMs).trim();
    if (text === "" || startedAtMs === undefined) return;
    this.#add({
      id: itemId,
      speaker: "agent",
      text,
      startMs: this.#sinceAnswer(startedAtMs),
      heardMs,
      cut: heardMs < producedMs,
    });
  }

  #add(entry: VoiceEvents["transcript"][0]): void {
    this.#parts.journal.note({ type: "transcript.added", entry });
    this.#parts.emit("transcript", entry, this.#summary());
  }

  async #tool(session: EngineSession, run: { toolCallId: string; name: string; argumentsJson: string }): Promise<void> {
    const { journal, clock, logger, tools, emit } = this.#parts;
    this.#bridge.silence.toolStarted(clock.now());
    emit("toolCalled", { toolCallId: run.toolCallId, name: run.name }, this.#summary());
    const facts = () => ({ ...journal.call, caller: callerNumber(journal.call) });
    const output = await runTool(run, { tools: tools(), journal, clock, logger, facts, signal: this.#over.signal });
    this.#bridge.silence.toolFinished(clock.now());
    if (!this.#over.signal.aborted) session.giveToolResult(run.toolCallId, output);
  }

  #pressed(digit: string): void {
    this.#parts.journal.note({ type: "dtmf.received", digit });
    this.#parts.emit("dtmf", digit, this.#summary());
  }

  #sinceAnswer(atMs: number): number {
    return Math.max(0, Math.round(atMs - (this.#answeredAtMs ?? atMs)));
  }

  #summary() {
    return summarise(this.#parts.journal.call, this.#parts.clock.now());
  }
}
