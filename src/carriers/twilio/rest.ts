import { CarrierRefusedError, NotAllowedError } from "../../core/errors.ts";
import type { Carrier, LegState } from "../carrier.ts";
import { ask } from "./api.ts";
import { asUnknown, isNotLive } from "./errors.ts";
import type { TwilioOptions } from "./index.ts";
import { loadCallsApi } from "./sdk.ts";
import { endReason, stateOf } from "./status.ts";
import type { Answers } from "./twiml.ts";
import type { WebhookUrls } from "./urls.ts";

/** How long an outbound leg rings. */
const RING_SECONDS = 45;

/** A leg is there so soon after it was ordered, in milliseconds; Twilio counts whole seconds, by its own clock. */
const CREATED_WITHIN_MS = { before: 3_000, after: 30_000 };
/** Calls from one number to another that are looked through, newest first. */
const LOOKED_THROUGH = 20;

/** What one account asks of Twilio's REST API. */
export interface RestApi
  extends Pick<Carrier, "dial" | "hangUp" | "speakAndHangUp" | "redirect" | "fetchState" | "findDialled" | "probe"> {
  /** Loads Twilio's calls resource, about 13 ms. */
  load(): void;
}

/**
 * The verbs that act on legs, by Twilio's own calls resource over `fetch`.
 * @see https://www.twilio.com/docs/voice/api/call-resource
 */
export function createRestApi(options: TwilioOptions, urls: WebhookUrls, answers: Answers): RestApi {
  const { accountSid, numbers } = options;
  /** Whether the update was carried out; false when Twilio says that the call is not live. */
  const update = (legId: string, change: { status: "completed" } | { twiml: string }, signal: AbortSignal) =>
    ask(options, "change the call", signal, ({ calls }) => calls(legId).update(change)).then(
      () => true,
      (error: unknown) => {
        if (!isNotLive(error)) throw error;
        return false;
      },
    );

  return {
    load: () => void loadCallsApi(),

    async dial({ callId, from, to, timeLimitSeconds }, signal) {
      if (!numbers.includes(from)) {
        throw new NotAllowedError(
          `Calls cannot come from ${from}: it is none of the account's numbers (${numbers.join(", ")}).`,
        );
      }
      const call = await ask(options, "place the call", signal, ({ calls }) =>
        calls.create({
          to,
          from,
          url: urls.ofCall("voice", callId),
          method: "POST",
          statusCallback: urls.ofCall("status", callId),
          statusCallbackMethod: "POST",
          statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
          timeLimit: timeLimitSeconds,
          timeout: RING_SECONDS,
        }),
      );
      return call.sid;
    },

    async hangUp(legId, signal) {
      await update(legId, { status: "completed" }, signal);
    },

    async speakAndHangUp(legId, text, language, signal) {
      const isSpoken = await update(legId, { twiml: answers.speech(text, language) }, signal);
      // A leg that still rings takes no instructions, and would ring on.
      if (!isSpoken) await update(legId, { status: "completed" }, signal);
    },

    redirect: (legId, answer, signal) => update(legId, { twiml: answers.answer(answer).body }, signal),

    async fetchState(legId, signal) {
      try {
        const call = await ask(options, "look the call up", signal, ({ calls }) => calls(legId).fetch());
        return legState(call.status, call.direction);
      } catch (error) {
        if (isNotLive(error)) return { state: "unknown", carrierStatus: "not found" };
        throw asUnknown(error, "The call's state cannot be had.");
      }
    },

    async findDialled({ from, to, atMs }, signal) {
      const page = await ask(options, "list the calls", signal, ({ calls }) =>
        calls.page({ from, to, pageSize: LOOKED_THROUGH }),
      ).catch((error: unknown) => {
        throw asUnknown(error, "The calls cannot be listed.");
      });
      const { before, after } = CREATED_WITHIN_MS;
      const found = page.instances.filter(({ direction, dateCreated }) => {
        const laterMs = dateCreated.getTime() - atMs;
        return direction === "outbound-api" && laterMs >= -before && laterMs <= after;
      });
      return found.length === 1 ? found[0]?.sid : undefined;
    },

    async probe(signal) {
      const { status } = await ask(options, "show the account", signal, ({ fetchAccount }) => fetchAccount());
      if (status === "active") return;
      throw new CarrierRefusedError(
        String(status),
        `Twilio's account ${accountSid} is not active.`,
        "See its console.",
      );
    },
  };
}

// --- Internal helpers ---

function legState(status: string, direction: string): LegState {
  const state = stateOf(status);
  if (state !== "ended") return { state, carrierStatus: status };
  const reason = endReason({ status, direction: direction === "inbound" ? "inbound" : "outbound" });
  return { state, reason, carrierStatus: status };
}
