import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostCallParts } from "../../../src/calls/afterwards/step.ts";
import { CallerBook } from "../../../src/calls/callers.ts";
import { dayOf } from "../../../src/calls/context/days.ts";
import { noteOf, provenance } from "../../../src/calls/context/note.ts";
import { NoteFiles } from "../../../src/calls/context/note-file.ts";
import { CallJournal, type Unstamped } from "../../../src/calls/journal.ts";
import { finishAfterwards } from "../../../src/calls/post-call.ts";
import { type Call, newCall } from "../../../src/core/call.ts";
import type { CallEvent } from "../../../src/core/events.ts";
import type { TranscriptEntry } from "../../../src/core/transcript.ts";
import { bareHost } from "../../../src/hosts/bare.ts";
import type { ChannelAddress, Host, OutgoingMessage } from "../../../src/hosts/host.ts";
import { silentLogger } from "../../../src/logger.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { type HandClock, handClock } from "../clock.ts";

export const ANN = "+15550005678";
export const OWNER: ChannelAddress = { channel: "telegram", to: "555" };
export const NOON = Date.UTC(2026, 2, 15, 12);

export const turn = (speaker: "caller" | "agent", text: string, startMs = 1_000): TranscriptEntry => ({
  id: `${speaker}-${startMs}`,
  speaker,
  text,
  startMs,
  heardMs: 500,
  cut: false,
});

/** What is said on the call of these tests. */
export const TALK = [
  turn("agent", "Hello, this is Nia.", 0),
  turn("caller", "Hi, could you send me the papers for the house?", 2_000),
  turn("agent", "Yes. I will send you the papers tomorrow.", 6_000),
  turn("caller", "Thank you, bye.", 9_000),
];

export const ANSWER = JSON.stringify({
  summary: "Ann asked for the papers of the house. Nia sends them tomorrow.",
  outcome: "The papers will be sent.",
  commitments: [
    { by: "agent", what: "send the papers", due: "tomorrow", turn: 3, quote: "I will send you the papers tomorrow" },
  ],
  needsAction: true,
});

/** A call that is over, as a plain object. */
export function overCall(changes: Partial<Call> = {}): Call {
  return {
    ...newCall(),
    id: "call_1",
    accountId: "default",
    from: ANN,
    to: "+15550001234",
    state: "ended",
    endReason: "caller_hangup",
    agentId: "main",
    sessionKey: "s1",
    trust: "known",
    createdAtMs: NOON - 2_000,
    answeredAtMs: NOON,
    endedAtMs: NOON + 192_000,
    transcript: TALK,
    ...changes,
  };
}

export interface SceneOptions {
  /** The call; `overCall()` unless told. */
  readonly call?: Call;
  readonly host?: Partial<Host>;
  readonly brain?: "engine" | "agent";
  readonly afterCall?: Partial<PostCallParts["account"]["afterCall"]>;
  /** Where the owner is reached; `null`: nowhere. */
  readonly owner?: ChannelAddress | null;
  /** What becomes of each thing that store, host and note are asked to do; it does it unless told. */
  readonly around?: (name: string, act: () => Promise<unknown>) => Promise<unknown>;
}

