import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { HostError, StoreError } from "../../src/core/errors.ts";
import { bareHost } from "../../src/hosts/bare.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { handClock } from "./clock.ts";
import { ANN, OWNER, openBench, other } from "./owner-code-bench.ts";

const HOUR_MS = 3_600_000;
const FIVE_MINUTES_MS = 300_000;
const RIGHT = "The code is right: the caller is the owner.";

describe("by voice", () => {
  test("a code goes to the owner's own chat, comes back on the call, and raises the caller once that is written", async () => {
    const { ring, sent, code, clock } = await openBench();
    const phone = await ring();
    expect(await phone.use("send_owner_code")).toContain("was sent to the owner's own chat");
    expect(sent).toEqual([{ address: OWNER, message: { text: expect.stringContaining(ANN) } }]);
    expect(sent[0]?.message.text).toContain("Tell it to nobody else");
    expect(await phone.use("check_owner_code", { code: [...code()].join(" ") })).toBe(RIGHT);
    expect(phone.raisedTo).toEqual(["owner"]);
    expect((await phone.events()).map(({ type }) => type)).toEqual([
      "call.created",
      "caller.routed",
      "tool.called",
      "code.sent",
      "tool.finished",
      "tool.called",
      "code.tried",
      "trust.raised",
      "tool.finished",
    ]);
    expect(phone.told).toEqual([]);
    clock.pass(0);
    expect(clock.running).toBe(0);
  });

  test("that it was right is said when the model knows what it may tell now, not before", async () => {
    const ready = Promise.withResolvers<void>();
    const { ring, code } = await openBench();
    const phone = await ring({ onRaised: () => ready.promise });
    await phone.use("send_owner_code");
    let said: unknown;
    const checked = phone.use("check_owner_code", { code: code() }).then((result) => (said = result));
    await vi.waitFor(() => expect(phone.trust()).toBe("owner"));
    expect(said).toBeUndefined();
    ready.resolve();
    expect(await checked).toBe(RIGHT);
  });

  test("that a code is sent is written down before it leaves", async () => {
    const written: string[][] = [];
    const store = memoryStore();
    const { ring } = await openBench({
      store,
      change: {
        host: {
          capabilities: { ...bareHost.capabilities, send: true },
          async send() {
            written.push((await store.journal("call_1")).map(({ event }) => event.type));
            return {};
          },
        },
      },
    });
    await (await ring()).use("send_owner_code");
    expect(written).toEqual([["call.created", "caller.routed", "tool.called", "code.sent"]]);
  });

  test("a code stands in no journal, no log and no store, right or wrong, said or keyed in", async () => {
    const { ring, code, store, lines } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    await phone.use("check_owner_code", { code: other(code()) });
    const told = phone.nextTold();
    phone.press(code());
    await told;
    expect(phone.trust()).toBe("owner");
    const written = [await phone.events(), await store.documents("owner-code"), lines, phone.told];
    expect(JSON.stringify(written)).not.toContain(code());
    expect(JSON.stringify(written)).not.toContain(other(code()));
  });

  test("a wrong code raises nobody and may be tried again; what is no code is no try", async () => {
    const { ring, code } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    expect(await phone.use("check_owner_code", { code: other(code()) })).toBe("The code is wrong. They may try again.");
    for (const unreadable of ["123", "I do not know", "twelve 34 56", 1234])
      expect(await phone.use("check_owner_code", { code: unreadable })).toContain("a code has six digits");
    expect(phone.trust()).toBe("stranger");
    const tries = (await phone.events()).filter(({ type }) => type === "code.tried");
    expect(tries).toMatchObject([{ ok: false }]);
    expect(await phone.use("check_owner_code", { code: code() })).toBe(RIGHT);
  });

  test("a code has expired after five minutes, and its keys are plain keys again", async () => {
    const { ring, code, clock } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    clock.pass(FIVE_MINUTES_MS);
    expect(await phone.use("check_owner_code")).toBe("The code has expired. A new one can be sent.");
    expect(await phone.use("check_owner_code", { code: code() })).toBe("The code has expired. A new one can be sent.");
    expect(phone.press("12#")).toBe("12#");
    expect(phone.told).toEqual(["plain 12"]);
    expect(phone.trust()).toBe("stranger");
    await phone.journal.flush();
    expect(clock.running).toBe(0);
  });

  test("a code of another call is right on neither", async () => {
    const { ring, code } = await openBench();
    const [attacker, owner] = [await ring({ from: "anonymous" }), await ring()];
    await owner.use("send_owner_code");
    const stolen = code();
    expect(await attacker.use("check_owner_code", { code: stolen })).toContain("No code waits for this call");
    await attacker.use("send_owner_code");
    expect(await owner.use("check_owner_code", { code: code() })).toContain("No code waits for this call");
    expect(await attacker.use("check_owner_code", { code: stolen })).toContain("wrong");
    expect([attacker.trust(), owner.trust()]).toEqual(["stranger", "stranger"]);
  });

  test("a number that is withheld is called so", async () => {
    const { ring, sent } = await openBench();
    await (await ring({ from: "anonymous" })).use("send_owner_code");
    expect(sent[0]?.message.text).toContain("a withheld number");
  });
});

