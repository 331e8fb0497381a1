import type { EngineToolRun } from "../engines/engine.ts";
import type { Link } from "./engine-line-link.ts";

interface Run {
  readonly link: Link;
  readonly name: string;
  readonly argumentsJson: string;
  output?: string;
  /** The response that was begun when the output was there. */
  takenUpBy?: string;
}

/** The functions that the model called and has not taken up yet, each with the session that asked. */
export class LineTools {
  readonly #runs = new Map<string, Run>();

  /** Whether a result is still to come. */
  get open(): boolean {
    return [...this.#runs.values()].some(({ output }) => output === undefined);
  }

  called(link: Link, toolCallId: string, call: Pick<EngineToolRun, "name" | "argumentsJson">): void {
    this.#runs.set(toolCallId, { link, name: call.name, argumentsJson: call.argumentsJson });
  }

  /** Notes a result; says who asked for it. A second one for the same call is nobody's. */
  given(toolCallId: string, output: string): Link | undefined {
    const run = this.#runs.get(toolCallId);
    if (!run || run.output !== undefined) return undefined;
    run.output = output;
    return run.link;
  }

  /** A response of `link` began: it has all results that are there. */
  begun(link: Link, responseId: string): void {
    for (const run of this.#runs.values()) {
      if (run.link === link && run.output !== undefined) run.takenUpBy ??= responseId;
    }
  }

  /** A response ended; when it was completed its results are done with. */
  ended(responseId: string, isCompleted: boolean): void {
    for (const [id, run] of this.#runs) {
      if (run.takenUpBy !== responseId) continue;
      if (isCompleted) this.#runs.delete(id);
      else delete run.takenUpBy;
    }
  }

  /** Takes out the results that no session but a former one has. */
  takeResults(current: Link): EngineToolRun[] {
    const results: EngineToolRun[] = [];
    for (const [id, { link, name, argumentsJson, output }] of this.#runs) {
      if (link === current || output === undefined) continue;
      results.push({ name, argumentsJson, output });
      this.#runs.delete(id);
    }
    return results;
  }

  /** Whether a former session's call is still to be answered. */
  owed(current: Link | undefined): boolean {
    return [...this.#runs.values()].some(({ link, output }) => link !== current && output === undefined);
  }
}
