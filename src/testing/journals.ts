import fc from "fast-check";
import { AFTERWARDS, type CallEvent, END_REASONS, REMOVABLE, type Trust } from "../core/events.ts";
import { NO_USAGE } from "../core/pricing.ts";
import type { Speaker } from "../core/transcript.ts";

type EventOf<Type extends CallEvent["type"]> = Extract<CallEvent, { readonly type: Type }>;

/** What `journals` varies. */
export interface JournalOptions {
  /** The call that every event is of; any id unless told. */
  readonly callId?: string;
  /** At most so many events after the first. */
  readonly maxEvents?: number;
}

/** Times since the epoch, with the fractions that a monotonic clock gives; few enough that they collide. */
export const times = (): fc.Arbitrary<number> => fc.nat(4_000).map((eighths) => 1_760_000_000_000 + eighths / 8);

/** Lengths of sound and of calls, in milliseconds. */
export const durations = (): fc.Arbitrary<number> => fc.nat(60_000).map((eighths) => eighths / 8);

/** Any words, in any script, with what hurts careless stores: quotes, NUL, lone surrogates, emoji. */
export const words = (): fc.Arbitrary<string> => fc.string({ unit: "binary", maxLength: 30 });

/** Any event of a call, in no sensible order: carriers and engines do not promise one. */
export function callEvents(callId: fc.Arbitrary<string> = callIds()): fc.Arbitrary<CallEvent> {
  return fc.oneof(...Object.values<fc.Arbitrary<CallEvent>>(eventsByType(callId)));
}

/** Journals that begin with `call.created` and go on with anything; about every second one ends. */
export function journals({ callId, maxEvents = 40 }: JournalOptions = {}): fc.Arbitrary<CallEvent[]> {
  return (callId === undefined ? callIds() : fc.constant(callId)).chain((id) => {
    const of = eventsByType(fc.constant(id));
    const { "call.ended": ended, "call.created": created, ...others } = of;
    const living = fc.oneof(...Object.values<fc.Arbitrary<CallEvent>>(others));
    return fc
      .tuple(
        created,
        fc.array(living, { maxLength: maxEvents }),
        fc.array(ended, { maxLength: 1 }),
        fc.array(callEvents(fc.constant(id)), { maxLength: 5 }),
      )
      .map(([first, life, end, late]) => [first, ...life, ...end, ...(end.length > 0 ? late : [])]);
  });
}

export function callIds(): fc.Arbitrary<string> {
  return fc.stringMatching(/^call_[a-z0-9]{6}$/);
}

// --- Internal helpers ---

