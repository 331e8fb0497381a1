import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CallerBook } from "../../src/calls/callers.ts";
import { Erasure, type ErasureParts, type FilesOfCalls } from "../../src/calls/erasure.ts";
import { VoiceContextManager } from "../../src/context-manager.ts";
import type { Call } from "../../src/core/call.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";
import { created, ended, settledBy, turn } from "../../src/testing/store-events.ts";
import { LinesLogger } from "../http/desks.ts";
import { handClock } from "./clock.ts";

const ANN = "+15550001111";
const BOB = "+15550002222";
const PHRASES = ["my cat is called Wellington", "the spare key lies under the fern", "I dreamt of a purple zeppelin"];
const DAY = "2026-03-01";
const AT = Date.parse(`${DAY}T12:00:00Z`);
const OTHERS = "# Sunday\n\n- Buy milk.\n";

let dir: string;
let stateDir: string;
let workspaceDir: string;
let store: Store;
let contexts: VoiceContextManager;
const clock = handClock(AT);
const logger = new LinesLogger();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "erasure-"));
  stateDir = join(dir, "state");
  workspaceDir = join(dir, "workspace");
  mkdirSync(join(workspaceDir, "memory"), { recursive: true });
  writeFileSync(join(workspaceDir, "memory", `${DAY}.md`), OTHERS);
  contexts = new VoiceContextManager({ clock, logger });
  await open();
});
afterEach(async () => {
  await store.stop();
  await contexts.close();
  rmSync(dir, { recursive: true });
});

async function open(): Promise<void> {
  store = sqliteStore({ path: join(stateDir, "calls.sqlite"), logger });
  await store.start();
}

/** Files of calls in a folder of the state directory, named by the call. */
function folder(name: string): FilesOfCalls & { write(callId: string, text: string): void } {
  const path = join(stateDir, name);
  return {
    write(callId, text) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, `${callId}.bin`), text);
    },
    async deleteFilesOf(callId) {
      const file = join(path, `${callId}.bin`);
      const isThere = readdirSync(stateDir).includes(name) && readdirSync(path).includes(`${callId}.bin`);
      rmSync(file, { force: true });
      return isThere ? 1 : 0;
    },
  };
}

function erasure(changes: Partial<ErasureParts> = {}): Erasure {
  return new Erasure({
    store,
    clock,
    logger,
    recordings: folder("recordings"),
    flightRecords: folder("flights"),
    notes: dailyNotes(),
    workspaces: async () => [workspaceDir],
    isBusy: () => false,
    ...changes,
  });
}

const dailyNotes = (): ErasureParts["notes"] => ({
  notes: (workspace) => contexts.notes(workspace),
  changeNotes: (workspace, change) => contexts.changeNotes(workspace, change),
});

/** A whole call with somebody, and everything that it leaves. */
async function live(callId: string, from: string, words: readonly string[], accountId = "default"): Promise<void> {
  const legId = `CA${callId}`;
  const life: CallEvent[] = [
    { ...created(callId), from, accountId, atMs: AT, purpose: `About ${from}` },
    { type: "caller.routed", atMs: AT, agentId: "main", sessionKey: `agent:main:voice:${from}`, trust: "known" },
    { type: "leg.accepted", atMs: AT, legId },
    { type: "leg.answered", atMs: AT },
    { type: "engine.opened", atMs: AT, sessionId: `sess_${callId}`, model: "m" },
    ...words.map((text, index) => turn(`item_${index}`, text, index * 1_000)),
    { type: "tool.called", atMs: AT, toolCallId: "t", name: "x", argumentsJson: JSON.stringify({ said: words }) },
    { type: "handoff.made", atMs: AT, channel: "telegram", to: "555" },
    ended,
  ];
  await store.append(callId, life);
  const call = (await store.call(callId)) as Call;
  const file = await contexts.writeNote({ call, workspaceDir, timeZone: "UTC" });
  await store.append(callId, [
    ...settledBy.map((event) => (event.type === "memory.written" ? { ...event, file } : event)),
    {
      type: "outcome.found",
      atMs: AT,
      summary: words[0] ?? "",
      outcome: "",
      commitments: [],
      needsAction: false,
      madeBy: "model",
    },
  ]);
  const note = { text: words[0] ?? "", atMs: AT, callId, verified: false };
  await new CallerBook(store).remember(accountId, from, note);
  await store.keep("link", `${accountId}:${from}`, { principal: "Somebody" }, 0);
  await store.keep("question", `q${callId}`.slice(0, 10), { accountId, callId, about: from, text: words[1] }, 0);
  await store.keep("callback", `${callId}:1`, { accountId, to: from, purpose: words[2] }, 0);
  await store.claim(`card:${callId}:telegram:555`, AT, AT + 1e9);
  await store.claim(`${accountId}:${legId}:waiting`, AT, AT + 1e9);
  await store.settle(`${accountId}:${legId}:waiting`, `<Parameter name="callId" value="${callId}"/>`);
  folder("recordings").write(callId, words.join("\n"));
  folder("flights").write(callId, `${from} ${words.join("\n")}`);
}

