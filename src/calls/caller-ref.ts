import type { CallerRef } from "../hosts/host.ts";
import type { Account } from "./account.ts";

/**
 * The other person of a call, as the host is asked about them: also which session the account wants its calls in, where
 * it does not leave that to the host. `callId` is needed for the session of one call alone.
 */
export function callerRef(
  { id: accountId, agentId, sessionScope }: Pick<Account, "id" | "agentId" | "sessionScope">,
  { number, direction, callId }: Pick<CallerRef, "number" | "direction" | "callId">,
): CallerRef {
  return {
    accountId,
    agentId,
    number,
    direction,
    ...(sessionScope !== "host" && { scope: sessionScope }),
    ...(callId !== undefined && { callId }),
  };
}
