import type { Host } from "../hosts/host.ts";
import type { VoiceTool } from "./tools.ts";

/** What a consulted agent may use: a number alone proves nothing, so that only a verified owner's may do anything. */
const CONSULT_TOOLS = { stranger: "none", known: "none", owner: "owner" } as const;

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
      return host.consult(
        { callId, accountId, trust, transcript, question: request, tools: CONSULT_TOOLS[trust], ...route },
        signal,
      );
    },
  };
}
