import type { CallEvent } from "./events.ts";

/** An event as an earlier version of this code wrote it. */
export type OldEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** Makes an event of one version an event of the next. What it does not know it leaves as it is. */
export type EventStep = (event: OldEvent) => OldEvent;

/**
 * What events have become, step by step: the first takes those of version 1 to version 2. A journal is never rewritten
 * for it, its entries are taken forward as they are read. A step that was published is never edited.
 */
export const EVENT_STEPS: readonly EventStep[] = [
  // A call that was let go says how long its caller had waited until then.
  (event) => (event.type === "call.released" ? { longestSilenceMs: 0, ...event } : event),
];

/** The version in which events are written. */
export const EVENT_VERSION = EVENT_STEPS.length + 1;

/** An event in today's form. One of a later version stays as it is: what it means cannot be known. */
export function upcast(
  event: OldEvent | CallEvent,
  version: number,
  steps: readonly EventStep[] = EVENT_STEPS,
): CallEvent {
  const written = event as OldEvent;
  return steps.slice(Math.max(0, version - 1)).reduce((older, step) => step(older), written) as unknown as CallEvent;
}
