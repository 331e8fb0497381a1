import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { NotRunningError } from "../../core/errors.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";

/** Does something with the open channel, in the context in which the channel was opened. */
export type UseDesk = <T>(action: (voice: VoiceChannelPlugin) => T) => T;

/** What goes over the exchange: whoever has the desk fills it in. */
interface Request {
  useDesk?: UseDesk;
}

/**
 * The host runs an agent's tools in another copy of this package than its service, so that the two share nothing of
 * a module, and it keeps the SDK's own runtime slots apart as well. Node's named channels are one for the process.
 */
const EXCHANGE = "openclaw-voice-channel:desk";

/** Answers for the open channel, in every copy of this package in this process, until the returned function is called. */
export function answerForDesk(useDesk: UseDesk): () => void {
  const answer = (request: unknown) => {
    (request as Request).useDesk = useDesk;
  };
  subscribe(EXCHANGE, answer);
  return () => void unsubscribe(EXCHANGE, answer);
}

/** Finds the open channel of this process. @throws NotRunningError there is none */
export function requireDesk(): UseDesk {
  const request: Request = {};
  channel(EXCHANGE).publish(request);
  if (!request.useDesk) throw new NotRunningError();
  return request.useDesk;
}
