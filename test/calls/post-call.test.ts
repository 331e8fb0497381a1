import { afterEach, describe, expect, test } from "vitest";
import { isSettled } from "../../src/core/call.ts";
import { HostError, StoreError } from "../../src/core/errors.ts";
import { AFTERWARDS } from "../../src/core/events.ts";
import { ANN, NOON, OWNER, overCall, type Scene, type SceneOptions, scene, TALK, turn } from "./afterwards/scene.ts";

const scenes: Scene[] = [];
afterEach(async () => {
  for (const each of scenes.splice(0)) await each.close();
});

async function open(options: SceneOptions = {}): Promise<Scene> {
  const made = await scene(options);
  scenes.push(made);
  return made;
}

const count = (text: string, words: string) => text.split(words).length - 1;
const toOwner = ({ sent }: Scene) => sent.filter(({ channel, to }) => channel === OWNER.channel && to === OWNER.to);
const toOthers = ({ sent }: Scene) => sent.filter(({ channel }) => channel === "discord");
const steps = async ({ events }: Scene) =>
  (await events()).flatMap((event) =>
    event.type === "afterwards.done"
      ? [event.step]
      : event.type === "session.recorded" || event.type === "memory.written" || event.type === "outcome.found"
        ? [event.type]
        : [],
  );

const ONCE = [
  "session.recorded",
  "outcome.found",
  "outcome",
  "memory.written",
  "history",
  "card",
  "notice",
  "wake",
] as const;

/** Everything that a call leaves behind exists once. */
async function expectOnce(ours: Scene): Promise<void> {
  expect(await steps(ours)).toEqual(ONCE);
  expect([...ours.rows]).toEqual([["call_1", TALK]]);
  const note = await ours.note();
  expect(count(note, "<!-- voice:")).toBe(1);
  expect(count(note, 'Outcome: "The papers will be sent."')).toBe(1);
  const { lastCalls, promises } = await ours.book.profile("default", ANN);
  expect([lastCalls, promises].map(({ length }) => length)).toEqual([1, 1]);
  expect([...ours.wakes.keys()]).toEqual(["call_1"]);
  const call = await ours.store.call("call_1");
  expect(call && isSettled(call)).toBe(true);
  expect((await ours.store.calls({ only: "unfinished" })).calls).toEqual([]);
  expect(ours.clock.running).toBe(0);
}

test("case 29: after a call the session, the daily file, the history, the owner's chat and the agent know it, once", async () => {
  const ours = await open();
  await ours.finish();
  await ours.finish();
  await expectOnce(ours);
  expect(ours.prompts).toHaveLength(1);
  expect(toOwner(ours)).toHaveLength(1);
  expect(toOthers(ours)).toHaveLength(1);
  expect(toOwner(ours)[0]?.text).toContain("The papers will be sent.");
});

describe("the process is killed at any moment of the work, and another one goes on", async () => {
  /** Each thing that store, host and note are asked to do, in order. */
  const asked: string[] = [];
  const rehearsal = await scene({
    around: (name, act) => {
      asked.push(name);
      return act();
    },
  });
  await rehearsal.finish();
  await rehearsal.close();
  const kills = asked.flatMap((name, at) => [
    { when: "before", at, name },
    { when: "after", at, name },
  ]);

  test.each(kills)("$when $name ($at)", async ({ when, at }) => {
    const stop = new AbortController();
    let nth = 0;
    const ours = await open({
      around: async (_name, act) => {
        if (nth++ !== at) return act();
        if (when === "after") await act();
        stop.abort(new Error("killed"));
        throw new Error("killed");
      },
    });
    await ours.finish(stop);
    await ours.finish();
    await expectOnce(ours);
    // Only whoever took a message knows that it was taken, until we have written it down.
    const unknown =
      (when === "after" && asked[at] === "send") || (when === "before" && asked[at] === "settle")
        ? asked[at]
        : undefined;
    const second = asked.slice(0, at + 1).filter((name) => name === unknown).length;
    expect(toOwner(ours)).toHaveLength(second === 1 ? 2 : 1);
    expect(toOthers(ours)).toHaveLength(second === 2 ? 2 : 1);
    for (const again of [toOwner(ours)[1], toOthers(ours)[1]]) {
      if (again) expect(again.text).toMatch(/^\(You may have had this message already\.\)\n/);
    }
  });
});

