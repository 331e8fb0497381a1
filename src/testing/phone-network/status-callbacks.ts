import type { Clock } from "../../core/clock.ts";
import { rfc2822 } from "./ids.ts";
import type { TwilioStatus } from "./types.ts";

export type StatusEvent = "initiated" | "ringing" | "answered" | "completed";

/** Which of a call's changes the application wants to be told, and where. */
export interface StatusSubscription {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly events: ReadonlySet<StatusEvent>;
}

/** Numbers and sends the status callbacks of one call. They leave at once: none waits for the one before. */
export class StatusCallbacks {
  readonly #clock: Clock;
  #subscription: StatusSubscription | undefined;
  readonly #send: (url: string, method: "GET" | "POST", params: Readonly<Record<string, string>>) => void;
  #sequence = 0;

  constructor(
    clock: Clock,
    subscription: StatusSubscription | undefined,
    send: (url: string, method: "GET" | "POST", params: Readonly<Record<string, string>>) => void,
  ) {
    this.#clock = clock;
    this.#subscription = subscription;
    this.#send = send;
  }

  /** Tells the application that the call has become `status`, if it asked for that. */
  tell(status: TwilioStatus, extra: Readonly<Record<string, string>>): void {
    if (!this.#subscription?.events.has(eventOf(status))) return;
    const { url, method } = this.#subscription;
    const sequence = this.#sequence++;
    this.#send(url, method, {
      CallStatus: status,
      CallbackSource: "call-progress-events",
      SequenceNumber: String(sequence),
      Timestamp: rfc2822(this.#clock.now()),
      ...extra,
    });
  }

  /** Tells nothing more. */
  mute(): void {
    this.#subscription = undefined;
  }
}

function eventOf(status: TwilioStatus): StatusEvent {
  if (status === "initiated" || status === "ringing") return status;
  return status === "in-progress" ? "answered" : "completed";
}