/** Every file below a folder that holds one of these texts. */
function filesWith(root: string, texts: readonly string[]): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      const bytes = readFileSync(file).toString("latin1").toLowerCase();
      return texts.some((text) => bytes.includes(Buffer.from(text).toString("latin1").toLowerCase()));
    });
}

/** The number in each form, and phrases as they were said and as they are searched for. */
const ANNS = [ANN, ANN.slice(1), ...PHRASES, "wellington", "zeppelin", "fern"];

describe("erasing a person", () => {
  test("no file holds the number or a phrase of theirs; other people's calls are whole", async () => {
    for (let n = 0; n < 30; n++) await live(`call_bob${n}`, BOB, [`hello number ${n} from Bob`, "a", "b"]);
    await live("call_ann1", ANN, PHRASES);
    for (let n = 30; n < 60; n++) await live(`call_bob${n}`, BOB, [`hello number ${n} from Bob`, "a", "b"]);
    await live("call_ann2", ANN, PHRASES.toReversed());
    await live("call_bob_says", BOB, [`please ring ${ANN} for me`, "c", "d"]);
    for (const name of ["recordings", "flights"]) await folder(name).deleteFilesOf("call_bob_says");
    const bobs = (await store.calls({ caller: BOB, limit: 500 })).calls;
    expect(filesWith(dir, ANNS).length).toBeGreaterThan(3);

    const receipt = await erasure().erase({ number: ANN });

    expect(filesWith(dir, ANNS)).toEqual([]);
    await store.stop();
    expect(filesWith(dir, ANNS)).toEqual([]);
    await open();
    const left = (await store.calls({ limit: 500 })).calls;
    expect(left.filter(({ id }) => id !== "call_bob_says")).toEqual(bobs.filter(({ id }) => id !== "call_bob_says"));
    expect((await store.call("call_bob_says"))?.transcript[0]?.text).toBe("please ring … for me");
    expect((await store.search({ text: "hello 7 bob" })).hits).toHaveLength(1);
    expect((await store.search({ text: "zeppelin" })).hits).toEqual([]);
    const { facts } = await new CallerBook(store).profile("default", BOB);
    expect([facts.length, facts.at(-1)?.text]).toEqual([50, "please ring … for me"]);
    const note = readFileSync(join(workspaceDir, "memory", `${DAY}.md`), "utf8");
    expect(note.startsWith(OTHERS)).toBe(true);
    expect(note.match(/<!-- voice:call_bob/g)).toHaveLength(61);
    expect(note).toContain('"please ring … for me"');

    expect(receipt).toMatchObject({ number: ANN, callIds: expect.arrayContaining(["call_ann1", "call_ann2"]) });
    expect(receipt.removed).toMatchObject({ calls: 2, recordings: 2, flightRecords: 2, notes: 2, mentions: 4 });
    expect(receipt.removed.documents).toBe(6); // caller, link, and for each call a question and a callback
    expect(receipt.removed.claims).toBe(4);
    expect(receipt.outside).toEqual(
      expect.arrayContaining([
        { kind: "session", where: `agent:main:voice:${ANN}` },
        { kind: "carrier", where: "CAcall_ann1" },
        { kind: "engine", where: "sess_call_ann2" },
        { kind: "message", where: "telegram: 555" },
        { kind: "copy", where: expect.stringMatching(/backups/) },
      ]),
    );
  }, 60_000);

  test("asked again there is nothing left to do, and what came since is erased too", async () => {
    await live("call_ann1", ANN, PHRASES);
    await erasure().erase({ number: ANN });
    expect((await erasure().erase({ number: ANN })).removed).toMatchObject({ calls: 0, documents: 0, notes: 0 });
    await live("call_ann2", ANN, PHRASES);
    expect((await erasure().erase({ number: ANN })).callIds).toEqual(["call_ann2"]);
    expect(filesWith(dir, ANNS)).toEqual([]);
  });

  test("one account's erasure leaves what another account knows", async () => {
    await live("call_ann1", ANN, PHRASES);
    await live("call_ann2", ANN, ["we talked about invoices", "e", "f"], "support");
    const receipt = await erasure().erase({ number: ANN, accountId: "default" });
    expect(receipt.callIds).toEqual(["call_ann1"]);
    expect((await store.call("call_ann2"))?.transcript).toHaveLength(3);
    expect((await store.document("link", `support:${ANN}`))?.value).toEqual({ principal: "Somebody" });
    expect(await store.document("link", `default:${ANN}`)).toBeUndefined();
    expect(filesWith(dir, PHRASES)).toEqual([]);
  });

  test("while a call with the number is open, or worked on, nothing is erased and the call is named", async () => {
    await live("call_ann1", ANN, PHRASES);
    await expect(erasure({ isBusy: (id) => id === "call_ann1" }).erase({ number: ANN })).rejects.toMatchObject({
      code: "not_allowed",
      message: expect.stringContaining("call_ann1"),
    });
    await store.append("call_open", [{ ...created("call_open"), from: ANN }]);
    await expect(erasure().erase({ number: ANN })).rejects.toThrow(/call_open/);
    expect((await store.call("call_ann1"))?.transcript).toHaveLength(3);
    await store.append("call_open", [ended]);
    expect((await erasure().erase({ number: ANN })).removed.calls).toBe(2);
    expect(filesWith(dir, ANNS)).toEqual([]);
  });

  test("what was set aside as damaged goes too: nobody can say what stands in it", async () => {
    await live("call_ann1", ANN, PHRASES);
    writeFileSync(join(stateDir, "calls.sqlite.damaged-1"), `torn ${PHRASES[1]}`);
    expect((await erasure().erase({ number: ANN })).removed.damaged).toBe(1);
    expect(filesWith(dir, ANNS)).toEqual([]);
  });

  test("a note whose call is long forgotten goes by the number that stands in it", async () => {
    await live("call_ann1", ANN, PHRASES);
    await store.remove(["call_ann1"]);
    expect((await erasure().erase({ number: ANN })).removed.notes).toBe(1);
    expect(readFileSync(join(workspaceDir, "memory", `${DAY}.md`), "utf8")).toBe(OTHERS);
  });

  test("an account's codes keep their lock, and lose what they say of the call", async () => {
    await live("call_ann1", ANN, PHRASES);
    const codes = { sentAtMs: [AT], wrongAtMs: [AT, AT], lockedUntilMs: AT + 5 };
    const current = { callId: "call_ann1", hash: "00", expiresAtMs: AT };
    await store.keep("owner-code", "default", { ...codes, current }, 0);
    await erasure().erase({ number: ANN });
    expect((await store.document("owner-code", "default"))?.value).toEqual(codes);
  });
});

