import { createRequire } from "node:module";
import type Domain from "twilio/lib/base/Domain.js";
import type Version from "twilio/lib/base/Version.js";
import type calls from "twilio/lib/rest/api/v2010/account/call.js";
import type VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import type webhooks from "twilio/lib/webhooks/webhooks.js";

const load = createRequire(import.meta.url);

/*
 * The parts of the `twilio` package that we use, each loaded when it is first asked for and kept by Node. Only by
 * subpath: the package's whole client takes 240 ms and 32 MB, most of it for an HTTP client that `fetch` makes
 * superfluous; its calls resource by itself takes 13 ms and 1 MB. Synchronous, because verifying and answering are.
 */

/** Twilio's own signature check; about 10 ms to load. */
export const loadWebhooks = () => load("twilio/lib/webhooks/webhooks.js") as typeof webhooks;

/** Twilio's builder of TwiML documents; about 20 ms to load. */
export const loadVoiceResponse = () => load("twilio/lib/twiml/VoiceResponse.js") as typeof VoiceResponse;

/** Twilio's calls resource and the two classes that carry it; about 13 ms to load. */
export const loadCallsApi = () => ({
  Domain: (load("twilio/lib/base/Domain.js") as typeof Domain).default,
  Version: (load("twilio/lib/base/Version.js") as typeof Version).default,
  CallListInstance: (load("twilio/lib/rest/api/v2010/account/call.js") as typeof calls).CallListInstance,
});
