import type { Trust } from "../core/events.ts";
import type { Principal } from "../core/links.ts";
import type { TranscriptEntry } from "../core/transcript.ts";

/** The other person on a call, as far as the carrier tells. */
export interface CallerRef {
  readonly accountId: string;
  /** The agent that the account names; the host may have a better rule. */
  readonly agentId: string;
  /** E.164. A number is not a person: it proves nothing. */
  readonly number: string;
  readonly direction: "inbound" | "outbound";
  /** Which session the account wants its calls in; the host's own rule unless told. */
  readonly scope?: "per-caller" | "per-call" | "main";
  /** The call, once it has an id: under `per-call` each has a session of its own. */
  readonly callId?: string;
}

/** What a host can do beside agents and sessions. The core asks these, never the host's name. */
export interface HostCapabilities {
  /** Whether messages can be sent to people in other channels. */
  readonly send: boolean;
  /** Whether buttons can stand under such a message. */
  readonly buttons: boolean;
  /** Whether answers of people in other channels reach us. */
  readonly answers: boolean;
  /** Whether a text model writes for us. */
  readonly complete: boolean;
  /** Whether the agent can take turns of a call as its own channel messages. */
  readonly ask: boolean;
  /** Whether the agent can be woken with a note. */
  readonly wake: boolean;
  /** Whether it is known what was said in a person's other channels. */
  readonly recentTurns: boolean;
}

/** Where a person is reached in a channel of the host. */
export interface ChannelAddress {
  /** The host's name of the channel, such as `telegram`. */
  readonly channel: string;
  /** The person in it, in the channel's own form. */
  readonly to: string;
  /** Which of the channel's accounts sends; its default one unless told. */
  readonly accountId?: string;
}

/** A message to a person in another channel. */
export interface OutgoingMessage {
  readonly text: string;
  /** Buttons under it, at most ten. */
  readonly buttons?: readonly MessageButton[];
}

/** A button, and what comes back when it is pressed: 40 bytes of ASCII at most. */
export interface MessageButton {
  readonly label: string;
  readonly value: string;
}

/** Something that a person did in another channel and that may be meant for us. */
export interface ChannelAnswer {
  readonly channel: string;
  /** Who did it, in the channel's own form. The host has let them in; whether they are whom we asked is ours to check. */
  readonly from: string;
  readonly how: "button" | "text";
  /** The value of the button, or the words. */
  readonly value: string;
  /** The message of ours that it answers, as `send` named it; absent when that is not known. */
  readonly inReplyTo?: string;
}

/** What becomes of an answer: `taken` keeps it from the agent, and `reply` is said to whoever gave it. */
export interface AnswerVerdict {
  readonly taken: boolean;
  readonly reply?: string;
  /** Whether the buttons under the message are taken away. */
  readonly clearButtons?: boolean;
}

/** One turn of a conversation in a channel of the host. */
export interface SessionTurn {
  readonly role: "person" | "agent";
  readonly text: string;
  /** Milliseconds since the epoch; 0 where it is not known. */
  readonly atMs: number;
}

/** What the host's text model is to write. */
export interface CompletionRequest {
  readonly agentId: string;
  /** What it is for, in a word or two, for the host's log. */
  readonly purpose: string;
  readonly system: string;
  readonly prompt: string;
}

/** A turn of the caller as a message to the agent. */
export interface TurnRequest {
  readonly callId: string;
  readonly agentId: string;
  readonly sessionKey: string;
  readonly accountId: string;
  /** E.164 of the caller. */
  readonly number: string;
  readonly trust: Trust;
  /** Names the turn: told twice, it is answered once. */
  readonly turnId: string;
  readonly text: string;
}

/** Where a call belongs in the host. */
export interface Route {
  readonly agentId: string;
  /** The host's own key of this person's session; never built by hand. */
  readonly sessionKey: string;
  /** Folder with MEMORY.md and memory/; absent when the agent has none. */
  readonly workspaceDir?: string;
  /** The host's name for the person, when the number is linked to one. */
  readonly principal?: string;
}

/** Whether a caller may talk to the agent. */
export interface Admission {
  readonly allowed: boolean;
  /** Stable word for logs and status, such as `not_allowlisted`. */
  readonly reason: string;
  /** `owner` only when the host has verified the person by more than the number: numbers can be forged. */
  readonly trust: Trust;
}

/** A finished call to be written into a session. */
export interface SessionRecord {
  readonly callId: string;
  readonly agentId: string;
  readonly sessionKey: string;
  readonly accountId: string;
  /** E.164 of the other person. */
  readonly number: string;
  readonly trust: Trust;
  /** Milliseconds since the epoch when the call was answered; entries count from here. */
  readonly answeredAtMs: number;
  readonly entries: readonly TranscriptEntry[];
}

