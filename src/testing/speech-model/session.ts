import { SAMPLE_RATE } from "../../audio/g711.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Ears } from "../ears.ts";
import type { Speaker, Voice } from "../voice.ts";
import { checkClientEvent, parseClientEvent } from "./client-events.ts";
import { type Conversation, type ModelItem, newConversation, parseItem, wireItem } from "./conversation.ts";
import type { Faults } from "./faults.ts";
import { type Hearing, newHearing } from "./hearing.ts";
import { type InputAudio, newInputAudio } from "./input-audio.ts";
import type { Mind, MindAction } from "./mind.ts";
import { newPlayout, type Playout } from "./playout.ts";
import { newResponder, type Responder } from "./responder.ts";
import type { Pace } from "./response.ts";
import { newSessionConfig, type SessionConfig, type UpdateRules, updatedConfig } from "./session-config.ts";
import { type EventPick, type LoggedEvent, newEventLog } from "./session-log.ts";
import { offeredOnly, orderedWords, type Question, turnOf } from "./thinking.ts";
import type { VadSource } from "./vad.ts";
import { integerAt, type Json, newId, objectAt, stringAt, WireError, type WireEvent } from "./wire.ts";

/** What a session is built from. */
export interface SessionParts {
  readonly clock: Clock;
  readonly voice: Voice;
  readonly ears: Ears;
  readonly mind: Mind;
  /** Whether the mind may call tools that nobody offered. */
  readonly gullible: boolean;
  readonly pace: Pace;
  readonly faults: Faults;
  readonly speaker: Speaker;
  readonly asrMs: number;
  readonly model: string;
  readonly vad: (session: ModelSession) => VadSource;
  /** Set for a SIP call: its audio never crosses the socket. */
  readonly callId?: string;
}

/** One line of what was said, as the model has it now: heard words of the user, kept words of the assistant. */
export interface SpokenLine {
  readonly role: "user" | "assistant" | "system";
  readonly text: string;
}

/** The longest a session lives: https://platform.openai.com/docs/guides/realtime */
const SESSION_MS = 60 * 60 * 1_000;

/** One conversation with the simulated model, whatever socket it came through. */
export class ModelSession {
  readonly id = newId("sess");
  readonly callId: string | undefined;
  /** Resolves with the reason when the session is over: by the client, a fault or expiry. */
  readonly closed: Promise<string>;
  readonly #parts: SessionParts;
  readonly #conversation: Conversation = newConversation();
  readonly #input: InputAudio;
  readonly #hearing: Hearing;
  readonly #responder: Responder;
  readonly #playout: Playout | undefined;
  readonly #received = newEventLog();
  readonly #sent = newEventLog();
  readonly #outlets = new Set<(event: WireEvent) => void>();
  readonly #timers = new Set<Timer>();
  readonly #answered = new Set<string>();
  readonly #end = Promise.withResolvers<string>();
  #config: SessionConfig;
  #speechItemId: string | undefined;
  #idle: Timer | undefined;
  #over = false;
  #spoken = false;

