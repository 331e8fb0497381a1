import type { ChannelPlugin } from "openclaw/plugin-sdk/channel-core";
import {
  collectNestedChannelFieldAssignments,
  createChannelSecretTargetRegistryEntries,
  getChannelSurface,
} from "openclaw/plugin-sdk/channel-secret-basic-runtime";
import { CHANNEL } from "./channel-id.ts";

type ChannelSecrets = NonNullable<ChannelPlugin["secrets"]>;
type AssignmentParams = Parameters<NonNullable<ChannelSecrets["collectRuntimeConfigAssignments"]>>[0];

/** Where an account holds its secrets; each may be a plain string or a SecretRef. */
const SECRET_FIELDS = [
  ["carrier", "authToken"],
  ["engine", "apiKey"],
  ["engine", "webhookSecret"],
] as const;

const paths = SECRET_FIELDS.map((field) => field.join("."));

/** The config paths that may hold a SecretRef. */
export const secretTargetRegistryEntries = createChannelSecretTargetRegistryEntries({
  channelKey: CHANNEL,
  account: paths,
  channel: paths,
});

/** Tells the host which SecretRefs to resolve: those of enabled accounts, and root ones an account inherits. */
export function collectRuntimeConfigAssignments(params: AssignmentParams): void {
  const resolved = getChannelSurface(params.config, CHANNEL);
  if (!resolved) return;
  for (const [nestedKey, field] of SECRET_FIELDS) {
    collectNestedChannelFieldAssignments({
      channelKey: CHANNEL,
      nestedKey,
      field,
      channel: resolved.channel,
      surface: resolved.surface,
      defaults: params.defaults,
      context: params.context,
      topLevelActive: resolved.surface.channelEnabled,
      topLevelInheritedAccountActive: ({ account, enabled }) => {
        const own = account[nestedKey];
        return enabled && !(typeof own === "object" && own !== null && Object.hasOwn(own, field));
      },
      topInactiveReason: `no enabled ${CHANNEL} account inherits ${nestedKey}.${field}.`,
      accountActive: ({ enabled }) => enabled,
      accountInactiveReason: `${CHANNEL} account is disabled.`,
    });
  }
}

/** The two above as the channel plugin carries them. */
export const channelSecrets: ChannelSecrets = { secretTargetRegistryEntries, collectRuntimeConfigAssignments };
