import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

/** How often anybody may come, in requests within any `WINDOW_SECONDS`. */
export interface RateLimits {
  /** From one remote address. A proxy or tunnel is one address, so that this bounds all of it together. */
  readonly perAddress: number;
  /** To one account's webhooks and media path: behind a proxy, one account's flood does not shut out another. */
  readonly perAccount: number;
}

/** The length of a window, in seconds. */
export const WINDOW_SECONDS = 10;

/** A hundred calls that begin within ten seconds, with all their callbacks, stay below this. */
export const DEFAULT_RATES: RateLimits = { perAddress: 3_000, perAccount: 1_500 };

/** Counts requests before anything else looks at them. */
export interface RateLimiter {
  /** Resolves with `undefined` when the request may go on, else with the seconds to wait. */
  take(address: string, accountPath: string | undefined): Promise<number | undefined>;
  /** Forgets everything and stops every timer. */
  close(): void;
}

/** Counts in memory, per process. */
export function rateLimiter(rates: RateLimits = DEFAULT_RATES): RateLimiter {
  const addresses = new RateLimiterMemory({ points: rates.perAddress, duration: WINDOW_SECONDS, keyPrefix: "address" });
  const accounts = new RateLimiterMemory({ points: rates.perAccount, duration: WINDOW_SECONDS, keyPrefix: "account" });
  return {
    async take(address, accountPath) {
      const wait = await consume(addresses, network(address));
      return wait ?? (accountPath === undefined ? undefined : consume(accounts, accountPath));
    },
    close() {
      // Each counter has a timer; deleting it stops the timer at once.
      for (const limiter of [addresses, accounts]) {
        for (const { key } of limiter.dump().storage) void limiter.delete(key);
      }
    },
  };
}

// --- Internal helpers ---

async function consume(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
  }
}

/** Whoever has one IPv6 address has its whole /64. */
function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return plain.includes(":") && !plain.startsWith("::") ? plain.split(":").slice(0, 4).join(":") : plain;
}
