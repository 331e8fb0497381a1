import type { MediaLeg } from "../../carriers/carrier.ts";
import type { EnginePatch } from "../../engines/engine.ts";
import { Conversation } from "../conversation.ts";
import type { ConversationParts } from "../conversation-parts.ts";
import type { KeyEntry, KeyRequest } from "../key-collector.ts";
import { keysLike, shapeOf } from "./redact.ts";
import { tapLeg, tapParts } from "./sides.ts";
import type { Tap } from "./tap.ts";

/** A conversation with a tap between it and everything around it. */
export class TappedConversation extends Conversation {
  readonly #tap: Tap;
  /** Digits that end an entry: whether one of them was pressed decides. */
  readonly #terminators = new Set<string>();
  #entries = 0;
  #waits = 0;
  #isPrepared = false;

  /** `secret` marks the arguments of tools. */
  constructor(parts: ConversationParts, tap: Tap, secret: string) {
    super(tapParts(parts, tap, secret));
    this.#tap = tap;
  }

  override prepare(): Promise<void> {
    const ready = this.#tap.input(["prepare"], () => super.prepare());
    if (this.#isPrepared) return ready;
    this.#isPrepared = true;
    const tell = (line: string) => () => this.#tap.command(line, () => {});
    ready.then(tell("is ready"), tell("will not be ready"));
    return ready;
  }

  override attach(leg: MediaLeg, answeredAtMs: number, waitsSinceMs = answeredAtMs): void {
    const [answered, waits] = [Math.round(answeredAtMs), Math.round(waitsSinceMs)];
    const now = this.#tap.now();
    const tapped = tapLeg(leg, this.#tap, this.#terminators);
    this.#tap.input(["attach", answered - now, waits - now], () => super.attach(tapped, answered, waits));
  }

  override say(text: string): boolean {
    return this.#tap.input(["say", shapeOf(text)], () => super.say(text));
  }

  override collectKeys(request: KeyRequest): Promise<KeyEntry> {
    this.#entries += 1;
    const id = this.#entries;
    const { terminator } = request;
    if (terminator !== undefined) this.#terminators.add(terminator);
    const entry = this.#tap.input(["collect-keys", id, JSON.stringify(request)], () => super.collectKeys(request));
    const told = ({ digits, endedBy }: KeyEntry) => `entry ${id} ~${digits.length} ${endedBy}`;
    void entry.then((one) => this.#tap.command(told(one), () => {}));
    return entry;
  }

  override instruct(text: string, respond = false): boolean {
    return this.#tap.input(["instruct", text.length, respond], () => super.instruct(text, respond));
  }

  override update(patch: EnginePatch): boolean {
    const { instructions, tools, mcpServers } = patch;
    const mark = [instructions?.length ?? null, tools?.length ?? null, mcpServers?.length ?? null] as const;
    return this.#tap.input(["update", ...mark], () => super.update(patch));
  }

  override leave(): void {
    this.#tap.input(["leave"], () => super.leave());
  }

  override sendDigits(digits: string, options?: { readonly durationMs?: number }): boolean {
    const what = ["send-keys", keysLike(digits, new Set()), options?.durationMs ?? null] as const;
    return this.#tap.input(what, () => super.sendDigits(digits, options));
  }

  override lastWords(limitMs: number): Promise<void> {
    this.#waits += 1;
    const id = this.#waits;
    const written = this.#tap.input(["last-words", limitMs], () => super.lastWords(limitMs));
    void written.then(() => this.#tap.command(`last words ${id}`, () => {}));
    return written;
  }

  override close(): { longestSilenceMs: number } {
    const closed = this.#tap.input(["close"], () => {
      const result = super.close();
      this.#tap.command(`is over, longest silence ${result.longestSilenceMs} ms`, () => {});
      return result;
    });
    this.#tap.end();
    return closed;
  }
}
