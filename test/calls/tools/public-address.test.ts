import fc from "fast-check";
import { expect, test } from "vitest";
import { isPublicAddress } from "../../../src/calls/tools/public-address.ts";

test.each([
  ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9", "169.254.169.254"],
  ...["172.16.0.1", "172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"],
  ...["::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "fe80::1%eth0"],
  ...["::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"],
  ...["2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "fd00:ec2::254", "localhost", "", "8.8.8"],
])("%s is not of the public internet", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  ...[
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
  ],
  ...["169.253.255.255", "192.167.255.255", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1"],
])("%s is", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test("an address in IPv4 is as private however it is wrapped in IPv6", () => {
  const part = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.tuple(part, part, part, part), (parts) => {
      expect(isPublicAddress(`::ffff:${parts.join(".")}`)).toBe(false);
    }),
  );
});
