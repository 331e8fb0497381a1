import { join } from "node:path";
import type { OpenClawHome } from "./openclaw.ts";

/** The token every gateway under test asks for. */
export const GATEWAY_TOKEN = "gateway-token-of-the-host-tests";

/** What the host's configuration is made from. */
export interface HostConfigParts {
  readonly home: OpenClawHome;
  readonly gatewayPort: number;
  readonly modelBaseUrl: string;
  readonly telegramApiRoot: string;
  /** `channels.voice`; left out before the plugin is installed, as its schema is not known until then. */
  readonly voice?: object;
  /** Folders that plugins are loaded from as they are, without an installation. */
  readonly pluginDirs?: readonly string[];
}

/** The id, in Telegram, of the person whom `identityLinks` knows as Ann. */
export const ANN_TELEGRAM = 555;
/** Ann's telephone number. */
export const ANN_PHONE = "+15551112222";

/** A whole host configuration: a stand-in model, a stand-in Telegram, one person known on both channels. */
export function hostConfig({
  home,
  gatewayPort,
  modelBaseUrl,
  telegramApiRoot,
  voice,
  pluginDirs,
}: HostConfigParts): object {
  return {
    gateway: { mode: "local", port: gatewayPort, bind: "loopback", auth: { mode: "token", token: GATEWAY_TOKEN } },
    agents: { defaults: { workspace: home.workspaceDir, model: { primary: "standin/stand-in" } } },
    models: {
      mode: "merge",
      catalogRefresh: { enabled: false }, // nothing leaves loopback
      providers: {
        standin: {
          baseUrl: modelBaseUrl,
          apiKey: "sk-stand-in",
          api: "openai-completions",
          models: [
            {
              id: "stand-in",
              name: "Stand-in",
              contextWindow: 128_000,
              maxTokens: 4096,
              input: ["text"],
              reasoning: false,
              cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            },
          ],
        },
      },
    },
    session: { dmScope: "per-peer", identityLinks: { ann: [`telegram:${ANN_TELEGRAM}`, `voice:${ANN_PHONE}`] } },
    // A strong identity, set before any pairing: otherwise the first approved caller id would become the owner.
    commands: { ownerAllowFrom: [`telegram:${ANN_TELEGRAM}`] },
    update: { checkOnStart: false },
    logging: { file: join(home.dir, "openclaw.log") },
    // Of the host's own plugins only those that the tests meet: each one costs seconds at every start.
    plugins: {
      allow: ["telegram", "memory-core", "voice"],
      entries: { telegram: { enabled: true }, ...(pluginDirs && { voice: { enabled: true } }) },
      ...(pluginDirs && { load: { paths: pluginDirs } }),
    },
    channels: {
      telegram: {
        enabled: true,
        botToken: "42:stand-in",
        apiRoot: telegramApiRoot,
        dmPolicy: "allowlist",
        allowFrom: [String(ANN_TELEGRAM)],
        network: { autoSelectFamily: false },
        streaming: { mode: "off" },
      },
      ...(voice && { voice }),
    },
  };
}
