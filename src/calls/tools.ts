import type { Call } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { Trust } from "../core/events.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import type { EngineTool } from "../engines/engine.ts";
import type { Logger } from "../hosts/host.ts";
import type { CallJournal } from "./journal.ts";

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
}

/** A function of yours that the model may call during a call. */
export interface VoiceTool extends EngineTool {
  /** Resolves with what the model is told: a string, or anything that JSON can hold. Rejections are told as errors. */
  execute(args: Readonly<Record<string, unknown>>, context: ToolContext): Promise<unknown>;
}

/** A tool that runs longer is cancelled, and the model is told so. */
const TIMEOUT_MS = 60_000;
/** Longer results are cut: the model reads them aloud. */
const MAX_RESULT_CHARACTERS = 8_000;

export interface ToolRun {
  readonly toolCallId: string;
  readonly name: string;
  readonly argumentsJson: string;
}

export interface ToolRunnerParts {
  readonly tools: readonly VoiceTool[];
  readonly journal: CallJournal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the call ends. */
  readonly signal: AbortSignal;
  readonly facts: () => Pick<Call, "id" | "accountId" | "trust" | "transcript"> & { readonly caller: string };
}

/** Runs one tool call: written down, executed, bounded in time and size. Never rejects: the result says what failed. */
export async function runTool(run: ToolRun, parts: ToolRunnerParts): Promise<string> {
  const { journal, clock, logger } = parts;
  const { id: callId, accountId, caller, trust, transcript } = parts.facts();
  const startedAtMs = clock.now();
  const tool = parts.tools.find(({ name }) => name === run.name);
  let ok = false;
  let output: string;
  try {
    await journal.write({ type: "tool.called", ...run });
    if (!tool) throw new Error(`There is no tool "${run.name}" on this call.`);
    const args = readArguments(run.argumentsJson);
    const result = await withTimeout(parts, (signal) =>
      tool.execute(args, { callId, accountId, caller, trust, transcript, signal }),
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

/** The tools that run on one call. */
export class RunningTools {
  readonly #parts: Omit<ToolRunnerParts, "tools"> & { readonly tools: () => readonly VoiceTool[] };
  readonly #running = new Set<AbortController>();

  constructor(parts: Omit<ToolRunnerParts, "tools"> & { readonly tools: () => readonly VoiceTool[] }) {
    this.#parts = parts;
  }

  /** Runs a tool; as `runTool` does. */
  async run(run: ToolRun): Promise<string> {
    const abort = new AbortController();
    this.#running.add(abort);
    const signal = AbortSignal.any([this.#parts.signal, abort.signal]);
    try {
      return await runTool(run, { ...this.#parts, tools: this.#parts.tools(), signal });
    } finally {
      this.#running.delete(abort);
    }
  }

  /** Gives up whatever runs: each is answered as failed. */
  abort(): void {
    for (const running of this.#running) running.abort(new Error("The tool took too long."));
  }
}

// --- Internal helpers ---

function readArguments(json: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(json || "{}");
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Error("The arguments are not an object.");
  return parsed as Record<string, unknown>;
}

async function withTimeout<Result>(
  { clock, signal }: ToolRunnerParts,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController();
  const limited = AbortSignal.any([signal, done.signal]);
  const timeout = sleep(clock, TIMEOUT_MS, limited).then(() => {
    throw new Error(`The tool took longer than ${TIMEOUT_MS / 1000} s.`);
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
