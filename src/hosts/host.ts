import type { Trust } from "../core/events.ts";
import type { TranscriptEntry } from "../core/transcript.ts";

/** The other person on a call, as far as the carrier tells. */
export interface CallerRef {
  readonly accountId: string;
  /** The agent that the account names; the host may have a better rule. */
  readonly agentId: string;
  /** E.164. A number is not a person: it proves nothing. */
  readonly number: string;
  readonly direction: "inbound" | "outbound";
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
   * Has the full agent answer a question. Resolves with its words.
   * @throws HostError the agent failed or said nothing
   */
  consult(request: ConsultRequest, signal: AbortSignal): Promise<string>;
  /** What the host's settings mean for calls. */
  report(): Promise<readonly HostFinding[]>;
}

/** The account's own rule about who may ring. */
export interface AdmissionPolicy {
  readonly dmPolicy: "disabled" | "allowlist" | "pairing" | "open";
  /** E.164 numbers, or `*`. */
  readonly allowFrom: readonly string[];
}
