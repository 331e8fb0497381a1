import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";

const LIVES_MS = 30_000;

interface Issued {
  readonly callId: string;
  readonly legId: string;
  readonly expiresAtMs: number;
}

/** One-time tokens that bind a media stream to the leg it was promised to: single use, 30 s, useless to any other leg. */
export class StreamTokens {
  readonly #clock: Clock;
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A fresh token for a leg's stream. */
  issue(callId: string, legId: string): string {
    const now = this.#clock.now();
    for (const [token, { expiresAtMs }] of this.#issued) if (expiresAtMs <= now) this.#issued.delete(token);
    const token = randomBytes(32).toString("base64url");
    this.#issued.set(token, { callId, legId, expiresAtMs: now + LIVES_MS });
    return token;
  }

  /** Takes a token back. Says which call it opens for this leg, if it does; it never opens one again. */
  redeem(token: string | undefined, legId: string): string | undefined {
    const issued = token === undefined ? undefined : this.#issued.get(token);
    if (!issued || token === undefined || issued.legId !== legId) return undefined;
    this.#issued.delete(token);
    return issued.expiresAtMs > this.#clock.now() ? issued.callId : undefined;
  }
}
