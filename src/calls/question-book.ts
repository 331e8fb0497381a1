import { isAskedOf, type Question, type QuestionKind } from "../core/questions.ts";
import type { ChannelAddress } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import { removeDocument } from "./remove-document.ts";

const KIND = "question";
/** So long a question is known after it was asked; then a press of its buttons finds nothing. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** What is to be known of a question without reading it. */
interface Entry {
  readonly address: ChannelAddress;
  readonly messageId: string | undefined;
  readonly open: boolean;
  readonly unfinished: boolean;
  readonly askedAtMs: number;
  readonly expiresAtMs: number;
}

/** The questions as the store keeps them, and which of them a message belongs to. */
export class QuestionBook {
  readonly #store: Store;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads what is kept. @throws StoreError */
  async load(): Promise<void> {
    for (const { value } of await this.#store.documents<Question>(KIND)) this.#note(value);
  }

  /** Keeps a new question. Says whether there was none of that id. @throws StoreError */
  async add(question: Question): Promise<boolean> {
    const added = await this.#store.keep(KIND, question.id, question, 0);
    if (added) this.#note(question);
    return added;
  }

  /** @throws StoreError */
  async read(id: string): Promise<Question | undefined> {
    return (await this.#store.document<Question>(KIND, id))?.value;
  }

  /**
   * Changes a question, however many do so at once: `change` is asked again until what it saw is what is kept. Returning
   * the same question changes nothing. Resolves with the question as it is kept. @throws StoreError
   */
  async change(id: string, change: (question: Question) => Question): Promise<Question | undefined> {
    for (;;) {
      const document = await this.#store.document<Question>(KIND, id);
      if (!document) return undefined;
      const changed = change(document.value);
      const kept = changed === document.value || (await this.#store.keep(KIND, id, changed, document.version));
      if (!kept) continue; // somebody was faster
      this.#note(changed);
      return changed;
    }
  }

  /** Forgets a question. @throws StoreError */
  async remove(id: string): Promise<void> {
    await removeDocument(this.#store, KIND, id);
    this.#entries.delete(id);
  }

  /** The question that this message to this person asked. */
  ofMessage(person: { readonly channel: string; readonly from: string }, messageId: string): string | undefined {
    for (const [id, entry] of this.#entries) {
      if (entry.messageId === messageId && isAskedOf(entry, person)) return id;
    }
    return undefined;
  }

  /** Open questions whose time is over. */
  expired(nowMs: number): readonly string[] {
    return this.#ids(({ open, expiresAtMs }) => open && expiresAtMs <= nowMs);
  }

  /** Answered questions whose consequence is not done. */
  unfinished(): readonly string[] {
    return this.#ids(({ unfinished }) => unfinished);
  }

  /** Questions that are so old that nobody asks for them. */
  outdated(nowMs: number): readonly string[] {
    return this.#ids(({ open, unfinished, askedAtMs }) => !open && !unfinished && askedAtMs + KEPT_MS <= nowMs);
  }

  #ids(fits: (entry: Entry) => boolean): string[] {
    return [...this.#entries].filter(([, entry]) => fits(entry)).map(([id]) => id);
  }

  #note({ id, address, messageId, state, done, askedAtMs, expiresAtMs }: Question): void {
    const unfinished = state === "answered" && !done;
    this.#entries.set(id, { address, messageId, open: state === "open", unfinished, askedAtMs, expiresAtMs });
  }
}

/** A question that somebody has asked. */
export interface QuestionOrder {
  /** Asked twice under one id, it is asked once; a new one unless told. At most ten of `A-Z a-z 0-9 _ -`. */
  readonly id?: string;
  readonly accountId: string;
  readonly callId?: string;
  readonly kind: QuestionKind;
  /** What it is about, as its asker finds it again. */
  readonly about?: string;
  readonly address: ChannelAddress;
  readonly text: string;
  /** Labels of its buttons, at most ten. */
  readonly options: readonly string[];
  /** How long answers are in time, in milliseconds. */
  readonly openForMs: number;
}
