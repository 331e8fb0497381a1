import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFirstEnv, projectDir } from "./package.ts";

/** The `openclaw` command of the dev dependency: the real host. */
export const openclawBin = join(projectDir, "node_modules/openclaw/openclaw.mjs");

/** What one `openclaw …` command left behind. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An OpenClaw of its own: a home, a state directory and a configuration that no other shares. */
export interface OpenClawHome {
  readonly dir: string;
  readonly stateDir: string;
  readonly workspaceDir: string;
  readonly configPath: string;
  readonly env: NodeJS.ProcessEnv;
  writeConfig(config: object): Promise<void>;
  /** The configuration as it stands on disk, where the host may have written too. */
  readConfig(): Promise<Record<string, unknown>>;
  /** Runs `openclaw …`; a code other than 0 is the caller's to judge. */
  openclaw(args: readonly string[], timeoutMs?: number): Promise<CommandResult>;
  remove(): Promise<void>;
}

/** Makes an OpenClaw home in the system's temporary folder. `secrets` join the environment of every command. */
export async function makeOpenClawHome(secrets: Record<string, string> = {}): Promise<OpenClawHome> {
  const dir = await mkdtemp(join(tmpdir(), "voice-host-"));
  const stateDir = join(dir, "state");
  const configPath = join(stateDir, "openclaw.json");
  const workspaceDir = join(dir, "workspace");
  for (const folder of [stateDir, workspaceDir, join(dir, "home")]) await mkdir(folder, { recursive: true });
  const env: NodeJS.ProcessEnv = {
    ...withoutHostSettings(nodeFirstEnv()),
    HOME: join(dir, "home"),
    OPENCLAW_STATE_DIR: stateDir,
    OPENCLAW_CONFIG_PATH: configPath,
    NO_COLOR: "1",
    // npm must find what is already on this machine, though HOME is another.
    npm_config_cache: process.env["npm_config_cache"] ?? join(homedir(), ".npm"),
    npm_config_prefer_offline: "true",
    npm_config_audit: "false",
    ...secrets,
  };
  return {
    dir,
    stateDir,
    workspaceDir,
    configPath,
    env,
    writeConfig: (config) => writeFile(configPath, JSON.stringify(config, undefined, 2)),
    readConfig: async () => JSON.parse(await readFile(configPath, "utf8")) as Record<string, unknown>,
    openclaw: (args, timeoutMs = 120_000) => runOpenClaw(args, env, dir, timeoutMs),
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
  };
}

/** The host and vitest read the environment: what is set on this machine must not leak into the host under test. */
function withoutHostSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(OPENCLAW_|VITEST|NODE_ENV|TEST|OPENAI_|TWILIO_|ANTHROPIC_)/.test(name)),
  );
}

function runOpenClaw(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  timeoutMs: number,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [openclawBin, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`openclaw ${args.join(" ")}: still running after ${timeoutMs} ms\n${stdout}\n${stderr}`));
    }, timeoutMs);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
