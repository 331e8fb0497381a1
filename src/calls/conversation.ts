import type { MediaLeg } from "../carriers/carrier.ts";
import { callerNumber, summarise } from "../core/call.ts";
import type { VoiceError } from "../core/errors.ts";
import type { EndReason } from "../core/events.ts";
import type { EnginePatch, ResponseCause, ResponseOrder } from "../engines/engine.ts";
import { AgentBrain } from "./agent-brain.ts";
import type { ConversationParts } from "./conversation-parts.ts";
import { EngineLine } from "./engine-line.ts";
import { noteEngine } from "./engine-notes.ts";
import { Floor } from "./floor.ts";
import { Greeting } from "./greeting.ts";
import { KeyCollector, type KeyEntry, type KeyRequest, keyNote } from "./key-collector.ts";
import { KeyTones } from "./key-tones.ts";
import { Leaving } from "./leaving.ts";
import { MediaBridge } from "./media-bridge.ts";
import { OwnSounds } from "./own-sounds.ts";
import { ASK_IF_THERE } from "./phrases.ts";
import type { ItemPlayout } from "./playout.ts";
import { Scribe } from "./scribe.ts";
import { RunningTools, type ToolRun } from "./tools.ts";
import { EngineTurns, type TurnCommands, type TurnTaking } from "./turns.ts";
import { Waiting } from "./waiting.ts";

/** Waits are looked after on every second beat: 80 ms, within the tenth that the limits leave for it. */
const WAITING_BEATS = 2;

