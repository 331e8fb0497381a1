import type { EngineFact, EnginePatch, EngineSession } from "../engines/engine.ts";

/** What was asked of a line beside responses: each further session is brought up to it. */
export class Standing {
  readonly #instructions: string[] = [];
  readonly #facts: EngineFact[] = [];
  #patch: EnginePatch | undefined;
  #held = false;
  #commitDue = false;

  get held(): boolean {
    return this.#held;
  }

  hold(held: boolean, session: EngineSession | undefined): void {
    this.#held = held;
    session?.hold(held);
  }

  instruct(text: string, session: EngineSession | undefined): void {
    this.#instructions.push(text);
    session?.instruct(text);
  }

  remember(facts: readonly EngineFact[], session: EngineSession | undefined): void {
    this.#facts.push(...facts);
    session?.remember(facts);
  }

  update(patch: EnginePatch, session: EngineSession | undefined): void {
    this.#patch = { ...this.#patch, ...patch };
    session?.update(patch);
  }

  /** Without a session, the turn is ended as soon as the next one has its sound. */
  commitTurn(session: EngineSession | undefined): void {
    if (session) session.commitTurn();
    else this.#commitDue = true;
  }

  /** Brings a new session up to date; `frames` is the sound of the caller that it is to hear first. */
  applyTo(session: EngineSession, frames: readonly Buffer[]): void {
    if (this.#patch) session.update(this.#patch);
    if (this.#facts.length > 0) session.remember(this.#facts);
    for (const text of this.#instructions) session.instruct(text);
    if (this.#held) session.hold(true);
    for (const frame of frames) session.sendAudio(frame);
    if (this.#commitDue) session.commitTurn();
    this.#commitDue = false;
  }
}
