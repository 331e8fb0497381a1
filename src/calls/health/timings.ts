import type { Carrier } from "../../carriers/carrier.ts";
import type { Clock } from "../../core/clock.ts";
import type { Engine } from "../../engines/engine.ts";
import type { Store } from "../../stores/store.ts";
import { override } from "../override.ts";

/** What is measured of a call, part by part. */
export const LATENCY_PARTS = [
  /** From a waiting leg's webhook to our answer to it. */
  "answer_webhook",
  /** Until the engine has accepted a session. */
  "engine_open",
  /** From the end of the caller's turn, as the engine hears it, to the agent's first sound. */
  "first_audio",
  "tool",
  "consult",
  /** Until events of a journal are durable. */
  "store_append",
  /** One request to a carrier, failed ones included. */
  "carrier_rest",
] as const;
export type LatencyPart = (typeof LATENCY_PARTS)[number];

/** Takes one measurement. */
export type Time = (part: LatencyPart, ms: number) => void;

/** A stopwatch over the handed-in clock. */
export class Stopwatch {
  readonly #clock: Clock;
  readonly #time: Time;
  #appending = 0;

  constructor(clock: Clock, time: Time) {
    this.#clock = clock;
    this.#time = time;
  }

  /** How many appends the store has not confirmed. */
  get appending(): number {
    return this.#appending;
  }

  /** Measures work, also when it fails. */
  async measure<Result>(part: LatencyPart, work: () => Promise<Result>): Promise<Result> {
    const fromMs = this.#clock.now();
    try {
      return await work();
    } finally {
      this.#time(part, this.#clock.now() - fromMs);
    }
  }

  /** The same store, with its appends counted and measured. */
  store(store: Store): Store {
    return override(store, {
      append: async (callId, events) => {
        this.#appending += 1;
        try {
          return await this.measure("store_append", () => store.append(callId, events));
        } finally {
          this.#appending -= 1;
        }
      },
    });
  }

  /** The same engine, with its openings measured; refused ones are no openings. */
  engine(engine: Engine): Engine {
    return override(engine, {
      open: async (config, signal) => {
        const fromMs = this.#clock.now();
        const session = await engine.open(config, signal);
        this.#time("engine_open", this.#clock.now() - fromMs);
        return session;
      },
    });
  }

  /** The same carrier, with its requests about legs measured. */
  carrier(carrier: Carrier): Carrier {
    const rest = <Result>(work: () => Promise<Result>) => this.measure("carrier_rest", work);
    return override(carrier, {
      dial: (order, signal) => rest(() => carrier.dial(order, signal)),
      hangUp: (legId, signal) => rest(() => carrier.hangUp(legId, signal)),
      speakAndHangUp: (legId, text, language, signal) =>
        rest(() => carrier.speakAndHangUp(legId, text, language, signal)),
      redirect: (legId, answer, signal) => rest(() => carrier.redirect(legId, answer, signal)),
      fetchState: (legId, signal) => rest(() => carrier.fetchState(legId, signal)),
      findDialled: (order, signal) => rest(() => carrier.findDialled(order, signal)),
      probe: (signal) => rest(() => carrier.probe(signal)),
    });
  }
}
