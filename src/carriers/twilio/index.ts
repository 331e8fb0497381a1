import type { Clock } from "../../core/clock.ts";
import type { Carrier } from "../carrier.ts";
import { BatchRoom, openMediaLeg } from "./media.ts";
import { createRecordings } from "./recordings.ts";
import { createRestApi } from "./rest.ts";
import { createVerifier } from "./signature.ts";
import { createAnswers } from "./twiml.ts";
import { createUrls } from "./urls.ts";
import { createParser } from "./webhooks.ts";

/** What one Twilio account needs. */
export interface TwilioOptions {
  /** The account's name with us: part of its webhook paths. */
  readonly accountId: string;
  /** Twilio's own id of the account (`AC…`). */
  readonly accountSid: string;
  /** Signs webhooks and authenticates the API; anything but a non-empty string counts as missing. */
  readonly authToken: unknown;
  /** Base URL of Twilio's REST API. */
  readonly apiBaseUrl: string;
  /** Base URL that Twilio calls us by: owns scheme, host and path prefix of every webhook. */
  readonly publicUrl: string;
  /** The account's own numbers, E.164. */
  readonly numbers: readonly string[];
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
}

/** A Twilio account: programmable voice, media streams both ways. The `twilio` package loads on `warmUp` or first use. */
export function createTwilioCarrier(options: TwilioOptions): Carrier {
  const urls = createUrls(options);
  const verifier = createVerifier(options, urls);
  const answers = createAnswers(urls);
  const rest = createRestApi(options, urls, answers);
  const batches = new BatchRoom();
  return {
    name: "twilio",
    // Twilio's own way to send keys replaces the call's instructions and so its stream: ours are sound on the stream.
    capabilities: { mediaStream: true, sendsDigits: true, tellsKeys: true, records: true },
    async warmUp() {
      verifier.load();
      answers.load();
      rest.load();
    },
    verify: verifier.verify,
    parse: createParser(options, urls),
    answer: answers.answer,
    openMedia: (socket, signal) => openMediaLeg(socket, signal, { ...options, batches }),
    dial: rest.dial,
    hangUp: rest.hangUp,
    speakAndHangUp: rest.speakAndHangUp,
    redirect: rest.redirect,
    fetchState: rest.fetchState,
    findDialled: rest.findDialled,
    probe: rest.probe,
    ...createRecordings(options, urls),
  };
}
