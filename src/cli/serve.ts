import { once } from "node:events";
import { jsonLogger } from "../logger.ts";
import type { VoiceChannelPlugin } from "../plugin.ts";
import { CommandError } from "./client.ts";
import { loadConfig, localUrl, located, parseLoaded, stateDirOf, type Where } from "./setup.ts";
import type { Terminal } from "./terminal.ts";

/** What `serve` takes. */
export interface ServeOptions extends Where {
  /** Folder with MEMORY.md and memory/. */
  readonly workspace?: string;
  readonly json?: boolean;
}

/**
 * Runs the channel until the terminal wants it to stop. Results are where it listens and which URLs to configure;
 * its log goes to standard error as JSON lines.
 * @throws ConfigError @throws VoiceError it could not start @throws CommandError no account runs
 */
export async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  const loaded = await loadConfig(options, terminal);
  const { settings, accounts } = parseLoaded(loaded);
  const [{ VoiceChannelPlugin }, { standaloneHost }] = await Promise.all([
    import("../plugin.ts"),
    import("../hosts/standalone.ts"),
  ]);
  const host = standaloneHost({
    logger: jsonLogger(settings.logging),
    ...(options.workspace !== undefined && { workspaceDir: options.workspace }),
  });
  const plugin = new VoiceChannelPlugin({ config: loaded.config, host, stateDir: stateDirOf(options, terminal) });
  try {
    await plugin.start();
    for (const parsed of accounts.values()) {
      if ("error" in parsed) terminal.err(`An account does not run: ${located(parsed.error, loaded).message}`);
    }
    const { listening, accounts: standing } = await plugin.status();
    if (!listening) {
      const problems = standing.map(({ accountId, problem }) => `${accountId}: ${problem ?? "disabled"}`);
      throw new CommandError("account_unavailable", `No account runs. ${problems.join(" ")}`);
    }
    const url = localUrl(listening.host, listening.port);
    const webhooks = [...accounts].flatMap(([accountId, parsed]) => {
      if (!("config" in parsed)) return [];
      const base = `${settings.publicUrl}/${parsed.config.carrier.provider}/${accountId}`;
      return [{ accountId, number: parsed.config.number, voice: `${base}/voice`, status: `${base}/status` }];
    });
    const engine = `${settings.publicUrl}/webhook`;
    if (options.json)
      terminal.out(JSON.stringify({ listening: { ...listening, url }, webhooks, engineWebhook: engine }));
    else for (const line of describe(url, webhooks, engine)) terminal.out(line);
    if (!terminal.stop.aborted) await once(terminal.stop, "abort");
    await drain(plugin, settings.drainSeconds, terminal);
  } finally {
    await plugin.stop();
  }
}

// --- Internal helpers ---

/** Lets calls that are live finish for a while; the rest is let go of by `stop`. */
async function drain(plugin: VoiceChannelPlugin, seconds: number, terminal: Terminal): Promise<void> {
  const { liveCalls } = await plugin.status();
  if (liveCalls === 0 || seconds === 0) return;
  terminal.err(
    `Live calls: ${liveCalls}. They have ${seconds} s to finish; what is live then waits for the next start.`,
  );
  await plugin.drain(seconds * 1_000);
}

interface Webhooks {
  readonly accountId: string;
  readonly number: string;
  readonly voice: string;
  readonly status: string;
}

function describe(url: string, webhooks: readonly Webhooks[], engine: string): string[] {
  return [
    `Listening on ${url}`,
    ...webhooks.flatMap(({ accountId, number, voice, status }) => [
      `Account ${accountId}: at Twilio, set the number ${number} to`,
      `  A call comes in:      POST ${voice}`,
      `  Call status changes:  POST ${status}`,
    ]),
    `At OpenAI, where you use its webhooks: ${engine}`,
  ];
}
