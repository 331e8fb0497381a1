import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ANN_PHONE, ANN_TELEGRAM, hostConfig } from "./config.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { freePort } from "./loopback.ts";
import { makeOpenClawHome, type OpenClawHome } from "./openclaw.ts";
import { projectDir } from "./package.ts";
import { PROBE_PATH, type ProbeAnswer, type ProbeQuestion } from "./probe.ts";
import { type StandInModel, startStandInModel } from "./stand-in-model.ts";
import { type StandInTelegram, startStandInTelegram } from "./stand-in-telegram.ts";

/** The real gateway with our host adapter in it, and nobody on the phone. */
export interface ProbeWorld {
  readonly home: OpenClawHome;
  readonly gateway: Gateway;
  readonly model: StandInModel;
  readonly telegram: StandInTelegram;
  /** Asks for a verb of the host; `answers` lists what people answered so far. */
  ask(verb: ProbeQuestion["verb"], ...args: unknown[]): Promise<ProbeAnswer>;
  /** The same, given up after so many milliseconds. */
  askWithin(timeoutMs: number, verb: ProbeQuestion["verb"], ...args: unknown[]): Promise<ProbeAnswer>;
  stop(): Promise<void>;
}

/** Starts the gateway with the probe in the channel's place: the sources as they are, nothing packed or installed. */
export async function startProbeWorld(): Promise<ProbeWorld> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const model = await startStandInModel();
    closers.push(model.close);
    const telegram = await startStandInTelegram();
    closers.push(telegram.close);
    const home = await makeOpenClawHome();
    closers.push(home.remove);
    const gatewayPort = await freePort();
    const pluginDir = await writeProbePlugin(home.dir);
    const voice = {
      accounts: {
        default: {
          number: "+15550001234",
          dmPolicy: "allowlist",
          allowFrom: [ANN_PHONE],
          owner: { channel: "telegram", to: String(ANN_TELEGRAM) },
        },
      },
    };
    const modelBaseUrl = model.baseUrl;
    const telegramApiRoot = telegram.apiRoot;
    const parts = { home, gatewayPort, modelBaseUrl, telegramApiRoot, voice, pluginDirs: [pluginDir] };
    await home.writeConfig(hostConfig(parts));
    const gateway = await startGateway(home);
    closers.push(() => gateway.stop());
    const askWithin: ProbeWorld["askWithin"] = async (timeoutMs, verb, ...args) => {
      const question: ProbeQuestion = { verb, args, timeoutMs };
      const body = JSON.stringify(question);
      const response = await fetch(`http://127.0.0.1:${gatewayPort}${PROBE_PATH}`, { method: "POST", body });
      if (!response.ok) throw new Error(`the probe answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as ProbeAnswer;
    };
    const ask: ProbeWorld["ask"] = (verb, ...args) => askWithin(60_000, verb, ...args);
    return { home, gateway, model, telegram, ask, askWithin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A plugin folder whose code is the probe's source; its manifest is ours, as is the channel's place. */
async function writeProbePlugin(dir: string): Promise<string> {
  const pluginDir = join(dir, "probe-plugin");
  await mkdir(pluginDir);
  const manifest = await readJson(join(projectDir, "openclaw.plugin.json"));
  await writeFile(
    join(pluginDir, "openclaw.plugin.json"),
    JSON.stringify({ ...manifest, contracts: {}, cliCommands: [], skills: [] }),
  );
  const { openclaw } = await readJson(join(projectDir, "package.json"));
  await writeFile(
    join(pluginDir, "package.json"),
    JSON.stringify({
      name: "voice-probe",
      version: "0.0.0",
      type: "module",
      openclaw: { ...(openclaw as object), extensions: ["./index.js"], setupEntry: undefined },
    }),
  );
  const source = new URL("./probe.ts", import.meta.url).href;
  await writeFile(join(pluginDir, "index.js"), `export { default } from ${JSON.stringify(source)};\n`);
  return pluginDir;
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
}
