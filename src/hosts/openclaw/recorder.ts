import { randomUUID } from "node:crypto";
import type { OpenClawConfig, OpenClawPluginApi, PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import type { Clock } from "../../core/clock.ts";
import { HostError } from "../../core/errors.ts";
import type { RecordResult, SessionRecord } from "../host.ts";
import { currentConfig } from "./raw-config.ts";
import type { SessionActivity } from "./session-activity.ts";
import { nextTurnNote, type TranscriptRow, transcriptRows } from "./transcript-rows.ts";

/** The host's function that appends rows without a turn. It exists at runtime and has no public types. */
export type AppendRows = (params: {
  readonly agentId: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly config: OpenClawConfig;
  readonly messages: readonly TranscriptRow[];
}) => Promise<unknown>;

/** The host's private function, or `undefined` when this host does not have it. */
export async function findAppendRows(): Promise<AppendRows | undefined> {
  // Named in a variable because the subpath has no types: the host may take it away at any release.
  const subpath = "openclaw/plugin-sdk/session-transcript-runtime";
  try {
    const found = (await import(subpath)) as Readonly<Record<string, unknown>>;
    const append = found["appendSessionTranscriptMessagesByIdentity"];
    return typeof append === "function" ? (append as AppendRows) : undefined;
  } catch {
    return undefined; // the finding `transcript_rows` of `report()` says so
  }
}

/** What the recorder works with. */
export interface RecorderParts {
  readonly runtime: PluginRuntime;
  readonly enqueueNextTurn: OpenClawPluginApi["session"]["workflow"]["enqueueNextTurnInjection"];
  readonly appendRows: AppendRows | undefined;
  readonly activity: SessionActivity;
  readonly clock: Clock;
}

/**
 * Writes a call into a session as rows, never during a turn, or hands it to the next turn where the host has no rows.
 * @throws HostError the host did not take it
 */
export async function recordCall(
  parts: RecorderParts,
  record: SessionRecord,
  signal: AbortSignal,
): Promise<RecordResult> {
  if (record.entries.length === 0) return { how: parts.appendRows ? "rows" : "next-turn", rows: 0 };
  try {
    const sessionId = await openSession(parts, record);
    if (!parts.appendRows) return await giveToNextTurn(parts, record);
    await parts.activity.idle(record.sessionKey, signal);
    const { agentId, sessionKey } = record;
    const messages = transcriptRows(record);
    await parts.appendRows({ agentId, sessionKey, sessionId, config: currentConfig(parts.runtime), messages });
    return { how: "rows", rows: record.entries.length };
  } catch (cause) {
    if (cause instanceof HostError || signal.aborted) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostError(`The call could not be written into session ${record.sessionKey}: ${reason}`, { cause });
  }
}

/** The id of the person's session; a person who has never written gets one, as their first message would make it. */
async function openSession({ runtime, clock }: RecorderParts, { agentId, sessionKey }: SessionRecord): Promise<string> {
  const { session } = runtime.agent;
  const known = session.getSessionEntry({ agentId, sessionKey })?.sessionId;
  if (known !== undefined) return known;
  const sessionId = randomUUID();
  await session.upsertSessionEntry({ agentId, sessionKey, entry: { sessionId, updatedAt: Math.round(clock.now()) } });
  return sessionId;
}

async function giveToNextTurn({ enqueueNextTurn }: RecorderParts, record: SessionRecord): Promise<RecordResult> {
  const { id } = await enqueueNextTurn({
    sessionKey: record.sessionKey,
    agentId: record.agentId,
    text: nextTurnNote(record),
    idempotencyKey: `voice:${record.callId}`,
    placement: "prepend_context",
  });
  if (id === "") throw new HostError(`The host did not take the call for the next turn of ${record.sessionKey}.`);
  return { how: "next-turn", rows: record.entries.length };
}
