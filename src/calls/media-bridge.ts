import { FrameDecoder } from "../audio/base64.ts";
import { FRAME_MS, isAudible, mulawMs } from "../audio/g711.ts";
import { Pacer, type Piece } from "../audio/pacer.ts";
import type { MediaLeg, MediaListener } from "../carriers/carrier.ts";
import type { Clock } from "../core/clock.ts";
import type { EngineSession } from "../engines/engine.ts";
import { PlaybackClock } from "./playback-clock.ts";
import { type ItemPlayout, Playout } from "./playout.ts";
import { SilenceMeter } from "./silence-meter.ts";
import type { Ticker } from "./ticker.ts";

/** Caller frames kept while the engine's socket opens: ten seconds. */
const KEPT_FRAMES = 500;
/** Carriers send a frame every 20 ms, also of silence: without any for so long the connection is dead, though open. */
const DEAD_AFTER_MS = 8_000;
/** A beat that comes so much later than the one before says that this process stood still, not the phone. */
const HELD_UP_MS = 1_000;
/** A beat so late says the same of a shorter time, in which the caller may have spoken. */
const LATE_BEAT_MS = 120;
/** After such a beat what waits in the socket is read within so long. */
const CATCH_UP_MS = 100;
/** The caller's newest frame is usually no older. */
const USUAL_AGE_MS = 60;
/** How late a caller's frame is believed to come at most. */
const MOST_JITTER_MS = 200;
/** Agent audio is thrown away rather than queued without bound when the carrier does not take it. */
const MAX_BUFFERED_BYTES = 256 * 1024;
/** So many things that are not understood are written down for one call. */
const MOST_UNRECOGNISED = 20;
/** A mark confirms that all before it has played; one for so much audio is enough. */
const MARK_EVERY_MS = 400;

/** Listens to what passes; its verbs are called on the way of the sound and must not wait for anything. */
export interface MediaTap {
  /** A 20 ms frame of the caller, µ-law, valid during the call of this, came at `nowMs`. */
  callerFrame(frame: Uint8Array, nowMs: number): void;
  /** What was handed to the carrier, by the time at which it plays. */
  agentPlays(pieces: readonly Piece[]): void;
  /** What had not played at `nowMs` will not. */
  cleared(nowMs: number): void;
}

export interface MediaBridgeParts {
  readonly clock: Clock;
  readonly ticker: Pick<Ticker, "add">;
  /** An item is over for the caller's ears: played out whole, or cut because the carrier took no more. */
  readonly onHeard: (item: ItemPlayout) => void;
  /** Each 20 ms frame of the caller, µ-law, valid during the call of this; and when it ended. */
  readonly onCallerFrame: (frame: Uint8Array, endedAtMs: number) => void;
  /** What was handed to the carrier: it plays `lagMs` after the times that the pieces bear. */
  readonly onAgentPlays: (pieces: readonly Piece[], lagMs: number) => void;
  /** The shared beat, every 40 ms. */
  readonly onTick: (nowMs: number) => void;
  readonly onDtmf: (digit: string) => void;
  /** The media connection is over; `lost` when nobody asked for it. */
  readonly onClosed: (how: "stopped" | "lost") => void;
  /** Something is wrong with the media connection, and the call goes on. */
  readonly onFault: (code: string, message: string) => void;
  readonly tap?: MediaTap;
}

/** Carries sound between one leg and one engine session, and knows what the caller has heard. */
export class MediaBridge {
  readonly #parts: MediaBridgeParts;
  readonly #pacer = new Pacer();
  readonly #playout = new Playout();
  readonly #playback = new PlaybackClock();
  readonly silence = new SilenceMeter();
  #leg: MediaLeg | undefined;
  #session: EngineSession | undefined;
  #kept: Buffer[] = [];
  readonly #decoder = new FrameDecoder();
  /** When frame 0 of the caller was due, by the frame that came with the least delay; unset before the first. */
  #inputStartMs: number | undefined;
  #frames = 0;
  /** Frames that the engine has. */
  #givenFrames = 0;
  /** When the newest frame ended. */
  #newestFrameMs = 0;
  #lastFrameAtMs = 0;
  #lastTickMs = 0;
  #catchUpUntilMs = 0;
  #legClosedAtMs: number | undefined;
  #leaveTicker: (() => void) | undefined;
  #stalled = false;
  #unrecognised = 0;
  #unmarkedMs = 0;

  constructor(parts: MediaBridgeParts) {
    this.#parts = parts;
  }

  get hasLeg(): boolean {
    return this.#leg !== undefined;
  }

  /** When the phone's media ended; nothing is heard after it. */
  get legClosedAtMs(): number | undefined {
    return this.#legClosedAtMs;
  }

  /**
   * When the caller spoke what the engine places at `atInputMs` of its input. Counted back from the newest frame:
   * frames that were lost on the way would make a count from the first one drift.
   */
  spokenAtMs(atInputMs: number): number {
    return this.#newestFrameMs - (this.#givenFrames * FRAME_MS - atInputMs);
  }

