import type { Clock, Timer } from "../core/clock.ts";

/** Keys that the caller pressed one after another. */
export interface KeyEntry {
  /** Without the key that ended it. */
  readonly digits: string;
  /** `superseded`: something else was asked meanwhile. `closed`: the call is over. */
  readonly endedBy: "terminator" | "length" | "timeout" | "superseded" | "closed";
  /** The key that ended it, when one did. */
  readonly terminator?: string;
  /** Whether the digits are for whoever asked alone: neither journal nor model may have them. */
  readonly secret: boolean;
}

/** What an entry that is asked for may be. */
export interface KeyRequest {
  /** The entry is complete with so many keys; 32 unless told. */
  readonly maxDigits?: number;
  /** The key that ends an entry and is not part of it, `#` unless told; none when empty. */
  readonly terminator?: string;
  /** Milliseconds to wait for the first key; 10,000 unless told. */
  readonly firstMs?: number;
  /** Milliseconds to wait for each further key; 3,000 unless told. */
  readonly betweenMs?: number;
  /** Whether nobody but the one who asks may know the digits. */
  readonly secret?: boolean;
}

export interface KeyCollectorParts {
  readonly clock: Clock;
  /** Keys were pressed that nobody had asked for. */
  readonly onEntry: (entry: KeyEntry) => void;
}

const MAX_DIGITS = 32;
const TERMINATOR = "#";
const FIRST_MS = 10_000;
const BETWEEN_MS = 3_000;
/** What stands where a secret digit would. */
const MASK = "x";

/** The entry that is under way. */
interface Pending {
  readonly request: KeyRequest;
  /** Whether somebody waits for it. */
  readonly asked: boolean;
  readonly finish: (entry: KeyEntry) => void;
  digits: string;
  timer: Timer | undefined;
}

/**
 * Makes entries of the keys that a caller presses: one ends with its terminator, when it is long enough, or when no
 * further key comes. What nobody asked for is told to `onEntry`; `collect` asks. One instance serves one call.
 */
export class KeyCollector {
  readonly #parts: KeyCollectorParts;
  #pending: Pending | undefined;
  #closed = false;

  constructor(parts: KeyCollectorParts) {
    this.#parts = parts;
  }

  /** How a key that is pressed now may be written down: as itself, or masked while a secret is entered. */
  shown(key: string): string {
    const request = this.#pending?.request;
    return request?.secret && key !== terminatorOf(request) ? MASK : key;
  }

  /** The caller pressed a key: 0-9, `*`, `#`, A-D. */
  pressed(key: string): void {
    if (this.#closed) return;
    this.#pending ??= { request: {}, asked: false, finish: this.#parts.onEntry, digits: "", timer: undefined };
    const pending = this.#pending;
    const { request } = pending;
    const ends = key === terminatorOf(request);
    if (!ends) pending.digits += key;
    if (ends) this.#end("terminator", key);
    else if (pending.digits.length >= (request.maxDigits ?? MAX_DIGITS)) this.#end("length");
    else this.#wait(pending, request.betweenMs ?? BETWEEN_MS);
  }

  /** Takes the next keys as one entry, from now on. Never rejects: `endedBy` says what became of it. */
  collect(request: KeyRequest = {}): Promise<KeyEntry> {
    if (this.#closed) return Promise.resolve({ digits: "", endedBy: "closed", secret: request.secret ?? false });
    this.#end("superseded");
    return new Promise((finish) => {
      const pending: Pending = { request, asked: true, finish, digits: "", timer: undefined };
      this.#pending = pending;
      this.#wait(pending, request.firstMs ?? FIRST_MS);
    });
  }

  /** The call is over: whoever waits is told, keys that nobody asked for are not, and no further key counts. */
  close(): void {
    this.#closed = true;
    if (this.#pending?.asked) this.#end("closed");
    else if (this.#pending) this.#drop(this.#pending);
  }

  #wait(pending: Pending, limitMs: number): void {
    pending.timer?.stop();
    pending.timer = this.#parts.clock.after(limitMs, () => this.#end("timeout"));
  }

  #end(endedBy: KeyEntry["endedBy"], terminator?: string): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#drop(pending);
    const { digits, finish, request } = pending;
    finish({ digits, endedBy, secret: request.secret ?? false, ...(terminator !== undefined && { terminator }) });
  }

  #drop(pending: Pending): void {
    pending.timer?.stop();
    this.#pending = undefined;
  }
}

/** What the model is told of an entry. */
export function keyNote({ digits, terminator, secret }: KeyEntry): string {
  if (secret) return `The caller entered ${digits.length} secret digits with the keys; they are not told to you.`;
  const keys = [...digits, ...(terminator === undefined ? [] : [terminator])];
  if (keys.length === 0) return "The caller pressed no key.";
  return keys.length === 1
    ? `The caller pressed the key ${keys[0]}.`
    : `The caller pressed the keys ${keys.join(" ")}.`;
}

// --- Internal helpers ---

function terminatorOf({ terminator = TERMINATOR }: KeyRequest): string {
  return terminator;
}
