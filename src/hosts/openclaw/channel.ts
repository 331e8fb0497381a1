import { type ChannelPlugin, createChatChannelPlugin } from "openclaw/plugin-sdk/channel-core";
import { defaultAccountId, listAccountIds, normaliseTarget, resolveAccount, type VoiceAccount } from "./accounts.ts";
import { CHANNEL } from "./channel-id.ts";
import { accountSection, accountSections, voiceSection } from "./raw-config.ts";
import type { AccountTask } from "./runtime.ts";
import { channelSecrets } from "./secrets.ts";

type AccountContext = Parameters<NonNullable<NonNullable<ChannelPlugin<VoiceAccount>["gateway"]>["startAccount"]>>[0];

/** A text sent to a number must never ring somebody's telephone: whoever means a call asks for a call. */
const NO_TEXTS =
  "The voice channel carries calls, not texts: nothing was sent and nobody was rung. To ring this number, call the " +
  'tool phone_call with action "place", or run: openclaw voice call <number>.';

/** The channel as the host knows it. Without `serve` it can be set up and inspected, not run. */
export function voiceChannel(serve?: (task: AccountTask) => Promise<void>): ChannelPlugin<VoiceAccount> {
  return createChatChannelPlugin<VoiceAccount>({
    base: {
      id: CHANNEL,
      meta: {
        id: CHANNEL,
        label: "Voice",
        selectionLabel: "Voice (phone calls)",
        docsPath: "/channels/voice",
        blurb: "People ring the agent and the agent rings people; both are the same conversation as in chat.",
        order: 900,
      },
      capabilities: { chatTypes: ["direct"] },
      config: {
        listAccountIds,
        resolveAccount,
        defaultAccountId,
        isEnabled: (account) => account.enabled,
        isConfigured: (account) => account.configured,
        unconfiguredReason: () => "an account needs number, carrier and engine",
        describeAccount: describe,
        resolveAllowFrom: ({ cfg, accountId }) => [...resolveAccount(cfg, accountId).allowFrom],
        formatAllowFrom: ({ allowFrom }) => allowFrom.map((entry) => normaliseTarget(String(entry)) ?? String(entry)),
        setAccountEnabled: ({ cfg, accountId, enabled }) => withAccount(cfg, accountId, { enabled }),
      },
      setup: {
        // Settings of the channel stay at its root: the host would else move policy into an account it makes up.
        configPromotion: "preserve-root",
        singleAccountKeysToMove: [],
        namedAccountPromotionKeys: [],
        applyAccountConfig: ({ cfg, accountId, input }) =>
          withAccount(cfg, accountId, { enabled: true, ...(input.name !== undefined && { name: input.name }) }),
      },
      reload: { configPrefixes: [`channels.${CHANNEL}`], accountScopedRestart: true },
      secrets: channelSecrets,
      messaging: {
        targetPrefixes: [CHANNEL, "tel"],
        normalizeTarget: normaliseTarget,
        inferTargetChatType: () => "direct",
        targetResolver: { looksLikeId: (raw) => normaliseTarget(raw) !== undefined, hint: "<+E.164 number>" },
      },
      status: {
        buildAccountSnapshot: ({ account, runtime }) => ({ ...runtime, ...describe(account) }),
      },
      ...(serve && { gateway: { startAccount: (context) => serve(accountTask(context)) } }),
    },
    security: {
      dm: {
        channelKey: CHANNEL,
        resolvePolicy: (account) => account.dmPolicy,
        resolveAllowFrom: (account) => [...account.allowFrom],
        defaultPolicy: "allowlist",
        normalizeEntry: (raw) => normaliseTarget(raw) ?? raw,
      },
    },
    pairing: { idLabel: "phone number", normalizeAllowEntry: (entry) => normaliseTarget(entry) ?? entry },
    outbound: {
      deliveryMode: "gateway",
      resolveTarget: () => ({ ok: false, error: new Error(NO_TEXTS) }),
      sendText: async () => {
        throw new Error(NO_TEXTS);
      },
    },
  });
}

// --- Internal helpers ---

type Config = Parameters<typeof resolveAccount>[0];

function describe({ accountId, enabled, configured, dmPolicy, allowFrom, number }: VoiceAccount) {
  const identity = number === undefined ? {} : { identity: number };
  return { accountId, enabled, configured, dmPolicy, allowFrom: [...allowFrom], ...identity };
}

function withAccount(cfg: Config, accountId: string, change: object): Config {
  const accounts = { ...accountSections(cfg), [accountId]: { ...accountSection(cfg, accountId), ...change } };
  return { ...cfg, channels: { ...cfg.channels, [CHANNEL]: { ...voiceSection(cfg), accounts } } };
}

function accountTask({ account, cfg, abortSignal, getStatus, setStatus }: AccountContext): AccountTask {
  return {
    account,
    cfg,
    abortSignal,
    report(state) {
      if (abortSignal.aborted) return;
      const ready = state === "ready";
      setStatus({
        ...getStatus(),
        running: ready,
        connected: ready,
        lifecycle: ready ? "ready" : "blocked",
        lastError: ready ? null : state.error,
        ...(ready && { lastConnectedAt: Date.now() }),
      });
    },
  };
}