/** What became of a `record`. */
export interface RecordResult {
  /** `rows`: in the transcript; `next-turn`: given to the next turn; `callback`: handed to the embedder; `withheld`: kept out on purpose. */
  readonly how: "rows" | "next-turn" | "callback" | "withheld";
  readonly rows: number;
}

/** A question of the speech model to the full agent. */
export interface ConsultRequest {
  readonly callId: string;
  readonly agentId: string;
  readonly sessionKey: string;
  readonly accountId: string;
  readonly trust: Trust;
  readonly question: string;
  /** What the agent may use, as the caller's trust allows: nothing, reading, or all that its owner may. */
  readonly tools: "none" | "read" | "owner";
  /** What was said so far, for context. */
  readonly transcript: readonly TranscriptEntry[];
}

/** One finding about the host's own settings, for `status` and `doctor`. */
export interface HostFinding {
  readonly level: "ok" | "warning" | "error";
  /** Stable word, such as `session_scope`. */
  readonly check: string;
  readonly message: string;
  /** What to do; absent when nothing is to be done. */
  readonly remedy?: string;
}

/** Where log lines go. Fields carry ids, never secrets; numbers and words only where the setting allows. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The system that has the agents, the sessions and the other channels. */
export interface Host {
  readonly logger: Logger;
  readonly capabilities: HostCapabilities;
  /** Finds agent, session and workspace of a caller. Asks nobody and changes nothing. */
  route(caller: CallerRef): Promise<Route>;
  /** Decides whether the caller may talk to the agent, by the account's policy and list. */
  admit(caller: CallerRef, policy: AdmissionPolicy): Promise<Admission>;
  /**
   * Writes a call's turns into the session, without a turn of the agent and never during one; waits for a running one.
   * Idempotent by call id and entry id: a second call with the same record adds nothing.
   * @throws HostError the host did not take the rows; trying again later is safe
   */
  record(record: SessionRecord, signal: AbortSignal): Promise<RecordResult>;
  /**
   * Has the full agent answer a question. Resolves with its words. `onProgress` is told what it is doing meanwhile, in
   * words that may be spoken, where the host knows.
   * @throws HostError the agent failed or said nothing
   */
  consult(request: ConsultRequest, signal: AbortSignal, onProgress?: (words: string) => void): Promise<string>;
  /** Loads what the first consult would wait for. Never rejects. */
  warmUp(): Promise<void>;
  /**
   * Sends a message. Resolves once the channel has taken it, with the name by which answers refer to it.
   * @throws HostError it was not taken
   */
  send(
    address: ChannelAddress,
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<{ readonly messageId?: string }>;
  /**
   * Tells `listener` what people do in other channels, until the returned function is called. The same press may be
   * told more than once. What the listener throws is logged and counts as not taken.
   */
  onAnswer(listener: (answer: ChannelAnswer) => Promise<AnswerVerdict>): () => void;
  /** Where else the same person is reached, as the host's links say; empty for who is not linked. */
  linked(caller: CallerRef): Promise<readonly ChannelAddress[]>;
  /** Whom the host knows by name, and where they are reached. Empty where it knows nobody. */
  principals(): Promise<readonly Principal[]>;
  /** What was said last in a session, oldest first, calls included. Empty when it is unknown. */
  recentTurns(
    session: { readonly agentId: string; readonly sessionKey: string },
    limit: number,
  ): Promise<readonly SessionTurn[]>;
  /** Has a text model write. @throws HostError there is none, or it failed */
  complete(request: CompletionRequest, signal: AbortSignal): Promise<string>;
  /**
   * Has the agent take a turn of the call as a message of its own channel. Its words come one by one as they are ready
   * to be spoken; what the host itself has to say (errors, pairing codes) never does. Resolves when the turn is over.
   * A verified owner talks in the person's session, everybody else where nothing of its other channels is known.
   * @throws HostError the agent failed or refused
   */
  ask(request: TurnRequest, onWords: (words: string) => void, signal: AbortSignal): Promise<void>;
  /** Has the agent look at a note by itself, soon and within the host's spacing. @throws HostError it was not taken */
  wake(
    session: { readonly agentId: string; readonly sessionKey: string },
    note: { readonly text: string; readonly key: string },
  ): Promise<void>;
  /** What the host's settings mean for calls. */
  report(): Promise<readonly HostFinding[]>;
}

/** The account's own rule about who may ring. */
export interface AdmissionPolicy {
  readonly dmPolicy: "disabled" | "allowlist" | "pairing" | "open";
  /** E.164 numbers, or `*`. */
  readonly allowFrom: readonly string[];
}
