import type { Principal } from "../../core/links.ts";
import type { ChannelAddress } from "../host.ts";
import { type IdentityLinks, linkedPrincipal } from "./caller-route.ts";
import { CHANNEL } from "./channel-id.ts";

/** Where else the person of a number is reached: the other targets of theirs in `session.identityLinks`. */
export function linkedAddresses(links: IdentityLinks | undefined, number: string): readonly ChannelAddress[] {
  const principal = linkedPrincipal(links, number);
  return principal === undefined ? [] : addressesOf(links?.[principal] ?? []);
}

/** Everybody whom `session.identityLinks` names, with where they are reached in text. */
export function principalsOf(links: IdentityLinks | undefined): readonly Principal[] {
  return Object.entries(links ?? {}).map(([name, targets]) => ({ name, addresses: addressesOf(targets) }));
}

// --- Internal helpers ---

function addressesOf(targets: readonly string[]): readonly ChannelAddress[] {
  return targets.flatMap((target) => {
    const colon = target.indexOf(":");
    const channel = target.slice(0, colon).trim().toLowerCase();
    const to = target.slice(colon + 1).trim();
    return colon < 1 || to === "" || channel === CHANNEL ? [] : [{ channel, to }];
  });
}
