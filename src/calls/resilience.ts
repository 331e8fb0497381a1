import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  retry,
} from "cockatiel";
import type { Carrier } from "../carriers/carrier.ts";
import { type Clock, sleep } from "../core/clock.ts";
import { CarrierUnreachableError, HostError, VoiceError } from "../core/errors.ts";
import type { Host } from "../hosts/host.ts";
import { override } from "./override.ts";
import { untilAborted } from "./until-aborted.ts";

/** How requests to one peer are repeated, and when it is left alone. */
export interface RetrySettings {
  /** The first time included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly multiplier: number;
  /** So many failures in a row open the breaker. */
  readonly breakAfter: number;
  /** An open breaker lets one request through after so long. */
  readonly pauseSeconds: number;
}

/** `open`: requests fail at once. `half-open`: one request finds out whether the peer works again. */
export type BreakerState = "closed" | "half-open" | "open";

/** How a breaker stands, for people and numbers. */
export interface BreakerReport {
  /** What it guards, such as `carrier`. */
  readonly name: string;
  readonly accountId?: string;
  readonly state: BreakerState;
  /** When the next request is let through; milliseconds since the epoch, while it is open. */
  readonly retryAtMs?: number;
}

export interface GuardParts {
  readonly name: string;
  readonly accountId?: string;
  readonly settings: RetrySettings;
  readonly clock: Clock;
  /** 0 to 1: attempts of many processes are spread by it. */
  readonly random?: () => number;
  /** The error of a request that was not made, or whose end nobody waited for. */
  readonly unavailable: (message: string, options: ErrorOptions) => VoiceError;
}

/** Delays are cut by up to so much of themselves. */
const SPREAD = 0.5;

/**
 * What stands between us and one peer. Failures in a row open its breaker: further requests fail at once, until one of
 * them, later, finds that the peer answers. A request fails when its error is retryable; a refusal is an answer.
 */
export class Guard {
  readonly #parts: GuardParts;
  readonly #breaker: ReturnType<typeof circuitBreaker>;
  readonly #retry: ReturnType<typeof retry>;
  #retryAtMs = 0;

  constructor(parts: GuardParts) {
    this.#parts = parts;
    const { attempts, breakAfter } = parts.settings;
    this.#breaker = circuitBreaker(
      handleWhen((error) => this.#counts(error)),
      { breaker: new ConsecutiveBreaker(breakAfter), halfOpenAfter: { next: () => this.#pause() } },
    );
    // The pause between attempts is ours: the library's runs by the wall and cannot be cut short.
    this.#retry = retry(handleWhen(isFailure), { maxAttempts: attempts - 1, backoff: { next: () => NO_WAIT } });
  }

  report(): BreakerReport {
    const { name, accountId, clock } = this.#parts;
    const state = STATES[this.#breaker.state];
    const due = state === "open" && this.#retryAtMs <= clock.now();
    return {
      name,
      ...(accountId !== undefined && { accountId }),
      state: due ? "half-open" : state,
      ...(state === "open" && !due && { retryAtMs: Math.round(this.#retryAtMs) }),
    };
  }

  /** Makes a request once. @throws VoiceError at once while the breaker is open */
  once<Result>(request: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    return this.#told(this.#ask(request, signal), signal);
  }

  /** Makes a request that may be made twice without harm: again when it fails, as often as the settings say. @throws as once */
  repeated<Result>(request: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const attempts = this.#retry.execute(async ({ attempt }) => {
      if (attempt > 0) await sleep(this.#parts.clock, this.#delayMs(attempt), signal);
      return this.#ask(request, signal);
    }, signal);
    return this.#told(attempts, signal);
  }

  /** Makes a request that somebody's call hangs on: also while the breaker is open, then once and without regard to it. */
  urgent<Result>(request: () => Promise<Result>, signal: AbortSignal, mayRepeat: boolean): Promise<Result> {
    if (this.report().state === "open") return request();
    return mayRepeat ? this.repeated(request, signal) : this.once(request, signal);
  }

  async #ask<Result>(request: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    return this.#breaker.execute(async () => {
      try {
        return await request();
      } catch (error) {
        throw signal.aborted ? new GivenUp(error, signal.reason) : error;
      }
    });
  }

  /** The result, no later than `signal` allows; what the library has to say in our words. */
  async #told<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const { name, unavailable } = this.#parts;
    try {
      return await untilAborted(work, signal);
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw this.#paused(error);
      if (!signal.aborted || error instanceof VoiceError) throw error;
      throw unavailable(`The request to the ${name} was given up. Whether it arrived is not known.`, { cause: error });
    }
  }

  /** Whether the breaker counts it. Nobody knows what came of a request that we gave up, unless we had waited for long. */
  #counts(error: unknown): boolean {
    if (!(error instanceof GivenUp)) return isFailure(error);
    const tookTooLong = (error.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
    // The one request that finds out has found out nothing: the breaker stays as it was.
    return tookTooLong || this.#breaker.state === CircuitState.HalfOpen;
  }

  /** The library asks whether so many milliseconds have passed by the wall: ours pass by the clock that we were given. */
  #pause(): IBackoff<unknown> {
    const { clock, settings } = this.#parts;
    const untilMs = clock.now() + settings.pauseSeconds * 1_000;
    this.#retryAtMs = untilMs;
    return {
      get duration() {
        return clock.now() >= untilMs ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      },
      next: () => this.#pause(),
    };
  }

