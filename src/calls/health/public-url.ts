import { untilAborted } from "../until-aborted.ts";
import type { HealthCheck } from "./monitor.ts";

/** Where we ask for ourselves: what we send there must arrive here. */
export const PROBE_HEADER = "x-openclaw-voice-probe";
const SLOW_MS = 4_000;

/**
 * Whether the world reaches us through publicUrl. We ask for `/health` there with a word that only we know, and see
 * whether it arrives here: that somebody answers proves nothing, an older process does too.
 */
export class PublicUrlProbe {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #newWord: () => string;
  readonly #awaited = new Set<string>();

  constructor(publicUrl: string, newWord: () => string, ask: typeof fetch = fetch) {
    this.#url = `${publicUrl}/health`;
    this.#newWord = newWord;
    this.#fetch = ask;
  }

  /** A request for `/health` has arrived with this word. */
  readonly arrived = (word: string): void => {
    this.#awaited.delete(word);
  };

  readonly check: HealthCheck = {
    name: "public_url",
    slowMs: SLOW_MS,
    remedy: "Check the name, the tunnel or proxy, and its certificate.",
    look: async (signal) => {
      const word = this.#newWord();
      this.#awaited.add(word);
      const request = this.#fetch(this.#url, { headers: { [PROBE_HEADER]: word }, redirect: "manual", signal });
      try {
        const response = await untilAborted(request, signal);
        await response.body?.cancel();
        if (!this.#awaited.has(word)) return { level: "well", message: "The world reaches us." };
        return {
          level: "down",
          message: `Somebody else answers at ${this.#url} (${response.status}).`,
          remedy: "Let publicUrl lead to this listener; `listen` says where it is.",
        };
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
        return {
          level: "down",
          message: `${this.#url} cannot be reached: ${error instanceof Error ? error.message : String(error)}${cause}.`,
        };
      } finally {
        this.#awaited.delete(word);
      }
    },
  };
}

/** Names that lead nowhere, by RFC 2606: whoever has one in the settings has not set it yet. */
export function isNobodysName(publicUrl: string): boolean {
  return /(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid)$/.test(new URL(publicUrl).hostname);
}
