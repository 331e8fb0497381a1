import type { Clock, Timer } from "../../core/clock.ts";
import type { Conversation } from "./conversation.ts";
import type { WireEvent } from "./wire.ts";

/** The playout buffer of a telephone call, which the server owns: what was heard is known here, not at the client. */
export interface Playout {
  /** Queues produced audio. */
  push(delta: { responseId: string; itemId: string; audioMs: number }): void;
  /** Stops playing and cuts every item that was not heard to its end. */
  clear(): void;
  stop(): void;
}

export function newPlayout(parts: { clock: Clock; conversation: Conversation; send(event: WireEvent): void }): Playout {
  const { clock, conversation, send } = parts;
  let queued: { itemId: string; fromMs: number; toMs: number }[] = [];
  let responseId: string | undefined;
  let emptyAtMs = 0;
  let timer: Timer | undefined;

  const close = (type: "stopped" | "cleared"): void => {
    timer?.stop();
    const id = responseId;
    queued = [];
    responseId = undefined;
    if (id !== undefined) send({ type: `output_audio_buffer.${type}`, response_id: id });
  };
  return {
    push({ responseId: id, itemId, audioMs }) {
      const fromMs = Math.max(emptyAtMs, clock.now());
      emptyAtMs = fromMs + audioMs;
      const last = queued.at(-1);
      if (last?.itemId === itemId) queued[queued.length - 1] = { ...last, toMs: emptyAtMs };
      else queued.push({ itemId, fromMs, toMs: emptyAtMs });
      if (responseId !== id) send({ type: "output_audio_buffer.started", response_id: id });
      responseId = id;
      timer?.stop();
      timer = clock.after(emptyAtMs - clock.now(), () => close("stopped"));
    },
    clear() {
      const now = clock.now();
      emptyAtMs = now;
      for (const { itemId, fromMs, toMs } of queued) {
        const item = conversation.find(itemId);
        if (!item || toMs <= now) continue;
        const heardMs = Math.floor(Math.max(0, Math.min(now - fromMs, item.audioMs)));
        conversation.truncate(itemId, heardMs);
        send({ type: "conversation.item.truncated", item_id: itemId, content_index: 0, audio_end_ms: heardMs });
      }
      close("cleared");
    },
    stop: () => timer?.stop(),
  };
}
