/** OpenAI's own client: a RealtimeSession on the Twilio transport of its extensions, as their documentation shows it. */
import { createServer } from "node:http";
import { TwilioRealtimeTransportLayer } from "@openai/agents-extensions";
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { TOOL } from "../generator/wire-events.ts";
import { listening, serveBridge } from "./process.ts";

serveBridge(async ({ model: { port, tls } }) => {
  const server = createServer();
  const phones = new WebSocketServer({ server });
  const url = `${tls ? "wss" : "ws"}://127.0.0.1:${port}/v1/realtime?model=agents`;
  const agent = new RealtimeAgent({
    name: "Nia",
    instructions: "You answer the telephone of a small shop.",
    tools: [
      tool({
        name: TOOL,
        description: "When the shop is open.",
        parameters: z.object({ day: z.string() }),
        execute: async ({ day }) => JSON.stringify({ day, from: "10:00", to: "16:00" }),
      }),
    ],
  });
  phones.on("connection", (phone) => {
    // The transport hears the phone's messages from here on.
    const transport = new TwilioRealtimeTransportLayer({ twilioWebSocket: phone as never, url });
    const session = new RealtimeSession(agent, { transport, tracingDisabled: true });
    session.on("error", () => {}); // what is refused is counted where it is refused
    session.connect({ apiKey: "sk-bench", url }).then(
      () => transport.sendEvent({ type: "response.create" }),
      (error: unknown) => process.stderr.write(`agents: ${String(error)}\n`),
    );
  });
  return listening(server);
});
