import type { EngineEvents, EngineSession } from "../engines/engine.ts";

const EVENTS = [
  "audio",
  "audioDone",
  "speechStarted",
  "speechStopped",
  "turnCommitted",
  "turnEmpty",
  "updated",
  "callerWords",
  "agentWords",
  "responseStarted",
  "responseEnded",
  "toolCalled",
  "fault",
  "noted",
  "closed",
] as const;
type Heard = (typeof EVENTS)[number];

/** What a session has told. */
export interface EventLog {
  /** All so far. */
  of<Name extends Heard>(name: Name): EngineEvents[Name][0][];
  /** The next that nobody has taken. */
  next<Name extends Heard>(name: Name): Promise<EngineEvents[Name][0]>;
}

/** Writes down what a session tells. */
export function listen(session: EngineSession): EventLog {
  const all = new Map<Heard, unknown[]>();
  const taken = new Map<Heard, number>();
  let wake: (() => void)[] = [];
  for (const name of EVENTS) {
    all.set(name, []);
    session.on(name, (...[payload]: unknown[]) => {
      all.get(name)?.push(payload);
      for (const each of wake.splice(0)) each();
    });
  }
  const of = (name: Heard) => all.get(name) as never;
  return {
    of,
    async next(name) {
      const index = taken.get(name) ?? 0;
      taken.set(name, index + 1);
      while ((all.get(name)?.length ?? 0) <= index) {
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
      }
      return all.get(name)?.[index] as never;
    },
  };
}
