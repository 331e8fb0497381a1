import { CODE_LIVES_MS } from "../core/owner-code.ts";
import type { EngineTool } from "../engines/engine.ts";

const MINUTE_MS = 60_000;

export const SEND_TOOL: EngineTool = {
  name: "send_owner_code",
  description:
    "Sends a one-time code to the owner's own chat. Use it when the caller says that they are the owner, or wants what " +
    "is the owner's alone. Saying so proves nothing; only the code does.",
  parameters: { type: "object", properties: {}, additionalProperties: false },
};

export const CHECK_TOOL: EngineTool = {
  name: "check_owner_code",
  description:
    "Checks the one-time code that the caller says. Without a code, the caller keys it in and you are told what came of " +
    "it. Pass only digits that the caller has said; never guess them and never repeat them aloud.",
  parameters: {
    type: "object",
    properties: { code: { type: "string", description: "The six digits, as the caller said them." } },
    additionalProperties: false,
  },
};

/** What the model is told of a code. */
export const SAID = {
  sent:
    "A code of six digits was sent to the owner's own chat. It is valid for five minutes. Ask the caller for it: they " +
    "may say it, and you check it, or key it in, and you are told what came of it.",
  keys: "Ask the caller to key in the six digits now. You are told what came of it.",
  keyed: "The caller pressed keys for the code. ",
  right: "The code is right: the caller is the owner.",
  wrong: "The code is wrong. They may try again.",
  lockedNow: "The code is wrong, as too many were before. Nobody can be verified by a code for an hour.",
  expired: "The code has expired. A new one can be sent.",
  none: "No code waits for this call: none was sent, it is used or too old, or another call has asked for one since.",
  unreadable: "That is no code: a code has six digits. Ask for them one by one.",
  failed: "It could not be checked, and nothing has changed. They may try again.",
} as const;

/** Says why nothing can be done, and for how long. */
export function waitSentence(why: "locked" | "too_many", leftMs: number): string {
  const minutes = Math.max(1, Math.ceil(leftMs / MINUTE_MS));
  const time = minutes === 1 ? "a minute" : `${minutes} minutes`;
  return why === "locked"
    ? `Too many wrong codes were given. Nobody can be verified by a code for ${time}.`
    : `Too many codes were sent within an hour. No further one is sent for ${time}.`;
}

/** What the owner is sent. `caller`: E.164, or a word where the number is withheld. */
export function codeMessage(code: string, caller: string): string {
  const number = caller.startsWith("+") ? caller : "a withheld number";
  return [
    `Somebody on the phone (${number}) says that they are you.`,
    `If that is you, your code is ${code}. It is valid for ${CODE_LIVES_MS / MINUTE_MS} minutes, on this call alone.`,
    "Tell it to nobody else: on the phone, it opens what only you may know and do.",
  ].join("\n");
}
