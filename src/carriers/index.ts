import type { Clock } from "../core/clock.ts";
import type { Carrier } from "./carrier.ts";
import { createTwilioCarrier } from "./twilio/index.ts";

/** An account's `carrier` settings. */
export interface CarrierSettings {
  readonly provider: "twilio";
  readonly accountSid: string;
  /** The secret, or whatever stands in its place while it is not resolved. */
  readonly authToken: unknown;
  /** Base URL of the provider's API. */
  readonly apiBaseUrl: string;
}

/** What a carrier needs beside its settings. */
export interface CarrierParts {
  readonly accountId: string;
  /** Base URL of every webhook, without a slash at its end. */
  readonly publicUrl: string;
  /** The account's own numbers, E.164. */
  readonly numbers: readonly string[];
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
}

/** Makes the carrier of one account. Loads and opens nothing yet. */
export function createCarrier({ provider, ...settings }: CarrierSettings, parts: CarrierParts): Carrier {
  switch (provider) {
    case "twilio":
      return createTwilioCarrier({ ...settings, ...parts });
  }
}
