import { readRecentUserAssistantTextForSession } from "openclaw/plugin-sdk/session-store-runtime";
import type { Logger, SessionTurn } from "../host.ts";

/** What was said last in a session, oldest first, in whatever channel; empty when the host cannot tell. */
export async function recentTurns(
  { agentId, sessionKey }: { readonly agentId: string; readonly sessionKey: string },
  limit: number,
  logger: Logger,
): Promise<readonly SessionTurn[]> {
  if (limit <= 0) return [];
  try {
    const rows = await readRecentUserAssistantTextForSession({ agentId, sessionKey, limit });
    return rows
      .slice(-limit)
      .map(({ role, text, timestamp }) => ({ role: role === "user" ? "person" : "agent", text, atMs: timestamp ?? 0 }));
  } catch (error) {
    logger.warn("The session's last turns could not be read.", { sessionKey, error });
    return [];
  }
}