/**
 * One call's talk: owner of the greeting, of the answers and of the interruption. It has a phone side and a model side,
 * which become ready in any order.
 */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #bridge: MediaBridge;
  readonly #scribe: Scribe;
  readonly #turns: TurnTaking;
  readonly #waiting: Waiting;
  readonly #leaving: Leaving;
  readonly #keys: KeyCollector;
  readonly #ours: OwnSounds;
  readonly #tones = new KeyTones((audio) => this.#ours.play(audio, ""));
  readonly #tools: RunningTools;
  readonly #brain: AgentBrain | undefined;
  readonly #over = new AbortController();
  /** Aborted when the talk is over. */
  readonly over: AbortSignal = this.#over.signal;
  /** The model, once it is there; it stays the same over all its sessions. */
  #session: EngineLine | undefined;
  readonly #line: EngineLine;
  #opening: Promise<void> | undefined;
  #answeredAtMs: number | undefined;
  readonly #greeting: Greeting;
  #beats = 0;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#scribe = new Scribe(parts);
    const { clock, ticker, journal } = parts;
    const { greeting: text } = parts.account.persona;
    this.#greeting = new Greeting({
      text,
      call: () => journal.call,
      readsOut: parts.askAgent !== undefined,
      opening: parts.recording?.opening({ say: (words) => this.say(words), goOn: () => this.#greet() }),
    });
    this.#bridge = new MediaBridge({
      clock,
      ticker,
      onHeard: (item) => this.#heard(item, item.heardMs < item.producedMs),
      onDtmf: (digit) => this.#pressed(digit),
      onClosed: parts.onMediaClosed,
      onFault: (code, message) => journal.note({ type: "fault.noted", code, message }),
      onCallerFrame: (frame, endedAtMs) => this.#turns.callerFrame(frame, endedAtMs, this.#bridge.heardUntilMs),
      onAgentPlays: (pieces, lagMs) => {
        for (const { audio, startsAtMs } of pieces) this.#turns.agentPlays(audio, startsAtMs + lagMs);
      },
      onTick: (nowMs) => this.#tick(nowMs),
      ...(parts.recording && { tap: parts.recording }),
    });
    const { clips, limits } = parts.account;
    this.#ours = new OwnSounds({ bridge: this.#bridge, scribe: this.#scribe, clips, resumes: journal.call.resumes });
    this.#turns = this.#makeTurns();
    const facts = () => ({ ...journal.call, caller: callerNumber(journal.call) });
    const progress = (words: string) => void this.say(words);
    this.#tools = new RunningTools({ ...parts, facts, progress, signal: this.#over.signal });
    // Sounds of ours are no words of the model's: told late, they would stand behind the question that it answers.
    const history = () => this.#scribe.history().filter(({ id }) => !OwnSounds.has(id));
    this.#line = new EngineLine({ openers: parts.openers, clock, history });
    this.#hearEngine(this.#line);
    this.#waiting = new Waiting({
      silence: this.#bridge.silence,
      clips,
      idle: { promptMs: limits.idlePromptSeconds * 1000, endMs: limits.idleEndSeconds * 1000 },
      commands: {
        play: (clip) => this.#ours.playClip(clip),
        abortTools: () => {
          this.#tools.abort();
          this.#brain?.stop();
        },
        askIfThere: () => this.#askIfThere(),
        leave: (reason, said) => this.#leave(reason, said),
      },
    });
    this.#waiting.engineAway(clock.now());
    this.#brain = this.#makeBrain();
    this.#leaving = new Leaving(clock, parts.onLeave);
    this.#keys = new KeyCollector({ clock, onEntry: (entry) => this.instruct(keyNote(entry), true) });
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

  /** Connects the phone's side: the call was answered at `answeredAtMs`, and the caller waits since `waitsSinceMs`. */
  attach(leg: MediaLeg, answeredAtMs: number, waitsSinceMs = answeredAtMs): void {
    this.#answeredAtMs = answeredAtMs;
    this.#scribe.answered(answeredAtMs);
    this.#waiting.answered(waitsSinceMs);
    this.#bridge.attachLeg(leg);
    this.#greet();
  }

  /** Says a text word for word as soon as nobody speaks. Says whether it can. */
  say(text: string): boolean {
    if (!this.#session || !this.#bridge.hasLeg) return false;
    this.#session.say(text, "say");
    return true;
  }

  /** Takes the next keys that the caller presses as one entry. */
  collectKeys(request: KeyRequest): Promise<KeyEntry> {
    return this.#keys.collect(request);
  }

  /** Adds a standing instruction to the running conversation; nothing is cut by it. Says whether it can. */
  instruct(text: string, respond = false): boolean {
    if (!this.#session) return false;
    this.#session.instruct(text);
    if (respond) this.#respond("say");
    return true;
  }

  /** Changes what the model is told and what it may call, from its next response on. Says whether there is one. */
  update(patch: EnginePatch): boolean {
    this.#session?.update(patch);
    return this.#session !== undefined;
  }

  /** Ends the call once what is being said has been heard, unless the caller interrupts it. */
  leave(): void {
    this.#leave("agent_ended", this.#bridge.lastItemId !== undefined, undefined, this.#bridge.lastItemId);
  }

  /** Plays key tones on the line, behind what is being said. Says whether it can. @throws InvalidRequestError no such keys */
  sendDigits(digits: string, options?: { readonly durationMs?: number }): boolean {
    if (!this.#bridge.hasLeg) return false;
    this.#tones.send(digits, options);
    this.#parts.journal.note({ type: "dtmf.sent", digits });
    return true;
  }

  /** Resolves when the words of every finished caller turn are there, or after `limitMs`. */
  lastWords(limitMs: number): Promise<void> {
    return this.#scribe.lastWords(limitMs);
  }

  /** Ends the talk on our side: nothing is sent or heard any more. Says how long the longest silence was. */
  close(): { longestSilenceMs: number } {
    this.#over.abort(new Error("The call is over."));
    this.#keys.close();
    this.#greeting.close();
    this.#brain?.stop();
    this.#leaving.stop();
    const endedAtMs = this.#bridge.legClosedAtMs ?? this.#parts.clock.now();
    const longestSilenceMs = this.#answeredAtMs === undefined ? 0 : this.#bridge.silence.longestMs(endedAtMs);
    this.#line.close(); // which tells the last words that came
    for (const item of this.#bridge.close()) this.#heard(item, true);
    return { longestSilenceMs };
  }

  async #open(): Promise<void> {
    await this.#line.open(this.#over.signal);
    this.#over.signal.throwIfAborted();
    this.#session = this.#line;
    this.#waiting.engineThere(this.#parts.clock.now());
    this.#parts.journal.note({ type: "engine.opened", sessionId: this.#line.id, model: this.#line.model });
    this.#bridge.attachSession(this.#line);
    this.#greet();
  }

  #hearEngine(session: EngineLine): void {
    const { clock } = this.#parts;
    noteEngine(session, this.#parts);
    session.on("audio", ({ itemId, audio }) => {
      this.#waiting.answerCame(clock.now());
      this.#bridge.fromAgent(itemId, audio);
    });
    session.on("audioDone", ({ itemId }) => this.#bridge.agentItemDone(itemId));
    session.on("agentWords", ({ itemId, text }) => this.#scribe.agentWords(itemId, text));
    session.on("speechStarted", ({ itemId, atInputMs }) => {
      const spokeFromMs = this.#bridge.spokenAtMs(atInputMs);
      this.#scribe.callerStarted(itemId, spokeFromMs);
      this.#turns.engineSpeechStarted(itemId, spokeFromMs, this.#bridge.heardUntilMs);
    });
    session.on("speechStopped", ({ itemId }) => {
      this.#scribe.callerStopped(itemId, this.#bridge.silence.callerHeardUntilMs);
      this.#turns.engineSpeechStopped(itemId, this.#bridge.heardUntilMs);
    });
    session.on("turnEmpty", () => this.#waiting.turnTaken(clock.now()));
    session.on("updated", () => {
      this.#waiting.turnTaken(clock.now());
      this.#turns.engineLives();
    });
    session.on("turnCommitted", ({ itemId }) => {
      this.#waiting.turnTaken(clock.now());
      this.#scribe.callerTurn(itemId);
      if (this.#parts.account.turns === "server") this.#waiting.answerDue(clock.now());
      this.#turns.turnCommitted(itemId, this.#bridge.heardUntilMs);
    });
    session.on("callerWordsFailed", ({ itemId }) => {
      this.#brain?.words(itemId, "");
      this.#scribe.written(itemId);
      this.#turns.callerWordsFailed(itemId, this.#bridge.heardUntilMs);
    });
    session.on("callerWords", ({ itemId, text, final }) => {
      if (text.trim() !== "") this.#waiting.sign(clock.now());
      if (final) this.#brain?.words(itemId, text);
      if (final) this.#greeting.words(text);
      this.#scribe.callerWords(itemId, text, final);
      this.#turns.callerWords(itemId, text, final, this.#bridge.heardUntilMs);
    });
    session.on("responseEnded", ({ status }) => {
      this.#bridge.agentDone();
      // One that was stopped may end after the next was ordered.
      if (status === "completed" || status === "incomplete") this.#waiting.answerCame(clock.now());
    });
    session.on("toolCalled", (call) => void this.#tool(session, call));
    session.on("lost", () => this.#waiting.engineAway(clock.now()));
    session.on("restored", () => this.#waiting.engineThere(clock.now()));
    session.on("closed", ({ error }) => {
      if (error && !this.#over.signal.aborted) this.#leave("engine_error", this.#apologise(), error);
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
      commitTurn: () => {
        this.#waiting.turnEnded(now());
        this.#session?.commitTurn();
      },
      askEngine: () => this.#session?.update({}),
      engineSilent: () => this.#waiting.turnEnded(now()),
      answer: (itemId) => this.#answer(itemId),
      callerStarted: (spokeFromMs) => {
        silence.callerStarted(spokeFromMs, now());
        journal.note({ type: "speech.started", speaker: "caller" });
      },
      callerStopped: () => {
        silence.callerStopped(now());
        journal.note({ type: "speech.stopped", speaker: "caller" });
      },
    };
    const { turns, bargeIn } = this.#parts.account;
    return turns === "ours"
      ? new Floor(commands, bargeIn, this.#parts.ear)
      : new EngineTurns(commands, this.#parts.ear);
  }

  /** Whether words of ours sound or wait to; keys are none. */
  get #agentTalks(): boolean {
    return this.#bridge.sounds(this.#isNoKey);
  }

  readonly #isNoKey = (itemId: string) => !this.#tones.has(itemId);
  readonly #isModels = (itemId: string) => !OwnSounds.has(itemId);

  #tick(nowMs: number): void {
    const heardUntilMs = this.#bridge.heardUntilMs;
    const sounds = this.#bridge.agentSpeaks;
    this.#turns.agentSounds(sounds && this.#agentTalks, heardUntilMs);
    this.#turns.tick(heardUntilMs);
    this.#beats += 1;
    if (this.#beats % WAITING_BEATS !== 0) return;
    const modelSounds = sounds && this.#bridge.sounds(this.#isModels);
    this.#waiting.tick(nowMs, { modelSounds, starved: this.#bridge.starved });
  }

  /** Asks the model to speak; from now on the caller waits for it. */
  #respond(cause: ResponseCause): void {
    this.#waiting.answerDue(this.#parts.clock.now());
    this.#session?.respond({ cause });
  }

  /** Speaks first, once, when both sides are ready. */
  #greet(): void {
    if (!this.#session || !this.#bridge.hasLeg || !this.#greeting.give(this.#session)) return;
    this.#waiting.answerDue(this.#parts.clock.now());
  }

  /** The caller's turn is over. A caller who speaks before they were greeted is answered by the greeting. */
  #answer(itemId: string): void {
    if (!this.#bridge.hasLeg) return;
    if (this.#greeting.due) this.#greet();
    else if (this.#greeting.given && this.#brain) this.#brain.answer(itemId);
    else if (this.#greeting.given) this.#respond("turn");
  }

  /** Who takes the turns when it is not the model. */
  #makeBrain(): AgentBrain | undefined {
    const { askAgent: ask, clock, logger, journal } = this.#parts;
    const respond = (order: ResponseOrder) => this.#session?.respond(order);
    return ask && new AgentBrain({ ask, clock, logger, respond, callId: journal.call.id, waiting: this.#waiting });
  }

  /** The caller speaks: the agent falls silent, and the model learns what of its words was heard. */
  #interrupt(): void {
    const session = this.#session;
    this.#brain?.stop();
    this.#leaving.cancel();
    session?.stop();
    this.#waiting.answerCame(this.#parts.clock.now());
    const onlyKeys = !this.#agentTalks && this.#bridge.sounds((itemId) => this.#tones.has(itemId));
    const cuts = onlyKeys ? [] : this.#bridge.interrupt();
    this.#greeting.interrupted(cuts);
    for (const cut of cuts) {
      const { itemId, heardMs, producedMs } = cut;
      this.#heard(cut, true);
      if (OwnSounds.has(itemId)) continue;
      session?.truncate(itemId, heardMs);
      this.#parts.journal.note({ type: "playout.cut", itemId, heardMs, producedMs });
      this.#parts.emit("bargeIn", { itemId, heardMs }, this.#summary());
    }
  }

  /** An agent item is over for the caller's ears: played out, or cut. */
  #heard(item: ItemPlayout, cut: boolean): void {
    this.#greeting.heard(item);
    this.#scribe.agentHeard(item, cut);
    if (!this.#over.signal.aborted) this.#tones.over(item);
    this.#leaving.over(item.itemId);
  }

  async #tool(session: EngineLine, run: ToolRun): Promise<void> {
    const { clock, emit } = this.#parts;
    this.#waiting.toolStarted(clock.now());
    emit("toolCalled", { toolCallId: run.toolCallId, name: run.name }, this.#summary());
    const output = await this.#tools.run(run);
    this.#waiting.toolFinished(clock.now());
    if (this.#over.signal.aborted) return;
    this.#waiting.answerDue(clock.now());
    session.giveToolResult(run.toolCallId, output);
  }

  #pressed(digit: string): void {
    this.#waiting.sign(this.#parts.clock.now());
    const shown = this.#keys.shown(digit);
    if (shown !== digit) this.#parts.recording?.hideKey();
    this.#parts.journal.note({ type: "dtmf.received", digit: shown });
    this.#parts.emit("dtmf", shown, this.#summary());
    if (this.#greeting.pressed(digit)) return;
    if (this.#agentTalks) this.#interrupt();
    this.#keys.pressed(digit);
  }

  #askIfThere(): void {
    if (this.#session) this.#session.respond({ cause: "idle", instructions: ASK_IF_THERE });
    else this.#ours.playNamed("still-there");
  }

  /** The model is gone for good: says that we cannot go on. Whether there was a way to say it. */
  #apologise(): boolean {
    if (this.#leaving.begun) return true; // the last sentence plays
    for (const cut of this.#bridge.interrupt()) this.#heard(cut, true);
    return this.#ours.playNamed("apology");
  }

  /** Ends the call; not before what was just said has been heard. */
  #leave(reason: EndReason, said: boolean, error?: VoiceError, lastItemId = this.#ours.lastItemId): void {
    if (!this.#leaving.begin({ reason, said, ...(error && { error }) }, lastItemId)) return;
    this.#line.stop();
    this.#line.hold(true);
  }

  #summary() {
    return summarise(this.#parts.journal.call, this.#parts.clock.now());
  }
}
