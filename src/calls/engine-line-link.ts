import type { EngineEvents, EngineSession } from "../engines/engine.ts";

/** Tells an event as if a session had. */
export type Tell = <Name extends keyof EngineEvents>(event: Name, ...payload: EngineEvents[Name]) => void;

/** A response of a link that runs. */
export interface RunningResponse {
  /** Whether the engine began it by itself. */
  readonly isOwn: boolean;
  /** The items in which it can be heard. */
  readonly items: Set<string>;
  /** The turns of the caller that stood when it began. */
  readonly answers: readonly string[];
  stopped: boolean;
}

/** A turn of the caller whose words are to come. */
export interface OpenTurn {
  /** Where it begins in the line's input. */
  readonly fromMs: number;
  /** Whether it stands in the conversation. */
  readonly committed: boolean;
  /** Whether the agent has answered it, or was interrupted at it. */
  answered: boolean;
}

/** One session of a line, with the books of what it has begun and not finished. */
export class Link {
  readonly session: EngineSession;
  /** Where its input begins, in milliseconds of the line's. */
  readonly inputStartMs: number;
  /** Items that it knows: its own, and those that it was told of. */
  readonly known: Set<string>;
  /** Agent items whose sound has begun; `true` when all of it was told. */
  readonly agentItems = new Map<string, boolean>();
  readonly running = new Map<string, RunningResponse>();
  readonly turns = new Map<string, OpenTurn>();
  /** The item of the turn in which the caller is speaking. */
  speech: string | undefined;
  /** Where the last finished turn of the caller ends in the line's input. */
  turnsEndMs: number;

  constructor(session: EngineSession, inputStartMs: number, known: Iterable<string>) {
    this.session = session;
    this.inputStartMs = inputStartMs;
    this.turnsEndMs = inputStartMs;
    this.known = new Set(known);
    this.#keepBooks();
  }

  /** Whether nothing is begun, ordered, being said by the caller or unwritten. */
  get idle(): boolean {
    const { running, turns, speech, session } = this;
    return running.size === 0 && turns.size === 0 && speech === undefined && session.pending.length === 0;
  }

  /** The caller's turns that wait for their words and for an answer. */
  get unanswered(): OpenTurn[] {
    return [...this.turns.values()].filter(({ answered }) => !answered);
  }

  /** Where the first of the caller's open turns begins. */
  get turnsFromMs(): number | undefined {
    const starts = [...this.turns.values()].map(({ fromMs }) => fromMs);
    return starts.length === 0 ? undefined : Math.min(...starts);
  }

  /** It goes on with what it has begun: the turns that are being answered need nobody else. */
  finishes(): void {
    for (const { answers } of this.running.values()) this.#answered(answers);
  }

  /** Another session hears the unanswered turns once more, and tells of them under other ids. */
  giveUpUnanswered(tell: Tell): void {
    for (const [itemId, { answered }] of this.turns) {
      if (answered) continue;
      this.turns.delete(itemId);
      tell("callerWordsFailed", { itemId });
    }
  }

  /** Nothing more comes of what the session had begun. */
  cutOff(tell: Tell): void {
    for (const [responseId, { items }] of this.running) {
      for (const itemId of items) if (!this.agentItems.get(itemId)) tell("audioDone", { responseId, itemId });
      tell("responseEnded", { responseId, status: "incomplete" });
    }
    this.running.clear();
    for (const itemId of this.turns.keys()) tell("callerWordsFailed", { itemId });
    this.turns.clear();
  }

  #keepBooks(): void {
    const { session, known, agentItems, running, turns } = this;
    session.on("audio", ({ itemId, responseId }) => {
      if (agentItems.has(itemId)) return;
      known.add(itemId);
      agentItems.set(itemId, false);
      running.get(responseId)?.items.add(itemId);
    });
    session.on("audioDone", ({ itemId }) => agentItems.set(itemId, true));
    session.on("speechStarted", ({ itemId, atInputMs }) => {
      known.add(itemId);
      for (const [id, { committed }] of turns) if (!committed) turns.delete(id); // nothing came of it
      turns.set(itemId, { fromMs: this.inputStartMs + atInputMs, committed: false, answered: false });
      this.speech = itemId;
    });
    session.on("speechStopped", ({ atInputMs }) => {
      this.speech = undefined;
      this.turnsEndMs = this.inputStartMs + atInputMs;
    });
    session.on("turnCommitted", ({ itemId }) => {
      known.add(itemId);
      if (this.speech === itemId) this.speech = undefined;
      const fromMs = turns.get(itemId)?.fromMs ?? this.turnsEndMs;
      turns.set(itemId, { fromMs, committed: true, answered: false });
    });
    session.on("callerWords", ({ itemId, final }) => final && turns.delete(itemId));
    session.on("callerWordsFailed", ({ itemId }) => turns.delete(itemId));
    session.on("responseStarted", ({ responseId, cause }) => {
      const answers = [...turns].filter(([, { committed }]) => committed).map(([itemId]) => itemId);
      running.set(responseId, { isOwn: cause === "engine", items: new Set(), answers, stopped: false });
    });
    session.on("responseEnded", ({ responseId, status }) => {
      const answers = running.get(responseId)?.answers ?? [];
      running.delete(responseId);
      if (status === "completed" || status === "cancelled") this.#answered(answers);
    });
  }

  #answered(itemIds: readonly string[]): void {
    for (const itemId of itemIds) {
      const turn = this.turns.get(itemId);
      if (turn) turn.answered = true;
    }
  }
}
