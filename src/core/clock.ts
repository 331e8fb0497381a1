/**
 * Time as a part that is handed in. Every decision that depends on time takes a `Clock`, so that tests run
 * faster than real time, or by hand, and never sleep.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, as this clock counts them. */
  now(): number;
  /** Runs `action` once, `delayMs` from now. The timer does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
  /** Runs `action` every `periodMs` until stopped. The timer does not keep the process alive. */
  every(periodMs: number, action: () => void): Timer;
}

/** A running timer; whoever started it stops it. Stopping twice is harmless. */
export interface Timer {
  stop(): void;
}

/** The machine's clock. With `speed` 8, eight of its seconds pass in one real second. */
export function systemClock({ speed = 1 }: { speed?: number } = {}): Clock {
  const startedAt = Date.now();
  const origin = performance.now();
  return {
    now: () => startedAt + (performance.now() - origin) * speed,
    after(delayMs, action) {
      const handle = setTimeout(action, delayMs / speed);
      handle.unref();
      return { stop: () => clearTimeout(handle) };
    },
    every(periodMs, action) {
      const handle = setInterval(action, periodMs / speed);
      handle.unref();
      return { stop: () => clearInterval(handle) };
    },
  };
}

/** Resolves after `delayMs` of `clock`; rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.stop();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
