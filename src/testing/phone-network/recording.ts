import { decodeMulaw, FRAME_MS, linearToMulaw, MULAW_SILENCE, MULAW_TO_LINEAR, SAMPLE_RATE } from "../../audio/g711.ts";
import { encodeWav } from "../../audio/wav.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Faults, RecordingFate } from "./faults.ts";
import { makeSid, rfc2822 } from "./ids.ts";
import { Tape } from "./tape.ts";
import type { PhoneRecording, RecordingStatus } from "./types.ts";

/** How long a recording that has ended is worked on before it can be fetched. */
const PROCESSING_MS = 1_000;
/** Anything shorter has no sound for the network: error 16101. */
const SHORTEST_MS = 100;
const TOO_SHORT = 16_101;

/** What was asked for with a recording. */
export interface RecordingOrder {
  readonly channels: 1 | 2;
  readonly track: "inbound" | "outbound" | "both";
  readonly callback: { readonly url: string; readonly method: "GET" | "POST"; readonly events: ReadonlySet<string> };
}

export interface RecorderParts {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly accountSid: string;
  readonly callSid: string;
  /** Recordings of all calls that were not deleted, by id. */
  readonly recordings: Map<string, SimulatedRecording>;
  /** Tells the application what became of a recording. */
  readonly tell: (url: string, method: "GET" | "POST", params: Readonly<Record<string, string>>) => void;
}

/** Records one call: one recording at a time. */
export class CallRecorder {
  readonly #parts: RecorderParts;
  #latest: SimulatedRecording | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** The recording that runs or is paused. */
  get current(): SimulatedRecording | undefined {
    return this.#latest?.isRunning ? this.#latest : undefined;
  }

  /** Records both directions from the next frame on. */
  begin(order: RecordingOrder): SimulatedRecording {
    const recording = new SimulatedRecording(this.#parts, order);
    this.#parts.recordings.set(recording.sid, recording);
    this.#latest = recording;
    return recording;
  }

  /** Nothing more happens to the call's recordings: the network is being stopped. */
  cut(): void {
    for (const recording of this.#parts.recordings.values()) {
      if (recording.callSid === this.#parts.callSid) recording.cut();
    }
  }
}

/** One recording of a call, from its start until it is deleted. */
export class SimulatedRecording implements PhoneRecording {
  readonly sid = makeSid("RE");
  readonly callSid: string;
  readonly order: RecordingOrder;
  readonly startedAt: number;
  errorCode: number | undefined;
  readonly #parts: RecorderParts;
  readonly #fate: RecordingFate;
  readonly #tape = new Tape();
  #status: RecordingStatus = "in-progress";
  #pause: "skip" | "silence" = "silence";
  #processing: Timer | undefined;

  constructor(parts: RecorderParts, order: RecordingOrder) {
    const { faults, callSid } = parts;
    this.#parts = parts;
    this.#fate = faults.recording?.({ callSid, url: order.callback.url }) ?? {};
    this.order = order;
    this.callSid = parts.callSid;
    this.startedAt = parts.clock.now();
    this.#tell();
  }

  get status(): RecordingStatus {
    return this.#status;
  }

  /** Whether it still takes sound, or will again. */
  get isRunning(): boolean {
    return this.#status === "in-progress" || this.#status === "paused";
  }

  get durationMs(): number {
    return this.#tape.frames * FRAME_MS;
  }

  /** One frame of both directions. */
  append(spoken: Uint8Array, heard: Uint8Array): void {
    if (this.#status === "in-progress") this.#tape.append(spoken, heard);
    else if (this.#status === "paused" && this.#pause === "silence")
      this.#tape.append(silenceLike(spoken), silenceLike(heard));
  }

  pause(behaviour: "skip" | "silence"): void {
    this.#status = "paused";
    this.#pause = behaviour;
  }

  goOn(): void {
    this.#status = "in-progress";
  }

  /** Ends it: it is worked on for a while, then it can be fetched or turns out to have no sound. */
  stop(): void {
    if (!this.isRunning) return;
    const { processingMs = PROCESSING_MS, outcome } = this.#fate;
    this.#status = "processing";
    this.#processing = this.#parts.clock.after(processingMs, () => {
      if (this.durationMs < SHORTEST_MS) this.errorCode = TOO_SHORT;
      this.#status = outcome ?? (this.errorCode === undefined ? "completed" : "absent");
      this.#tell();
    });
  }

  /** Nothing more happens to it: it was deleted, or the network is being stopped. */
  cut(): void {
    this.#processing?.stop();
  }

  /** A WAV file with so many channels; left or only: what the track asked for, spoken before heard. */
  toWav(channels: 1 | 2): Buffer {
    const { track } = this.order;
    const { spoken, heard } = this.#tape;
    const left = track === "outbound" ? silenceLike(spoken) : spoken;
    const right = track === "inbound" ? silenceLike(heard) : heard;
    const sides = channels === 2 ? [left, right] : [mixed(left, right)];
    return encodeWav({ sampleRate: SAMPLE_RATE, channels: sides.map((side) => decodeMulaw(side)) });
  }

  /** The message names neither parties nor direction. */
  #tell(): void {
    const { channels, track, callback } = this.order;
    if (!callback.url || !callback.events.has(this.#status)) return;
    const { accountSid, tell } = this.#parts;
    tell(callback.url, callback.method, {
      AccountSid: accountSid,
      CallSid: this.callSid,
      RecordingSid: this.sid,
      RecordingUrl: `https://api.twilio.com/2010-04-01/Accounts/${accountSid}/Recordings/${this.sid}`,
      RecordingStatus: this.#status,
      RecordingDuration: this.isRunning ? "-1" : String(Math.round(this.durationMs / 1000)),
      RecordingChannels: String(channels),
      RecordingSource: "StartCallRecordingAPI",
      RecordingTrack: track,
      RecordingStartTime: rfc2822(this.startedAt),
      ...(this.errorCode !== undefined && { ErrorCode: String(this.errorCode) }),
    });
  }
}

const silenceLike = (side: Uint8Array) => new Uint8Array(side.length).fill(MULAW_SILENCE);

function mixed(left: Uint8Array, right: Uint8Array): Uint8Array {
  const linear = (byte: number) => MULAW_TO_LINEAR[byte] as number;
  return left.map((byte, at) => linearToMulaw(linear(byte) + linear(right[at] as number)));
}