/** A host that can do everything, a store, a workspace, and a call in it that is over. */
export async function scene(options: SceneOptions = {}) {
  const call = options.call ?? overCall();
  const around = options.around ?? ((_name, act) => act());
  const owner = options.owner === null ? undefined : (options.owner ?? OWNER);
  const clock = handClock(NOON + 192_000);
  const workspaceDir = await mkdtemp(join(tmpdir(), "voice-after-"));
  const kept = memoryStore();
  await kept.start();
  await kept.append(call.id, eventsOf(call));
  const seen = seenBy();
  const host = watched(hostOf(seen, options.host), around, [
    "record",
    "complete",
    "send",
    "linked",
    "wake",
  ]) as unknown as Host;
  const store = watched(kept, around, ["append", "document", "keep", "claim", "settle", "journal"]) as unknown as Store;
  const notes = new NoteFiles();
  const callers = new CallerBook(store);

  return {
    ...seen,
    clock,
    store: kept,
    /** What callers ask for on the call. */
    book: new CallerBook(kept),
    /** One process's work after the call; it ends with the work or with `stop`. */
    async finish(stop = new AbortController()): Promise<void> {
      const journal = new CallJournal(
        { callId: call.id, store, clock, logger: silentLogger, signal: stop.signal, onDurable: () => {} },
        { call: (await kept.call(call.id)) as Call, seq: 0 },
      );
      const parts: PostCallParts = {
        host,
        store,
        callers,
        clock,
        signal: stop.signal,
        linked: ({ id: callId, direction }) =>
          host.linked({ accountId: "default", agentId: "main", number: "+15550001111", direction, callId }),
        account: {
          agentId: "main",
          brain: options.brain ?? "engine",
          sessionScope: "host",
          timeZone: "UTC",
          afterCall: { card: true, notifyLinked: true, wake: true, ...options.afterCall },
          ...(owner && { owner }),
        },
        writeNote: (ended, asked) =>
          around("note", () =>
            notes.append(
              workspaceDir,
              dayOf(NOON, "UTC"),
              provenance(ended.id),
              noteOf(ended, "UTC", undefined, asked),
            ),
          ) as Promise<string>,
      };
      await untilDone(finishAfterwards(journal, parts), clock);
    },
    events: async () => (await kept.journal(call.id)).map(({ event }) => event),
    /** The result of each further step, as the journal has it. */
    results: async () =>
      Object.fromEntries(
        (await kept.journal(call.id)).flatMap(({ event }) =>
          event.type === "afterwards.done" ? [[event.step, event.result]] : [],
        ),
      ),
    outcome: async () => (await kept.call(call.id))?.outcome,
    async note(): Promise<string> {
      const folder = join(workspaceDir, "memory");
      const files = await readdir(folder).catch(() => []);
      return (await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")))).join("\n");
    },
    close: () => rm(workspaceDir, { recursive: true, force: true }),
  };
}

export type Scene = Awaited<ReturnType<typeof scene>>;

// --- Internal helpers ---

/** What people, sessions and models outside were given. */
function seenBy() {
  return {
    sent: [] as (ChannelAddress & OutgoingMessage)[],
    rows: new Map<string, readonly TranscriptEntry[]>(),
    wakes: new Map<string, { sessionKey: string; text: string }>(),
    prompts: [] as { system: string; prompt: string }[],
  };
}

function hostOf({ sent, rows, wakes, prompts }: ReturnType<typeof seenBy>, changes: Partial<Host> = {}): Host {
  return {
    ...bareHost,
    logger: silentLogger,
    capabilities: {
      send: true,
      buttons: true,
      answers: true,
      complete: true,
      ask: false,
      wake: true,
      recentTurns: false,
    },
    route: async () => ({ agentId: "main", sessionKey: "s1" }),
    admit: async () => ({ allowed: true, reason: "allowlisted", trust: "known" }),
    consult: async () => "",
    report: async () => [],
    async record({ callId, entries }) {
      rows.set(callId, entries);
      return { how: "rows", rows: entries.length };
    },
    async complete({ system, prompt }) {
      prompts.push({ system, prompt });
      return ANSWER;
    },
    async send(address, message) {
      sent.push({ ...address, ...message });
      return { messageId: String(sent.length) };
    },
    linked: async () => [OWNER, { channel: "discord", to: "ann" }],
    async wake({ sessionKey }, { text, key }) {
      wakes.set(key, { sessionKey, text });
    },
    ...changes,
  };
}

/** The journal that folds into the call. */
function eventsOf(call: Call): readonly CallEvent[] {
  const at = (atMs: number, event: Unstamped) => ({ ...event, atMs }) as CallEvent;
  const { id: callId, accountId, direction, from, to, transport, agentId, sessionKey, trust, principal } = call;
  return [
    at(call.createdAtMs, { type: "call.created", callId, accountId, direction, from, to, transport }),
    ...(agentId === undefined || sessionKey === undefined
      ? []
      : [
          at(call.createdAtMs, {
            type: "caller.routed",
            agentId,
            sessionKey,
            trust,
            ...(principal !== undefined && { principal }),
          }),
        ]),
    ...(call.answeredAtMs === undefined ? [] : [at(call.answeredAtMs, { type: "leg.answered" })]),
    ...call.transcript.map((entry) => at(call.createdAtMs, { type: "transcript.added", entry })),
    at(call.endedAtMs ?? 0, { type: "call.ended", reason: call.endReason ?? "lost", longestSilenceMs: 0 }),
  ];
}

type AnyVerb = (...args: unknown[]) => Promise<unknown>;

function watched(
  target: object,
  around: NonNullable<SceneOptions["around"]>,
  names: readonly string[],
): Record<string, unknown> {
  const verbs = target as Record<string, AnyVerb>;
  const watching = names.map((name) => [
    name,
    (...args: unknown[]) => around(name, () => (verbs[name] as AnyVerb)(...args)),
  ]);
  return { ...target, ...Object.fromEntries(watching) };
}

/** Lets time pass whenever the work waits for it. */
async function untilDone(work: Promise<void>, clock: HandClock): Promise<void> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!isDone && clock.running > 0) clock.pass(500);
  }
  await work;
}
