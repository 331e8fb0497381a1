import { setImmediate } from "node:timers/promises";
import type { Call } from "../core/call.ts";
import { StoreError } from "../core/errors.ts";
import type { JournalEntry } from "../core/events.ts";
import { writeEvent, writeValue } from "./folded.ts";
import { pageQuery, writeCursor } from "./page.ts";
import { hitQuery, writePlace } from "./search-page.ts";
import type { Damage, DocumentRow, Durability, Request, Verb, Verbs } from "./sqlite-protocol.ts";
import { openThread, type SqliteThread, type StartWorker, startWorker } from "./sqlite-thread.ts";
import type { SearchHit, Store, StoredDocument } from "./store.ts";

export interface SqliteStoreOptions {
  /** The file; it and its folder are made when they are not there, for the owner's eyes alone. */
  readonly path: string;
  /**
   * `full`, unless told: what is stored stays when the power goes. `normal`: only when the process goes; what such a
   * commit costs less, `npm run bench -- store` says.
   */
  readonly durability?: Durability;
  /** Is told of what is damaged and was set aside. */
  readonly logger?: { error(message: string, fields?: Readonly<Record<string, unknown>>): void };
  /** Starts the thread; for those who load programs in a way of their own. */
  readonly startWorker?: StartWorker;
}

/**
 * Calls in one SQLite file, for one process. `node:sqlite` is synchronous and waits for disks and for other processes'
 * locks, so it lives in a thread: this side only sends and awaits. Requests that arrive while a commit runs share the
 * next one.
 *
 * A lock that another process holds delays requests by 1.5 s at most, then they fail. A request that is awaited keeps
 * the process alive until it is answered; an idle store does not. Should the thread die, what it had not answered fails
 * and the next request starts another.
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const { path, durability = "full", logger, startWorker: start = startWorker } = options;
  const queue: Waiting[] = [];
  let thread: SqliteThread | undefined;
  let state: "new" | "opening" | "open" | "stopped" = "new";
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let sending: Promise<void> | undefined;

  const onDamage = (damage: Damage): void => {
    const what =
      "file" in damage
        ? "The store's file was damaged and put aside; a new one goes on with what could be read"
        : "A stored row is damaged and was passed over";
    logger?.error(what, { ...damage });
  };

  const open = (): Promise<SqliteThread> =>
    openThread({ path, durability }, start, onDamage).catch((error: unknown) => {
      throw storeError(`The store ${path} could not be opened`, error);
    });

  /** Sends what waits, batch by batch: the file is busy with one, the next gathers. */
  const sendAll = async (): Promise<void> => {
    await setImmediate(); // what is asked in one turn of the event loop goes together, many calls' timers included
    while (queue.length > 0) {
      const batch = queue.splice(0);
      try {
        thread ??= await open();
        const outcomes = await thread.run(batch.map(({ request }) => request));
        batch.forEach(({ request, settle }, index) => {
          const outcome = outcomes[index] ?? { error: "its thread gave no answer" };
          if ("value" in outcome) settle.resolve(outcome.value);
          else settle.reject(new StoreError(`The store could not ${describe(request)}: ${outcome.error}`));
        });
      } catch (error) {
        thread = undefined;
        for (const { request, settle } of batch)
          settle.reject(storeError(`The store could not ${describe(request)}`, error));
      }
    }
    sending = undefined;
  };

  const ask = <V extends Verb>(verb: V, order: Verbs[V]["order"]): Promise<Verbs[V]["result"]> => {
    if (state !== "open") {
      return Promise.reject(new StoreError(`The store is ${state === "stopped" ? "stopped" : "not started"}.`));
    }
    const settle = Promise.withResolvers<Verbs[Verb]["result"]>();
    queue.push({ request: { verb, order } as Request, settle });
    sending ??= sendAll();
    return settle.promise as Promise<Verbs[V]["result"]>;
  };

  return {
    start() {
      if (state === "stopped") return Promise.reject(new StoreError("The store is stopped."));
      if (state === "new") state = "opening";
      starting ??= open().then(
        (opened) => {
          thread = opened;
          if (state === "opening") state = "open";
        },
        (error: unknown) => {
          starting = undefined;
          if (state === "opening") state = "new";
          throw error;
        },
      );
      return starting;
    },
    stop() {
      state = "stopped";
      stopping ??= (async () => {
        await starting?.catch(() => undefined); // whoever started it is told
        await sending;
        await thread?.close();
      })();
      return stopping;
    },

    async append(callId, events) {
      return ask("append", { callId, bodies: events.map((event) => bodyOf(event, callId)) });
    },
    async journal(callId, afterSeq = 0) {
      return JSON.parse(await ask("journal", { callId, afterSeq })) as JournalEntry[];
    },
    async call(callId) {
      const text = await ask("call", { callId });
      return text === undefined ? undefined : (JSON.parse(text) as Call);
    },
    async calls(query = {}) {
      const { calls, last } = await ask("calls", pageQuery(query));
      return { calls: JSON.parse(calls) as Call[], ...(last && { next: writeCursor(last) }) };
    },
    async claim(key, atMs, expiresAtMs) {
      return ask("claim", { key, atMs, expiresAtMs });
    },
    async settle(key, answer) {
      await ask("settle", { key, answer });
    },
    async document<Value>(kind: string, key: string) {
      const row = await ask("document", { kind, key });
      return row && documentOf<Value>(row);
    },
    async documents<Value>(kind: string) {
      return (await ask("documents", { kind })).map((row) => documentOf<Value>(row));
    },
    async keep(kind, key, value, version) {
      const body = value === undefined ? {} : { body: writeValue(kind, key, value) };
      return ask("keep", { kind, key, version, ...body });
    },

    async search(query) {
      const { hits, last, notYetSearched } = await ask("search", hitQuery(query));
      return {
        hits: JSON.parse(hits) as SearchHit[],
        ...(last && { next: writePlace(last) }),
        ...(notYetSearched > 0 && { notYetSearched }),
      };
    },
    async outdated(query) {
      return JSON.parse(await ask("outdated", query)) as Call[];
    },
    async redact(callIds, atMs) {
      return ask("redact", { callIds, atMs });
    },
    async remove(callIds) {
      return ask("remove", { callIds });
    },
    async mentions(texts) {
      const { documents, claims } = await ask("mentions", { texts });
      return { claims, documents: documents.map(({ kind, ...row }) => ({ kind, ...documentOf(row) })) };
    },
    async blot(number, accountId) {
      return ask("blot", { number, ...(accountId !== undefined && { accountId }) });
    },
    async unclaim(keys) {
      await ask("unclaim", { keys });
    },
    async compact() {
      await ask("compact", {});
    },
    async damage() {
      return ask("damage", {});
    },
    async dropDamage() {
      return ask("dropDamage", {});
    },
  };
}

