import { FRAME_BYTES, MULAW_SILENCE } from "../../audio/g711.ts";
import type { Hearing } from "../../audio/speech-meter.ts";
import { TappedConversation } from "./conversation.ts";
import type { Flight } from "./file.ts";
import { FORMAT } from "./header.ts";
import { isAudibleFlag, recall } from "./hearing.ts";
import { InputSum } from "./input-sum.ts";
import type { Item } from "./items.ts";
import { Scene } from "./scene.ts";
import type { Tap } from "./tap.ts";
import { Timeline, type TimelineEntry } from "./timeline.ts";

/** Where a replay and its record part. */
export interface Divergence {
  /** `decision`: something else is decided now. `record`: what came in was altered after it was recorded. */
  readonly what: "decision" | "record";
  /** The place of the item in the record, from 0. */
  readonly item: number;
  /** Milliseconds since the record began. */
  readonly atMs: number;
  /** What came in last. */
  readonly after: string;
  readonly expected: string;
  readonly got: string;
}

/** What a replay found. */
export interface ReplayReport {
  /** How many things came in, and how many went out as recorded. */
  readonly inputs: number;
  readonly commands: number;
  /** Milliseconds from the first to the last of them. */
  readonly durationMs: number;
  /** Whether the record goes to the end of the talk; that of a killed process does not. */
  readonly complete: boolean;
  readonly timeline: readonly TimelineEntry[];
  readonly divergence?: Divergence;
}

export interface ReplayOptions {
  /** Whether the sums that tell altered inputs are looked at; unless told, they are. */
  readonly checks?: boolean;
}

/** The loudest µ-law byte. */
const LOUD = 0x00;
const NOTHING = "nothing";

type InputItem = Extract<Item, { kind: "frame" | "beat" | "input" }>;

/**
 * Feeds what came in to the same decisions and compares what goes out. Nothing but the record is read, and nothing is
 * done to anybody.
 * @throws RangeError the record is of another version
 */
export async function replayFlight(flight: Flight, { checks = true }: ReplayOptions = {}): Promise<ReplayReport> {
  const { format, version } = flight.header;
  if (format !== FORMAT) {
    throw new RangeError(`This record has format ${format}; replay it with version ${version}, which made it.`);
  }
  return new Replayer(flight, checks).run();
}

/** A tap that gives what was recorded, and compares. */
class Replayer implements Tap {
  readonly #items: readonly Item[];
  readonly #checks: boolean;
  readonly #scene: Scene;
  readonly #timeline: Timeline;
  readonly #sum = new InputSum();
  readonly #startedAtMs: number;
  readonly #flight: Flight;
  #next = 0;
  #nowMs: number;
  #inputs = 0;
  #commands = 0;
  #last: InputItem | undefined;
  /** Whether anything may wait to run. */
  #stirred = true;
  /** Whether the record is cut off, and what comes after it is unknown. */
  #ranOut = false;
  #divergence: Divergence | undefined;

  constructor(flight: Flight, checks: boolean) {
    this.#flight = flight;
    this.#items = flight.items;
    this.#checks = checks;
    this.#startedAtMs = flight.header.startedAtMs;
    this.#nowMs = this.#startedAtMs;
    this.#scene = new Scene(flight.header);
    this.#timeline = new Timeline();
  }

