import type { Call } from "../core/call.ts";
import { StoreError } from "../core/errors.ts";
import type { JournalEntry } from "../core/events.ts";
import { blotted, mentionFinder } from "../core/mentions.ts";
import { withoutWords } from "../core/redaction.ts";
import { holdsWords, wordsOf } from "../core/search.ts";
import {
  bitOf,
  type Folded,
  foldNext,
  isCall,
  isFinished,
  listing,
  NOTHING,
  readEvent,
  writeEvent,
  writeValue,
} from "./folded.ts";
import { matches, newestFirst, pageQuery, writeCursor } from "./page.ts";
import { hitOf, hitQuery, inHitOrder, writePlace } from "./search-page.ts";
import type { Claim, Store } from "./store.ts";

/**
 * A store that forgets everything with the process: for trying things out and for tests. Events are kept as the JSON
 * that the other stores write, so that it keeps and loses exactly what they do.
 */
export function memoryStore(): Store {
  const journals = new Map<string, Journal>();
  const documents = new Map<string, Map<string, { readonly version: number; readonly body: string }>>();
  const claims = new Map<string, { readonly expiresAtMs: number; answer?: string }>();
  let state: "new" | "open" | "stopped" = "new";

  const requireOpen = (): void => {
    if (state !== "open") throw new StoreError(`The store is ${state === "new" ? "not started" : "stopped"}.`);
  };

  return {
    async start() {
      if (state === "stopped") throw new StoreError("The store is stopped.");
      state = "open";
    },
    async stop() {
      state = "stopped";
    },

    async append(callId, events) {
      requireOpen();
      const journal = journals.get(callId) ?? { bodies: [], folded: NOTHING };
      const bodies: string[] = [];
      let folded = journal.folded;
      try {
        for (const event of events) {
          const body = writeEvent(event);
          bodies.push(body);
          folded = foldNext(folded, folded.lastSeq + 1, readEvent(body));
        }
      } catch (cause) {
        throw new StoreError(`The journal of ${callId} did not take an event: ${(cause as Error).message}`, { cause });
      }
      journal.bodies.push(...bodies);
      journal.folded = folded;
      if (bodies.length > 0) journals.set(callId, journal);
      return folded.lastSeq;
    },

    async journal(callId, afterSeq = 0) {
      requireOpen();
      const bodies = journals.get(callId)?.bodies ?? [];
      const entries = bodies.map((body, index): JournalEntry => ({ seq: index + 1, event: readEvent(body) }));
      return entries.filter(({ seq }) => seq > afterSeq);
    },

    async call(callId) {
      requireOpen();
      const folded = journals.get(callId)?.folded;
      return folded && isCall(folded) ? copy(folded.call) : undefined;
    },

    async calls(query = {}) {
      requireOpen();
      const { limit, after, ...filter } = pageQuery(query);
      const found = [...journals]
        .filter(([, { folded }]) => isCall(folded) && matches(listing(folded.call), { limit, ...filter }))
        .map(([id, { folded }]) => ({ id, createdAtMs: folded.call.createdAtMs, call: folded.call }))
        .filter((place) => after === undefined || newestFirst(after, place) < 0)
        .sort(newestFirst);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        calls: page.map(({ call }) => copy(call)),
        ...(found.length > limit && last && { next: writeCursor(last) }),
      };
    },

    async claim(key, atMs, expiresAtMs): Promise<Claim> {
      requireOpen();
      for (const [old, claim] of claims) if (claim.expiresAtMs < atMs) claims.delete(old);
      const held = claims.get(key);
      if (held) return { first: false, ...(held.answer !== undefined && { answer: held.answer }) };
      claims.set(key, { expiresAtMs });
      return { first: true };
    },
    async settle(key, answer) {
      requireOpen();
      const held = claims.get(key);
      if (held) held.answer ??= answer;
    },

    async document<Value>(kind: string, key: string) {
      requireOpen();
      const held = documents.get(kind)?.get(key);
      return held && { key, version: held.version, value: JSON.parse(held.body) as Value };
    },
    async documents<Value>(kind: string) {
      requireOpen();
      const all = [...(documents.get(kind) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      return all.map(([key, { version, body }]) => ({ key, version, value: JSON.parse(body) as Value }));
    },
    async keep(kind, key, value, version) {
      requireOpen();
      const all = documents.get(kind) ?? new Map<string, { readonly version: number; readonly body: string }>();
      const held = all.get(key)?.version ?? 0;
      if (held !== version || (value === undefined && held === 0)) return false;
      if (value === undefined) all.delete(key);
      else all.set(key, { version: version + 1, body: writeValue(kind, key, value) });
      documents.set(kind, all);
      return true;
    },

    async search(query) {
      requireOpen();
      const { words, limit, after, ...filter } = hitQuery(query);
      const found = [...journals.values()]
        .filter(({ folded }) => isCall(folded) && matches(listing(folded.call), { limit, ...filter }))
        .flatMap(({ folded: { call } }) =>
          call.removed.includes("words") ? [] : call.transcript.map((entry) => ({ call, entry })),
        )
        .filter(({ entry }) => holdsWords(wordsOf(entry.text), words))
        .map(({ call, entry }) => {
          const place = { createdAtMs: call.createdAtMs, callId: call.id, startMs: entry.startMs, entryId: entry.id };
          return { ...place, hit: hitOf(call, entry, words) };
        })
        .filter((place) => after === undefined || inHitOrder(after, place) < 0)
        .sort(inHitOrder);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        hits: page.map(({ hit }) => hit),
        ...(found.length > limit && last && { next: writePlace(last) }),
      };
    },
    async outdated({ accountId, beforeMs, still, limit }) {
      requireOpen();
      const bit = still === undefined ? 0 : bitOf(still);
      return [...journals.values()]
        .map(({ folded: { call } }) => call)
        .filter((call) => call.accountId === accountId && call.createdAtMs < beforeMs && isFinished(call))
        .filter((call) => (listing(call).removed & bit) === 0)
        .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(copy);
    },
    async redact(callIds, atMs) {
      requireOpen();
      const due = callIds
        .flatMap((callId) => journals.get(callId) ?? [])
        .filter(({ folded }) => mayRedact(folded.call));
      for (const journal of due) {
        const events = journal.bodies.map((body) => withoutWords(readEvent(body)));
        const bodies = [...events, { type: "data.removed", atMs, what: "words" } as const].map(writeEvent);
        rewrite(journal, bodies);
      }
      return due.length;
    },
    async remove(callIds) {
      requireOpen();
      let entries = 0;
      for (const callId of callIds) {
        entries += journals.get(callId)?.bodies.length ?? 0;
        journals.delete(callId);
      }
      return entries;
    },
    async mentions(texts) {
      requireOpen();
      const isMentioned = mentionFinder(texts);
      const all = [...documents].flatMap(([kind, byKey]) => [...byKey].map(([key, held]) => ({ kind, key, ...held })));
      return {
        documents: all
          .filter(({ key, body }) => isMentioned(JSON.stringify(key)) || isMentioned(body))
          .map(({ kind, key, version, body }) => ({ kind, key, version, value: JSON.parse(body) as unknown })),
        claims: [...claims]
          .filter(([key, { answer }]) => isMentioned(JSON.stringify(key)) || isMentioned(JSON.stringify(answer ?? "")))
          .map(([key]) => key),
      };
    },
    async blot(number, accountId) {
      requireOpen();
      const isMentioned = mentionFinder([number]);
      let changed = 0;
      for (const journal of journals.values()) {
        const { bodies, folded } = journal;
        if (accountId !== undefined && folded.call.accountId !== accountId) continue;
        changed += bodies.filter(isMentioned).length;
        const blot = (body: string) => writeEvent(blotted(readEvent(body), number));
        if (bodies.some(isMentioned)) rewrite(journal, bodies.map(blot));
      }
      return changed;
    },
    async unclaim(keys) {
      requireOpen();
      for (const key of keys) claims.delete(key);
    },
    async compact() {
      requireOpen();
    },
    async damage() {
      requireOpen();
      return { rows: 0, callIds: [], files: [] };
    },
    async dropDamage() {
      requireOpen();
      return 0;
    },
  };
}

// --- Internal helpers ---

interface Journal {
  readonly bodies: string[];
  folded: Folded;
}

/** A call of the caller's own: what it does to it changes nothing here. */
function copy(call: Call): Call {
  return JSON.parse(JSON.stringify(call)) as Call;
}

function mayRedact(call: Call): boolean {
  return isFinished(call) && !call.removed.includes("words");
}

function rewrite(journal: Journal, bodies: readonly string[]): void {
  journal.bodies.splice(0, Number.POSITIVE_INFINITY, ...bodies);
  journal.folded = bodies.reduce((folded, body) => foldNext(folded, folded.lastSeq + 1, readEvent(body)), NOTHING);
}
