import type { Clock, Timer } from "../src/core/clock.ts";

/** A clock that knows which of its timers run, and who started them. */
export function watchTimers(clock: Clock): { readonly clock: Clock; running(): string[] } {
  const timers = new Map<object, string>();
  const track = (start: (done: () => void) => Timer): Timer => {
    const key = {};
    const timer = start(() => timers.delete(key));
    timers.set(key, startedBy());
    return {
      stop() {
        timers.delete(key);
        timer.stop();
      },
    };
  };
  return {
    running: () => [...timers.values()],
    clock: {
      now: () => clock.now(),
      after: (delayMs, action) =>
        track((done) =>
          clock.after(delayMs, () => {
            done();
            action();
          }),
        ),
      every: (periodMs, action) => track(() => clock.every(periodMs, action)),
    },
  };
}

// --- Internal helpers ---

/** The line of ours that started a timer. */
function startedBy(): string {
  const lines = new Error("started").stack?.split("\n").slice(4) ?? [];
  return (lines.find((line) => !line.includes("/core/clock.ts")) ?? "").trim().replace(/^at /, "");
}
