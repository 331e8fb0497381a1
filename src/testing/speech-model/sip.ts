import type { Clock } from "../../core/clock.ts";
import type { ModelSession } from "./session.ts";
import { newSessionConfig, updatedConfig } from "./session-config.ts";
import { signWebhook } from "./webhook.ts";
import { integerAt, type JsonObject, newId, stringAt, WireError } from "./wire.ts";

/** A telephone call that reached the model by SIP. */
export interface SipCall {
  readonly callId: string;
  readonly state: "ringing" | "accepted" | "rejected" | "hungup";
  /** The SIP status it was rejected with. */
  readonly statusCode?: number;
  /** Where it was referred to, in order. */
  readonly referredTo: readonly string[];
  /** The session that answered it. */
  readonly session?: ModelSession;
}

/** How a call arrives. */
export interface SipRing {
  readonly webhookUrl: string;
  readonly secret: string;
  readonly sipHeaders?: readonly { readonly name: string; readonly value: string }[];
  readonly mediaSecurity?: "srtp" | "rtp";
  /** Delivers the same webhook again under this id, as retries do. */
  readonly webhookId?: string;
}

/** The calls of one server, with the verbs that its REST doors need. */
export interface SipCalls {
  /** A call comes in: sends the signed webhook and reports what was answered. */
  ring(ring: SipRing): Promise<{ callId: string; webhookStatus: number }>;
  find(callId: string): SipCall | undefined;
  /** Does `verb` to a call. @throws WireError; `call_id_not_found` when there is none that could take it */
  act(callId: string, verb: string, body: JsonObject): void;
  /** The session of an accepted call, for a sideband socket. @throws WireError `call_id_not_found` */
  sideband(callId: string): ModelSession;
}

export function newSipCalls(parts: {
  clock: Clock;
  openSession: (model: string, callId: string) => ModelSession;
}): SipCalls {
  const calls = new Map<string, Writable<SipCall>>();
  const get = (callId: string, states: readonly SipCall["state"][]): Writable<SipCall> => {
    const call = calls.get(callId);
    if (call && states.includes(call.state)) return call;
    throw new WireError("call_id_not_found", `No session found for call_id '${callId}'.`, "call_id");
  };
  const hangUp = (call: Writable<SipCall>): void => {
    call.state = "hungup";
    call.session?.end("hangup");
  };

  return {
    find: (callId) => calls.get(callId),
    sideband: (callId) => get(callId, ["accepted"]).session as ModelSession,
    async ring({ webhookUrl, secret, sipHeaders = [], mediaSecurity = "srtp", webhookId = newId("wh") }) {
      const callId = newId("rtc");
      calls.set(callId, { callId, state: "ringing", referredTo: [] });
      const seconds = Math.floor(Date.now() / 1_000); // receivers compare with their own clock, which no test bends
      const event = {
        object: "event",
        id: newId("evt"),
        type: "realtime.call.incoming",
        created_at: seconds,
        data: { call_id: callId, sip_headers: sipHeaders, sip_media_security: mediaSecurity },
      };
      const { body, headers } = signWebhook({ id: webhookId, event, secret, timestamp: seconds });
      const answer = await fetch(webhookUrl, { method: "POST", body, headers, redirect: "manual" });
      await answer.body?.cancel();
      return { callId, webhookStatus: answer.status };
    },
    act(callId, verb, body) {
      switch (verb) {
        case "accept": {
          const call = get(callId, ["ringing"]);
          const model = stringAt(body["model"], "model");
          const blank = newSessionConfig({ id: "", model, expiresAt: 0 });
          updatedConfig(blank, body, { sipAccept: true }); // refuses before anything is made
          const session = parts.openSession(model, callId);
          session.configure(body, { sipAccept: true });
          Object.assign(call, { state: "accepted", session });
          session.closed.then(() => {
            call.state = "hungup";
          }, undefined);
          return;
        }
        case "reject": {
          const call = get(callId, ["ringing"]);
          call.statusCode =
            body["status_code"] === undefined ? 603 : integerAt(body["status_code"], "status_code", 300);
          call.state = "rejected";
          return;
        }
        case "refer": {
          const call = get(callId, ["accepted"]);
          call.referredTo = [...call.referredTo, stringAt(body["target_uri"], "target_uri")];
          return;
        }
        default:
          return hangUp(get(callId, ["ringing", "accepted"]));
      }
    },
  };
}

// --- Internal helpers ---

type Writable<T> = { -readonly [K in keyof T]: T[K] };
