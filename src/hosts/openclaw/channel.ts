import { createChatChannelPlugin, type OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import { channelReadyPatch } from "openclaw/plugin-sdk/gateway-runtime";
import { CHANNEL } from "./channel-id.ts";
import { channelSecrets } from "./secrets.ts";

/** One account of `channels.voice.accounts` as the host sees it. */
export interface VoiceAccount {
  readonly accountId: string;
  readonly enabled: boolean;
}

function accounts(cfg: OpenClawConfig): Record<string, { enabled?: boolean }> {
  const section = (cfg.channels as Record<string, unknown> | undefined)?.[CHANNEL] as
    | { accounts?: Record<string, { enabled?: boolean }> }
    | undefined;
  return section?.accounts ?? {};
}

export const voiceChannel = createChatChannelPlugin<VoiceAccount>({
  base: {
    id: CHANNEL,
    meta: {
      id: CHANNEL,
      label: "Voice",
      selectionLabel: "Voice (phone calls)",
      docsPath: "/channels/voice",
      blurb: "Phone calls.",
    },
    capabilities: { chatTypes: ["direct"] },
    config: {
      listAccountIds: (cfg) => Object.keys(accounts(cfg)),
      resolveAccount: (cfg, accountId) => ({
        accountId: accountId ?? "default",
        enabled: accounts(cfg)[accountId ?? "default"]?.enabled !== false,
      }),
      isConfigured: () => true,
      isEnabled: (account) => account.enabled,
    },
    reload: { configPrefixes: [`channels.${CHANNEL}`], accountScopedRestart: true },
    secrets: channelSecrets,
    gateway: {
      startAccount: async (ctx) => {
        const { terminalDisconnect: _, ...ready } = channelReadyPatch();
        ctx.setStatus({ ...ctx.getStatus(), ...ready });
        await new Promise<void>((resolve) =>
          ctx.abortSignal.addEventListener("abort", () => resolve(), { once: true }),
        );
      },
    },
  },
});
