import { PortTakenError } from "../core/errors.ts";
import { findingLine } from "../core/report-lines.ts";
import type { Finding } from "../http/doors.ts";
import { silentLogger } from "../logger.ts";
import { loadConfig, localUrl, parseLoaded, stateDirOf, type Where } from "./setup.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Checks the configuration and everything around it, and prints each finding with its remedy.
 * Beside a channel that runs, it leaves port and store to that one. Resolves with whether nothing is wrong.
 * @throws ConfigError
 */
export async function doctor(options: Where & { readonly json?: boolean }, terminal: Terminal): Promise<boolean> {
  const loaded = await loadConfig(options, terminal);
  const { listen } = parseLoaded(loaded).settings;
  const runs = listen.port !== 0 && (await answers(localUrl(listen.host, listen.port)));
  const aside = { ...loaded.config, store: "memory", listen: { ...listen, port: 0 } } as const;
  const findings = await examine(runs ? aside : loaded.config, stateDirOf(options, terminal));
  const shown = runs ? [...findings.filter(({ check }) => check !== "port" && check !== "store"), RUNS] : findings;
  if (options.json) terminal.out(JSON.stringify({ findings: shown }));
  else for (const finding of shown) terminal.out(findingLine(finding));
  return shown.every(({ level }) => level !== "error");
}

// --- Internal helpers ---

const RUNS: Finding = {
  level: "ok",
  check: "port",
  message: "The channel runs and answers there; port and store are its own.",
};

async function examine(
  config: Readonly<Record<string, unknown>> | object,
  stateDir: string,
): Promise<readonly Finding[]> {
  const [{ VoiceChannelPlugin }, { standaloneHost }] = await Promise.all([
    import("../plugin.ts"),
    import("../hosts/standalone.ts"),
  ]);
  const host = standaloneHost({ logger: silentLogger });
  const plugin = new VoiceChannelPlugin({ config: config as Readonly<Record<string, unknown>>, host, stateDir });
  try {
    await plugin.start().catch((error: unknown) => {
      // The findings say that nothing listens, and what to do.
      if (!(error instanceof PortTakenError)) throw error;
    });
    return await plugin.doctor();
  } finally {
    await plugin.stop();
  }
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  const body = (await answer?.json().catch(() => undefined)) as { status?: unknown } | undefined;
  return body?.status === "ok";
}
