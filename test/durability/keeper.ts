import { setTimeout as pause } from "node:timers/promises";
import type { JournalEntry } from "../../src/core/events.ts";
import type { OutgoingMessage, SessionRecord } from "../../src/hosts/host.ts";
import type { HostVerb } from "./protocol.ts";

/** Where the API of the process that lives now is reached. */
export interface Api {
  readonly url: string;
  readonly token: string;
}

/** What the owner was sent of a call. */
export interface Cards {
  /** Those that are said to be the first. */
  plain: number;
  /** Those that say that they may have come before. */
  labelled: number;
}

const OUTCOME = JSON.stringify({
  summary: "They talked about the weather.",
  outcome: "The caller knows it.",
  commitments: [],
  needsAction: true,
});
/** Stands above a message of which the channel does not know whether it has arrived before. */
const LABEL = "(You may have had this message already.)";
const RETRY_MS = 50;
const LOOK_AGAIN_MS = 250;
const PLACED_WITHIN_MS = 60_000;

/**
 * Keeps what the plugin has acknowledged, where no kill of its process reaches: replies of its API, entries that it
 * showed, and what the host's side took from it.
 */
export class Keeper {
  /** Events seen on `/call/:id/events`, as JSON, by call and seq. */
  readonly shown = new Map<string, Map<number, string>>();
  /** Calls that the API said were placed. */
  readonly placed = new Set<string>();
  /** Calls whose end the API confirmed. */
  readonly endConfirmed = new Set<string>();
  /** Turns that the host took, by call and entry: each text that it was told. */
  readonly rows = new Map<string, Map<string, Set<string>>>();
  readonly cards = new Map<string, Cards>();
  readonly wakes = new Map<string, number>();
  /** Lines of the log that name a call or leg. */
  readonly logged = new Map<string, string[]>();
  /** How often the journal of a call was refused. */
  readonly refused = new Map<string, number>();
  readonly #api: () => Api | undefined;
  readonly #answerAfter: () => Promise<void>;
  readonly #closing = new AbortController();
  readonly #following = new Map<string, Promise<void>>();
  #messages = 0;

  /** `answerAfter`: how long an agent thinks about a question. */
  constructor(api: () => Api | undefined, answerAfter: () => Promise<void>) {
    this.#api = api;
    this.#answerAfter = answerAfter;
  }

  /** Carries out a verb of the host. What it did stays, whether or not the process learns of it. */
  async host(verb: HostVerb, payload: unknown): Promise<unknown> {
    switch (verb) {
      case "record":
        return this.#record(payload as SessionRecord);
      case "send":
        return this.#send((payload as { message: OutgoingMessage }).message);
      case "wake": {
        const { key } = payload as { key: string };
        return void this.wakes.set(key, (this.wakes.get(key) ?? 0) + 1);
      }
      case "consult":
        await this.#answerAfter();
        return "It is going to rain.";
      case "complete":
        return OUTCOME;
    }
  }

  /** Follows a call's journal until it has seen the call's end, over as many processes as that takes. */
  follow(callId: string): void {
    if (!this.#following.has(callId)) this.#following.set(callId, this.#follow(callId));
  }

  /** Places a call, again under the same key until the API answers. Resolves with its id, or nothing: it was refused. */
  async place(to: string, key: string): Promise<string | undefined> {
    const until = Date.now() + PLACED_WITHIN_MS;
    while (Date.now() < until && !this.#closing.signal.aborted) {
      const answer = await this.#ask("POST", "/call", { to, purpose: "Ask how they are." }, { "idempotency-key": key });
      if (answer?.status === 201) {
        const { callId } = answer.body as { callId: string };
        this.placed.add(callId);
        this.follow(callId);
        return callId;
      }
      if (answer && answer.status < 500) return undefined;
      await pause(RETRY_MS);
    }
    return undefined;
  }

  /** Ends a call by the API, once. */
  async end(callId: string): Promise<void> {
    const answer = await this.#ask("DELETE", `/call/${callId}`);
    if (answer?.status === 200) this.endConfirmed.add(callId);
  }

  /** How many calls are open and how many are ended with work left; `undefined`: nobody answers. */
  async left(): Promise<{ open: readonly string[]; unfinished: readonly string[] } | undefined> {
    const [open, unfinished] = await Promise.all(
      ["open", "unfinished"].map(async (only) => {
        const answer = await this.#ask("GET", `/calls?only=${only}&limit=500`);
        if (answer?.status !== 200) return undefined;
        return (answer.body as { calls: readonly { callId: string }[] }).calls.map(({ callId }) => callId);
      }),
    );
    return open && unfinished && { open, unfinished };
  }

  /** Follows nothing any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#following.values());
  }

  #record({ callId, entries }: SessionRecord): void {
    const rows = this.rows.get(callId) ?? new Map<string, Set<string>>();
    this.rows.set(callId, rows);
    for (const { id, text } of entries) rows.set(id, (rows.get(id) ?? new Set()).add(text));
  }

  #send({ text, buttons = [] }: OutgoingMessage): { messageId: string } {
    const id = buttons.map(({ value }) => /^(?:cb|ok):(.+)$/.exec(value)?.[1]).find((found) => found !== undefined);
    const callId = id === undefined ? "unknown" : `call_${id}`;
    const cards = this.cards.get(callId) ?? { plain: 0, labelled: 0 };
    this.cards.set(callId, cards);
    if (text.startsWith(LABEL)) cards.labelled += 1;
    else cards.plain += 1;
    this.#messages += 1;
    return { messageId: String(this.#messages) };
  }

  async #follow(callId: string): Promise<void> {
    const seen = new Map<number, string>();
    this.shown.set(callId, seen);
    let isOver = false;
    while (!isOver && !this.#closing.signal.aborted) {
      await this.#read(callId, seen).catch(() => undefined); // the process died under it: the next one goes on
      isOver = [...seen.values()].some((event) => (JSON.parse(event) as { type: string }).type === "call.ended");
      if (!isOver) await pause(LOOK_AGAIN_MS);
    }
  }

  async #read(callId: string, seen: Map<number, string>): Promise<void> {
    const api = this.#api();
    if (!api) return;
    const response = await fetch(`${api.url}/call/${callId}/events`, {
      headers: { authorization: `Bearer ${api.token}`, "last-event-id": String(Math.max(0, ...seen.keys())) },
      signal: this.#closing.signal,
    });
    if (!response.ok || !response.body) return void (await response.body?.cancel());
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = `${rest}${text}`.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) take(block, seen);
    }
  }

  async #ask(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
    const api = this.#api();
    if (!api) return undefined;
    try {
      const response = await fetch(`${api.url}${path}`, {
        method,
        signal: this.#closing.signal,
        headers: { authorization: `Bearer ${api.token}`, "content-type": "application/json", ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as unknown };
    } catch {
      return undefined; // nobody answered: nothing was acknowledged
    }
  }
}

/** The stored journal as it is compared with what was shown. */
export function asShown(journal: readonly JournalEntry[]): ReadonlyMap<number, string> {
  return new Map(journal.map(({ seq, event }) => [seq, JSON.stringify(event)]));
}

// --- Internal helpers ---

function take(block: string, seen: Map<number, string>): void {
  const seq = /^id: (\d+)$/m.exec(block)?.[1];
  const data = /^data: (.*)$/m.exec(block)?.[1];
  if (seq !== undefined && data !== undefined) seen.set(Number(seq), data);
}
