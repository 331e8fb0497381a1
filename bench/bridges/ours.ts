/** Our plugin as an embedder runs it: SQLite store, journal, transcripts, tools and pacing, behind its signed webhook. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Package from "../../src/index.ts";
import { TOOL } from "../generator/wire-events.ts";
import { ACCOUNT } from "../messages.ts";
import { serveBridge } from "./process.ts";

/** Limits far above what a benchmark asks of one account. */
const MANY_CALLS = 1_000;

serveBridge(async ({ model: { port, tls }, workDir, pluginModule }) => {
  const { VoiceChannelPlugin, standaloneHost } = (await import(pathToFileURL(pluginModule).href)) as typeof Package;
  const base = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const turns = { transcript: 0, partial: 0, toolCalled: 0, ended: 0 };
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message: string, fields?: object) =>
      void process.stderr.write(`ours: ${message} ${JSON.stringify(fields)}\n`),
  };
  const plugin = new VoiceChannelPlugin({
    stateDir: await mkdtemp(join(workDir, "state-")),
    host: standaloneHost({
      logger,
      // Tools are for callers who are known; a list of a thousand numbers would say the same.
      admit: () => ({ allowed: true, reason: "allowlisted", trust: "known" }),
      record: () => {},
      consult: async () => "We are open from ten to four.",
    }),
    tools: [
      {
        name: TOOL,
        description: "When the shop is open.",
        parameters: { type: "object", properties: { day: { type: "string" } }, required: ["day"] },
        execute: async ({ day }) => ({ day, from: "10:00", to: "16:00" }),
      },
    ],
    config: {
      publicUrl: ACCOUNT.publicUrl,
      listen: { port: 0 },
      store: "sqlite",
      accounts: {
        default: {
          number: ACCOUNT.number,
          carrier: { provider: "twilio", accountSid: ACCOUNT.sid, authToken: ACCOUNT.authToken, apiBaseUrl: base },
          engine: { provider: "openai-realtime", apiKey: "sk-bench", baseUrl: `${base}/v1` },
          persona: { name: "Nia", instructions: "You answer the telephone of a small shop." },
          dmPolicy: "open",
          limits: { maxConcurrentCalls: MANY_CALLS },
        },
      },
    },
  });
  for (const event of ["transcript", "partial", "toolCalled", "ended"] as const) {
    plugin.on(event, () => {
      turns[event] += 1;
    });
  }
  await plugin.start();
  const { listening } = await plugin.status();
  if (!listening) throw new Error("Our plugin does not listen.");
  return {
    port: listening.port,
    door: "webhook",
    listeners: () => plugin.eventNames().reduce((sum, name) => sum + plugin.listenerCount(name), 0),
    stop: () => plugin.stop(),
  };
});