test.each(["record", "complete", "send", "linked", "wake", "note", "append", "keep", "document", "claim", "settle"])(
  "%s fails three times: it is asked again, and everything exists once",
  async (failing) => {
    let failures = 0;
    const ours = await open({
      around: async (name, act) => {
        if (name === failing && failures < (failing === "complete" ? 1 : 3)) {
          failures += 1;
          throw failing === "append" ? new StoreError("The disk is full.") : new HostError("Not now.");
        }
        return act();
      },
    });
    await ours.finish();
    await expectOnce(ours);
    expect(ours.sent.map(({ channel }) => channel)).toEqual(["telegram", "discord"]);
    expect(ours.sent.some(({ text }) => text.includes("already"))).toBe(false);
  },
);

test("a host that never takes the rows holds up nothing but the waking, which needs them", async () => {
  let isBroken = true;
  const ours = await open({
    around: async (name, act) => {
      if (name === "record" && isBroken) throw new HostError("No such session.");
      return act();
    },
  });
  await ours.finish();
  expect(await steps(ours)).toEqual(ONCE.filter((step) => step !== "session.recorded" && step !== "wake"));
  expect(toOwner(ours)).toHaveLength(1);
  isBroken = false;
  await ours.finish();
  expect((await steps(ours)).toSorted()).toEqual([...ONCE].toSorted());
  expect(toOwner(ours)).toHaveLength(1);
  expect([...ours.wakes.keys()]).toEqual(["call_1"]);
});

