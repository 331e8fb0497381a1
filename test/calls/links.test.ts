import { describe, expect, onTestFinished, test } from "vitest";
import { AnswerDesk } from "../../src/calls/answer-desk.ts";
import { callerRef } from "../../src/calls/caller-ref.ts";
import { LinkProposals, linkedAddresses, ownLink, ownLinks, removeLinks } from "../../src/calls/links.ts";
import { HostError, StoreError } from "../../src/core/errors.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { answeredCall, CALLER } from "./call-bench.ts";
import { handClock } from "./clock.ts";
import { OWNER, TextChannel } from "./text-channel.ts";

const ann = { name: "Ann", addresses: [{ channel: "telegram", to: "777" }] };
const caller = { accountId: "default", agentId: "main", number: CALLER, direction: "inbound" } as const;
const account = { owner: OWNER };

async function bench() {
  const channel = new TextChannel();
  const clock = handClock();
  const store = memoryStore();
  const call = async (callId: string, said = ["caller: Hi, this is Ann."], route = {}) =>
    (await answeredCall({ clock, store, callId, said, route, trust: "stranger" })).journal.call;
  const open = async () => {
    const desk = new AnswerDesk({ host: channel.host(), store, clock });
    const proposals = new LinkProposals({ desk, store, clock });
    await store.start();
    await desk.start();
    onTestFinished(() => desk.stop());
    return { desk, proposals };
  };
  return { ...(await open()), open, channel, clock, store, call };
}

describe("a link", () => {
  test("is made when the owner says yes, and not before", async () => {
    const { proposals, channel, store, call, clock } = await bench();
    expect(await proposals.propose(await call("call_1"), account, [ann])).toBe(true);
    expect(channel.last).toMatchObject({ address: OWNER, buttons: [{ label: "Yes" }, { label: "No" }] });
    for (const part of [CALLER, "Ann (on telegram)", '"Hi, this is Ann."', "forged"]) {
      expect(channel.last.text).toContain(part);
    }
    expect(await ownLink(store, caller)).toBeUndefined();
    expect(await channel.press("Yes")).toMatchObject({ taken: true, reply: expect.stringContaining("calls with Ann") });
    expect(await ownLink(store, caller)).toEqual({
      principal: "Ann",
      addresses: ann.addresses,
      by: "owner",
      atMs: clock.now(),
    });
    expect(await ownLink(store, { accountId: "second", number: CALLER })).toBeUndefined();
  });

  test("is not made by a no, by somebody else's yes, nor by a second thought", async () => {
    const { proposals, channel, store, call } = await bench();
    await proposals.propose(await call("call_1"), account, [ann]);
    await channel.press("Yes", { from: "777" });
    expect(await ownLink(store, caller)).toBeUndefined();
    expect(await channel.press("No")).toMatchObject({ reply: expect.stringContaining("not ask again") });
    await channel.press("Yes");
    expect(await ownLink(store, caller)).toBeUndefined();
  });

  test("is made by a yes after a restart", async () => {
    const { proposals, channel, store, call, desk, open } = await bench();
    await proposals.propose(await call("call_1"), account, [ann]);
    await desk.stop();
    await open();
    await channel.reply("yes");
    expect(await ownLink(store, caller)).toMatchObject({ principal: "Ann" });
  });

  test("is proposed once a caller, however many calls there are and however often the step is taken", async () => {
    const { proposals, channel, call } = await bench();
    const [first, second] = [await call("call_1"), await call("call_2")];
    expect(await proposals.propose(first, account, [ann])).toBe(true);
    expect(await proposals.propose(first, account, [ann])).toBe(true);
    expect(await proposals.propose(second, account, [ann])).toBe(false);
    await channel.press("No");
    expect(await proposals.propose(second, account, [ann])).toBe(false);
    expect(channel.messages).toHaveLength(1);
  });

  test("is proposed by the next try when the channel was away", async () => {
    const { proposals, channel, call } = await bench();
    const over = await call("call_1");
    channel.beforeSend = () => {
      throw new HostError("Telegram is away.");
    };
    await expect(proposals.propose(over, account, [ann])).rejects.toThrow("away");
    channel.beforeSend = undefined;
    expect(await proposals.propose(over, account, [ann])).toBe(true);
    expect(channel.messages).toHaveLength(1);
  });

  test("is not proposed without reason, without an owner, or where the host has one", async () => {
    const { proposals, channel, call } = await bench();
    expect(await proposals.propose(await call("call_1", ["caller: Good morning."]), account, [ann])).toBe(false);
    expect(await proposals.propose(await call("call_2"), {}, [ann])).toBe(false);
    const linked = await call("call_3", ["caller: This is Ann."], { principal: "ann" });
    expect(await proposals.propose(linked, account, [ann])).toBe(false);
    expect(channel.messages).toEqual([]);
  });
});

