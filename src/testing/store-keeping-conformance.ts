import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Call } from "../core/call.ts";
import type { CallEvent } from "../core/events.ts";
import { wordsOf } from "../core/search.ts";
import type { Store } from "../stores/store.ts";
import { journals } from "./journals.ts";
import { type Created, created, ended, settledBy, turn } from "./store-events.ts";

/**
 * What the `Store` contract says of search, retention and erasure, as tests: a part of `storeConformance`. `opened`
 * says which store is tested now, `freshId` names a call that is in none.
 */
export function storeKeepingConformance(opened: () => Store, freshId: () => string): void {
  let store: Store;
  beforeEach(() => {
    store = opened();
  });

  describe("search", () => {
    const talk = async (callId: string, turns: readonly string[], facts: Partial<Created> = {}): Promise<void> => {
      const said = turns.map((text, index) => turn(`item_${index}`, text, index * 1_000));
      await store.append(callId, [{ ...created(callId), ...facts }, ...said]);
    };
    const found = async (text: string, query: object = {}): Promise<string[]> => {
      const { hits } = await store.search({ text, ...query });
      return hits.map(({ callId, entryId }) => `${callId}/${entryId}`);
    };

    test("a turn is found by its words, all of them in any order, whatever their accents and capitals", async () => {
      await talk("call_a", ["The Blue Café opens at 9 o'clock", "A GROSSE Straße in München", "今日は東京へ行きます"]);
      for (const text of ["cafe", "CAFÉ blue", "opens, blue!", "9", "o'clock"])
        expect(await found(text)).toEqual(["call_a/item_0"]);
      expect(await found("strasse munchen große")).toEqual(["call_a/item_1"]);
      expect(await found("東京")).toEqual(["call_a/item_2"]);
      for (const text of ["caf", "cafes", "blue strasse", "opens at ten"]) expect(await found(text)).toEqual([]);
    });

    test("a hit says who said it, when, and where in the turn", async () => {
      const long = `${"before ".repeat(40)}the blue\n\tcafé ${"after ".repeat(40)}`;
      await store.append("call_a", [
        created("call_a"),
        { type: "leg.answered", atMs: 5_000 },
        turn("item_0", long, 2_500),
      ]);
      const { hits } = await store.search({ text: "cafe" });
      expect(hits).toMatchObject([{ callId: "call_a", entryId: "item_0", speaker: "caller", atMs: 7_500 }]);
      expect(hits[0]?.snippet).toMatch(/^…[^\n]*the blue café after[^\n]*…$/);
      expect(hits[0]?.snippet.length).toBeLessThan(200);
    });

    test("what somebody types means nothing but its words", async () => {
      await talk("call_a", ["alpha beta"]);
      const odd = [
        '"',
        '"alpha',
        "alpha OR gamma",
        "words:alpha",
        "alpha*",
        "alpha NEAR/2 beta",
        "-alpha",
        "alpha\0beta",
      ];
      for (const text of [...odd, "(alpha", "\ud800alpha", "alpha AND NOT beta", "^alpha", "alpha; DROP TABLE turns"]) {
        const wanted = new Set(text.toLowerCase().match(/[a-z0-9]+/g) ?? []);
        const isThere = wanted.size > 0 && [...wanted].every((word) => ["alpha", "beta"].includes(word));
        if (wanted.size === 0) await expect(store.search({ text })).rejects.toMatchObject({ code: "invalid_request" });
        else expect(await found(text)).toEqual(isThere ? ["call_a/item_0"] : []);
      }
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary", maxLength: 40 }), async (text) => {
          const { hits } = await store.search({ text: `alpha ${text}` });
          expect(hits.length).toBeLessThanOrEqual(1);
        }),
        { numRuns: 60 },
      );
    });

    test("every turn is found by any of its own words, whatever they are", async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), async (text) => {
          const words = wordsOf(text);
          fc.pre(words.length > 0);
          const callId = freshId();
          await store.append(callId, [created(callId), turn("item_0", text, 0)]);
          for (const word of words) {
            const all: string[] = [];
            for (let after: string | undefined, more = true; more; more = after !== undefined) {
              const page = await store.search({ text: word, limit: 100, ...(after !== undefined && { after }) });
              all.push(...page.hits.map((hit) => hit.callId));
              after = page.next;
            }
            expect(all).toContain(callId);
          }
        }),
        { numRuns: 40 },
      );
    });

    test("a turn that was written down better is found by its new words alone", async () => {
      await talk("call_a", ["recognise speech"]);
      await store.append("call_a", [turn("item_0", "wreck a nice beach", 0)]);
      expect(await found("speech")).toEqual([]);
      expect(await found("beach")).toEqual(["call_a/item_0"]);
    });

    test("what comes after the end of a call, or before there is one, is not found", async () => {
      await talk("call_a", ["heard"]);
      await store.append("call_a", [ended, turn("item_9", "unheard", 9)]);
      await store.append("call_b", [turn("item_0", "nowhere", 0)]);
      expect(await found("unheard")).toEqual([]);
      expect(await found("nowhere")).toEqual([]);
      expect(await found("heard")).toEqual(["call_a/item_0"]);
    });

    test("hits are filtered, the newest call first, and pages put together are the whole list", async () => {
      await talk("call_a", ["same one", "same two"], { atMs: 1, accountId: "support" });
      await talk("call_b", ["same", "else", "same"], { atMs: 3 });
      await talk("call_c", ["same"], { atMs: 3, from: "+15550009999" });
      const all = ["call_c/item_0", "call_b/item_0", "call_b/item_2", "call_a/item_0", "call_a/item_1"];
      expect(await found("same")).toEqual(all);
      expect(await found("same", { accountId: "support" })).toEqual(all.slice(3));
      expect(await found("same", { caller: "+15550009999" })).toEqual(all.slice(0, 1));
      const paged: string[] = [];
      for (let after: string | undefined, more = true; more; more = after !== undefined) {
        const page = await store.search({ text: "same", limit: 2, ...(after !== undefined && { after }) });
        paged.push(...page.hits.map(({ callId, entryId }) => `${callId}/${entryId}`));
        after = page.next;
      }
      expect(paged).toEqual(all);
    });

    test("no words, a made-up cursor and a limit below 1 are the request's fault", async () => {
      for (const query of [{ text: " ,.! " }, { text: "a", after: "made up" }, { text: "a", limit: 0 }])
        await expect(store.search(query)).rejects.toMatchObject({ code: "invalid_request" });
    });
  });

  describe("what is not kept for ever", () => {
    const settle = async (callId: string, life: readonly CallEvent[] = [], facts: Partial<Created> = {}) =>
      store.append(callId, [{ ...created(callId), ...facts }, ...life, ended, ...settledBy]);

    test("old calls are those that are over and settled, the oldest first, so many at once", async () => {
      for (const [index, id] of ["call_a", "call_b", "call_c"].entries()) await settle(id, [], { atMs: index });
      await settle("call_other", [], { accountId: "support", atMs: 0 });
      await store.append("call_open", [{ ...created("call_open"), atMs: 0 }]);
      await store.append("call_unsettled", [{ ...created("call_unsettled"), atMs: 0 }, ended]);
      const old = async (query: object): Promise<string[]> => {
        const due = { accountId: "default", beforeMs: 100, limit: 10, ...query };
        return (await store.outdated(due)).map(({ id }) => id);
      };
      expect(await old({})).toEqual(["call_a", "call_b", "call_c"]);
      expect(await old({ limit: 2 })).toEqual(["call_a", "call_b"]);
      expect(await old({ beforeMs: 2 })).toEqual(["call_a", "call_b"]);
      await store.append("call_a", [{ type: "data.removed", atMs: 9, what: "recordings" }]);
      expect(await old({ still: "recordings" })).toEqual(["call_b", "call_c"]);
      expect(await old({ still: "words" })).toEqual(["call_a", "call_b", "call_c"]);
    });

    test("a call whose words are taken out keeps its numbers, and nothing that was said", async () => {
      await fc.assert(
        fc.asyncProperty(journals({ maxEvents: 40 }), fc.stringMatching(/^q[a-z]{12}z$/), async (events, word) => {
          const callId = freshId();
          const life = events.slice(1).filter(({ type }) => type !== "call.ended" && type !== "data.removed");
          await settle(callId, [...life, turn("item_said", `${word} was said`, 0), ...spoken(word)]);
          const before = (await store.call(callId)) as Call;
          const journal = await store.journal(callId);
          expect(await store.redact([callId], 77)).toBe(1);
          const after = (await store.call(callId)) as Call;
          expect(JSON.stringify([after, await store.journal(callId)])).not.toContain(word);
          expect((await store.search({ text: word })).hits).toEqual([]);
          expect(numbersOf(after)).toEqual(numbersOf(before));
          expect(after.removed).toContain("words");
          const rewritten = await store.journal(callId);
          expect(rewritten.map(({ seq }) => seq)).toEqual([...journal.map(({ seq }) => seq), journal.length + 1]);
          expect(rewritten.slice(0, -1).map(({ event }) => [event.type, event.atMs])).toEqual(
            journal.map(({ event }) => [event.type, event.atMs]),
          );
          expect(await store.redact([callId], 78)).toBe(0);
        }),
        { numRuns: 25 },
      );
    });

    test("words of a call that is open or unsettled stay, whoever asks", async () => {
      await store.append("call_open", [created("call_open"), turn("item_0", "still talking", 0)]);
      await store.append("call_unsettled", [created("call_unsettled"), turn("item_0", "still talking", 0), ended]);
      expect(await store.redact(["call_open", "call_unsettled", "call_unknown"], 9)).toBe(0);
      expect((await store.search({ text: "talking" })).hits).toHaveLength(2);
    });

    test("a removed call is gone from lists, searches and journals; the others are whole", async () => {
      await settle("call_a", [turn("item_0", "gone", 0)]);
      await settle("call_b", [turn("item_0", "here", 0)]);
      expect(await store.remove(["call_a", "call_unknown"])).toBe((await store.journal("call_b")).length);
      expect(await store.call("call_a")).toBeUndefined();
      expect(await store.journal("call_a")).toEqual([]);
      expect((await store.calls()).calls.map(({ id }) => id)).toEqual(["call_b"]);
      expect((await store.search({ text: "gone" })).hits).toEqual([]);
      expect((await store.search({ text: "here" })).hits).toHaveLength(1);
      expect(await store.append("call_a", [created("call_a")])).toBe(1);
    });

    test("mentions are found in keys, values and answers, as whole numbers and anywhere as ids", async () => {
      await store.keep("caller", "default:+15550001111", { name: "Ann" }, 0);
      await store.keep("link", "x", { addresses: [{ to: "15550001111" }] }, 0);
      await store.keep("question", "y", { callId: "call_a" }, 0);
      await store.keep("caller", "default:+155500011119", { name: "Bob" }, 0);
      await store.claim("card:call_a:chat", 0, 99);
      await store.claim("SM1", 0, 99);
      await store.settle("SM1", "<Say>+15550001111</Say>");
      await store.claim("SM2", 0, 99);
      const { documents, claims } = await store.mentions(["+15550001111", "call_a"]);
      expect(documents.map(({ kind, key, version }) => [kind, key, version]).sort()).toEqual([
        ["caller", "default:+15550001111", 1],
        ["link", "x", 1],
        ["question", "y", 1],
      ]);
      expect(documents.find(({ kind }) => kind === "caller")?.value).toEqual({ name: "Ann" });
      expect([...claims].sort()).toEqual(["SM1", "card:call_a:chat"]);
      expect(await store.mentions([])).toEqual({ documents: [], claims: [] });
      await store.unclaim(["SM1", "unknown"]);
      expect(await store.claim("SM1", 1, 99)).toEqual({ first: true });
    });

    test("a number is made unreadable wherever journals mention it, and nothing else changes", async () => {
      await settle("call_a", [turn("item_0", "ring Ann at +15550001111, not +155500011119", 0)]);
      await settle("call_b", [turn("item_0", "ring 15550001111", 0)], { accountId: "support" });
      expect(await store.blot("+15550001111", "support")).toBe(1);
      expect((await store.call("call_b"))?.transcript[0]?.text).toBe("ring …");
      expect(await store.blot("+15550001111")).toBe(1);
      expect((await store.call("call_a"))?.transcript[0]?.text).toBe("ring Ann at …, not +155500011119");
      expect((await store.search({ text: "15550001111" })).hits).toEqual([]);
      expect((await store.search({ text: "ring ann" })).hits).toHaveLength(1);
      expect(await store.blot("+15550001111")).toBe(0);
    });

    test("compacting changes nothing that is kept, and nothing is damaged", async () => {
      await settle("call_a", [turn("item_0", "kept", 0)]);
      await settle("call_b");
      await store.remove(["call_b"]);
      await Promise.all([store.compact(), store.append("call_c", [created("call_c")]), store.compact()]);
      expect((await store.search({ text: "kept" })).hits).toHaveLength(1);
      expect((await store.calls()).calls).toHaveLength(2);
      expect(await store.damage()).toEqual({ rows: 0, callIds: [], files: [] });
      expect(await store.dropDamage()).toBe(0);
    });
  });
}

// --- Internal helpers ---

/** A word in every event that can hold what somebody said. */
const spoken = (word: string): CallEvent[] => [
  { type: "tool.called", atMs: 5, toolCallId: "t", name: "look_up", argumentsJson: JSON.stringify({ query: word }) },
  { type: "owner.asked", atMs: 5, questionId: "q", question: word },
  { type: "owner.answered", atMs: 5, questionId: "q", by: "text", answer: word },
  { type: "fault.noted", atMs: 5, code: "internal", message: word },
];

/** Everything of a call that is no words. */
function numbersOf({ purpose: _p, message: _m, outcome, removed: _r, transcript, ...rest }: Call): object {
  const turns = transcript.map(({ text: _text, ...facts }) => facts);
  return { ...rest, turns, needsAction: outcome?.needsAction, madeBy: outcome?.madeBy };
}