  #paused(cause: BrokenCircuitError): VoiceError {
    const { name, clock, unavailable, settings } = this.#parts;
    const seconds = Math.max(1, Math.ceil((this.#retryAtMs - clock.now()) / 1_000));
    const last = this.#breaker.lastFailure;
    const why =
      last && "error" in last && last.error instanceof VoiceError ? ` The last failure: ${last.error.message}` : "";
    return unavailable(
      `The ${name} failed ${settings.breakAfter} times in a row: nothing is asked of it for the next ${seconds} s.${why}`,
      { cause },
    );
  }

  #delayMs(attempt: number): number {
    const { settings, random = Math.random } = this.#parts;
    const whole = settings.firstDelayMs * settings.multiplier ** (attempt - 1);
    return Math.min(MOST_DELAY_MS, whole) * (1 - SPREAD * random());
  }
}

/** Repeats what a carrier may be asked twice. Orders to dial and to record are made once, whatever becomes of them. */
export function withResilience(carrier: Carrier, guard: Guard): Carrier {
  return override(carrier, {
    // A leg that is to end costs money until it does.
    hangUp: (legId, signal) => guard.urgent(() => carrier.hangUp(legId, signal), signal, true),
    // Instructions that arrive twice would cut what the first ones began: who gives them sees whether they were taken.
    redirect: (legId, answer, signal) => guard.urgent(() => carrier.redirect(legId, answer, signal), signal, false),
    fetchState: (legId, signal) => guard.repeated(() => carrier.fetchState(legId, signal), signal),
    findDialled: (order, signal) => guard.repeated(() => carrier.findDialled(order, signal), signal),
    probe: (signal) => guard.repeated(() => carrier.probe(signal), signal),
    // What is said next may be a card's number.
    pauseRecording: (recording, signal) => guard.urgent(() => carrier.pauseRecording(recording, signal), signal, true),
    resumeRecording: (recording, signal) =>
      guard.urgent(() => carrier.resumeRecording(recording, signal), signal, true),
    stopRecording: (recording, signal) => guard.urgent(() => carrier.stopRecording(recording, signal), signal, true),
    // Whoever looks after recordings asks again by themselves, for as long as it takes.
    findRecordings: (legId, signal) => guard.once(() => carrier.findRecordings(legId, signal), signal),
    fetchRecordingState: (recording, signal) =>
      guard.once(() => carrier.fetchRecordingState(recording, signal), signal),
    fetchRecording: (recording, signal) => guard.once(() => carrier.fetchRecording(recording, signal), signal),
    deleteRecording: (recording, signal) => guard.once(() => carrier.deleteRecording(recording, signal), signal),
  });
}

/** A host that does not answer is not waited for again and again: callers hear at once that the agent cannot be had. */
export function withHostResilience(host: Host, guard: Guard): Host {
  return override(host, {
    consult: (request, signal, onProgress) => guard.once(() => host.consult(request, signal, onProgress), signal),
    complete: (request, signal) => guard.repeated(() => host.complete(request, signal), signal),
  });
}

/** The guard of an account's carrier. */
export function carrierGuard(accountId: string, settings: RetrySettings, clock: Clock): Guard {
  const unavailable: GuardParts["unavailable"] = (message, options) => new CarrierUnreachableError(message, options);
  return new Guard({ name: "carrier", accountId, settings, clock, unavailable });
}

/** The guard of the host. */
export function hostGuard(settings: RetrySettings, clock: Clock): Guard {
  const unavailable: GuardParts["unavailable"] = (message, options) => new HostError(message, options);
  return new Guard({ name: "host", settings, clock, unavailable });
}

// --- Internal helpers ---

const MOST_DELAY_MS = 60_000;
const NO_WAIT: IBackoff<unknown> = { duration: 0, next: () => NO_WAIT };

const STATES: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.HalfOpen]: "half-open",
  [CircuitState.Open]: "open",
  [CircuitState.Isolated]: "open",
};

/** A request that ended because whoever made it gave it up. */
class GivenUp extends Error {
  override readonly cause: unknown;
  readonly reason: unknown;

  constructor(cause: unknown, reason: unknown) {
    super("The request was given up.");
    this.cause = cause;
    this.reason = reason;
  }
}

/** Whether the peer failed. What it refused it will refuse again, and what we made wrong is no fault of its. */
const isFailure = (error: unknown): boolean => error instanceof VoiceError && error.retryable;
