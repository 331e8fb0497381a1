import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { apply, newCall } from "../../src/core/call.ts";
import type { CallEvent } from "../../src/core/events.ts";
import type { PhoneCall } from "../../src/testing/phone-network/index.ts";
import type { Kind } from "./findings.ts";
import { Keeper } from "./keeper.ts";
import type { Told } from "./town.ts";
import { type Evidence, judge, type Kept } from "./verdict.ts";

const ID = "call_0123456789abcdef0123456789abcdef";
const ENTRY = { id: "e1", speaker: "agent", text: "Hello.", startMs: 0, heardMs: 900, cut: false } as const;
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const EVENTS: readonly CallEvent[] = [
  {
    type: "call.created",
    atMs: 0,
    callId: ID,
    accountId: "default",
    direction: "outbound",
    from: "+15550001234",
    to: "+15552000000",
    transport: "media-stream",
  },
  { type: "caller.routed", atMs: 0, agentId: "main", sessionKey: "s", trust: "known" },
  { type: "leg.dialling", atMs: 0 },
  { type: "leg.accepted", atMs: 0, legId: "CA1" },
  { type: "leg.answered", atMs: 1_000 },
  { type: "transcript.added", atMs: 2_000, entry: ENTRY },
  { type: "leg.ended", atMs: 5_000, reason: "callee_hangup", carrierStatus: "completed" },
  { type: "call.ended", atMs: 5_100, reason: "callee_hangup", longestSilenceMs: 0 },
  { type: "session.recorded", atMs: 5_200, how: "callback", rows: 1 },
  {
    type: "outcome.found",
    atMs: 5_300,
    summary: "",
    outcome: "",
    commitments: [],
    needsAction: true,
    madeBy: "model",
  },
  { type: "afterwards.done", atMs: 5_300, step: "outcome", result: "model" },
  { type: "memory.written", atMs: 5_400, file: "today" },
  ...(["history", "card", "notice", "wake"] as const).map(
    (step): CallEvent => ({ type: "afterwards.done", atMs: 5_500, step, result: step === "wake" ? "woken" : "done" }),
  ),
];

const leg = (more: object = {}): PhoneCall =>
  ({
    sid: "CA1",
    direction: "outbound-api",
    to: "+15552000000",
    status: "completed",
    requests: [{ kind: "status", status: 204, params: { CallStatus: "completed" }, body: "" }],
    ...more,
  }) as unknown as PhoneCall;

/** A call with which all is well, changed by whoever wants to be found out. */
interface Scene {
  events: CallEvent[];
  told: Told;
  calls: PhoneCall[];
  keeper: Keeper;
  notes: string;
  killedAtMs: number[];
}

async function found(change: (scene: Scene) => unknown): Promise<readonly Kind[]> {
  const keeper = new Keeper(
    () => undefined,
    async () => {},
  );
  const scene: Scene = {
    events: [...EVENTS],
    told: { plot: "talk", fate: { hungUp: true }, leg: leg(), endedAtMs: 5_000, callId: ID },
    calls: [leg()],
    keeper,
    notes: `<!-- voice:${ID} -->\n## A call\n`,
    killedAtMs: [],
  };
  await keeper.host("record", { callId: ID, entries: [ENTRY] });
  await keeper.host("send", {
    message: { text: "A call", buttons: [{ label: "Call back", value: `cb:${ID.slice(5)}` }] },
  });
  await keeper.host("wake", { key: ID, text: "" });
  keeper.placed.add(ID);
  keeper.shown.set(ID, new Map([[4, JSON.stringify(EVENTS[3])]]));
  change(scene);
  const workspaceDir = await mkdtemp(join(tmpdir(), "voice-verdict-"));
  folders.push(workspaceDir);
  await mkdir(join(workspaceDir, "memory"));
  await writeFile(join(workspaceDir, "memory", "2026-01-01.md"), scene.notes);
  const journal = scene.events.map((event, at) => ({ seq: at + 1, event }));
  const kept = new Map<string, Kept>();
  if (journal.length > 0) kept.set(ID, { journal, call: scene.events.reduce(apply, newCall()) });
  const evidence: Evidence = {
    keeper,
    workspaceDir,
    told: [scene.told],
    phones: { calls: scene.calls },
    killedAtMs: scene.killedAtMs,
  };
  return (await judge(evidence, kept)).map(({ kind }) => kind);
}

const without = (type: CallEvent["type"]) => (scene: Scene) => {
  scene.events = scene.events.filter((event) => event.type !== type);
};

test("a call with which all is well has no findings", async () => {
  expect(await found(() => {})).toEqual([]);
});

test.each<[string, (scene: Scene) => unknown, Kind]>([
  ["the whole call is gone", (scene) => scene.events.splice(0), "lost"],
  [
    "an entry that was shown is another one now",
    (scene) => scene.events.splice(3, 1, { type: "leg.ringing", atMs: 0 }),
    "lost",
  ],
  ["a turn was not told", ({ keeper }) => keeper.rows.clear(), "lost"],
  ["a turn was told in two ways", ({ keeper }) => void keeper.rows.get(ID)?.get("e1")?.add("Hell"), "doubled"],
  ["a turn was told that is not there", without("transcript.added"), "lost"],
  ["there is no note", (scene) => Object.assign(scene, { notes: "" }), "lost"],
  ["there are two notes", (scene) => Object.assign(scene, { notes: scene.notes.repeat(2) }), "doubled"],
  ["there is no card", ({ keeper }) => keeper.cards.clear(), "lost"],
  ["there are two cards alike", ({ keeper }) => void keeper.cards.set(ID, { plain: 2, labelled: 0 }), "doubled"],
  ["a card came again without a kill", ({ keeper }) => void keeper.cards.set(ID, { plain: 1, labelled: 1 }), "doubled"],
  ["nobody was woken", ({ keeper }) => keeper.wakes.clear(), "lost"],
  ["the call is open", without("call.ended"), "stuck"],
  ["something is left to do", without("memory.written"), "stuck"],
  ["it ended twice", (scene) => scene.events.push(EVENTS[7] as CallEvent), "doubleEnds"],
  [
    "the carrier says something else",
    (scene) => Object.assign(scene, { told: { ...scene.told, fate: { hungUp: false }, leg: leg({ status: "busy" }) } }),
    "doubleEnds",
  ],
  [
    "they hung up and we say that it was lost",
    (scene) => scene.events.splice(7, 1, { type: "call.ended", atMs: 5_100, reason: "lost", longestSilenceMs: 0 }),
    "doubleEnds",
  ],
  ["the leg lives", (scene) => Object.assign(scene, { told: { ...scene.told, endedAtMs: undefined } }), "orphans"],
  [
    "the leg lived on for long",
    (scene) => Object.assign(scene, { told: { ...scene.told, endedAtMs: 60_000 } }),
    "orphans",
  ],
  [
    "somebody heard nothing",
    (scene) => Object.assign(scene, { told: { ...scene.told, fate: { hungUp: true, inVainMs: 1 } } }),
    "silent",
  ],
  ["somebody was rung twice", ({ calls }) => calls.push(leg({ sid: "CA2" })), "doubled"],
])("it is found that %s", async (_, change, kind) => {
  expect(await found(change)).toContain(kind);
});

test("a card that says that it may have come before is no second one after a kill", async () => {
  const kinds = await found((scene) => {
    scene.killedAtMs = [5_500];
    scene.keeper.cards.set(ID, { plain: 1, labelled: 1 });
  });
  expect(kinds).toEqual([]);
});