describe("a link that is taken back", () => {
  test("is gone, in its own account or in every one, and is not proposed again", async () => {
    const { proposals, channel, store, call } = await bench();
    await proposals.propose(await call("call_1"), account, [ann]);
    await channel.press("Yes");
    const value = await ownLink(store, caller);
    for (const key of [`second:${CALLER}`, "default:+15550009999"]) await store.keep("link", key, value, 0);
    const [own, other, second] = await ownLinks(store);
    expect(own).toEqual({ accountId: "default", number: CALLER, ...value });
    expect([other?.number, second?.accountId]).toEqual(["+15550009999", "second"]);
    expect(await ownLinks(store, "second")).toEqual([second]);
    expect(await removeLinks(store, { number: CALLER, accountId: "second" })).toEqual([second]);
    expect(await removeLinks(store, { number: CALLER })).toEqual([own]);
    expect(await removeLinks(store, { number: CALLER })).toEqual([]);
    expect(await ownLinks(store)).toEqual([other]);
    expect(await linkedAddresses({ host: channel.host(), store }, caller)).toEqual([]);
    expect(await proposals.propose(await call("call_2"), account, [ann])).toBe(false);
  });

  test("is taken back although somebody changes it meanwhile", async () => {
    const { store } = await bench();
    const key = `default:${CALLER}`;
    await store.keep("link", key, { principal: "Ann", addresses: [], by: "owner", atMs: 1 }, 0);
    let changed = false;
    const keep: typeof store.keep = async (kind, name, value, version) => {
      if (!changed) await store.keep("link", key, { principal: "Bob", addresses: [], by: "owner", atMs: 2 }, version);
      changed = true;
      return store.keep(kind, name, value, version);
    };
    await removeLinks({ ...store, keep }, { number: CALLER });
    expect(await ownLinks(store)).toEqual([]);
  });
});

describe("where somebody is reached", () => {
  test("is what the host links and what we link, each once", async () => {
    const { proposals, channel, store, call } = await bench();
    await proposals.propose(await call("call_1"), account, [ann]);
    await channel.press("Yes");
    channel.linked = [
      { channel: "discord", to: "ann" },
      { channel: "telegram", to: "777" },
    ];
    const host = channel.host();
    expect(await linkedAddresses({ host, store }, caller)).toEqual(channel.linked);
    channel.linked = [{ channel: "discord", to: "ann" }];
    expect(await linkedAddresses({ host, store }, caller)).toEqual([...channel.linked, ...ann.addresses]);
    expect(await linkedAddresses({ host, store }, { ...caller, number: "+15550009999" })).toEqual(channel.linked);
  });

  test("a host or a store that fails adds nothing and takes nothing away", async () => {
    const { channel, store } = await bench();
    channel.linked = [{ channel: "discord", to: "ann" }];
    const document = () => Promise.reject(new StoreError("closed"));
    expect(await linkedAddresses({ host: channel.host(), store: { document } }, caller)).toEqual(channel.linked);
    await store.keep(
      "link",
      `default:${CALLER}`,
      { principal: "Ann", addresses: ann.addresses, by: "owner", atMs: 1 },
      0,
    );
    const host = channel.host({ linked: () => Promise.reject(new HostError("busy")) });
    expect(await linkedAddresses({ host, store }, caller)).toEqual(ann.addresses);
  });
});

test.each([
  ["host", {}],
  ["per-caller", { scope: "per-caller" }],
  ["per-call", { scope: "per-call" }],
  ["main", { scope: "main" }],
] as const)("under session scope %s the host is asked with %j", (sessionScope, scope) => {
  const ref = callerRef(
    { id: "default", agentId: "main", sessionScope },
    { number: CALLER, direction: "inbound", callId: "call_1" },
  );
  expect(ref).toEqual({ ...caller, callId: "call_1", ...scope });
  const early = callerRef({ id: "default", agentId: "main", sessionScope }, { number: CALLER, direction: "inbound" });
  expect(early).toEqual({ ...caller, ...scope });
});