describe("by keys", () => {
  test("the caller is asked to, and the model is told what came of it, but no digit", async () => {
    const { ring, code, clock } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    expect(await phone.use("check_owner_code")).toContain("key in the six digits");
    expect(await phone.use("check_owner_code", { code: "" })).toContain("key in the six digits");
    const told = phone.nextTold();
    expect(phone.press(code())).toBe("xxxxxx");
    expect(await told).toBe(`The caller pressed keys for the code. ${RIGHT}`);
    expect(phone.raisedTo).toEqual(["owner"]);
    await phone.journal.flush();
    expect(clock.running).toBe(0);
  });

  test("who presses it without being asked is believed as well, and shows it to nobody", async () => {
    const { ring, code } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    const told = phone.nextTold();
    expect(phone.press(code())).toBe("xxxxxx");
    expect(await told).toContain(RIGHT);
    expect(phone.trust()).toBe("owner");
  });

  test("too few keys are no try, a wrong code is one, and the right one may follow", async () => {
    const { ring, code, clock } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    let told = phone.nextTold();
    phone.press("123#");
    expect(await told).toContain("a code has six digits");
    told = phone.nextTold();
    phone.press("12*456");
    expect(await told).toContain("a code has six digits");
    told = phone.nextTold();
    phone.press("12");
    clock.pass(6_000);
    expect(await told).toContain("a code has six digits");
    told = phone.nextTold();
    phone.press(other(code()));
    expect(await told).toContain("The code is wrong");
    told = phone.nextTold();
    phone.press(code());
    expect(await told).toContain(RIGHT);
    expect((await phone.events()).filter(({ type }) => type === "code.tried")).toMatchObject([
      { ok: false },
      { ok: true },
    ]);
  });

  test("once a code is right by voice, keys are plain keys again", async () => {
    const { ring, code, clock } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    await phone.use("check_owner_code", { code: code() });
    clock.pass(0);
    expect(phone.press("1#")).toBe("1#");
    expect(phone.told).toEqual(["plain 1"]);
    await phone.journal.flush();
    expect(clock.running).toBe(0);
  });

  test("somebody else may ask for keys meanwhile; the code is listened for when it is asked for again", async () => {
    const { ring, code } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    const menu = phone.keys.collect({ maxDigits: 1 });
    phone.press("1");
    expect(await menu).toMatchObject({ digits: "1", endedBy: "length" });
    await phone.use("check_owner_code");
    const told = phone.nextTold();
    phone.press(code());
    expect(await told).toContain(RIGHT);
  });

  test("when the call ends nothing is left, and nobody is told anything", async () => {
    const { ring, clock } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    phone.press("12");
    phone.keys.close();
    await phone.journal.flush();
    expect(clock.running).toBe(0);
    expect(phone.told).toEqual([]);
  });

  test("a code that could not be checked is not believed, and the model is told", async () => {
    const store = memoryStore();
    const { ring, code } = await openBench({ store });
    let isBroken = false;
    const keep: typeof store.keep = async (...args) => {
      if (isBroken) throw new StoreError("The disk is full.");
      return store.keep(...args);
    };
    const phone = await ring({ store: { document: (kind, key) => store.document(kind, key), keep } });
    await phone.use("send_owner_code");
    isBroken = true;
    let told = phone.nextTold();
    phone.press(code());
    expect(await told).toContain("could not be checked");
    expect(phone.trust()).toBe("stranger");
    isBroken = false;
    told = phone.nextTold();
    phone.press(code());
    expect(await told).toContain(RIGHT);
  });
});

