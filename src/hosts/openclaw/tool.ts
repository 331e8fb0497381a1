import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { InvalidRequestError } from "../../core/errors.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";
import { CHANNEL } from "./channel-id.ts";
import { requireDesk } from "./desk-exchange.ts";
import { problemOf } from "./problem.ts";

type Factory = Extract<Parameters<OpenClawPluginApi["registerTool"]>[0], (...args: never[]) => unknown>;

/** The name of the agent's one tool; the manifest's `contracts.tools` names it too. */
export const TOOL = "phone_call";

const text = (description: string) => ({ type: "string", description });

const PARAMETERS = {
  type: "object",
  additionalProperties: false,
  required: ["action"],
  properties: {
    action: {
      type: "string",
      enum: ["place", "end", "status", "list", "say", "dtmf", "history"],
      description:
        "place: ring somebody. end: hang up. status: one call with its transcript, or the channel. list: recent and " +
        "live calls. say: speak a sentence on a live call. dtmf: press keys on a live call, for a menu. history: " +
        "earlier calls with a number.",
    },
    to: text("place: whom to ring, with country code, like +15551234567."),
    message: text("place: said first, word for word, once they answer. say: the words to speak."),
    purpose: text("place: why the call is made and what it is to achieve; the voice that talks is told."),
    continues: {
      type: "boolean",
      description:
        "place: true when you ring the very person whom you are writing with: the voice is then told what was said last " +
        "in this conversation. Never for anybody else; false unless told.",
    },
    from: text("place: which of the account's numbers shows; its main number unless told."),
    accountId: text("place, list, history: which voice account; the default one unless told."),
    callId: text("end, say, dtmf, status: which call, as place or list gave it."),
    digits: text("dtmf: the keys, 0-9 * # A-D; w waits half a second. 32 at most, like 1w2#."),
    number: text("history: whose calls, with country code."),
    limit: { type: "integer", minimum: 1, maximum: 50, description: "list, history: at most so many; 10 unless told." },
  },
} as const;

interface Arguments {
  readonly action?: unknown;
  readonly to?: unknown;
  readonly message?: unknown;
  readonly purpose?: unknown;
  readonly continues?: unknown;
  readonly from?: unknown;
  readonly accountId?: unknown;
  readonly callId?: unknown;
  readonly digits?: unknown;
  readonly number?: unknown;
  readonly limit?: unknown;
}

/** The tool of one agent session. It never throws: what failed is its result. */
export function phoneCallTool(): Factory {
  return ({ sessionId, sessionKey, messageChannel }) => ({
    name: TOOL,
    label: "Phone call",
    description:
      "Rings people on the telephone and speaks with them, and tells about calls. A call goes on after `place` " +
      "returns: ask `status` for how it went.",
    parameters: PARAMETERS,
    async execute(toolCallId, parameters) {
      try {
        // Ids of tool calls are unique within their session only.
        const requestId = [sessionId ?? sessionKey ?? "session", toolCallId].join(":");
        const origin: Origin = { requestId, ...(sessionKey && messageChannel !== CHANNEL && { chat: sessionKey }) };
        const useDesk = requireDesk();
        return result(await useDesk((voice) => act(voice, (parameters ?? {}) as Arguments, origin)));
      } catch (error) {
        return result(problemOf(error));
      }
    },
  });
}

// --- Internal helpers ---

/** Where an action comes from. */
interface Origin {
  readonly requestId: string;
  /** The key of the agent's session, when it is a text conversation: a call tells nobody what was said on another. */
  readonly chat?: string;
}

/** Carries out one action. `details` of the result are the same objects that the HTTP API gives. */
async function act(voice: VoiceChannelPlugin, args: Arguments, { requestId, chat }: Origin): Promise<object> {
  const account = optional("accountId", args.accountId);
  switch (args.action) {
    case "place":
      return voice.placeCall({
        to: required("to", args.to),
        requestId,
        ...account,
        ...optional("message", args.message),
        ...optional("purpose", args.purpose),
        ...optional("from", args.from),
        ...(chat !== undefined && args.continues === true && { continues: chat }),
      });
    case "end": {
      const { call, confirmed } = await voice.endCall(required("callId", args.callId));
      return { ...call, confirmed };
    }
    case "status":
      return args.callId === undefined ? voice.status() : voice.call(required("callId", args.callId));
    case "list":
      return voice.calls({ limit: limitOf(args.limit), ...account });
    case "say":
      return voice.say(required("callId", args.callId), required("message", args.message));
    case "dtmf":
      return voice.sendDigits(required("callId", args.callId), required("digits", args.digits));
    case "history":
      return { calls: await voice.history(required("number", args.number), account.accountId, limitOf(args.limit)) };
    default:
      throw new InvalidRequestError("action", `must be one of ${PARAMETERS.properties.action.enum.join(", ")}.`);
  }
}

function required(name: string, value: unknown): string {
  if (typeof value === "string" && value.trim() !== "") return value.trim();
  throw new InvalidRequestError(name, "is needed for this action.");
}

function optional<Name extends string>(name: Name, value: unknown): { readonly [name in Name]?: string } {
  if (value === undefined || value === null || value === "") return {};
  return { [name]: required(name, value) } as { readonly [name in Name]: string };
}

function limitOf(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) ? Math.min(Math.max(value, 1), 50) : 10;
}

function result(details: object) {
  return { content: [{ type: "text" as const, text: JSON.stringify(details) }], details };
}
