import { kindOfReply } from "./spoken.ts";

/** Turns a reply that is still being written into whole sentences, each handed on once. */
export interface SentenceReader {
  /** What there is of the message that is being written, from its beginning. */
  growing(text: string): void;
  /** Another message begins: the one before is whole. */
  next(): void;
  /** A message as it is in the end, whether or not its growth was seen. */
  whole(text: string): void;
}

/** What has been handed on of one message. */
interface Message {
  seen: string;
  /** Length of the part of `seen` that was handed on. */
  told: number;
}

/**
 * Reads sentences out of an agent's reply as it streams: a sentence is ready when the next one has begun, so that no
 * "3." is spoken of what becomes "3.50". Nothing is handed on of what may still become a notice of the host.
 */
export function readSentences(tell: (sentence: string) => void): SentenceReader {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "sentence" });
  const messages: Message[] = [];
  let current: Message | undefined;

  const hand = (message: Message, upTo: number) => {
    const words = message.seen.slice(message.told, upTo).trim();
    message.told = upTo;
    if (words !== "") tell(words);
  };
  const finish = (message: Message) => {
    if (kindOfReply({ text: message.seen }) === "words") hand(message, message.seen.length);
  };

  return {
    growing(text) {
      if (!current) {
        current = { seen: "", told: 0 };
        messages.push(current);
      }
      // A text that was rewritten behind what is spoken already cannot be taken back: its end will tell the rest.
      if (!text.startsWith(current.seen.slice(0, current.told))) return;
      current.seen = text;
      if (kindOfReply({ text }) !== "words") return;
      const last = [...segmenter.segment(text.slice(current.told))].at(-1);
      if (last && last.index > 0) hand(current, current.told + last.index);
    },
    next() {
      if (current) finish(current);
      current = undefined;
    },
    whole(text) {
      const known = messages.find(
        ({ seen, told }) => text === seen || (told > 0 && text.startsWith(seen.slice(0, told))),
      );
      const message = known ?? { seen: text, told: 0 };
      if (!known) messages.push(message);
      message.seen = text;
      finish(message);
      if (known === current) current = undefined;
    },
  };
}
