import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import { expect, test } from "vitest";
import { hostFindings } from "../../../src/hosts/openclaw/findings.ts";

/** Level of each finding about one thing, for a host with these commands and this one account. */
function levels(check: string, { commands = {}, account = {}, channels = {} }: Record<string, object> = {}): string[] {
  const voice = { accounts: { desk: account } };
  const cfg = { commands, channels: { telegram: {}, ...channels, voice } } as unknown as OpenClawConfig;
  return hostFindings(cfg, true)
    .filter((finding) => finding.check === check)
    .map(({ level }) => level);
}

test.each([
  [["telegram:555"], "allowlist", "ok"],
  [[], "allowlist", "warning"],
  [[], "pairing", "error"],
  [["voice:+15551112222"], "allowlist", "error"],
  [["telegram:555", "VOICE:+15551112222"], "allowlist", "error"],
  [["*"], "allowlist", "error"],
])("owners %j while callers are let in by %s: %s", (ownerAllowFrom, dmPolicy, level) => {
  expect(levels("owner", { commands: { ownerAllowFrom }, account: { dmPolicy } })).toEqual([level]);
});

test("an account is noted when none of the host's channels reaches its owner", () => {
  const reached = { owner: { channel: "telegram", to: "555" } };
  expect(levels("owner_channel", { account: reached })).toEqual([]);
  expect(levels("owner_channel", { account: {} })).toEqual([]);
  expect(levels("owner_channel", { account: { owner: { channel: "discord", to: "1" } } })).toEqual(["warning"]);
  expect(levels("owner_channel", { account: { owner: { channel: "voice", to: "+1" } } })).toEqual(["warning"]);
  expect(levels("owner_channel", { account: { enabled: false } })).toEqual([]);
});

test("every complaint says what to do", () => {
  for (const { level, remedy } of hostFindings({} as OpenClawConfig, false)) {
    expect([level, remedy !== undefined]).toEqual([level, level !== "ok"]);
  }
});
