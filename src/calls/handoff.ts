import { type Call, callerNumber, summarise } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { InvalidRequestError, NotAllowedError } from "../core/errors.ts";
import type { CallHandoff } from "../core/events.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import type { ChannelAddress, Host } from "../hosts/host.ts";
import type { Account } from "./account.ts";
import { said } from "./afterwards/card.ts";
import type { Emit } from "./conversation-parts.ts";
import type { CallJournal } from "./journal.ts";
import type { VoiceTool } from "./tools.ts";

export interface HandoffParts {
  readonly host: Pick<Host, "send" | "capabilities">;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Where the person of this call's number is reached in text. */
  readonly addresses: (call: Call) => Promise<readonly ChannelAddress[]>;
  /** Puts a call into two or three sentences; the last turns stand for it where nothing does. */
  readonly summary?: (call: Call, signal: AbortSignal) => Promise<string>;
}

/** What is sent, and where. */
export interface HandoffOrder {
  /** One of the person's channels; their first one unless told. */
  readonly channel?: string;
  /** `summary`, `transcript`, `question` (what the caller asked last), or the text itself. */
  readonly what: string;
}

const MOST_PER_CALL = 5;
const MAX_CHARACTERS = 3_000;
const MAX_TURN_CHARACTERS = 300;
/** So many of the last turns stand for a summary. */
const TURNS_OF_A_SUMMARY = 6;

/** Hands a conversation, or something of it, over to a text channel of the person on the phone. */
export class Handoffs {
  readonly #parts: HandoffParts;

  constructor(parts: HandoffParts) {
    this.#parts = parts;
  }

  /**
   * Sends it. Resolves once the channel has taken it: then it stands in the journal and listeners know.
   * @throws NotAllowedError the caller is a stranger or has no such channel
   * @throws InvalidRequestError there is nothing to send @throws HostError it was not sent
   */
  async handOff(
    journal: CallJournal,
    account: Pick<Account, "owner">,
    { channel, what }: HandoffOrder,
    signal: AbortSignal,
  ): Promise<CallHandoff> {
    const { host, clock, emit } = this.#parts;
    const { call } = journal;
    const address = await this.#address(call, account, channel);
    const text = `${heading(call)}\n\n${await this.#content(call, what, signal)}\n\nYou can go on with this here.`;
    signal.throwIfAborted();
    await host.send(address, { text }, signal);
    const handoff: CallHandoff = { channel: address.channel, to: address.to, text };
    journal.note({ type: "handoff.made", channel: address.channel, to: address.to });
    emit("handoff", handoff, summarise(journal.call, clock.now()));
    return handoff;
  }

  /** The tool for one call, for who is known by the time it is offered; none where messages cannot be sent. */
  tool(journal: CallJournal, account: Pick<Account, "owner">): VoiceTool | undefined {
    if (!this.#parts.host.capabilities.send) return undefined;
    return {
      name: "send_to_channel",
      description:
        "Sends something of this call to the person's own text channel, where they can go on with it. Use it when they ask.",
      parameters: {
        type: "object",
        properties: {
          what: {
            type: "string",
            description:
              "`summary` or `transcript` of this call, `question` for what they asked last, or the text itself.",
          },
          channel: { type: "string", description: "The channel, such as telegram, if they name one." },
        },
        required: ["what"],
        additionalProperties: false,
      },
      trust: "known",
      maxCalls: MOST_PER_CALL,
      execute: async (args, { signal }) => {
        try {
          const { channel } = await this.handOff(journal, account, readOrder(args), signal);
          // A number proves nothing: where its owner is reached is not told to whoever uses it.
          const where = journal.call.trust === "owner" ? channel : "their own channel";
          return `It was sent to ${where}; they can go on with it there.`;
        } catch (error) {
          if (error instanceof NotAllowedError) return error.message;
          throw error;
        }
      },
    };
  }

  async #address(call: Call, { owner }: Pick<Account, "owner">, channel?: string): Promise<ChannelAddress> {
    if (call.trust === "stranger") {
      throw new NotAllowedError("Nothing can be sent for this caller, because they are not known.");
    }
    const linked = await this.#parts.addresses(call);
    const own = call.trust === "owner" && owner ? [owner, ...linked] : linked;
    const wanted = channel?.trim().toLowerCase();
    const address = own.find((one) => wanted === undefined || one.channel.toLowerCase() === wanted);
    if (address) return address;
    throw new NotAllowedError(
      wanted === undefined
        ? "No text channel is linked to this caller."
        : "No channel of that name is linked to this caller.",
    );
  }

  async #content(call: Call, what: string, signal: AbortSignal): Promise<string> {
    const { transcript } = call;
    switch (what.trim()) {
      case "":
        throw new InvalidRequestError("what", "must say what to send");
      case "summary":
        return bounded((await this.#parts.summary?.(call, signal)) ?? turns(transcript.slice(-TURNS_OF_A_SUMMARY)));
      case "transcript":
        return turns(transcript);
      case "question":
        return `The open question: ${openQuestion(transcript)}`;
      default:
        return bounded(what);
    }
  }
}

// --- Internal helpers ---

function readOrder({ what, channel }: Readonly<Record<string, unknown>>): HandoffOrder {
  if (typeof what !== "string") throw new InvalidRequestError("what", "must say what to send");
  return { what, ...(typeof channel === "string" && channel.trim() !== "" && { channel }) };
}

function heading(call: Call): string {
  const verified = call.trust === "owner" ? "" : " (the number is not verified)";
  return `From the call with ${callerNumber(call)}${verified}:`;
}

/** The last turns that fit, each quoted. @throws InvalidRequestError nothing was said */
function turns(entries: readonly TranscriptEntry[]): string {
  const lines: string[] = [];
  let left = MAX_CHARACTERS;
  for (const { speaker, text } of entries.toReversed()) {
    const line = `${speaker === "caller" ? "Caller" : "Agent"}: ${said(text, MAX_TURN_CHARACTERS)}`;
    left -= line.length + 1;
    if (left < 0) break;
    lines.unshift(line);
  }
  if (lines.length === 0) throw new InvalidRequestError("what", "nothing was said on this call yet");
  return [...(lines.length < entries.length ? ["… (what was said before is left out)"] : []), ...lines].join("\n");
}

/** What the caller asked last; what they said last, where it was no question. */
function openQuestion(entries: readonly TranscriptEntry[]): string {
  const turns = entries.filter(({ speaker }) => speaker === "caller");
  const asked = turns.findLast(({ text }) => text.includes("?")) ?? turns.at(-1);
  if (!asked) throw new InvalidRequestError("what", "the caller has not asked anything yet");
  return said(asked.text, MAX_TURN_CHARACTERS);
}

/** A text of the model's: lines stay, what is invisible goes. */
function bounded(text: string): string {
  const clean = text
    .toWellFormed()
    .replace(/[^\S\n]+/g, " ")
    .replace(/[^\P{C}\n]/gu, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
  return clean.length <= MAX_CHARACTERS ? clean : `${clean.slice(0, MAX_CHARACTERS - 1).toWellFormed()}…`;
}
