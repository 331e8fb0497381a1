import { createHash } from "node:crypto";

/** What each of an account's webhooks is for. */
type WebhookVerb = "voice" | "status" | "stream" | "resume" | "recording";

/** The addresses by which Twilio reaches one account. */
export interface WebhookUrls {
  /** The verb of a requested path, whatever a proxy has put in front of it; `undefined` when it is none of ours. */
  verbOf(path: string): WebhookVerb | undefined;
  /** Public URL of a verb, without a query. */
  of(verb: WebhookVerb): string;
  /** Public URL of a verb for one of our calls. */
  ofCall(verb: "voice" | "status", callId: string): string;
  /** Where a leg returns when the media that `token` belonged to has ended: each answer has its own. */
  resume(callId: string, token: string): string;
  /** Where Twilio tells what became of a recording. */
  recording(callId: string, recordingId: string): string;
  /** `wss:` URL of the media stream. It has no query, because Twilio strips it. */
  readonly stream: string;
}

/** Query parameter that carries our call's id. */
export const CALL_PARAMETER = "call";
/** Query parameter of the resume URL that tells one return of a leg from the next. */
export const RETURN_PARAMETER = "return";
/** Query parameter that carries our id of a recording. */
export const RECORDING_PARAMETER = "recording";

/** Builds an account's webhook URLs under its public URL. */
export function createUrls({ accountId, publicUrl }: { accountId: string; publicUrl: string }): WebhookUrls {
  const path = `/twilio/${accountId}/`;
  const base = publicUrl.replace(/\/+$/, "") + path;
  return {
    verbOf(requested) {
      const pathname = requested.replace(/[?#].*$/s, "").replace(/\/$/, "");
      const at = pathname.lastIndexOf("/") + 1;
      const verb = pathname.slice(at);
      return pathname.slice(0, at).endsWith(path) && isVerb(verb) ? verb : undefined;
    },
    of: (verb) => base + verb,
    ofCall: (verb, callId) => `${base}${verb}?${new URLSearchParams({ [CALL_PARAMETER]: callId })}`,
    resume(callId, token) {
      const once = createHash("sha256").update(token).digest("hex").slice(0, 12);
      return `${base}resume?${new URLSearchParams({ [CALL_PARAMETER]: callId, [RETURN_PARAMETER]: once })}`;
    },
    recording(callId, recordingId) {
      return `${base}recording?${new URLSearchParams({ [CALL_PARAMETER]: callId, [RECORDING_PARAMETER]: recordingId })}`;
    },
    stream: `${base.replace(/^http/i, "ws")}stream`,
  };
}

const VERBS: readonly string[] = ["voice", "status", "stream", "resume", "recording"] satisfies WebhookVerb[];

const isVerb = (text: string): text is WebhookVerb => VERBS.includes(text);
