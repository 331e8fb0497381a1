import { summarise } from "../core/call.ts";
import type { ConversationParts } from "./conversation-parts.ts";
import type { EngineLine } from "./engine-line.ts";

/** Writes down what the model's side of a call does, and tells what it costs. */
export function noteEngine(
  line: EngineLine,
  { journal, emit, clock }: Pick<ConversationParts, "journal" | "emit" | "clock">,
): void {
  line.on("responseStarted", ({ responseId, cause }) => journal.note({ type: "response.started", responseId, cause }));
  line.on("responseEnded", ({ responseId, status, usage }) => {
    journal.note({ type: "response.ended", responseId, status, ...(usage && { usage }) });
    const summary = summarise(journal.call, clock.now());
    if (usage && summary.costUsd !== undefined) emit("costChanged", summary.costUsd, summary);
  });
  line.on("fault", ({ code, message }) => journal.note({ type: "fault.noted", code, message }));
  line.on("lost", ({ error }) => journal.note({ type: "engine.closed", reason: error.message }));
  for (const event of ["restored", "rolledOver"] as const) {
    line.on(event, ({ sessionId, model }) => journal.note({ type: "engine.opened", sessionId, model }));
  }
  line.on("closed", ({ reason }) => journal.note({ type: "engine.closed", reason }));
}
