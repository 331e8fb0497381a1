import type { Clock } from "../core/clock.ts";
import type { JournalEntry } from "../core/events.ts";
import type { Logger } from "../hosts/host.ts";

/** A comment this often keeps proxies from closing a stream on which nothing happens. */
export const HEARTBEAT_MS = 15_000;

/** What a stream of events needs. */
export interface EventStreamParts {
  readonly callId: string;
  /** Opens the journal; `signal` is aborted when nobody reads any more. */
  readonly follow: (signal: AbortSignal) => AsyncIterable<JournalEntry>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the listener closes. */
  readonly closing: AbortSignal;
}

/**
 * A call's journal as server-sent events: `id` is the entry's seq, `event` its type, `data` the event as JSON.
 * Ends with the journal. The reader's pace is the journal's pace: nothing piles up here.
 */
export function eventStream({ callId, follow, clock, logger, closing }: EventStreamParts): Response {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, closing]);
  const entries = follow(signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const end = () => {
    heartbeat.stop();
    gone.abort();
  };
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  const heartbeat = clock.every(HEARTBEAT_MS, () => {
    if ((stream?.desiredSize ?? 0) > 0) stream?.enqueue(encoder.encode(": still here\n\n"));
  });
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      stream = controller;
      // Sent at once, so that the reader knows that it is connected.
      controller.enqueue(encoder.encode(": following\n\n"));
    },
    async pull(controller) {
      const next = await entries.next().catch((error: unknown) => {
        // The reader sees an early end and comes back with the id of its last event.
        if (!signal.aborted) logger.error("a call's events could not be followed", { callId, error: String(error) });
        return { done: true, value: undefined } as const;
      });
      if (gone.signal.aborted) return;
      if (!next.done) return controller.enqueue(encoder.encode(formatEntry(next.value)));
      end();
      controller.close();
    },
    async cancel() {
      end();
      await entries.return?.();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** One entry on the wire. */
export function formatEntry({ seq, event }: JournalEntry): string {
  return `id: ${seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
