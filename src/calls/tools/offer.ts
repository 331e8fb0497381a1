import { InvalidRequestError } from "../../core/errors.ts";
import type { Trust } from "../../core/events.ts";
import { mayUse } from "../../core/trust.ts";
import type { VoiceTool } from "../tools.ts";

/** No tool may run longer. */
export const LONGEST_TOOL_MS = 60_000;

/** Names that only tools of our own have. */
export const BUILT_IN_TOOLS: ReadonlySet<string> = new Set([
  "ask_openclaw",
  "ask_owner",
  "call_me_back",
  "check_owner_code",
  "end_call",
  "look_up_memory",
  "remember_this",
  "send_owner_code",
  "send_to_channel",
  "take_message",
]);

/** The tools that a caller of this trust is offered. */
export function offeredTools(tools: readonly VoiceTool[], trust: Trust): readonly VoiceTool[] {
  return tools.filter((tool) => mayUse(trust, tool.trust ?? "known"));
}

/**
 * Checks the tools that somebody hands in, before any call: a model must not be told of what nobody carries out.
 * @throws InvalidRequestError a tool has no handler, a bad or a second name, or limits that are none; the message says which
 */
export function requireTools(tools: readonly VoiceTool[], field = "tools"): void {
  const names = new Set<string>();
  for (const [index, tool] of tools.entries()) {
    const refuse = (reason: string): never => {
      throw new InvalidRequestError(`${field}[${index}]`, reason);
    };
    // Whoever writes JavaScript may hand in anything.
    const { name, description, parameters, execute, timeoutMs, maxCalls } = tool ?? {};
    if (typeof name !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
      refuse(`the name ${JSON.stringify(name)} is not 1 to 64 letters, digits, _ or -.`);
    }
    if (BUILT_IN_TOOLS.has(name)) refuse(`"${name}" is the name of a built-in tool. Choose another.`);
    if (names.has(name)) refuse(`there is another tool "${name}". Names must differ.`);
    names.add(name);
    if (typeof execute !== "function")
      refuse(`"${name}" has no handler: give it an execute function, or leave it out.`);
    if (typeof description !== "string" || description.trim() === "") refuse(`"${name}" has no description.`);
    if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters)) {
      refuse(`"${name}" has no parameters: give it a JSON Schema of an object.`);
    }
    if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= LONGEST_TOOL_MS)) {
      refuse(`"${name}": timeoutMs must be above 0 and at most ${LONGEST_TOOL_MS}.`);
    }
    if (maxCalls !== undefined && !(Number.isInteger(maxCalls) && maxCalls > 0)) {
      refuse(`"${name}": maxCalls must be a whole number above 0.`);
    }
  }
}
