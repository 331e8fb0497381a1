import type { MediaLeg } from "../carriers/carrier.ts";
import { callerNumber, summarise } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { VoiceError } from "../core/errors.ts";
import type { VoiceEvents } from "../core/events.ts";
import type { EngineSession } from "../engines/engine.ts";
import type { Logger } from "../hosts/host.ts";
import type { Account } from "./account.ts";
import { Floor } from "./floor.ts";
import type { CallJournal } from "./journal.ts";
import { MediaBridge } from "./media-bridge.ts";
import type { ItemPlayout } from "./playout.ts";
import { Scribe } from "./scribe.ts";
import type { Ticker } from "./ticker.ts";
import { runTool, type VoiceTool } from "./tools.ts";
import { EngineTurns, type TurnCommands, type TurnTaking } from "./turns.ts";

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
 * One call's talk: owner of the greeting, of the answers and of the interruption. It has a phone side and a model side,
 * which become ready in any order.
 */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #bridge: MediaBridge;
  readonly #scribe: Scribe;
  readonly #turns: TurnTaking;
  readonly #over = new AbortController();
  #session: EngineSession | undefined;
  #opening: Promise<void> | undefined;
  #answeredAtMs: number | undefined;
  /** `asked` until its first sound is heard; a greeting that nobody heard is given again. */
  #greeting: "due" | "asked" | "given" = "due";

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#scribe = new Scribe(parts);
    const { clock, ticker, journal } = parts;
    this.#bridge = new MediaBridge({
      clock,
      ticker,
      onHeard: (item) => this.#heard(item, item.heardMs < item.producedMs),
      onDtmf: (digit) => this.#pressed(digit),
      onClosed: parts.onMediaClosed,
      onStall: (message) => journal.note({ type: "fault.noted", code: "carrier_stalled", message }),
      onCallerFrame: (frame, endedAtMs) => this.#turns.callerFrame(frame, endedAtMs, clock.now()),
      onAgentPlays: (pieces) => {
        for (const { audio, startsAtMs } of pieces) this.#turns.agentPlays(audio, startsAtMs);
      },
      onTick: (nowMs) => this.#tick(nowMs),
    });
    this.#turns = this.#makeTurns();
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
    this.#scribe.answered(answeredAtMs);
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
  lastWords(limitMs: number): Promise<void> {
    return this.#scribe.lastWords(limitMs);
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
    const { journal, emit, clock } = this.#parts;
    session.on("audio", ({ itemId, audio }) => this.#bridge.fromAgent(itemId, audio));
    session.on("audioDone", ({ itemId }) => this.#bridge.agentItemDone(itemId));
    session.on("agentWords", ({ itemId, text }) => this.#scribe.agentWords(itemId, text));
    session.on("speechStarted", ({ itemId, atInputMs }) => {
      const spokeFromMs = this.#bridge.spokenAtMs(atInputMs);
      this.#scribe.callerStarted(itemId, spokeFromMs);
      this.#turns.engineSpeechStarted(itemId, spokeFromMs, clock.now());
    });
    session.on("speechStopped", ({ itemId }) => {
      this.#scribe.callerStopped(itemId, this.#bridge.silence.callerHeardUntilMs);
      this.#turns.engineSpeechStopped(itemId, clock.now());
    });
    session.on("turnCommitted", ({ itemId }) => {
      this.#scribe.callerTurn(itemId);
      this.#turns.turnCommitted(itemId, clock.now());
    });
    session.on("callerWordsFailed", ({ itemId }) => {
      this.#scribe.written(itemId);
      this.#turns.callerWordsFailed(itemId, clock.now());
    });
    session.on("callerWords", ({ itemId, text, final }) => {
      this.#scribe.callerWords(itemId, text, final);
      this.#turns.callerWords(itemId, text, final, clock.now());
    });
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

  #makeTurns(): TurnTaking {
    const { journal } = this.#parts;
    const { silence } = this.#bridge;
    const now = () => this.#parts.clock.now();
    const commands: TurnCommands = {
      pause: () => this.#bridge.pause(),
      resume: () => this.#bridge.resume(),
      yieldFloor: () => this.#interrupt(),
      hold: (held) => this.#session?.hold(held),
      commitTurn: () => this.#session?.commitTurn(),
      answer: () => this.#answer(),
      callerStarted: (spokeFromMs) => {
        silence.callerStarted(spokeFromMs, now());
        journal.note({ type: "speech.started", speaker: "caller" });
      },
      callerStopped: () => {
        silence.callerStopped(now());
        journal.note({ type: "speech.stopped", speaker: "caller" });
      },
    };
    return this.#parts.account.turns === "ours" ? new Floor(commands) : new EngineTurns(commands);
  }

  #tick(nowMs: number): void {
    this.#turns.agentSounds(this.#bridge.agentSpeaks, nowMs);
    this.#turns.tick(nowMs);
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

  /** The caller's turn is over. A caller who speaks before they were greeted is answered by the greeting. */
  #answer(): void {
    if (!this.#bridge.hasLeg) return;
    if (this.#greeting === "due") this.#greet();
    else if (this.#greeting === "given") this.#session?.respond({ cause: "turn" });
  }

  /** The caller speaks: the agent falls silent, and the model learns what of its words was heard. */
  #interrupt(): void {
    const session = this.#session;
    const spoke = this.#bridge.agentSpeaks;
    session?.stop();
    if (!spoke) {
      if (this.#greeting === "asked") this.#greeting = "due";
      return;
    }
    const cuts = this.#bridge.interrupt();
    if (this.#greeting === "asked") this.#greeting = cuts.some(({ heardMs }) => heardMs > 0) ? "given" : "due";
    for (const cut of cuts) {
      const { itemId, heardMs, producedMs } = cut;
      session?.truncate(itemId, heardMs);
      this.#parts.journal.note({ type: "playout.cut", itemId, heardMs, producedMs });
      this.#heard(cut, true);
      this.#parts.emit("bargeIn", { itemId, heardMs }, this.#summary());
    }
  }

  /** An agent item is over for the caller's ears: played out, or cut. */
  #heard(item: ItemPlayout, cut: boolean): void {
    if (this.#greeting === "asked" && item.heardMs > 0) this.#greeting = "given";
    this.#scribe.agentHeard(item, cut);
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

  #summary() {
    return summarise(this.#parts.journal.call, this.#parts.clock.now());
  }
}
