import type { Json, WireEvent } from "./wire.ts";

/** An event as it is remembered: when it happened, and byte counts in place of audio. */
export type LoggedEvent = { readonly type: string; readonly atMs: number } & {
  readonly [key: string]: Json | undefined;
};

/** Picks an event: by its type, or by a question. */
export type EventPick = string | ((event: LoggedEvent) => boolean);

/** Every event of one direction, in order; runs of the same audio event are counted in one entry. */
export interface EventLog {
  readonly events: readonly LoggedEvent[];
  add(event: WireEvent, atMs: number): void;
  /** Resolves with the first event that fits, be it here already. */
  until(pick: EventPick, from?: number): Promise<LoggedEvent>;
  /** Rejects everyone who still waits. */
  close(why: string): void;
}

export function newEventLog(): EventLog {
  const events: LoggedEvent[] = [];
  const waiting = new Set<{ fits: (event: LoggedEvent) => boolean; order: PromiseWithResolvers<LoggedEvent> }>();
  let closed: string | undefined;
  return {
    events,
    add(event, atMs) {
      const last = events.at(-1);
      let entry = elided(event, atMs);
      if (entry.type === "input_audio_buffer.append" && last?.type === entry.type) {
        const bytes = (last["bytes"] as number) + (entry["bytes"] as number);
        entry = { ...last, bytes, count: (last["count"] as number) + 1 };
        events[events.length - 1] = entry;
      } else {
        events.push(entry);
      }
      for (const waiter of waiting) {
        if (!waiter.fits(entry)) continue;
        waiting.delete(waiter);
        waiter.order.resolve(entry);
      }
    },
    until(pick, from = 0) {
      const fits = typeof pick === "string" ? (event: LoggedEvent) => event.type === pick : pick;
      const found = events.slice(from).find(fits);
      if (found) return Promise.resolve(found);
      const named = typeof pick === "string" ? pick : "what was waited for";
      if (closed !== undefined) return Promise.reject(new Error(`No ${named}: ${closed}`));
      const order = Promise.withResolvers<LoggedEvent>();
      waiting.add({ fits, order });
      return order.promise;
    },
    close(why) {
      closed = why;
      for (const { order } of waiting) order.reject(new Error(why));
      waiting.clear();
    },
  };
}

// --- Internal helpers ---

function elided(event: WireEvent, atMs: number): LoggedEvent {
  const key =
    event.type === "input_audio_buffer.append" ? "audio" : event.type === "response.output_audio.delta" ? "delta" : "";
  const audio = event[key];
  if (typeof audio !== "string") return { ...event, atMs };
  const bytes = Buffer.byteLength(audio, "base64");
  return { ...event, [key]: undefined, atMs, bytes, count: 1 };
}
