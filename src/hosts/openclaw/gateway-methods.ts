import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { InvalidRequestError } from "../../core/errors.ts";
import { requireE164 } from "../../core/numbers.ts";
import { TRANSCRIPT_FORMATS } from "../../core/transcript-export.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";
import type { UseDesk } from "./desk-exchange.ts";
import { problemOf } from "./problem.ts";

type Params = Readonly<Record<string, unknown>>;
type Scope = "operator.read" | "operator.write" | "operator.admin";
type Method = (voice: VoiceChannelPlugin, params: Params) => Promise<unknown>;

/** `voice.follow` answers after so long even if nothing happened, so that no request hangs for ever. */
const LONGEST_WAIT_MS = 20_000;
/** Once one entry has come, others that are there already are taken along. */
const TAKE_ALONG_MS = 50;

const READ: Readonly<Record<string, Method>> = {
  "voice.status": (voice) => voice.status(),
  "voice.doctor": async (voice) => ({ findings: await voice.doctor() }),
  "voice.calls": (voice, { limit, accountId }) =>
    voice.calls({ ...number("limit", limit), ...string("accountId", accountId) }),
  "voice.call": (voice, { callId }) => voice.call(String(callId)),
  "voice.transcript": (voice, { callId, format }) => voice.transcriptOf(String(callId), transcriptFormat(format)),
  "voice.search": (voice, { text, caller, accountId, limit }) =>
    voice.search({
      text: String(text),
      ...string("accountId", accountId),
      ...number("limit", limit),
      ...(caller !== undefined && { caller: requireE164(String(caller), "caller") }),
    }),
  "voice.links": async (voice, { accountId }) => ({
    links: await voice.links(string("accountId", accountId).accountId),
  }),
  "voice.follow": (voice, { callId, afterSeq }) => follow(voice, String(callId), Number(afterSeq ?? 0)),
};

const WRITE: Readonly<Record<string, Method>> = {
  "voice.place": (voice, { to, message, purpose, continues, from, accountId, requestId }) =>
    voice.placeCall({
      to: String(to),
      ...string("message", message),
      ...string("purpose", purpose),
      ...string("continues", continues),
      ...string("from", from),
      ...string("accountId", accountId),
      ...string("requestId", requestId),
    }),
  "voice.end": (voice, { callId }) => voice.endCall(String(callId)),
  "voice.say": (voice, { callId, text }) => voice.say(String(callId), String(text)),
  "voice.dtmf": (voice, { callId, digits, durationMs }) =>
    voice.sendDigits(String(callId), String(digits), number("durationMs", durationMs)),
  "voice.instruct": (voice, { callId, text, respond }) =>
    voice.instruct(String(callId), String(text), { respond: respond === true }),
  "voice.unlink": async (voice, { number: raw, accountId }) => ({
    removed: await voice.unlink({ number: String(raw), ...string("accountId", accountId) }),
  }),
  "voice.recording": (voice, { callId, paused }) => voice.pauseRecording(String(callId), paused === true),
};

const ADMIN: Readonly<Record<string, Method>> = {
  "voice.erase": (voice, { number: raw, accountId }) =>
    voice.erase({ number: requireE164(String(raw), "number"), ...string("accountId", accountId) }),
};

/** Opens the channel to operators over the gateway: what the commands of `openclaw voice` call. */
export function registerGatewayMethods(api: OpenClawPluginApi, useDesk: UseDesk): void {
  const register = (methods: Readonly<Record<string, Method>>, scope: Scope) => {
    for (const [name, method] of Object.entries(methods)) {
      api.registerGatewayMethod(
        name,
        async ({ params, respond }) => {
          try {
            respond(true, await useDesk((voice) => method(voice, params)));
          } catch (error) {
            const { code, message, retryable } = problemOf(error);
            respond(false, undefined, { code: "UNAVAILABLE", message, retryable, details: { code } });
          }
        },
        { scope, profileAccess: "independent" },
      );
    }
  };
  register(READ, "operator.read");
  register(WRITE, "operator.write");
  register(ADMIN, "operator.admin");
}

// --- Internal helpers ---

/** The journal of a call after `afterSeq`: what is there, or else what comes next. `over` when no more will come. */
async function follow(voice: VoiceChannelPlugin, callId: string, afterSeq: number) {
  const enough = new AbortController();
  const timeout = setTimeout(() => enough.abort(), LONGEST_WAIT_MS);
  let soon: NodeJS.Timeout | undefined;
  const entries: unknown[] = [];
  try {
    for await (const entry of voice.follow(callId, afterSeq, enough.signal)) {
      entries.push(entry);
      soon ??= setTimeout(() => enough.abort(), TAKE_ALONG_MS);
    }
    return { entries, over: !enough.signal.aborted };
  } finally {
    clearTimeout(timeout);
    clearTimeout(soon);
  }
}

/** @throws InvalidRequestError */
function transcriptFormat(raw: unknown = "json") {
  const format = TRANSCRIPT_FORMATS.find((known) => known === raw);
  if (!format) throw new InvalidRequestError("format", `must be one of: ${TRANSCRIPT_FORMATS.join(", ")}`);
  return format;
}

function string<Name extends string>(name: Name, value: unknown): { readonly [name in Name]?: string } {
  return typeof value === "string" && value !== "" ? ({ [name]: value } as { readonly [name in Name]: string }) : {};
}

function number<Name extends string>(name: Name, value: unknown): { readonly [name in Name]?: number } {
  return typeof value === "number" ? ({ [name]: value } as { readonly [name in Name]: number }) : {};
}