// --- Internal helpers ---

interface Waiting {
  readonly request: Request;
  readonly settle: PromiseWithResolvers<Verbs[Verb]["result"]>;
}

function bodyOf(event: Parameters<typeof writeEvent>[0], callId: string): string {
  try {
    return writeEvent(event);
  } catch (cause) {
    throw storeError(`The journal of ${callId} did not take an event`, cause);
  }
}

function documentOf<Value>({ key, version, body }: DocumentRow): StoredDocument<Value> {
  return { key, version, value: JSON.parse(body) as Value };
}

function describe({ verb, order }: Request): string {
  const callId = "callId" in order ? ` of ${order.callId}` : "";
  return `${WORDS[verb]}${callId}`;
}

const WORDS: Readonly<Record<Verb, string>> = {
  append: "write the journal",
  journal: "read the journal",
  call: "read the journal",
  calls: "list calls",
  claim: "take a claim",
  settle: "settle a claim",
  document: "read a document",
  documents: "read documents",
  keep: "keep a document",
  search: "search",
  outdated: "list old calls",
  redact: "take the words out of calls",
  remove: "remove calls",
  mentions: "look for mentions",
  blot: "make a number unreadable",
  unclaim: "forget claims",
  compact: "be compacted",
  damage: "list what is damaged",
  dropDamage: "throw away what is damaged",
};

function storeError(what: string, cause: unknown): StoreError {
  return cause instanceof StoreError ? cause : new StoreError(`${what}: ${(cause as Error).message}`, { cause });
}