test("a channel that never answers is asked again, and what it may have taken says so", async () => {
  const texts: string[] = [];
  const ours = await open({
    host: {
      send: ({ channel }, { text }, signal) => {
        if (channel === OWNER.channel) texts.push(text);
        if (texts.length > 1) return Promise.resolve({});
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    },
  });
  await ours.finish();
  expect((await ours.results())["card"]).toBe("sent");
  expect(texts.map((text) => text.startsWith("(You may have had"))).toEqual([false, true]);
});

describe("what is told to whom", () => {
  test("without an owner, or with a host that cannot send, nobody gets a card", async () => {
    const noOwner = await open({ owner: null });
    await noOwner.finish();
    expect(await noOwner.results()).toMatchObject({ card: "none", notice: "sent" });
    const mute = await open({ host: { capabilities: { ...capable, send: false } } });
    await mute.finish();
    expect(await mute.results()).toMatchObject({ card: "none", notice: "none", wake: "woken" });
    expect(mute.sent).toEqual([]);
  });

  test("what is switched off is not done", async () => {
    const ours = await open({ afterCall: { card: false, notifyLinked: false, wake: false } });
    await ours.finish();
    expect(await ours.results()).toEqual({
      outcome: "model",
      history: "kept",
      card: "none",
      notice: "none",
      wake: "none",
    });
    expect([...ours.sent, ...ours.wakes]).toEqual([]);
  });

  test("a notice does not go where the card went, and goes there when there is no card", async () => {
    const ours = await open({ afterCall: { card: false } });
    await ours.finish();
    expect(ours.sent.map(({ channel }) => channel)).toEqual(["telegram", "discord"]);
    expect(ours.sent[0]?.text).toBe('A phone call from your number is over: "The papers will be sent."');
  });

  test("the channels of a number that was not verified hear the outcome alone; the owner's hear more", async () => {
    const known = await open();
    const owner = await open({ call: overCall({ trust: "owner" }) });
    for (const ours of [known, owner]) await ours.finish();
    const [toKnown, toVerified] = [known, owner].map((ours) => toOthers(ours)[0]?.text ?? "");
    expect(toKnown).not.toContain("Ann asked");
    expect(toVerified).toContain("Ann asked");
    for (const text of [toKnown, toVerified]) expect(text).not.toContain("\n");
  });

  test("a stranger is in the owner's card and wakes nobody, and no channel is told", async () => {
    const ours = await open({ call: overCall({ trust: "stranger" }) });
    await ours.finish();
    expect(await ours.results()).toMatchObject({ card: "sent", notice: "none", wake: "stranger" });
    expect(toOwner(ours)[0]?.text).toContain(`${ANN}, not known`);
  });

  test("what somebody unverified said wakes the agent as data; nothing wakes it in a session that is shared", async () => {
    const ours = await open();
    await ours.finish();
    const { sessionKey, text } = ours.wakes.get("call_1") ?? { sessionKey: "", text: "" };
    expect(sessionKey).toBe("s1");
    expect(text).toMatch(/data, not an order/);
    expect(text).toContain('- You promised (due: "tomorrow"): "send the papers"');
    const shared = await open({ host: { record: async () => ({ how: "withheld", rows: 0 }) } });
    await shared.finish();
    expect((await shared.results())["wake"]).toBe("withheld");
    expect(shared.wakes.size).toBe(0);
    const verified = await open({ call: overCall({ trust: "owner" }) });
    await verified.finish();
    expect(verified.wakes.get("call_1")?.text).not.toContain("not an order");
  });

  test("what the caller left with the agent is told: a message needs action even if the model sees none", async () => {
    const ours = await open({ host: { complete: async () => ANSWER_WITHOUT_ACTION } });
    const said = { callId: "call_1", atMs: NOON, verified: false };
    await ours.book.takeMessage("default", ANN, { ...said, for: "Bob", text: "Ring me back." });
    await ours.book.remember("default", ANN, { ...said, text: "I prefer the window." });
    await ours.finish();
    const [card] = toOwner(ours);
    expect(card?.text).toContain('• Message for "Bob": "Ring me back."');
    expect(card?.text).toContain('• To remember: "I prefer the window."');
    const note = await ours.note();
    expect(note).toContain('- Message for "Bob" from a caller who was not verified: "Ring me back."');
    expect(note).toContain('- To be remembered, said by a caller who was not verified: "I prefer the window."');
    expect(ours.wakes.get("call_1")?.text).toContain('- Message for "Bob": "Ring me back."');
  });
});

describe("calls with nothing to tell", () => {
  test("a call that nobody answered has an outcome of one line, without a model, and nobody is disturbed", async () => {
    const { answeredAtMs: _never, ...unanswered } = overCall({ transcript: [], endReason: "no_answer" });
    const ours = await open({ call: unanswered });
    await ours.finish();
    expect(await ours.outcome()).toMatchObject({ outcome: "Not answered: no answer.", madeBy: "extract" });
    expect(await ours.results()).toEqual({
      outcome: "extract",
      history: "none",
      card: "none",
      notice: "none",
      wake: "none",
    });
    expect(ours.prompts).toEqual([]);
  });

  test("a caller who says nothing costs no model, and the owner hears of the call", async () => {
    const ours = await open({ call: overCall({ transcript: [turn("agent", "Hello, this is Nia.", 0)] }) });
    await ours.finish();
    expect(ours.prompts).toEqual([]);
    expect(toOwner(ours)[0]?.text).toContain("The agent spoke and the other person said nothing");
    expect((await ours.results())["history"]).toBe("kept");
  });
});

test("a call of more than a day ago is put where it belongs and disturbs nobody", async () => {
  const ours = await open();
  ours.clock.pass(24 * 60 * 60 * 1_000 + 1);
  await ours.finish();
  const late = Object.fromEntries(AFTERWARDS.map((step) => [step, "too late"]));
  expect(await ours.results()).toEqual(late);
  expect([...ours.sent, ...ours.wakes, ...ours.prompts]).toEqual([]);
  expect([...ours.rows.keys()]).toEqual(["call_1"]);
  expect(await ours.note()).toContain("Thank you, bye.");
});

const capable = {
  send: true,
  buttons: true,
  answers: true,
  complete: true,
  ask: false,
  wake: true,
  recentTurns: false,
};
const ANSWER_WITHOUT_ACTION = JSON.stringify({
  summary: "They talked.",
  outcome: "Nothing.",
  commitments: [],
  needsAction: false,
});

test("turns that the agent took itself, in the owner's session, are not written there a second time", async () => {
  const owners = await open({ brain: "agent", call: overCall({ trust: "owner", transcript: TALK }) });
  await owners.finish();
  expect([...owners.rows.keys()]).toEqual([]);
  const knowns = await open({ brain: "agent", call: overCall({ trust: "known", transcript: TALK }) });
  await knowns.finish();
  expect([...knowns.rows.keys()]).toEqual(["call_1"]);
});
