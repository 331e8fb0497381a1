import type { Host } from "../hosts/host.ts";
import type { VoiceTool } from "./tools.ts";

/** The tool by which the speech model asks the full agent, with its tools and memory. */
export function consultTool(host: Host, route: { readonly agentId: string; readonly sessionKey: string }): VoiceTool {
  return {
    name: "ask_openclaw",
    description:
      "Asks the full assistant for facts or actions that you do not have yourself; who calls decides what it may use. " +
      "Say aloud that you are looking it up before you call this. Answers take a few seconds.",
    parameters: {
      type: "object",
      properties: {
        request: { type: "string", description: "What to find out or do, in one or two complete sentences." },
      },
      required: ["request"],
      additionalProperties: false,
    },
    execute({ request }, { callId, accountId, trust, transcript, signal }) {
      if (typeof request !== "string" || request.trim() === "") throw new Error("request: must say what to find out.");
      return host.consult({ callId, accountId, trust, transcript, question: request, ...route }, signal);
    },
  };
}
