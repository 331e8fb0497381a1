import type { Call } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { Trust } from "../core/events.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import type { EngineTool } from "../engines/engine.ts";
import type { Logger } from "../hosts/host.ts";
import type { CallJournal } from "./journal.ts";
import { maskArguments } from "./secret-arguments.ts";
import { LONGEST_TOOL_MS, offeredTools } from "./tools/offer.ts";
import { spacedProgress } from "./tools/progress.ts";
import { ToolBook } from "./tools/tool-book.ts";

/** What a tool knows of the call that it is used on. */
export interface ToolContext {
  readonly callId: string;
  readonly accountId: string;
  /** E.164 of the other person. */
  readonly caller: string;
  readonly trust: Trust;
  readonly transcript: readonly TranscriptEntry[];
  /** Aborted when the call ends or the tool takes too long. */
  readonly signal: AbortSignal;
  /** Tells the caller, who waits, what is being done: a few spoken words. Said at most once in 4 s; the rest is dropped. */
  readonly progress?: (words: string) => void;
}

/** A function of yours that the model may call during a call. */
export interface VoiceTool extends EngineTool {
  /** Resolves with what the model is told: a string, or anything that JSON can hold. Rejections are told as errors. */
  execute(args: Readonly<Record<string, unknown>>, context: ToolContext): Promise<unknown>;
  /** It is cancelled when it runs longer, and the model is told so. 60,000 unless told, which is also the most. */
  readonly timeoutMs?: number;
  /** How often it may run on one call; 25 unless told. */
  readonly maxCalls?: number;
  /** Who must call for it to be offered; `known` unless told. */
  readonly trust?: Trust;
  /** Names of arguments that are written nowhere. */
  readonly secretArguments?: readonly string[];
  /** Whether running it again with the same arguments does nothing more. If not, two such runs at once are one. */
  readonly idempotent?: boolean;
}

/** Longer results are cut: the model reads them aloud. */
const MAX_RESULT_CHARACTERS = 8_000;

export interface ToolRun {
  readonly toolCallId: string;
  readonly name: string;
  readonly argumentsJson: string;
}

export interface ToolRunnerParts {
  readonly tools: readonly VoiceTool[];
  readonly journal: Pick<CallJournal, "write" | "note">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the call ends. */
  readonly signal: AbortSignal;
  readonly facts: () => Pick<Call, "id" | "accountId" | "trust" | "transcript"> & { readonly caller: string };
  /** What ran on this call before. */
  readonly book: ToolBook;
  /** Has the caller hear what a tool is doing. */
  readonly progress?: (words: string) => void;
}

/**
 * Runs one tool call: written down, executed, bounded in time and size. What was not offered to this caller is refused,
 * whatever the model believes. Never rejects: the result says what failed.
 */
export async function runTool(run: ToolRun, parts: ToolRunnerParts): Promise<string> {
  const { journal, clock, logger } = parts;
  const { id: callId, accountId, caller, trust, transcript } = parts.facts();
  const startedAtMs = clock.now();
  const secret = parts.tools.find(({ name }) => name === run.name)?.secretArguments ?? [];
  const tool = offeredTools(parts.tools, trust).find(({ name }) => name === run.name);
  let ok = false;
  let output: string;
  try {
    const written = { ...run, argumentsJson: maskArguments(run.argumentsJson, secret) };
    await journal.write({ type: "tool.called", ...written });
    if (!tool) throw new Error(`There is no tool "${run.name}" on this call.`);
    const args = readArguments(run.argumentsJson);
    const context = { callId, accountId, caller, trust, transcript };
    const result = await parts.book.run(tool, run.argumentsJson, () =>
      withTimeout(parts, Math.min(tool.timeoutMs ?? LONGEST_TOOL_MS, LONGEST_TOOL_MS), (signal) => {
        const { progress } = parts;
        return tool.execute(args, {
          ...context,
          signal,
          ...(progress && { progress: (words: string) => void (signal.aborted || progress(words)) }),
        });
      }),
    );
    output = bounded(typeof result === "string" ? result : (JSON.stringify(result) ?? "done"));
    ok = true;
  } catch (error) {
    logger.warn("A tool failed.", { callId, tool: run.name, error: String(error) });
    output = JSON.stringify({ error: bounded(error instanceof Error ? error.message : String(error)) });
  }
  journal.note({
    type: "tool.finished",
    toolCallId: run.toolCallId,
    ok,
    durationMs: Math.round(clock.now() - startedAtMs),
  });
  return output;
}

/** What the tools of one call run with. */
export type RunningToolsParts = Omit<ToolRunnerParts, "tools" | "book"> & {
  /** All tools that there are for this call; who may use which is decided when one is called. */
  readonly tools: () => readonly VoiceTool[];
};

/** The tools that run on one call. */
export class RunningTools {
  readonly #parts: RunningToolsParts;
  readonly #book = new ToolBook();
  readonly #progress: ((words: string) => void) | undefined;
  readonly #running = new Set<AbortController>();
  /** The engine's ids are its own: what was asked for under one is done once. */
  readonly #outputs = new Map<string, Promise<string>>();

  constructor(parts: RunningToolsParts) {
    this.#parts = parts;
    this.#progress = parts.progress && spacedProgress(parts.clock, parts.progress);
  }

  /** Runs a tool; as `runTool` does. The same tool call told twice runs once. */
  run(run: ToolRun): Promise<string> {
    const output = this.#outputs.get(run.toolCallId) ?? this.#run(run);
    this.#outputs.set(run.toolCallId, output);
    return output;
  }

  /** Gives up whatever runs: each is answered as failed. */
  abort(): void {
    for (const running of this.#running) running.abort(new Error("The tool took too long."));
  }

  async #run(run: ToolRun): Promise<string> {
    const abort = new AbortController();
    this.#running.add(abort);
    const signal = AbortSignal.any([this.#parts.signal, abort.signal]);
    const progress = this.#progress;
    try {
      const parts = { ...this.#parts, tools: this.#parts.tools(), book: this.#book, signal };
      return await runTool(run, { ...parts, ...(progress && { progress }) });
    } finally {
      this.#running.delete(abort);
    }
  }
}

// --- Internal helpers ---

function readArguments(json: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json || "{}");
  } catch {
    throw new Error("The arguments are not JSON."); // the parser's own words quote them, and they may hold a secret
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Error("The arguments are not an object.");
  return parsed as Record<string, unknown>;
}

async function withTimeout<Result>(
  { clock, signal }: ToolRunnerParts,
  limitMs: number,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController();
  const limited = AbortSignal.any([signal, done.signal]);
  const timeout = sleep(clock, limitMs, limited).then(() => {
    throw new Error(`The tool took longer than ${limitMs / 1000} s.`);
  });
  try {
    return await Promise.race([action(limited), timeout]);
  } finally {
    timeout.catch(() => {}); // the loser of the race
    done.abort(new Error("The tool call is over."));
  }
}

function bounded(text: string): string {
  return text.length <= MAX_RESULT_CHARACTERS ? text : `${text.slice(0, MAX_RESULT_CHARACTERS)} … (cut)`;
}
