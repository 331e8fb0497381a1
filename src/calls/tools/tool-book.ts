import type { VoiceTool } from "../tools.ts";

/** How often a tool runs on one call unless it says otherwise: more is a model that goes round in circles. */
const MOST_RUNS = 25;

/** What ran on one call: it counts, and sees that what is asked for twice at once is done once. */
export class ToolBook {
  readonly #runs = new Map<string, number>();
  readonly #running = new Map<string, Promise<unknown>>();

  /**
   * Runs `action`. While the same tool runs with the same arguments its result is shared, unless the tool says that
   * running it again does nothing more.
   * @throws Error the tool has run as often as it may on one call
   */
  run<Result>(tool: VoiceTool, argumentsJson: string, action: () => Promise<Result>): Promise<Result> {
    if (tool.idempotent) return this.#start(tool, action);
    const key = JSON.stringify([tool.name, argumentsJson]);
    const twin = this.#running.get(key);
    if (twin) return twin as Promise<Result>;
    const running = this.#start(tool, action).finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  async #start<Result>(tool: VoiceTool, action: () => Promise<Result>): Promise<Result> {
    const { name, maxCalls = MOST_RUNS } = tool;
    const runs = this.#runs.get(name) ?? 0;
    if (runs >= maxCalls) throw new Error(`${name} has run ${runs} times on this call, which is as often as it may.`);
    this.#runs.set(name, runs + 1);
    return action();
  }
}
