import { StoreError } from "../../src/core/errors.ts";
import type { CallEvent } from "../../src/core/events.ts";
import type { Store } from "../../src/stores/store.ts";
import type { CrashPoint } from "./protocol.ts";

/** Events that are durable before what they announce happens; the others have happened when they are written. */
const GATED: ReadonlySet<CallEvent["type"]> = new Set<CallEvent["type"]>([
  "call.created",
  "caller.routed",
  "leg.dialling",
  "leg.accepted",
  "leg.ringing",
  "leg.answered",
  "leg.ended",
  "tool.called",
  "code.sent",
  "code.tried",
  "trust.raised",
  "owner.asked",
  "call.released",
  "call.resumed",
  "consent.decided",
  "recording.started",
  "end.requested",
  "call.ended",
  "session.recorded",
  "memory.written",
  "outcome.found",
  "afterwards.done",
]);

/** A store under which the process dies at one gated append of the first call that begins in it. */
export function crashingStore(store: Store, { nth, when }: CrashPoint, die: () => void): Store {
  let callId: string | undefined;
  let seen = 0;
  return {
    ...store,
    async append(ofCall, events) {
      if (events.some(({ type }) => type === "call.created")) callId ??= ofCall;
      const counts = ofCall === callId && events.some(({ type }) => GATED.has(type));
      if (counts) seen += 1;
      const isHere = counts && seen === nth;
      if (isHere && when === "before") die();
      const seq = await store.append(ofCall, events);
      if (isHere) die();
      return seq;
    },
  };
}

/** A store whose disk fails every write while `isBroken` says so; reads still work, as they do from the page cache. */
export function brittleStore(store: Store, isBroken: () => boolean): Store {
  const unlessBroken = <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      if (isBroken()) throw new StoreError("The store could not write: disk I/O error");
      return work(...args);
    };
  };
  return {
    ...store,
    append: unlessBroken(store.append),
    claim: unlessBroken(store.claim),
    settle: unlessBroken(store.settle),
    keep: unlessBroken(store.keep),
  };
}

/** Tells of each append that was refused, whoever refused it. */
export function watchedStore(store: Store, onRefused: (callId: string) => void): Store {
  return {
    ...store,
    async append(callId, events) {
      try {
        return await store.append(callId, events);
      } catch (error) {
        onRefused(callId);
        throw error;
      }
    },
  };
}