  async run(): Promise<ReplayReport> {
    const { header } = this.#flight;
    this.#scene.conversation = new TappedConversation(this.#scene.parts, this, header.version);
    for (let item = this.#peek(); item && item.kind !== "end"; item = this.#peek()) {
      if (!isInput(item)) {
        if (await this.#settles()) continue;
        this.#diverge(describe(item), NOTHING);
        break;
      }
      // What still waits belongs to what came in before.
      if (!item.atOnce && (await this.#settles())) continue;
      if (this.#divergence) break;
      this.#feed(item);
    }
    await this.#settles();
    const complete = this.#items.at(-1)?.kind === "end";
    return {
      inputs: this.#inputs,
      commands: this.#commands,
      durationMs: this.#nowMs - this.#startedAtMs,
      complete,
      timeline: this.#timeline.entries(),
      ...(this.#divergence && { divergence: this.#divergence }),
    };
  }

  now(): number {
    return this.#nowMs;
  }

  learn(id: string): string {
    return id;
  }

  nameOf(id: string): string {
    return id;
  }

  input<Result>(_what: unknown, run: () => Result): Result {
    return run();
  }

  frame(base64: Buffer, listener: { audio(base64: Buffer): void }): void {
    listener.audio(base64);
  }

  beat(run: () => void): void {
    run();
  }

  deliver(run: () => void): void {
    run();
  }

  command<Result>(line: string, act: () => Result): Result {
    this.#stirred = true;
    const item = this.#peek();
    if (item?.kind === "command" && item.line === line) {
      this.#take(item);
      this.#timeline.did(this.#sinceMs, line);
    } else this.#parted(item, line);
    const result = act();
    for (let next = this.#peek(); next && isInput(next) && next.nested; next = this.#peek()) this.#feed(next);
    return result;
  }

  sessionAudio(session: number): void {
    const item = this.#peek();
    if (item?.kind === "session-audio" && item.session === session) this.#take(item);
    else this.#parted(item, `session ${session}: sound of the caller`);
  }

  legAudio(audio: Uint8Array): void {
    const item = this.#peek();
    if (item?.kind !== "leg-audio" || item.length !== audio.length) {
      this.#parted(item, soundLine(audio.length));
      return;
    }
    this.#take(item);
    this.#timeline.played(this.#sinceMs, audio.length, item.audible.filter((one) => one).length);
    // What was sent sounded so: it is told apart from silence by what it was, not by what stands for it here.
    item.audible.forEach((audible, frame) => {
      audio.fill(audible ? LOUD : MULAW_SILENCE, frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES);
    });
  }

  see(name: string): void {
    const item = this.#peek();
    if (item?.kind !== "seen" || item.name !== name) return;
    this.#take(item);
    this.#scene.seen.set(name, item.value);
  }

  judged(): boolean {
    return this.#verdict("judged");
  }

  putOff(): boolean {
    return this.#verdict("put-off");
  }

  heard(hearing: Hearing): void {
    this.#stirred = true;
    const item = this.#peek();
    if (item?.kind !== "heard") {
      this.#parted(item, "listens to a frame");
      return;
    }
    this.#take(item);
    recall(hearing, item.level, item.floor, item.flags);
  }

  end(): void {}

  get #sinceMs(): number {
    return this.#nowMs - this.#startedAtMs;
  }

  #verdict(kind: "judged" | "put-off"): boolean {
    const item = this.#peek();
    if (item?.kind === kind) {
      this.#take(item);
      return item.verdict;
    }
    this.#parted(item, `asks the ear (${kind})`);
    return false;
  }

  /** The item that is next; sums and names are looked at on the way. */
  #peek(): Item | undefined {
    if (this.#divergence) return undefined;
    for (; ; this.#next++) {
      const item = this.#items[this.#next];
      if (item?.kind === "check") {
        if (!this.#checks || item.sum === this.#sum.value) continue;
        this.#diverge("what came in as it was recorded", "something else", "record");
        return undefined;
      }
      if (item?.kind === "id") continue;
      return item;
    }
  }

  #take(item: Item): void {
    this.#next += 1;
    this.#sum.item(item);
    if (!isInput(item)) this.#commands += 1;
  }

  /** Lets what waits run. Says whether that took anything of the record, or showed where it parts. */
  async #settles(): Promise<boolean> {
    const before = this.#next;
    while (this.#stirred) {
      this.#stirred = false;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#next !== before || this.#divergence !== undefined;
  }

  #feed(item: InputItem): void {
    this.#take(item);
    this.#inputs += 1;
    this.#last = item;
    this.#nowMs += item.afterMs;
    try {
      if (item.kind === "beat") this.#scene.beat(this.#nowMs);
      else if (item.kind === "frame") this.#scene.frame(item.length, this.#isAudible());
      else {
        this.#stirred = true;
        this.#timeline.came(this.#sinceMs, item.what);
        this.#scene.feed(item.what, this.#nowMs - item.afterMs);
      }
    } catch (error) {
      this.#diverge(describe(item), `it cannot come in: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Whether the frame that comes in is audible: what was made of it stands behind it. */
  #isAudible(): boolean {
    for (let at = this.#next; at < this.#items.length; at++) {
      const item = this.#items[at] as Item;
      if (isInput(item)) return false;
      if (item.kind === "put-off" && item.verdict) return false;
      if (item.kind !== "heard") continue;
      this.#timeline.heard(this.#sinceMs, isAudibleFlag(item.flags));
      return isAudibleFlag(item.flags);
    }
    return false;
  }

  /** Something goes out that is not what was recorded. */
  #parted(item: Item | undefined, got: string): void {
    if (this.#divergence || this.#ranOut) return;
    this.#ranOut = item === undefined; // the record was cut off here
    if (item && !(item.kind === "end")) this.#diverge(isInput(item) ? NOTHING : describe(item), got);
    else if (item) this.#diverge("the end", got);
  }

  #diverge(expected: string, got: string, what: Divergence["what"] = "decision"): void {
    const after = this.#last ? describe(this.#last) : "the beginning";
    this.#divergence ??= { what, item: this.#next, atMs: this.#sinceMs, after, expected, got };
  }
}

// --- Internal helpers ---

const isInput = (item: Item): item is InputItem =>
  item.kind === "frame" || item.kind === "beat" || item.kind === "input";

const soundLine = (bytes: number): string => `${bytes} bytes of sound to the phone`;

/** An item as it is told to people. */
function describe(item: Item): string {
  switch (item.kind) {
    case "command":
      return item.line;
    case "input":
      return item.what.map((field) => (typeof field === "string" ? field : JSON.stringify(field))).join(" ");
    case "frame":
      return "a frame of the caller";
    case "beat":
      return "a beat";
    case "session-audio":
      return `session ${item.session}: sound of the caller`;
    case "leg-audio":
      return soundLine(item.length);
    case "seen":
      return `a look at ${item.name}`;
    case "heard":
    case "put-off":
    case "judged":
      return "a question to the ear";
    default:
      return item.kind;
  }
}
