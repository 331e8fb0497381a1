import { BlockList, isIP } from "node:net";

/** What is no public address in IPv4, by IANA's registry of special-purpose addresses. */
const NOT_PUBLIC_V4 = blockList("ipv4", [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // RFC 1918
  ["100.64.0.0", 10], // behind a provider's NAT
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local; clouds keep their credentials at 169.254.169.254
  ["172.16.0.0", 12], // RFC 1918
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // former 6to4 relays
  ["192.168.0.0", 16], // RFC 1918
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 3], // multicast, reserved, broadcast
]);

/** The part of IPv6 that is given out: all else is loopback, local, mapped, translated or nobody's. */
const GIVEN_OUT_V6 = blockList("ipv6", [["2000::", 3]]);

/** What is no public address in there. */
const NOT_PUBLIC_V6 = blockList("ipv6", [
  ["2001::", 23], // protocol assignments, Teredo among them, which holds an IPv4 address
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4, which holds an IPv4 address
  ["3fff::", 20], // documentation
]);

/** Whether an address belongs to the public internet: not to this machine, its network or its cloud. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !NOT_PUBLIC_V4.check(address, "ipv4");
  return version === 6 && GIVEN_OUT_V6.check(address, "ipv6") && !NOT_PUBLIC_V6.check(address, "ipv6");
}

// --- Internal helpers ---

function blockList(family: "ipv4" | "ipv6", subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
}
