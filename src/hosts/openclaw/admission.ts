import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { defineStableChannelIngressIdentity } from "openclaw/plugin-sdk/channel-ingress-runtime";
import { createChannelPairingController } from "openclaw/plugin-sdk/channel-pairing";
import { parseE164 } from "../../core/numbers.ts";
import type { Admission, AdmissionPolicy, CallerRef, Logger } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";
import { currentConfig } from "./raw-config.ts";

/** A caller's number as the host's access rules see it: exact, stable, and proved by nobody. */
export const callerIdentity = defineStableChannelIngressIdentity({
  key: "phone-e164",
  kind: "phone",
  normalize: (value) => parseE164(value) ?? null,
  authentication: "unverified",
  sensitivity: "pii",
});

/** Asks the host's ingress whether a caller may talk to the agent: list, access groups, and pairings of its store. */
export async function admitCaller(
  runtime: PluginRuntime,
  caller: CallerRef,
  { dmPolicy, allowFrom }: AdmissionPolicy,
  logger: Logger,
): Promise<Admission> {
  const { accountId, number } = caller;
  const cfg = currentConfig(runtime);
  const pairing = createChannelPairingController({ core: runtime, channel: CHANNEL, accountId });
  const { senderAccess } = await runtime.channel.inbound.ingress.resolve({
    channelId: CHANNEL,
    accountId,
    identity: callerIdentity,
    subject: { stableId: number },
    conversation: { kind: "direct", id: number },
    event: { kind: "message", authMode: "inbound", mayPair: true },
    policy: { dmPolicy, groupPolicy: "disabled", minIdentifierAuthentication: "unverified" },
    allowFrom: [...allowFrom],
    groupAllowFrom: [],
    ...(cfg.accessGroups && { accessGroups: cfg.accessGroups }),
    readStoreAllowFrom: pairing.readAllowFromStore,
  });
  if (!senderAccess.allowed && senderAccess.decision === "pairing") {
    await askForPairing(pairing, caller, logger);
    return { allowed: false, reason: "pairing", trust: "stranger" };
  }
  if (!senderAccess.allowed) return { allowed: false, reason: senderAccess.reasonCode, trust: "stranger" };
  const listed = senderAccess.effectiveAllowFrom.some((entry) => parseE164(entry) === number);
  return { allowed: true, reason: senderAccess.reasonCode, trust: listed ? "known" : "stranger" };
}

type PairingController = ReturnType<typeof createChannelPairingController>;

/**
 * Files a pairing request for the operator (`openclaw pairing list voice`). Its code is for the operator's eyes:
 * it is neither read to the caller nor written into the log, because a caller who knows it proves nothing.
 */
async function askForPairing(pairing: PairingController, caller: CallerRef, logger: Logger): Promise<void> {
  const { created } = await pairing.upsertPairingRequest({ id: caller.number });
  if (!created) return;
  logger.info("a caller asks to be paired; approve with: openclaw pairing list voice", { account: caller.accountId });
}
