import type { MediaSocket } from "../carriers/carrier.ts";
import type { Account } from "./account.ts";
import { type CallParts, view } from "./desk.ts";
import { withKeyEar } from "./key-ear.ts";

/**
 * Takes over a media socket: the carrier's first words name the leg, the token proves that the stream is the one we
 * asked for. Anything else is closed and changes nothing. Never rejects.
 */
export async function acceptMedia(
  parts: CallParts,
  account: Account,
  socket: MediaSocket,
  signal: AbortSignal,
): Promise<void> {
  const { calls, clock, emit, logger, tokens } = parts;
  try {
    const leg = await account.carrier.openMedia(socket, signal);
    const live = calls.get(tokens.redeem(leg.token, leg.legId));
    if (!live || live.ending || live.conversation.hasMedia) {
      logger.warn("A media stream without a valid token was closed.", { accountId: account.id, legId: leg.legId });
      leg.close();
      return;
    }
    const { journal } = live;
    const answeredAtMs = journal.call.answeredAtMs ?? clock.now();
    live.hadMedia = true;
    // Whoever was away meanwhile waits since they are back.
    const media = account.carrier.capabilities.tellsKeys ? leg : withKeyEar(leg);
    live.conversation.attach(media, answeredAtMs, journal.call.resumes > 0 ? clock.now() : answeredAtMs);
    journal.note({ type: "media.started", streamId: leg.streamId });
    if (journal.call.answeredAtMs !== undefined) return;
    await journal.write({ type: "leg.answered" });
    emit("answered", view(parts, journal.call));
  } catch (error) {
    logger.warn("A media stream was not accepted.", { accountId: account.id, error: String(error) });
  }
}
