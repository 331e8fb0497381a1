import { expect, test } from "vitest";
import { linkedAddresses } from "../../../src/hosts/openclaw/linked.ts";

const LINKS = {
  ann: ["telegram:555", "voice:+15551112222", "Discord:77:88", "nonsense", "slack:"],
  bob: ["telegram:666", "voice:+15553334444"],
};

test("a person is reached in their other channels, not on the phone and not where a link is no address", () => {
  expect(linkedAddresses(LINKS, "+15551112222")).toEqual([
    { channel: "telegram", to: "555" },
    { channel: "discord", to: "77:88" },
  ]);
});

test("who is not linked is reached nowhere", () => {
  expect(linkedAddresses(LINKS, "+15559998888")).toEqual([]);
  expect(linkedAddresses(undefined, "+15551112222")).toEqual([]);
});
