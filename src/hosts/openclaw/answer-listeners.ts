import type { AnswerVerdict, ChannelAnswer, Logger } from "../host.ts";

type Listener = (answer: ChannelAnswer) => Promise<AnswerVerdict>;

/** Those who want to know what people answer in other channels. */
export interface AnswerListeners {
  add(listener: Listener): () => void;
  /** Asks them one after the other until one takes the answer; `undefined` when none did and one of them failed. */
  tell(answer: ChannelAnswer): Promise<AnswerVerdict | undefined>;
}

/** A list of listeners. What one throws is logged and counts as not taken. */
export function answerListeners(logger: Logger): AnswerListeners {
  const listeners = new Set<{ readonly listen: Listener }>();
  return {
    add(listen) {
      const entry = { listen };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    async tell(answer) {
      let last: AnswerVerdict = { taken: false };
      let failed = false;
      for (const { listen } of [...listeners]) {
        try {
          const verdict = await listen(answer);
          if (verdict.taken) return verdict;
          if (verdict.reply !== undefined || verdict.clearButtons) last = verdict;
        } catch (error) {
          failed = true;
          logger.error("An answer from another channel could not be taken.", { channel: answer.channel, error });
        }
      }
      return failed ? undefined : last;
    },
  };
}
