import { FRAME_MS } from "../../audio/g711.ts";
import type { Clock, Timer } from "../../core/clock.ts";

interface Beat {
  readonly startedAt: number;
  frames: number;
  readonly onFrame: () => void;
}

/**
 * One timer for the audio of all calls. Each call gets its first frame at once and frame n at n × 20 ms after it,
 * counted from the clock and never from the last frame, so that late timers are made up for and nothing drifts.
 */
export class FrameTicker {
  readonly #clock: Clock;
  readonly #beats = new Set<Beat>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onFrame` every 20 ms until stopped. The timer runs only while someone needs it. */
  add(onFrame: () => void): Timer {
    const beat: Beat = { startedAt: this.#clock.now(), frames: 0, onFrame };
    this.#beats.add(beat);
    this.#timer ??= this.#clock.every(FRAME_MS, () => this.#tick());
    this.#run(beat);
    return {
      stop: () => {
        this.#beats.delete(beat);
        if (this.#beats.size > 0) return;
        this.#timer?.stop();
        this.#timer = undefined;
      },
    };
  }

  #tick(): void {
    for (const beat of this.#beats) this.#run(beat);
  }

  #run(beat: Beat): void {
    const due = Math.floor((this.#clock.now() - beat.startedAt) / FRAME_MS) + 1;
    while (beat.frames < due && this.#beats.has(beat)) {
      beat.frames += 1;
      beat.onFrame();
    }
  }
}