  constructor(parts: SessionParts) {
    const { clock, faults, callId } = parts;
    this.#parts = parts;
    this.callId = callId;
    this.closed = this.#end.promise;
    const lifeMs = faults.expireAfterMs ?? SESSION_MS;
    const expiresAt = Math.floor((clock.now() + lifeMs) / 1_000);
    this.#config = newSessionConfig({ id: this.id, model: parts.model, expiresAt });
    this.#input = newInputAudio(parts.vad(this), {
      speechStarted: (atMs) => this.#speechStarted(atMs),
      speechStopped: (atMs) => this.#speechStopped(atMs),
    });
    const conversation = this.#conversation;
    const send = (event: WireEvent) => this.#send(event);
    const after = (delayMs: number, action: () => void) => this.#after(delayMs, action);
    this.#hearing = newHearing({ ears: parts.ears, faults, conversation, asrMs: parts.asrMs, after, send });
    this.#playout = callId === undefined ? undefined : newPlayout({ clock, conversation, send });
    this.#responder = newResponder({
      ...parts,
      conversation,
      config: () => this.#config,
      think: (question) => this.#think(question),
      send,
      after,
      fail: (error, eventId) => this.#fail(error, eventId),
      began: () => this.#idle?.stop(),
      ended: ({ playedOutAtMs }) => this.#waitForCaller(playedOutAtMs),
    });
    this.#after(lifeMs, () => {
      const message = `Your session hit the maximum duration of ${Math.round(lifeMs / 60_000)} minutes.`;
      this.#fail(new WireError("session_expired", message));
      this.end("expired");
    });
  }

  /** The effective session object. */
  get config(): SessionConfig {
    return this.#config;
  }
  /** Every event of the client's, audio as byte counts. */
  get received(): readonly LoggedEvent[] {
    return this.#received.events;
  }
  /** Every event that went out, audio as byte counts. */
  get sent(): readonly LoggedEvent[] {
    return this.#sent.events;
  }
  get items(): readonly ModelItem[] {
    return this.#conversation.items;
  }
  /** What the model believes was said, in order. */
  get transcript(): readonly SpokenLine[] {
    return this.items.flatMap(({ role, text }) => (role && text !== "" ? [{ role, text }] : []));
  }
  /** Milliseconds of caller audio that arrived. */
  get heardMs(): number {
    return this.#input.totalMs;
  }
  /** Whether a response of the conversation is on its way. */
  get responding(): boolean {
    return this.#responder.active !== undefined;
  }

  /** Resolves with the first event of the client's that fits (from index `from`), be it here already. */
  untilReceived(pick: EventPick, from?: number): Promise<LoggedEvent> {
    return this.#received.until(pick, from);
  }
  /** Resolves with the first event sent that fits (from index `from`), be it out already. */
  untilSent(pick: EventPick, from?: number): Promise<LoggedEvent> {
    return this.#sent.until(pick, from);
  }

  /** Sends any event by hand, as the model might. */
  push(event: WireEvent): void {
    this.#send(event);
  }
  /** The detector says that the caller began to speak: now, or at `atMs` of the audio. */
  dictateSpeechStarted(atMs?: number): void {
    this.#input.dictate("started", this.#turns, atMs);
  }
  /** The detector says that the caller's turn is over: now, or at `atMs` of the audio. */
  dictateSpeechStopped(atMs?: number): void {
    this.#input.dictate("stopped", this.#turns, atMs);
  }
  /** The next committed audio is heard as `text`, whatever the ears make of it. */
  dictateWords(text: string): void {
    this.#hearing.dictate(text);
  }
  /** Sound that arrives by telephone, not by the socket (8 kHz, 16 bit). */
  hear(samples: Int16Array): void {
    if (!this.#over) this.#input.hear(samples, this.#turns);
  }

  /** Lets `outlet` take part: what is sent goes to every outlet. Returns how it leaves. */
  attach(outlet: (event: WireEvent) => void): () => void {
    this.#outlets.add(outlet);
    if (!this.#parts.faults.noSessionCreated) this.#send({ type: "session.created", session: this.#config }, outlet);
    return () => this.#outlets.delete(outlet);
  }

  /** Applies an update as `session.update` would. @throws WireError; nothing changed */
  configure(patch: Json | undefined, rules: UpdateRules = {}): void {
    this.#config = updatedConfig(this.#config, patch, { spoken: this.#spoken, ...rules });
    if (typeof this.#turns?.idle_timeout_ms !== "number") this.#idle?.stop();
  }

  /** Takes one message of the client's. Whatever is wrong with it becomes an `error` event. */
  receive(text: string): void {
    if (this.#over) return;
    let event: WireEvent | undefined;
    try {
      event = parseClientEvent(text);
      this.#received.add(event, this.#parts.clock.now());
      if (this.#parts.faults.dead) return;
      checkClientEvent(event);
      HANDLERS[event.type]?.(event, this.#verbs);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#fail(error, typeof event?.event_id === "string" ? event.event_id : null);
    }
  }

  /** Ends the session: nothing is said any more and every timer stops. */
  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#responder.stop();
    this.#playout?.stop();
    this.#idle?.stop();
    for (const timer of this.#timers) timer.stop();
    this.#received.close(`the session ended (${why})`);
    this.#sent.close(`the session ended (${why})`);
    this.#outlets.clear();
    this.#end.resolve(why);
  }

  // --- Internal helpers ---

  get #turns() {
    return this.#config.audio.input.turn_detection;
  }

  /** What the client's events can do here. */
  get #verbs(): Verbs {
    return {
      conversation: this.#conversation,
      input: this.#input,
      responder: this.#responder,
      send: (event) => this.#send(event),
      update: (patch) => {
        this.configure(patch);
        this.#send({ type: "session.updated", session: this.#config });
      },
      append: (audio) => this.#input.append(audio, this.#config.audio.input.format, this.#turns),
      commit: () => this.#commit(this.#speechItemId ?? newId("item"), this.#input.commit()),
      clearPlayout: () => {
        if (!this.#playout) throw new WireError("invalid_value", "Only WebRTC and SIP have an output buffer.", "type");
        this.#playout.clear();
      },
    };
  }

  #send(event: WireEvent, only?: (event: WireEvent) => void): void {
    if (this.#over || this.#parts.faults.dead) return;
    const complete = { ...event, event_id: newId("event") };
    this.#sent.add(complete, this.#parts.clock.now());
    if (event.type === "response.output_audio.delta") {
      this.#spoken = true;
      if (this.#playout) {
        this.#play(event, this.#playout);
        return;
      }
    }
    for (const outlet of only ? [only] : this.#outlets) outlet(complete);
  }

  /** On a telephone call the audio goes to the phone, not to the socket. */
  #play(event: WireEvent, playout: Playout): void {
    const { format } = this.#config.audio.output;
    const bytesPerMs = format.type === "audio/pcmu" ? 8 : (format.rate * 2) / 1_000;
    const audioMs = Buffer.byteLength(event["delta"] as string, "base64") / bytesPerMs;
    playout.push({ responseId: event["response_id"] as string, itemId: event["item_id"] as string, audioMs });
  }

  #fail(error: WireError, eventId: string | null = null): void {
    this.#send({ type: "error", error: error.body(eventId) });
  }

  #after(delayMs: number, action: () => void): void {
    const timer = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      action();
    });
    this.#timers.add(timer);
  }

  #speechStarted(audioStartMs: number): void {
    this.#idle?.stop();
    const itemId = newId("item");
    this.#speechItemId = itemId;
    this.#send({ type: "input_audio_buffer.speech_started", audio_start_ms: audioStartMs, item_id: itemId });
    if (!this.#turns?.interrupt_response) return;
    this.#responder.interrupt();
    this.#playout?.clear();
  }

  #speechStopped(audioEndMs: number): void {
    const itemId = this.#speechItemId ?? newId("item");
    this.#send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: audioEndMs, item_id: itemId });
    let samples: Int16Array;
    try {
      samples = this.#input.commit();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return; // a false turn without audio: a detector may say so, but there is nothing to commit
    }
    this.#commit(itemId, samples);
    this.#respondByItself();
  }

  #commit(itemId: string, samples: Int16Array): void {
    this.#speechItemId = undefined;
    this.#hearing.commit(itemId, samples, this.#config.audio.input.transcription !== null);
  }

  /** The server's own `response.create`; while one is active it comes to nothing but an error, as the real one's. */
  #respondByItself(): void {
    if (!this.#turns?.create_response) return;
    try {
      this.#responder.respond({});
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#fail(error);
    }
  }

  async #think(question: Question): Promise<readonly MindAction[]> {
    await Promise.all(question.items.map((item) => this.#hearing.words(item.id)));
    const ordered = orderedWords(question, this.#answered);
    if (ordered) return ordered;
    const turn = turnOf(question, this.#answered, this);
    const actions = await this.#parts.mind(turn);
    return this.#parts.gullible ? actions : offeredOnly(actions, turn.tools);
  }

  /** Counts `idle_timeout_ms` from when everything said has played out; then speaks up by itself. */
  #waitForCaller(playedOutAtMs: number): void {
    const idleMs = this.#turns?.idle_timeout_ms;
    this.#idle?.stop();
    if (this.#over || typeof idleMs !== "number" || this.#responder.active || this.#input.speaking) return;
    const { clock } = this.#parts;
    const fromMs = this.#input.totalMs;
    this.#idle = clock.after(Math.max(0, playedOutAtMs - clock.now()) + idleMs, () => {
      const itemId = newId("item");
      const span = { audio_start_ms: fromMs, audio_end_ms: this.#input.totalMs };
      this.#send({ type: "input_audio_buffer.timeout_triggered", ...span, item_id: itemId });
      this.#input.clear();
      this.#commit(itemId, new Int16Array(((span.audio_end_ms - fromMs) * SAMPLE_RATE) / 1_000));
      this.#respondByItself();
    });
  }
}

interface Verbs {
  readonly conversation: Conversation;
  readonly input: InputAudio;
  readonly responder: Responder;
  send(event: WireEvent): void;
  update(patch: Json | undefined): void;
  append(base64: string): void;
  commit(): void;
  clearPlayout(): void;
}

/** What each client event does. */
const HANDLERS: Readonly<Record<string, (event: WireEvent, verbs: Verbs) => void>> = {
  "session.update": (event, { update }) => update(event["session"]),
  "input_audio_buffer.append": (event, { append }) => append(stringAt(event["audio"], "audio")),
  "input_audio_buffer.commit": (_event, { commit }) => commit(),
  "input_audio_buffer.clear": (_event, { input, send }) => {
    input.clear();
    send({ type: "input_audio_buffer.cleared" });
  },
  "conversation.item.create": (event, { conversation, send }) => {
    const before = event["previous_item_id"] ?? undefined;
    const item = parseItem(event["item"]);
    const previous = conversation.add(item, before === undefined ? before : stringAt(before, "previous_item_id"));
    send({ type: "conversation.item.added", previous_item_id: previous, item: wireItem(item) });
    send({ type: "conversation.item.done", previous_item_id: previous, item: wireItem(item) });
  },
  "conversation.item.retrieve": (event, { conversation, send }) => {
    const item = conversation.get(stringAt(event["item_id"], "item_id"), "retrieve");
    send({ type: "conversation.item.retrieved", item: wireItem(item) });
  },
  "conversation.item.delete": (event, { conversation, send }) => {
    const id = stringAt(event["item_id"], "item_id");
    conversation.delete(id);
    send({ type: "conversation.item.deleted", item_id: id });
  },
  "conversation.item.truncate": (event, { conversation, send }) => {
    const id = stringAt(event["item_id"], "item_id");
    const contentIndex = integerAt(event["content_index"], "content_index");
    const endMs = integerAt(event["audio_end_ms"], "audio_end_ms");
    conversation.truncate(id, endMs);
    send({ type: "conversation.item.truncated", item_id: id, content_index: contentIndex, audio_end_ms: endMs });
  },
  "response.create": (event, { responder }) => {
    responder.respond(event["response"] === undefined ? {} : objectAt(event["response"], "response"), event.event_id);
  },
  "response.cancel": (event, { responder }) => responder.cancel(event["response_id"]),
  "output_audio_buffer.clear": (_event, { clearPlayout }) => clearPlayout(),
};
