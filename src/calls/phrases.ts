import { CLIP_TEXTS } from "./clips.ts";

/** What is said when the model cannot speak. English; the carrier's own voice reads it. */
export const PHRASES = {
  apology: "I am sorry, I cannot talk right now. Please call again in a few minutes. Goodbye.",
  notAllowed: "I am sorry, this number does not take calls from you. Goodbye.",
  busy: "I am sorry, all lines are busy. Please call again in a few minutes. Goodbye.",
  unknownCall: "I am sorry, this call cannot be connected. Goodbye.",
  interrupted: "I am sorry, our connection was interrupted. Please call again. Goodbye.",
  nobodyThere: CLIP_TEXTS.goodbye,
  timeIsUp: "I am sorry, our time is up. Goodbye.",
} as const;

/** Has the model ask a caller who says nothing whether they are there. */
export const ASK_IF_THERE =
  "The caller has said nothing for a while. Ask in one short sentence, in the language of the conversation, whether they are still there.";

/** Has the model say that whoever thinks for it has not answered. */
export const NO_ANSWER =
  "Say in one short sentence, in the language of the conversation, that you are sorry, you could not get an answer, and that they may try again.";

/** Tells the model that the call goes on after this process, or the line, was away. */
export const BACK_AGAIN =
  "The line was interrupted for a moment; a recorded voice asked the caller to wait. You are connected again. Say in a few words that you are back, then go on where the conversation stood: if the caller's last words want an answer, give it. Do not greet again.";

/** The same, for a model that reads out what somebody else thinks. */
export const SAY_BACK_AGAIN =
  "Say in one short sentence, in the language of the conversation, that the line was interrupted, that you are back, and that the caller may go on.";
