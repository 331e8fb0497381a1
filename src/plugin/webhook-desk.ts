import type { Account } from "../calls/account.ts";
import type { CallParts } from "../calls/desk.ts";
import { Reception } from "../calls/inbound.ts";
import { takeStatus } from "../calls/leg-status.ts";
import { acceptMedia } from "../calls/media-arrival.ts";
import { PHRASES } from "../calls/phrases.ts";
import type { Recovery } from "../calls/recover.ts";
import { AccountUnavailableError, InvalidSignatureError, NotRunningError } from "../core/errors.ts";
import type { WebhookDesk } from "../http/doors.ts";
import type { AccountBook } from "./accounts.ts";
import type { Recorders } from "./recorders.ts";

/** Retries of an engine's provider come for so long. */
const ENGINE_RETRIES_MS = 72 * 3_600_000;
const DECLINE_WITHIN_MS = 8_000;
/** SIP "busy here": calls that the provider offers are declined, because their media would not pass through us. */
const BUSY_HERE = 486;

interface Ends {
  /** Aborted when no further calls are taken. */
  readonly draining: AbortSignal;
  /** Aborted when the channel stops. */
  readonly stopping: AbortSignal;
}

/** What carriers and engine providers may do. */
export function createWebhookDesk(
  parts: CallParts,
  accounts: AccountBook,
  recovery: Recovery,
  recorders: Pick<Recorders, "reported">,
  { draining, stopping }: Ends,
): WebhookDesk {
  const { calls, clock, store } = parts;
  const reception = new Reception(parts, recovery);

  /** A running account, or one that left while calls of it are live. */
  function find(accountId: string): Account | undefined {
    const running = accounts.running.find(({ id }) => id === accountId);
    return running ?? calls.all().find(({ account }) => account.id === accountId)?.account;
  }

  function require(carrier: string, accountId: string): Account {
    if (stopping.aborted) throw new NotRunningError();
    const account = find(accountId) ?? accounts.require(accountId);
    if (account.carrier.name === carrier) return account;
    throw new AccountUnavailableError(`The account "${accountId}" is not carried by "${carrier}".`);
  }

  return {
    async carrierWebhook(carrier, accountId, request) {
      const account = require(carrier, accountId);
      const event = account.carrier.parse(account.carrier.verify(request));
      if (event.type === "leg.waiting") {
        const leaving = event.direction === "inbound" && !accounts.running.includes(account);
        if (leaving) return account.carrier.answer({ kind: "hang-up" });
        if (draining.aborted && event.direction === "inbound") return busy(account);
        return reception.answer(account, event);
      }
      if (event.type === "leg.returned") return recovery.returned(account, event.legId);
      if (event.type === "recording.reported") await recorders.reported(account, event);
      else {
        await recovery.named(account, event);
        await takeStatus(parts, account, event);
      }
      return { status: 204, contentType: "text/plain", body: "" };
    },

    verifyMedia(carrier, accountId, request) {
      require(carrier, accountId).carrier.verify(request);
    },

    async acceptMedia(accountId, socket) {
      const account = find(accountId);
      if (account) await acceptMedia(parts, account, socket, stopping);
      else socket.terminate();
    },

    async engineWebhook(body, headers) {
      if (stopping.aborted) throw new NotRunningError();
      for (const { id: accountId, engine } of accounts.running) {
        const message = await engine.webhooks?.read(body, headers).catch((error: unknown) => {
          if (error instanceof InvalidSignatureError) return undefined; // another account's, perhaps
          throw error;
        });
        if (!engine.webhooks || !message) continue;
        const now = clock.now();
        const claim = await store.claim(`engine:${message.key}`, now, now + ENGINE_RETRIES_MS);
        if (!claim.first || !("engineCallId" in message)) return;
        const { engineCallId } = message;
        const declined = { type: "offer.declined", accountId, engineCallId, sipStatus: BUSY_HERE } as const;
        await store.append(`offer_${engineCallId}`, [{ ...declined, atMs: Math.round(now) }]);
        await engine.webhooks.decline(engineCallId, BUSY_HERE, AbortSignal.timeout(DECLINE_WITHIN_MS));
        return;
      }
      throw new InvalidSignatureError("no account's webhook secret fits.");
    },
  };
}

// --- Internal helpers ---

const busy = ({ carrier, persona }: Account) =>
  carrier.answer({ kind: "speak", text: PHRASES.busy, language: persona.language });
