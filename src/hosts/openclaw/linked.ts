import type { ChannelAddress } from "../host.ts";
import { type IdentityLinks, linkedPrincipal } from "./caller-route.ts";
import { CHANNEL } from "./channel-id.ts";

/** Where else the person of a number is reached: the other targets of theirs in `session.identityLinks`. */
export function linkedAddresses(links: IdentityLinks | undefined, number: string): readonly ChannelAddress[] {
  const principal = linkedPrincipal(links, number);
  if (principal === undefined) return [];
  return (links?.[principal] ?? []).flatMap((target) => {
    const colon = target.indexOf(":");
    const channel = target.slice(0, colon).trim().toLowerCase();
    const to = target.slice(colon + 1).trim();
    return colon < 1 || to === "" || channel === CHANNEL ? [] : [{ channel, to }];
  });
}
