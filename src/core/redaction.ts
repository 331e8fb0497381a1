import type { CallEvent } from "./events.ts";

/**
 * An event without anything that was said, asked, keyed in or made of it. Ids, times, lengths, counts and costs stay:
 * a call folded from such events has the numbers that it had, and no words.
 */
export function withoutWords(event: CallEvent): CallEvent {
  switch (event.type) {
    case "call.created": {
      const { purpose: _purpose, message: _message, ...facts } = event;
      return facts;
    }
    case "transcript.added":
      return { ...event, entry: { ...event.entry, text: "" } };
    case "tool.called":
      return { ...event, argumentsJson: "{}" };
    case "dtmf.received":
      return { ...event, digit: "x" };
    case "dtmf.sent":
      return { ...event, digits: "x".repeat(event.digits.length) };
    case "owner.asked":
      return { ...event, question: "" };
    case "owner.answered": {
      const { answer: _answer, ...facts } = event;
      return facts;
    }
    case "outcome.found":
      return { ...event, summary: "", outcome: "", commitments: [] };
    case "fault.noted":
    case "recording.failed":
      return { ...event, message: "" };
    case "context.refreshed":
      return { ...event, because: "" };
    default:
      return event;
  }
}