describe("limits", () => {
  /** Three calls one after another, on which five wrong codes are given by voice and by keys. */
  async function guess(bench: Awaited<ReturnType<typeof openBench>>): Promise<string[]> {
    const answers: string[] = [];
    for (const hasKeys of [true, true, false]) {
      const phone = await bench.ring();
      await phone.use("send_owner_code");
      answers.push(await phone.use("check_owner_code", { code: other(bench.code()) }));
      if (!hasKeys) continue;
      const told = phone.nextTold();
      phone.press(other(bench.code()));
      answers.push(await told);
      phone.keys.close();
    }
    return answers;
  }

  test("five wrong tries over calls, voice and keys lock for an hour, also for who has the right code", async () => {
    const bench = await openBench();
    const answers = await guess(bench);
    expect(answers.map((answer) => answer.includes("The code is wrong"))).toEqual([true, true, true, true, true]);
    expect(answers.map((answer) => answer.includes("for an hour"))).toEqual([false, false, false, false, true]);
    const phone = await bench.ring();
    expect(await phone.use("send_owner_code")).toContain("for 60 minutes");
    expect(await phone.use("check_owner_code", { code: bench.code() })).toContain("for 60 minutes");
    bench.clock.pass(HOUR_MS - 60_000);
    expect(await phone.use("send_owner_code")).toContain("for a minute");
    bench.clock.pass(60_000);
    await phone.use("send_owner_code");
    expect(await phone.use("check_owner_code", { code: bench.code() })).toBe(RIGHT);
  });

  test("a restart does not unlock", async () => {
    const dir = mkdtempSync(join(tmpdir(), "owner-code-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const clock = handClock();
    const path = join(dir, "calls.sqlite");
    const before = await openBench({ store: sqliteStore({ path }), clock });
    await guess(before);
    await before.store.stop();
    const after = await openBench({ store: sqliteStore({ path }), clock });
    expect(await (await after.ring()).use("send_owner_code")).toContain("Too many wrong codes were given");
    expect(after.sent).toEqual([]);
    await after.store.stop();
  });

  test("no more than three codes are sent within an hour, however many calls ask at once", async () => {
    const { ring, sent, clock } = await openBench();
    const phones = await Promise.all(Array.from({ length: 6 }, () => ring()));
    const answers = await Promise.all(phones.map((phone) => phone.use("send_owner_code")));
    expect(sent).toHaveLength(3);
    expect(answers.filter((answer) => answer.includes("was sent"))).toHaveLength(3);
    expect(answers.filter((answer) => answer.includes("No further one is sent for 60 minutes"))).toHaveLength(3);
    clock.pass(HOUR_MS);
    expect(await phones[0]?.use("send_owner_code")).toContain("was sent");
  });

  test("two calls at once get no more tries than one", async () => {
    const { ring, code, store } = await openBench();
    const phones = [await ring(), await ring()] as const;
    for (const phone of phones) await phone.use("send_owner_code");
    const right = code();
    // Each is written in a way of its own: the same tool call twice at once would be one.
    const tries = Array.from({ length: 20 }, (_, at) =>
      phones[at % 2]?.use("check_owner_code", { code: other(right) + ".".repeat(at) }),
    );
    const answers = await Promise.all(tries);
    expect(answers.filter((answer) => answer?.includes("The code is wrong"))).toHaveLength(5);
    expect(await phones[1].use("check_owner_code", { code: right })).toContain("Too many wrong codes");
    const [kept] = await store.documents<{ wrongAtMs: number[] }>("owner-code");
    expect(kept?.value.wrongAtMs).toHaveLength(5);
  });

  test("a right code that is given twice at once raises once", async () => {
    const { ring, code } = await openBench();
    const phone = await ring();
    await phone.use("send_owner_code");
    const both = [
      phone.use("check_owner_code", { code: code() }),
      phone.use("check_owner_code", { code: [...code()].join(" ") }),
    ];
    expect((await Promise.all(both)).filter((answer) => answer === RIGHT)).toHaveLength(1);
    expect(phone.raisedTo).toEqual(["owner"]);
  });

  test("a document that others change all the time is given up, and nobody is raised", async () => {
    const store = memoryStore();
    const { ring, code } = await openBench({ store });
    let isBusy = false;
    const keep: typeof store.keep = async (...args) => !isBusy && store.keep(...args);
    const phone = await ring({ store: { document: (kind, key) => store.document(kind, key), keep } });
    await phone.use("send_owner_code");
    isBusy = true;
    expect(await phone.use("check_owner_code", { code: code() })).toContain("error");
    expect(phone.trust()).toBe("stranger");
  });
});

describe("sending", () => {
  const sending = (send: () => Promise<object>) => ({
    host: { capabilities: { ...bareHost.capabilities, send: true }, send },
  });

  test("a chat that refuses is reported, and counts for nothing", async () => {
    let refuses = true;
    const { ring, store } = await openBench({
      change: sending(async () => {
        if (refuses) throw new HostError("The chat is blocked.");
        return {};
      }),
    });
    const phone = await ring();
    for (let at = 0; at < 4; at += 1)
      expect(await phone.use("send_owner_code")).toContain("The code could not be sent to the owner's chat.");
    expect(await store.documents("owner-code")).toMatchObject([{ value: { sentAtMs: [], wrongAtMs: [] } }]);
    expect(phone.press("1")).toBe("1");
    phone.keys.close();
    refuses = false;
    expect(await phone.use("send_owner_code")).toContain("was sent");
  });

  test("a code that may have arrived counts", async () => {
    const { ring } = await openBench({
      change: sending(async () => {
        throw new Error("The connection broke.");
      }),
    });
    const phone = await ring();
    for (let at = 0; at < 3; at += 1) expect(await phone.use("send_owner_code")).toContain("could not be sent");
    expect(await phone.use("send_owner_code")).toContain("Too many codes were sent within an hour");
  });

  test("what cannot be written down is not sent", async () => {
    const store = memoryStore();
    const { ring, sent } = await openBench({ store });
    const phone = await ring();
    const [send] = phone.check.tools();
    const context = { ...phone.journal.call, callId: "call_1", caller: ANN, signal: phone.signal.signal };
    Object.assign(store, {
      append: async () => {
        throw new StoreError("The disk is full.");
      },
    });
    await expect(send?.execute({}, context)).rejects.toThrow("The disk is full.");
    expect(sent).toEqual([]);
  });
});

describe("the tools are offered", () => {
  const names = (tools: readonly { name: string }[]) => tools.map(({ name }) => name);

  test("to everybody who is not the owner yet", async () => {
    const { ring, code } = await openBench();
    const phone = await ring();
    expect(names(phone.check.tools())).toEqual(["send_owner_code", "check_owner_code"]);
    await phone.use("send_owner_code");
    await phone.use("check_owner_code", { code: code() });
    expect(phone.check.tools()).toEqual([]);
  });

  test("on no call of an account without an owner", async () => {
    const { ring } = await openBench();
    expect((await ring({ account: { id: "default" } })).check.tools()).toEqual([]);
  });

  test("where no message can be sent, not at all", async () => {
    const { ring } = await openBench();
    expect((await ring({ host: bareHost })).check.tools()).toEqual([]);
  });

  test("and a code is asked for before it is checked", async () => {
    const { ring } = await openBench();
    const phone = await ring();
    expect(await phone.use("check_owner_code")).toContain("No code waits for this call");
    expect(await phone.use("check_owner_code", { code: "123456" })).toContain("No code waits for this call");
  });
});
