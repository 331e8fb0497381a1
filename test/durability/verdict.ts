import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { allCalls } from "../../src/calls/all-calls.ts";
import { apply, type Call, isSettled, newCall } from "../../src/core/call.ts";
import type { CallEvent, EndReason, JournalEntry } from "../../src/core/events.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import { type Finding, found } from "./findings.ts";
import { asShown } from "./keeper.ts";
import type { Told, Town } from "./town.ts";

/** A call as it stands in the store when all is over. */
export interface Kept {
  readonly call: Call;
  readonly journal: readonly JournalEntry[];
}

/** What a town knows of its calls, whatever the plugin says. */
export type Evidence = Pick<Town, "keeper" | "told" | "killedAtMs" | "workspaceDir"> & {
  readonly phones: Pick<Town["phones"], "calls">;
};

/** A leg may live so long after its call has ended for us: a sentence of farewell. */
const FAREWELL_MS = 20_000;
/** Reasons that say that the other person ended the call. */
const THEIRS: ReadonlySet<EndReason> = new Set<EndReason>(["caller_hangup", "callee_hangup"]);
/** What the carrier's final word may be called. */
const REASONS: Readonly<Record<string, readonly EndReason[]>> = {
  busy: ["busy", "rejected"],
  "no-answer": ["no_answer", "caller_hangup"],
  failed: ["invalid_number", "carrier_error", "rejected", "no_answer", "busy", "not_allowed"],
};

/** Reads every call of a town from its file. The plugin must have stopped. */
export async function readKept(town: Town): Promise<ReadonlyMap<string, Kept>> {
  const store = sqliteStore({ path: join(town.stateDir, "calls.sqlite") });
  await store.start();
  const kept = new Map<string, Kept>();
  try {
    for await (const { id } of allCalls(store, { limit: 500 })) {
      const journal = await store.journal(id);
      kept.set(id, { journal, call: journal.map(({ event }) => event).reduce(apply, newCall()) });
    }
  } finally {
    await store.stop();
  }
  return kept;
}

/** Everything that is wrong with the calls of a town, once all is over. */
export async function judge(town: Evidence, kept: ReadonlyMap<string, Kept>): Promise<Finding[]> {
  const notes = await readNotes(town);
  const byLeg = new Map([...kept.values()].map((one) => [one.call.legId, one]));
  const ofTold = (told: Told): Kept | undefined =>
    (told.callId === undefined ? undefined : kept.get(told.callId)) ?? byLeg.get(told.leg?.sid);
  return [
    ...[...kept.values()].flatMap((one) => [...ends(one), ...afterwards(one, town, notes)]),
    ...town.told.flatMap((told) => [
      ...legEnds(told, ofTold(told), town),
      ...acknowledgedByWebhook(told, ofTold(told)),
    ]),
    ...acknowledged(town, kept),
    ...dialledTwice(town),
  ];
}

// --- Internal helpers ---

const events = <Type extends CallEvent["type"]>({ journal }: Kept, type: Type) =>
  journal.flatMap(({ event }) => (event.type === type ? [event as Extract<CallEvent, { type: Type }>] : []));

/** One end each, and nothing left to do. */
function ends(kept: Kept): Finding[] {
  const { call } = kept;
  const count = events(kept, "call.ended").length;
  if (count === 0) return [found("stuck", call.id, `It is ${call.state}.`)];
  return [
    ...(count > 1 ? [found("doubleEnds", call.id, `It ended ${count} times.`)] : []),
    ...(isSettled(call) ? [] : [found("stuck", call.id, `After it only ${call.afterwards.join(", ")} was done.`)]),
  ];
}

/** The leg and its call agree: when, and why. */
function legEnds(
  { leg, fate, endedAtMs }: Told,
  kept: Kept | undefined,
  { keeper: { refused } }: Pick<Evidence, "keeper">,
): Finding[] {
  if (!leg) return [];
  const about = kept?.call.id ?? leg.sid;
  const findings: Finding[] = [];
  if (fate.inVainMs !== undefined) {
    findings.push(found("silent", about, `Somebody heard nothing at all for ${fate.inVainMs} ms.`));
  }
  if (endedAtMs === undefined) return [...findings, found("orphans", about, `The leg ${leg.sid} is ${leg.status}.`)];
  const ended = kept && events(kept, "call.ended")[0];
  if (!kept || !ended) return findings;
  const lateMs = Math.round(endedAtMs - ended.atMs);
  if (lateMs > FAREWELL_MS) {
    findings.push(found("orphans", about, `The leg lived for ${lateMs} ms after the call's end (${ended.reason}).`));
  }
  if (refused.has(about)) return findings; // what was asked for first cannot be told any more
  const allowed = REASONS[leg.status];
  const own = events(kept, "end.requested").map(({ reason }) => reason);
  const asked = (reason: EndReason) => own.includes(reason);
  if (allowed && !allowed.includes(ended.reason) && !asked(ended.reason)) {
    findings.push(found("doubleEnds", about, `The carrier says ${leg.status}, we say ${ended.reason}.`));
  }
  if (leg.status === "completed" && fate.hungUp && !THEIRS.has(ended.reason) && !askedBefore(kept, ended.reason)) {
    findings.push(found("doubleEnds", about, `They hung up, and we say ${ended.reason}.`));
  }
  return findings;
}