  /**
   * Until when it is known whether the caller spoke. The present, but for when this process was held up: what they
   * said meanwhile still waits in its socket, and is not to be taken for silence.
   */
  get heardUntilMs(): number {
    const now = this.#parts.clock.now();
    const heldUp = now - this.#lastTickMs > LATE_BEAT_MS || now < this.#catchUpUntilMs;
    return heldUp && this.#frames > 0 ? Math.min(now, this.#newestFrameMs + USUAL_AGE_MS) : now;
  }

  /** Whether the caller hears the agent, or will once nothing holds it back. */
  get agentSpeaks(): boolean {
    return this.#pacer.waiting || this.#pacer.playsUntilMs > this.#playback.at(this.#parts.clock.now());
  }

  /** Whether sound of such items plays or waits. */
  sounds(which: (itemId: string) => boolean): boolean {
    return this.agentSpeaks && this.#playout.some(which, this.#playback.at(this.#parts.clock.now()));
  }

  /** The item that is heard last of what plays or waits. */
  get lastItemId(): string | undefined {
    return this.#playout.lastItemId;
  }

  /** Connects the phone's side. */
  attachLeg(leg: MediaLeg): void {
    this.#leg = leg;
    this.#lastFrameAtMs = this.#parts.clock.now();
    this.#lastTickMs = this.#lastFrameAtMs;
    this.#leaveTicker = this.#parts.ticker.add((nowMs) => this.#tick(nowMs));
    const listener: MediaListener = {
      audio: (base64) => this.#fromCaller(base64),
      marked: (name) => this.#playback.marked(name, this.#parts.clock.now()),
      dtmf: this.#parts.onDtmf,
      unrecognised: (what) => {
        this.#unrecognised += 1;
        if (this.#unrecognised <= MOST_UNRECOGNISED)
          this.#parts.onFault("media_unrecognised", `Not understood: ${what}`);
      },
      closed: (how) => this.#legClosed(how),
    };
    leg.listen(listener);
  }

  /** Connects the model's side; what the caller said meanwhile goes first. */
  attachSession(session: EngineSession): void {
    this.#session = session;
    for (const frame of this.#kept) session.sendAudio(frame);
    this.#givenFrames = this.#kept.length;
    this.#kept = [];
  }

  /** Agent audio came from the engine. */
  fromAgent(itemId: string, audio: Buffer): void {
    this.#playout.produced(itemId, audio.length);
    this.#pacer.push(itemId, audio);
    // The first piece of an answer does not wait for the next beat.
    if (this.#leg) this.#send(this.#parts.clock.now());
  }

  /** The engine has produced all of an item. */
  agentItemDone(itemId: string): void {
    this.#playout.complete(itemId);
    this.#pacer.finish(itemId);
  }

  /** The engine produces nothing more of what it has begun. */
  agentDone(): void {
    for (const itemId of this.#playout.completeAll()) this.#pacer.finish(itemId);
  }

  /** Whether the caller hears nothing although the engine has not produced all of an item. */
  get starved(): boolean {
    return this.#playout.producing && !this.agentSpeaks;
  }

  /** Plays a whole sound of ours behind what is there already. */
  play(itemId: string, audio: Uint8Array): void {
    this.#playout.produced(itemId, audio.length);
    this.#playout.complete(itemId);
    this.#pacer.push(itemId, audio);
    this.#pacer.finish(itemId);
    if (this.#leg) this.#send(this.#parts.clock.now());
  }

  /** Silences the agent at once, and keeps what was not heard. */
  pause(): void {
    if (this.#pacer.held) return;
    const playback = this.#silence();
    this.#pacer.hold(playback);
    this.#playout.paused(playback);
  }

  /** Goes on where the agent was paused. */
  resume(): void {
    if (!this.#pacer.held) return;
    this.#pacer.release();
    if (this.#leg) this.#send(this.#parts.clock.now());
  }

  /** Silences the agent at once, for good. Says what of each unfinished item was heard. */
  interrupt(): ItemPlayout[] {
    const sounds = !this.#pacer.held && this.agentSpeaks;
    const believed = this.#playback.believed(this.#parts.clock.now());
    const playback = sounds ? this.#silence() : this.#playback.at(this.#parts.clock.now());
    this.#pacer.clear(playback);
    return this.#taken(this.#playout.takeAll(believed));
  }

  /** Lets go of both sides. Says what was heard of the items that had not played out. */
  close(): ItemPlayout[] {
    this.#leaveTicker?.();
    this.#leg?.close();
    this.#leg = undefined;
    this.#kept = [];
    return this.#taken(this.#playout.takeAll(this.#playback.believed(this.#legClosedAtMs ?? this.#parts.clock.now())));
  }

  /** Has the carrier drop what has not played. Says when playback stopped, on its own clock. */
  #silence(): number {
    const now = this.#parts.clock.now();
    const playback = this.#playback.at(now);
    this.#leg?.clear();
    this.#playback.cleared();
    this.#unmarkedMs = 0;
    this.silence.cleared(now);
    this.#parts.tap?.cleared(now);
    return playback;
  }

  /** Items by the clock of the wall. */
  #taken(items: readonly ItemPlayout[]): ItemPlayout[] {
    const { lagMs } = this.#playback;
    return items.map((item) =>
      item.startedAtMs === undefined ? item : { ...item, startedAtMs: item.startedAtMs + lagMs },
    );
  }

  #legClosed(how: "stopped" | "lost"): void {
    if (!this.#leg) return;
    this.#leg = undefined;
    this.#legClosedAtMs = this.#parts.clock.now();
    this.#leaveTicker?.();
    this.#parts.onClosed(how);
  }

  #fromCaller(base64: Buffer): void {
    const now = this.#parts.clock.now();
    this.#frames += 1;
    const sinceStartMs = this.#frames * FRAME_MS;
    this.#inputStartMs = Math.min(this.#inputStartMs ?? now, now - sinceStartMs);
    this.#lastFrameAtMs = now;
    // A frame that came late was spoken on time; frames that were lost are not counted, hence the bound.
    const endedAtMs = Math.max(this.#inputStartMs + sinceStartMs, now - MOST_JITTER_MS);
    this.#newestFrameMs = endedAtMs;
    // First to the model: what is made of it here may take its time.
    if (this.#session) {
      this.#session.sendAudio(base64);
      this.#givenFrames += 1;
    } else {
      if (this.#kept.length === KEPT_FRAMES) this.#kept.shift();
      this.#kept.push(Buffer.from(base64)); // the view is valid during this call only
    }
    const frame = this.#decoder.decode(base64);
    this.silence.callerFrame(isAudible(frame), endedAtMs);
    this.#parts.onCallerFrame(frame, endedAtMs);
    this.#parts.tap?.callerFrame(frame, now);
  }

  #tick(nowMs: number): void {
    // A process that was held up itself has the frames of that time still waiting in its socket.
    if (nowMs - this.#lastTickMs > HELD_UP_MS) this.#lastFrameAtMs = nowMs;
    if (nowMs - this.#lastTickMs > LATE_BEAT_MS) this.#catchUpUntilMs = nowMs + CATCH_UP_MS;
    this.#lastTickMs = nowMs;
    if (this.#leg && this.#pacer.waiting) this.#send(nowMs);
    if (this.#leg && nowMs - this.#lastFrameAtMs > DEAD_AFTER_MS) {
      this.#leg.close();
      this.#legClosed("lost");
      return;
    }
    const finished = this.#playout.takeFinished(this.#playback.believed(nowMs));
    if (finished.length > 0) for (const item of this.#taken(finished)) this.#parts.onHeard(item);
    this.#parts.onTick(nowMs);
  }

  #send(nowMs: number): void {
    const leg = this.#leg as MediaLeg;
    if (leg.bufferedBytes > MAX_BUFFERED_BYTES) {
      this.#stall(nowMs);
      return;
    }
    this.#stalled = false;
    const pieces = this.#pacer.take(this.#playback.at(nowMs));
    if (pieces.length === 0) return;
    leg.together(() => {
      for (const { audio } of pieces) leg.sendAudio(audio);
      this.#mark(leg, pieces);
    });
    this.#playout.sent(pieces);
    const { lagMs } = this.#playback;
    this.silence.sent(pieces, lagMs);
    this.#parts.onAgentPlays(pieces, lagMs);
    this.#parts.tap?.agentPlays(pieces.map((piece) => ({ ...piece, startsAtMs: piece.startsAtMs + lagMs })));
  }

  /** Asks the carrier to say when all until here has played. */
  #mark(leg: MediaLeg, pieces: readonly Piece[]): void {
    for (const { audio } of pieces) this.#unmarkedMs += mulawMs(audio.length);
    if (this.#unmarkedMs < MARK_EVERY_MS && this.#pacer.waiting) return;
    this.#unmarkedMs = 0;
    leg.mark(this.#playback.mark(this.#pacer.playsUntilMs));
  }

  /** The carrier takes nothing: what waits is dropped rather than heard late. */
  #stall(nowMs: number): void {
    const believed = this.#playback.believed(nowMs);
    let playback = this.#playback.at(nowMs);
    if (!this.#stalled) {
      this.#parts.onFault("carrier_stalled", "The carrier does not take our audio.");
      playback = this.#silence(); // behind what lies in the socket: none of it is to be heard once it moves again
    }
    this.#stalled = true;
    this.#pacer.clear(playback);
    for (const item of this.#taken(this.#playout.takeAll(believed))) this.#parts.onHeard(item);
  }
}
