import type VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import type { Answer, CarrierReply } from "../carrier.ts";
import { sayLanguage } from "./languages.ts";
import { loadVoiceResponse } from "./sdk.ts";
import type { WebhookUrls } from "./urls.ts";

/** The tail after `<Connect>`: so often this sentence and so long a pause, together about 40 s. */
const TAIL = { text: "One moment, please.", language: "en-US", rounds: 6, pauseSeconds: 5 };
/** Characters of escaped speech that fit into the 4,000 of a REST update, with the document around them. */
const SPEECH_LIMIT = 3_600;

/** Writes the replies to Twilio's questions. */
export interface Answers {
  /** Loads Twilio's TwiML builder, about 20 ms. */
  load(): void;
  answer(answer: Answer): CarrierReply;
  /** A document that says `text` and hangs up, at most 4,000 characters long; a longer text is cut. */
  speech(text: string, language: string): string;
}

/**
 * TwiML of one account. `connect` has a tail for the time when our process is dead: the carrier by itself keeps
 * company for about 40 s, then asks our resume URL, then hangs up.
 * @see https://www.twilio.com/docs/voice/twiml
 */
export function createAnswers(urls: WebhookUrls): Answers {
  const compose = (fill: (response: VoiceResponse) => void) => {
    const response = new (loadVoiceResponse())();
    fill(response);
    response.hangup();
    return response.toString();
  };
  const speech = (text: string, language: string) =>
    compose((response) => {
      const sayable = readable(text);
      if (sayable) response.say({ language: sayLanguage(language) }, sayable);
    });
  const connect = (callId: string, token: string) =>
    compose((response) => {
      response.connect().stream({ url: urls.stream }).parameter({ name: "token", value: token });
      for (let round = 0; round < TAIL.rounds; round++) {
        response.say({ language: sayLanguage(TAIL.language) }, TAIL.text);
        response.pause({ length: TAIL.pauseSeconds });
      }
      response.redirect({ method: "POST" }, urls.resume(callId, token));
    });

  return {
    load: () => void loadVoiceResponse(),
    speech,
    answer(answer) {
      switch (answer.kind) {
        case "connect":
          return reply(connect(answer.callId, answer.token));
        case "speak":
          return reply(speech(answer.text, answer.language));
        case "hang-up":
          return reply(compose(() => {}));
      }
    },
  };
}

// --- Internal helpers ---

const reply = (body: string): CarrierReply => ({ status: 200, contentType: "text/xml; charset=utf-8", body });

/** What XML may hold of a text, on one line and within the limit once it is escaped. */
function readable(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\uFFFE\uFFFF]/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  let length = 0;
  let kept = "";
  for (const character of line) {
    length += character === "&" ? 5 : character === "<" || character === ">" ? 4 : character.length;
    if (length > SPEECH_LIMIT) break;
    kept += character;
  }
  return kept;
}