/** One arbitrary per type: an event that is added to the union and not here does not compile. */
function eventsByType(callId: fc.Arbitrary<string>): { [Type in CallEvent["type"]]: fc.Arbitrary<EventOf<Type>> } {
  const atMs = times();
  const id = fc.constantFrom("item_1", "item_2", "item_3", "item_4");
  const number = fc.constantFrom("+15550001234", "+15550005678", "+4930123456");
  const speaker = fc.constantFrom<Speaker>("caller", "agent");
  const reason = fc.constantFrom(...END_REASONS);
  const tokens = fc.record(
    Object.fromEntries(Object.keys(NO_USAGE).map((key) => [key, fc.nat(5_000)])) as {
      [Key in keyof typeof NO_USAGE]: fc.Arbitrary<number>;
    },
  );
  const type = <Type extends CallEvent["type"]>(name: Type): fc.Arbitrary<Type> => fc.constant(name);

  return {
    "call.created": fc.record(
      {
        type: type("call.created"),
        atMs,
        callId,
        accountId: fc.constantFrom("default", "support"),
        direction: fc.constantFrom("inbound", "outbound"),
        from: number,
        to: number,
        transport: fc.constant("media-stream"),
        purpose: words(),
        message: words(),
        attestation: fc.constantFrom("full", "partial", "gateway", "failed"),
        continues: words(),
      },
      { requiredKeys: ["type", "atMs", "callId", "accountId", "direction", "from", "to", "transport"] },
    ),
    "caller.routed": fc.record(
      {
        type: type("caller.routed"),
        atMs,
        agentId: words(),
        sessionKey: words(),
        principal: words(),
        trust: fc.constantFrom<Trust>("stranger", "known", "owner"),
      },
      { requiredKeys: ["type", "atMs", "agentId", "sessionKey", "trust"] },
    ),
    "leg.dialling": fc.record({ type: type("leg.dialling"), atMs }),
    "leg.accepted": fc.record({ type: type("leg.accepted"), atMs, legId: words() }),
    "leg.ringing": fc.record({ type: type("leg.ringing"), atMs }),
    "leg.answered": fc.record(
      { type: type("leg.answered"), atMs, answeredBy: words() },
      { requiredKeys: ["type", "atMs"] },
    ),
    "leg.ended": fc.record({ type: type("leg.ended"), atMs, reason, carrierStatus: words() }),
    "media.started": fc.record({ type: type("media.started"), atMs, streamId: words() }),
    "media.stopped": fc.record({ type: type("media.stopped"), atMs, reason: words() }),
    "engine.opened": fc.record({
      type: type("engine.opened"),
      atMs,
      sessionId: words(),
      model: fc.constantFrom("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "a-model-of-tomorrow"),
    }),
    "engine.closed": fc.record({ type: type("engine.closed"), atMs, reason: words() }),
    "response.started": fc.record({ type: type("response.started"), atMs, responseId: id, cause: words() }),
    "response.ended": fc.record(
      { type: type("response.ended"), atMs, responseId: id, status: words(), usage: tokens },
      { requiredKeys: ["type", "atMs", "responseId", "status"] },
    ),
    "speech.started": fc.record({ type: type("speech.started"), atMs, speaker }),
    "speech.stopped": fc.record({ type: type("speech.stopped"), atMs, speaker }),
    "playout.cut": fc.record({
      type: type("playout.cut"),
      atMs,
      itemId: id,
      heardMs: durations(),
      producedMs: durations(),
    }),
    "transcript.added": fc.record({
      type: type("transcript.added"),
      atMs,
      entry: fc.record({
        id,
        speaker,
        text: words(),
        startMs: durations(),
        heardMs: durations(),
        cut: fc.boolean(),
      }),
    }),
    "tool.called": fc.record({
      type: type("tool.called"),
      atMs,
      toolCallId: id,
      name: words(),
      argumentsJson: fc.json(),
    }),
    "tool.finished": fc.record({
      type: type("tool.finished"),
      atMs,
      toolCallId: id,
      ok: fc.boolean(),
      durationMs: durations(),
    }),
    "offer.declined": fc.record({
      type: type("offer.declined"),
      atMs,
      accountId: fc.constantFrom("default", "support"),
      engineCallId: words(),
      sipStatus: fc.integer({ min: 400, max: 699 }),
    }),
    "dtmf.received": fc.record({ type: type("dtmf.received"), atMs, digit: fc.constantFrom(..."0123456789*#") }),
    "dtmf.sent": fc.record({ type: type("dtmf.sent"), atMs, digits: fc.constantFrom(..."0123456789*#") }),
    "fault.noted": fc.record({ type: type("fault.noted"), atMs, code: words(), message: words() }),
    "end.requested": fc.record({ type: type("end.requested"), atMs, reason }),
    "call.ended": fc.record({ type: type("call.ended"), atMs, reason, longestSilenceMs: durations() }),
    "session.recorded": fc.record({
      type: type("session.recorded"),
      atMs,
      how: fc.constantFrom("rows", "next-turn", "callback", "withheld"),
      rows: fc.nat(50),
    }),
    "memory.written": fc.record({ type: type("memory.written"), atMs, file: words() }),
    "code.sent": fc.record({ type: type("code.sent"), atMs }),
    "code.tried": fc.record({ type: type("code.tried"), atMs, ok: fc.boolean() }),
    "trust.raised": fc.record({
      type: type("trust.raised"),
      atMs,
      trust: fc.constantFrom<Trust>("known", "owner"),
      by: fc.constant("code"),
    }),
    "owner.asked": fc.record({ type: type("owner.asked"), atMs, questionId: id, question: words() }),
    "owner.answered": fc.record(
      {
        type: type("owner.answered"),
        atMs,
        questionId: id,
        by: fc.constantFrom("button", "text", "nobody"),
        answer: words(),
      },
      { requiredKeys: ["type", "atMs", "questionId", "by"] },
    ),
    "handoff.made": fc.record({ type: type("handoff.made"), atMs, channel: words(), to: words() }),
    "context.refreshed": fc.record({ type: type("context.refreshed"), atMs, because: words() }),
    "call.released": fc.record({ type: type("call.released"), atMs, longestSilenceMs: durations() }),
    "call.resumed": fc.record({
      type: type("call.resumed"),
      atMs,
      how: fc.constantFrom("redirected", "returned"),
      awayMs: durations(),
    }),
    "consent.asked": fc.record({ type: type("consent.asked"), atMs, how: fc.constantFrom("announce", "ask") }),
    "consent.decided": fc.record({
      type: type("consent.decided"),
      atMs,
      ok: fc.boolean(),
      by: fc.constantFrom("announcement", "words", "keys", "nobody"),
    }),
    "recording.started": fc.record({
      type: type("recording.started"),
      atMs,
      recordingId: id,
      by: fc.constantFrom("own", "carrier"),
      encrypted: fc.boolean(),
    }),
    "recording.paused": fc.record({ type: type("recording.paused"), atMs, recordingId: id }),
    "recording.resumed": fc.record({ type: type("recording.resumed"), atMs, recordingId: id }),
    "recording.stopped": fc.record({ type: type("recording.stopped"), atMs, recordingId: id, durationMs: durations() }),
    "recording.stored": fc.record({
      type: type("recording.stored"),
      atMs,
      recordingId: id,
      location: words(),
      bytes: fc.nat(),
      durationMs: durations(),
    }),
    "recording.failed": fc.record({ type: type("recording.failed"), atMs, recordingId: id, message: words() }),
    "recording.deleted": fc.record({
      type: type("recording.deleted"),
      atMs,
      recordingId: id,
      because: fc.constantFrom("retention", "order"),
    }),
    "outcome.found": fc.record({
      type: type("outcome.found"),
      atMs,
      summary: words(),
      outcome: words(),
      commitments: fc.array(
        fc.record(
          {
            by: fc.constantFrom("agent", "caller"),
            what: words(),
            due: words(),
            quote: words(),
            atMs: durations(),
          },
          { requiredKeys: ["by", "what", "quote", "atMs"] },
        ),
        { maxLength: 3 },
      ),
      needsAction: fc.boolean(),
      madeBy: fc.constantFrom("model", "extract"),
    }),
    "afterwards.done": fc.record({
      type: type("afterwards.done"),
      atMs,
      step: fc.constantFrom(...AFTERWARDS),
      result: words(),
    }),
    "data.removed": fc.record({ type: type("data.removed"), atMs, what: fc.constantFrom(...REMOVABLE) }),
  };
}