/** Whether an end of our own was asked for before the leg was over. */
function askedBefore({ journal }: Kept, reason: EndReason): boolean {
  const asked = journal.findIndex(({ event }) => event.type === "end.requested" && event.reason === reason);
  const over = journal.findIndex(({ event }) => event.type === "leg.ended");
  return asked !== -1 && (over === -1 || asked < over);
}

/** What a 2xx of ours to the carrier has promised. */
function acknowledgedByWebhook({ leg }: Told, kept: Kept | undefined): Finding[] {
  if (!leg) return [];
  const answered = leg.requests.filter(({ status }) => status >= 200 && status < 300);
  const isConnected = answered.some(({ kind, body }) => kind === "voice" && body.includes("<Connect"));
  if (!kept) return isConnected ? [found("lost", leg.sid, "It was connected, and the store knows nothing of it.")] : [];
  const isOver = kept.call.legEnded || kept.call.state === "ended";
  const told = answered.some(({ kind, params }) => kind === "status" && FINAL.has(params["CallStatus"] ?? ""));
  return told && !isOver ? [found("lost", kept.call.id, "We took note of the leg's end, and it is not there.")] : [];
}

const FINAL: ReadonlySet<string> = new Set(["completed", "busy", "failed", "no-answer", "canceled"]);

/** What the API has said and shown. */
function acknowledged({ keeper }: Evidence, kept: ReadonlyMap<string, Kept>): Finding[] {
  const findings: Finding[] = [];
  for (const callId of keeper.placed) {
    if (!kept.has(callId)) findings.push(found("lost", callId, "It was placed, and the store knows nothing of it."));
  }
  for (const callId of keeper.endConfirmed) {
    if (kept.get(callId)?.call.state !== "ended")
      findings.push(found("lost", callId, "Its end was confirmed, and is not there."));
  }
  for (const [callId, shown] of keeper.shown) {
    const stored = asShown(kept.get(callId)?.journal ?? []);
    const gone = [...shown].filter(([seq, event]) => stored.get(seq) !== event);
    if (gone.length > 0) {
      const [seq, event] = gone[0] as [number, string];
      const now = stored.get(seq) ?? "nothing";
      findings.push(found("lost", callId, `${gone.length} entries were shown; ${seq} was ${event} and is ${now}.`));
    }
  }
  return findings;
}

/** What comes after a call: all of it, once. */
function afterwards(kept: Kept, { keeper, killedAtMs }: Evidence, notes: ReadonlyMap<string, number>): Finding[] {
  const { call } = kept;
  if (call.answeredAtMs === undefined || call.agentId === undefined || !isSettled(call)) return [];
  const findings: Finding[] = [];
  const rows = keeper.rows.get(call.id);
  for (const { id, text } of call.transcript) {
    const told = rows?.get(id);
    if (!told?.has(text)) findings.push(found("lost", call.id, `The turn "${text}" is not in the session.`));
    else if (told.size > 1) findings.push(found("doubled", call.id, `The turn ${id} was told in ${told.size} ways.`));
  }
  for (const id of rows?.keys() ?? []) {
    if (!call.transcript.some((entry) => entry.id === id))
      findings.push(found("lost", call.id, `The turn ${id} was told and is not in the transcript.`));
  }
  const written = notes.get(call.id) ?? 0;
  if (written === 0) findings.push(found("lost", call.id, "It has no note."));
  if (written > 1) findings.push(found("doubled", call.id, `It has ${written} notes.`));
  const { plain = 0, labelled = 0 } = keeper.cards.get(call.id) ?? {};
  if (plain + labelled === 0) findings.push(found("lost", call.id, "The owner got no card."));
  if (plain > 1) findings.push(found("doubled", call.id, `The owner got ${plain} cards that do not say so.`));
  if (labelled > 0 && killedAtMs.length === 0) findings.push(found("doubled", call.id, "A card came again."));
  const wake = events(kept, "afterwards.done").find(({ step }) => step === "wake")?.result;
  if (wake === "woken" && !keeper.wakes.has(call.id)) findings.push(found("lost", call.id, "The agent was not woken."));
  return findings;
}

/** How many notes of each call stand in the daily files. */
async function readNotes({ workspaceDir }: Evidence): Promise<ReadonlyMap<string, number>> {
  const folder = join(workspaceDir, "memory");
  const files = await readdir(folder).catch(() => []);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  const notes = new Map<string, number>();
  for (const [, callId = ""] of texts.join("\n").matchAll(/^<!-- voice:(\S+) -->$/gm))
    notes.set(callId, (notes.get(callId) ?? 0) + 1);
  return notes;
}

/** Everybody is rung once at most. */
function dialledTwice({ phones }: Evidence): Finding[] {
  const rung = new Map<string, number>();
  for (const { direction, to } of phones.calls) if (direction === "outbound-api") rung.set(to, (rung.get(to) ?? 0) + 1);
  return [...rung]
    .filter(([, times]) => times > 1)
    .map(([to, times]) => found("doubled", to, `They were rung ${times} times.`));
}
