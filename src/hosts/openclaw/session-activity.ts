import { type Clock, sleep, type Timer } from "../../core/clock.ts";
import { HostError } from "../../core/errors.ts";

/** The part of the host's agent events that tells when a session works. */
export interface AgentEvent {
  readonly runId: string;
  readonly stream: string;
  readonly sessionKey?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Knows which sessions have an agent turn running. */
export interface SessionActivity {
  /**
   * Resolves when no turn runs in the session and none has for `SETTLE_MS`. Rejects with the signal's reason.
   * A turn may still begin right after: whoever writes must be able to write again.
   * @throws HostError nobody watches any more, so that nobody knows
   */
  idle(sessionKey: string, signal: AbortSignal): Promise<void>;
  /** Somebody has written to the session: the host is about to begin a turn, and the session is not idle until then. */
  comes(sessionKey: string): void;
  stop(): void;
}

/**
 * A row appended during a turn makes that turn fail ("SQLite transcript changed while preparing rewrite"), and the
 * turn's last write comes shortly after the event of its end.
 */
export const SETTLE_MS = 500;

/**
 * A turn that was announced begins within this time, as soon as the host is done with others. A row that stands between
 * what somebody wrote and their turn's first event makes the turn fail ("keyed user is outside the current turn").
 */
const COMES_WITHIN_MS = 20_000;

/** A run that says nothing for so long has died without an end, and must not hold rows back for ever. */
const LOST_RUN_MS = 15 * 60_000;

/** Follows the host's agent events from now on. */
export function watchSessions(
  subscribe: (listener: (event: AgentEvent) => void) => () => void,
  clock: Clock,
): SessionActivity {
  const runs = new Map<string, { sessionKey: string; lost: Timer }>();
  const waiting = new Set<() => void>();
  let stopped = false;

  const over = (runId: string) => {
    runs.get(runId)?.lost.stop();
    runs.delete(runId);
    for (const wake of [...waiting]) wake();
  };
  const unsubscribe = subscribe(({ runId, stream, sessionKey, data }) => {
    const known = runs.get(runId);
    const phase = stream === "lifecycle" ? data["phase"] : undefined;
    if (phase === "end" || phase === "error") return over(runId);
    if (!known && (phase !== "start" || sessionKey === undefined)) return;
    known?.lost.stop();
    if (!known && sessionKey !== undefined) over(announced(sessionKey));
    const lost = clock.after(LOST_RUN_MS, () => over(runId));
    runs.set(runId, { sessionKey: known?.sessionKey ?? (sessionKey as string), lost });
  });

  const busy = (sessionKey: string) => [...runs.values()].some((run) => run.sessionKey === sessionKey);
  const change = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const done = () => {
        waiting.delete(done);
        signal.removeEventListener("abort", done);
        signal.aborted ? reject(signal.reason) : resolve();
      };
      waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
    });

  return {
    async idle(sessionKey, signal) {
      signal.throwIfAborted();
      do {
        while (busy(sessionKey)) await change(signal);
        await sleep(clock, SETTLE_MS, signal);
      } while (busy(sessionKey));
      if (stopped) throw new HostError("The channel has stopped watching its sessions.");
    },
    comes(sessionKey) {
      if (stopped) return;
      const id = announced(sessionKey);
      runs.get(id)?.lost.stop();
      runs.set(id, { sessionKey, lost: clock.after(COMES_WITHIN_MS, () => over(id)) });
    },
    stop() {
      stopped = true;
      unsubscribe();
      for (const { lost } of runs.values()) lost.stop();
      runs.clear();
      for (const wake of [...waiting]) wake();
    },
  };
}

// --- Internal helpers ---

/** What a turn is called until its run has an id. */
const announced = (sessionKey: string): string => `announced ${sessionKey}`;