describe("an erasure that is cut off", () => {
  const VERBS = ["keep", "remove", "mentions", "unclaim", "blot", "dropDamage", "compact"] as const;
  /** The store until the process dies: the n-th write and everything after it fails. */
  const dying = (writes: number): Store => {
    let left = writes;
    const die = () => Promise.reject(new StoreError("The process was killed."));
    const verbs = VERBS.map((verb) => {
      const whole = store[verb].bind(store) as (...order: unknown[]) => Promise<unknown>;
      return [verb, (...order: unknown[]) => (left-- > 0 ? whole(...order) : die())];
    });
    return { ...store, ...Object.fromEntries(verbs) } as Store;
  };

  test("goes on after the next start, wherever it was", async () => {
    let finished = false;
    for (let writes = 0; !finished; writes++) {
      const id = `call_ann${writes}`;
      await live(id, ANN, PHRASES);
      const told = await erasure({ store: dying(writes) })
        .erase({ number: ANN })
        .then(
          () => true,
          () => false,
        );
      finished = told;
      await store.stop();
      await open();
      const begun = (await store.documents("erasure")).length > 0;
      await erasure().resume();
      expect(await store.documents("erasure")).toEqual([]);
      if (begun || told) expect(filesWith(dir, ANNS)).toEqual([]);
      else expect((await store.call(id))?.id).toBe(id); // nothing was promised, nothing was done
    }
    expect(
      logger.lines.filter(({ message }) => /erasure that had been begun is done/.test(message)).length,
    ).toBeGreaterThan(8);
  }, 120_000);

  test("is finished first when somebody asks again, and fails in words when it cannot be", async () => {
    await live("call_ann1", ANN, PHRASES);
    const locked: Store = { ...store, compact: () => Promise.reject(new StoreError("somebody else reads the file")) };
    await expect(erasure({ store: locked }).erase({ number: ANN })).rejects.toThrow(/somebody else reads/);
    await erasure({ store: locked }).resume();
    expect(logger.lines.at(-1)?.message).toBe("An erasure that was begun is not done yet.");
    expect((await store.documents("erasure")).map(({ value }) => JSON.stringify(value))).toEqual([
      expect.not.stringContaining(ANN.slice(1)),
    ]);
    await erasure().erase({ number: ANN });
    expect(filesWith(dir, ANNS)).toEqual([]);
  });
});
