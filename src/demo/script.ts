import type { PersonScript } from "../testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../testing/speech-model/index.ts";

/** What the simulated caller says; the recogniser, where there is one, listens for these lines. */
export const LINES = {
  question: "When does my flight leave tomorrow?",
  interruption: "Wait. Which terminal is it?",
  thanks: "Thank you very much. Goodbye.",
} as const;

/** What the agent behind the voice finds out. */
export const ANSWER =
  "Your flight to San Francisco leaves tomorrow at nine forty in the morning. " +
  "You should be at the airport by half past seven, because the lines are long in the morning. " +
  "Your seat is twelve A at the window, and breakfast is served on board.";

/** A caller who asks, interrupts the answer once, says thank you and hangs up. */
export const caller: PersonScript = async (line) => {
  await line.hearReply();
  await line.say(LINES.question);
  await line.hearReply({ quietMs: 300 }); // "one moment"
  await line.waitForSpeech();
  await line.pause(5_000);
  await line.say(LINES.interruption);
  await line.hearReply();
  await line.say(LINES.thanks);
  await line.hearReply();
};

/** The simulated speech model's wits: a table, and the agent for everything else. */
export const mind: Mind = ruleMind([
  {
    when: /flight|leave/i,
    say: "One moment, I will look that up for you.",
    call: "ask_openclaw",
    args: { request: "When does the caller's flight leave tomorrow?" },
  },
  { when: "tool:ask_openclaw", say: (turn) => turn.toolResult?.output ?? "I could not find it." },
  { when: /terminal/i, say: "It leaves from terminal two." },
  { when: /thank|bye/i, say: "You are welcome. Have a good flight. Goodbye." },
]);
