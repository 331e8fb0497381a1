import { setTimeout as delay } from "node:timers/promises";
import type { ErasureOrder, ErasureReceipt } from "../calls/erasure.ts";
import type { NumberLink, UnlinkOrder } from "../calls/links.ts";
import type { CallSummary } from "../core/call.ts";
import type { JournalEntry } from "../core/events.ts";
import type { TranscriptFormat } from "../core/transcript-export.ts";
import type { CallDetails, PlaceCallRequest, SentDigits, StatusReport } from "../http/doors.ts";
import type { Problem } from "../http/problem.ts";
import type { SearchPage } from "../stores/store.ts";

/** The running channel said no, or there is none. `message` is one sentence with what to do. */
export class CommandError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** How often a broken stream of events is taken up again before that is an error. */
const RECONNECTS = 5;
const RECONNECT_MS = 500;

/** The API of a running channel, as commands use it. */
export class ApiClient {
  readonly #url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;

  /** `url` without a slash at its end. */
  constructor(url: string, token: string, signal: AbortSignal) {
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  status(): Promise<StatusReport> {
    return this.#json("GET", "/status");
  }

  calls(query: Readonly<Record<string, string>>): Promise<{ calls: CallSummary[]; next?: string }> {
    return this.#json("GET", `/calls?${new URLSearchParams(query)}`);
  }

  search(query: Readonly<Record<string, string>>): Promise<SearchPage> {
    return this.#json("GET", `/calls/search?${new URLSearchParams(query)}`);
  }

  erase(order: ErasureOrder): Promise<ErasureReceipt> {
    return this.#json("POST", "/erase", order);
  }

  links(query: Readonly<Record<string, string>>): Promise<{ links: NumberLink[] }> {
    return this.#json("GET", `/links?${new URLSearchParams(query)}`);
  }

  unlink({ number, ...query }: UnlinkOrder): Promise<{ removed: NumberLink[] }> {
    return this.#json("DELETE", `/links/${encodeURIComponent(number)}?${new URLSearchParams(query)}`);
  }

  placeCall(request: PlaceCallRequest): Promise<CallSummary> {
    return this.#json("POST", "/call", request);
  }

  endCall(callId: string): Promise<CallSummary> {
    return this.#json("DELETE", `/call/${encodeURIComponent(callId)}`);
  }

  say(callId: string, text: string): Promise<CallSummary> {
    return this.#json("POST", `/call/${encodeURIComponent(callId)}/say`, { text });
  }

  sendDigits(callId: string, digits: string, durationMs?: number): Promise<SentDigits> {
    const timing = durationMs === undefined ? {} : { durationMs };
    return this.#json("POST", `/call/${encodeURIComponent(callId)}/dtmf`, { digits, ...timing });
  }

  instruct(callId: string, text: string, respond: boolean): Promise<CallSummary> {
    return this.#json("POST", `/call/${encodeURIComponent(callId)}/instructions`, { text, respond });
  }

  pauseRecording(callId: string, paused: boolean): Promise<CallDetails> {
    return this.#json("POST", `/call/${encodeURIComponent(callId)}/recording`, { paused });
  }

  /** The words of a call as a document. */
  async transcript(callId: string, format: TranscriptFormat): Promise<string> {
    return (await this.#document(`/calls/${encodeURIComponent(callId)}/transcript?format=${format}`)).text();
  }

  /** The sound of a call, a WAV file piece by piece. */
  async recording(callId: string): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#document(`/calls/${encodeURIComponent(callId)}/recording`);
    if (!answer.body) throw stranger(answer);
    return answer.body;
  }

  /** A call's journal until the call ends, over broken connections, each entry once. */
  async *follow(callId: string): AsyncGenerator<JournalEntry> {
    let lastSeq = 0;
    for (let failures = 0; failures <= RECONNECTS; failures++) {
      if (failures > 0) await delay(RECONNECT_MS, undefined, { signal: this.#signal });
      try {
        for await (const entry of this.#events(callId, lastSeq)) {
          lastSeq = entry.seq;
          failures = 0;
          yield entry;
          if (entry.event.type === "call.ended") return;
        }
      } catch (error) {
        const refused = error instanceof CommandError && error.code !== "not_running";
        if (refused || this.#signal.aborted || lastSeq === 0) throw error;
      }
    }
    throw new CommandError("not_running", `The events of ${callId} broke off and could not be taken up again.`);
  }

  async *#events(callId: string, lastSeq: number): AsyncGenerator<JournalEntry> {
    const path = `/call/${encodeURIComponent(callId)}/events`;
    const answer = await this.#fetch("GET", path, { "last-event-id": String(lastSeq) });
    if (!answer.ok || !answer.body) throw await refusal(answer);
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() as string;
      yield* blocks.flatMap(readBlock);
    }
  }

  async #document(path: string): Promise<Response> {
    const answer = await this.#fetch("GET", path, {});
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.#fetch(
      method,
      path,
      body === undefined ? {} : { "content-type": "application/json" },
      body,
    );
    if (!answer.ok) throw await refusal(answer);
    return (await answer.json().catch((cause: unknown) => {
      throw stranger(answer, cause);
    })) as T;
  }

  async #fetch(method: string, path: string, more: Record<string, string>, body?: unknown): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, ...more };
    const payload = body === undefined ? {} : { body: JSON.stringify(body) };
    return fetch(this.#url + path, { method, headers, signal: this.#signal, ...payload }).catch((cause: unknown) => {
      if (this.#signal.aborted) throw cause;
      const remedy = "Start it with: openclaw-voice serve. If it runs elsewhere, name it with --url or --config.";
      throw new CommandError("not_running", `No voice channel answers at ${this.#url}. ${remedy}`, { cause });
    });
  }
}

// --- Internal helpers ---

async function refusal(answer: Response): Promise<CommandError> {
  const problem = (await answer.json().catch(() => ({}))) as Partial<Problem>;
  if (problem.code === undefined) return stranger(answer);
  const remedy = problem.code === "unauthorized" ? " It may be kept in another folder: name it with --state-dir." : "";
  return new CommandError(problem.code, `${problem.message}${remedy}`, { retryable: problem.retryable ?? false });
}

/** Something answers, but not as a channel does. */
function stranger({ url, status }: Response, cause?: unknown): CommandError {
  return new CommandError("not_running", `What answers at ${url} (${status}) is no voice channel. Check --url.`, {
    cause,
  });
}

function readBlock(block: string): JournalEntry[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
  const data = field("data");
  return data === undefined ? [] : [{ seq: Number(field("id")), event: JSON.parse(data) }];
}
