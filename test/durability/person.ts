import type { CalleeOptions, Line, PersonScript } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import type { Random } from "../situations/random.ts";

export const GREETING = "Hello, this is Nia.";
/** All that is said on these calls by either side, to be spoken before the first begins. */
export const LINES = {
  open: "When are you open?",
  weather: "What is the weather like?",
  more: "Tell me more, please.",
  goodbye: "Goodbye now.",
} as const;
export const ANSWERS = {
  open: "Until five.",
  looking: "I am looking it up.",
  rain: "It is going to rain.",
  more: "There is no more to say.",
  goodbye: "Goodbye then.",
  hello: "Hello, how are you?",
} as const;

export const mind: Mind = ruleMind([
  { when: /open/i, say: ANSWERS.open },
  { when: /weather/i, say: ANSWERS.looking, call: "ask_openclaw", args: { request: "What is the weather like?" } },
  { when: "tool:ask_openclaw", say: ANSWERS.rain },
  { when: "tool:end_call" },
  { when: /goodbye/i, say: ANSWERS.goodbye, call: "end_call" },
  { when: /more/i, say: ANSWERS.more },
  { when: "nothing", say: ANSWERS.hello },
  { when: "otherwise", say: ANSWERS.more },
]);

/** How a call goes: who ends it, and what it is doing meanwhile. */
export type Plot =
  /** Hangs up in the middle of the greeting. */
  | "short"
  /** Talks and hangs up. */
  | "talk"
  /** Has the agent consulted, and hangs up. */
  | "consult"
  /** Says goodbye, and the agent ends the call. */
  | "goodbye"
  /** Stays until somebody else ends it. */
  | "stay";
export const PLOTS: readonly Plot[] = ["short", "talk", "consult", "goodbye", "stay"];

/** What became of somebody at a phone. */
export interface Fate {
  /** They hung up by their own will. */
  hungUp: boolean;
  /** They heard nothing at all for this long, in milliseconds, while they waited; absent: they never waited in vain. */
  inVainMs?: number;
}

/** So long nobody waits without a sound: the carrier's own tail speaks every six seconds. */
const IN_VAIN_MS = 45_000;

/** Somebody who goes on, whatever the line does: a sound is an answer, whoever made it. */
export function person(plot: Plot, fate: Fate, random: Random): PersonScript {
  const turns = Array.from({ length: random.whole(1, 3) }, () => random.pick([LINES.open, LINES.more, LINES.weather]));
  const early = random.between(100, 1_500);
  const hear = async (line: Line): Promise<void> => {
    try {
      await line.waitForSpeech({ timeoutMs: IN_VAIN_MS });
      await line.waitForQuiet(900, { timeoutMs: 30_000 });
    } catch (error) {
      line.signal.throwIfAborted();
      if (!String(error).includes("for speech")) return; // somebody talks and talks: they do not wait for silence
      fate.inVainMs = IN_VAIN_MS;
      throw error;
    }
  };
  const talk = async (line: Line): Promise<void> => {
    if (plot === "short") return line.pause(early);
    await hear(line);
    const said = plot === "consult" ? [LINES.weather, ...turns] : turns;
    for (const words of said) {
      await line.say(words);
      await hear(line);
    }
    if (plot === "goodbye") {
      await line.say(LINES.goodbye);
      await hear(line);
      await line.pause(15_000); // the agent is to hang up
    }
    if (plot === "stay") await line.waitForEnd();
  };
  return async (line) => {
    try {
      await talk(line);
    } catch (error) {
      line.signal.throwIfAborted();
      if (fate.inVainMs === undefined) throw error;
    }
    fate.hungUp = !line.signal.aborted;
  };
}

/** How a phone that we ring behaves. */
export type Phone = Omit<CalleeOptions, "script">;

/** Most phones that we ring are answered. */
export function callee(random: Random): Phone {
  const outcome = random.chance(8)
    ? "answer"
    : random.pick(["busy", "no-answer", "reject", "invalid", "failed"] as const);
  return { outcome, answerAfterMs: random.between(100, 2_000) };
}
