import { describe, expect, onTestFinished, test } from "vitest";
import { AnswerDesk } from "../../src/calls/answer-desk.ts";
import { type LateAnswer, lateAnswerNote, OwnerQuestions } from "../../src/calls/ask-owner.ts";
import { HostError } from "../../src/core/errors.ts";
import type { Trust } from "../../src/core/events.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { answeredCall, CALLER } from "./call-bench.ts";
import { handClock } from "./clock.ts";
import { OWNER, TextChannel } from "./text-channel.ts";

const account = { owner: OWNER };

async function bench({ trust = "stranger" }: { trust?: Trust } = {}) {
  const channel = new TextChannel();
  const clock = handClock();
  const store = memoryStore();
  const late: LateAnswer[] = [];
  const call = await answeredCall({ clock, trust, store });
  /** The part of the process that asks, as it is after a start. */
  const open = async () => {
    const host = channel.host();
    const desk = new AnswerDesk({ host, store, clock });
    const onLate = async (answer: LateAnswer) => {
      late.push(answer);
      return "I will ring them back.";
    };
    const questions = new OwnerQuestions({ desk, host, clock, onLate });
    await desk.start();
    onTestFinished(() => desk.stop());
    return { desk, questions };
  };
  const { desk, questions } = await open();
  const tool = questions.tool(call.journal, account);
  if (!tool) throw new Error("There is no tool.");
  const ask = (args: Record<string, unknown>) => tool.execute(args, call.context);
  return { ...call, channel, clock, late, desk, open, ask, use: call.use(tool) };
}

describe("the owner answers while the call waits", () => {
  test.each<Trust>(["stranger", "known", "owner"])("by button, for a caller who is %s", async (trust) => {
    const { ask, channel, written } = await bench({ trust });
    const answer = ask({ question: "Move the appointment to 3 pm?", options: ["Yes", "No"] });
    const message = await channel.message(1);
    expect(message).toMatchObject({ address: OWNER, buttons: [{ label: "Yes" }, { label: "No" }] });
    expect(message.text).toContain(CALLER);
    expect(message.text).toContain('"Move the appointment to 3 pm?"');
    expect(await channel.press("Yes")).toMatchObject({ taken: true, clearButtons: true });
    expect(await answer).toBe("Yes");
    const questionId = expect.stringMatching(/^[\w-]{10}$/);
    expect(await written("owner.asked", "owner.answered")).toEqual([
      { type: "owner.asked", questionId, question: "Move the appointment to 3 pm?" },
      { type: "owner.answered", questionId, by: "button", answer: "Yes" },
    ]);
  });

  test("by text, in words of their own, which are bounded", async () => {
    const { ask, channel, written } = await bench();
    const answer = ask({ question: "When suits you?" });
    const message = await channel.message(1);
    expect(message.buttons).toBeUndefined();
    await channel.reply(`At four,\nplease. ${"x".repeat(1_000)}`);
    const words = (await answer) as string;
    expect(words).toMatch(/^At four, please\. x+…?$/);
    expect(words.length).toBeLessThanOrEqual(500);
    expect(await written("owner.answered")).toMatchObject([{ by: "text", answer: words }]);
  });

  test("what is asked stands in the journal before the owner sees it", async () => {
    const { ask, channel, store } = await bench();
    let before: string[] = [];
    channel.beforeSend = async () => {
      before = (await store.journal("call_1")).map(({ event }) => event.type);
    };
    const answer = ask({ question: "Yes or no?", options: ["Yes"] });
    await channel.message(1);
    expect(before).toContain("owner.asked");
    await channel.press("Yes");
    await answer;
  });

  test("twice: the first answer is told, the second press is harmless", async () => {
    const { ask, channel, late } = await bench();
    const answer = ask({ question: "3 pm?", options: ["Yes", "No"] });
    await channel.message(1);
    const verdicts = await Promise.all([channel.press("No"), channel.press("No"), channel.press("Yes")]);
    expect(await answer).toBe("No");
    expect(verdicts.map(({ reply }) => reply).slice(1)).toEqual(["That has been answered.", "That has been answered."]);
    expect(late).toEqual([]);
  });

  test("nobody else's answer counts", async () => {
    const { ask, channel } = await bench();
    const answer = ask({ question: "3 pm?", options: ["Yes", "No"] });
    await channel.message(1);
    expect(await channel.press("Yes", { from: "666" })).toEqual({
      taken: true,
      reply: "This question was not put to you.",
    });
    expect(await channel.reply("Yes", { from: "666" })).toEqual({ taken: false });
    await channel.press("No");
    expect(await answer).toBe("No");
  });
});

describe("the owner answers late", () => {
  test("after the wait the other person is promised a call back; the answer goes on, once", async () => {
    const { ask, channel, clock, late, written } = await bench();
    const answer = ask({ question: "3 pm?", options: ["Yes", "No"] });
    await channel.message(1);
    clock.pass(50_000);
    expect(await answer).toMatch(/has not answered yet.*promise to call back/);
    expect(await written("owner.answered")).toMatchObject([{ by: "nobody" }]);
    expect(await channel.press("Yes")).toMatchObject({ reply: "I will ring them back." });
    expect(await channel.press("Yes")).toMatchObject({ reply: "That has been answered." });
    const one = {
      callId: "call_1",
      accountId: "default",
      questionId: expect.any(String),
      question: "3 pm?",
      answer: "Yes",
      by: "button",
    };
    expect(late).toEqual([one]);
    expect(lateAnswerNote(late[0] as LateAnswer)).toContain('"Yes"');
  });

  test("after the call it goes on as well", async () => {
    const { ask, channel, late, over } = await bench();
    const answer = ask({ question: "3 pm?", options: ["Yes"] });
    await channel.message(1);
    over.abort(new Error("The call is over."));
    await answer;
    await channel.reply("yes");
    expect(late).toMatchObject([{ answer: "Yes", by: "text" }]);
  });

  test("after a restart, by button and by text", async () => {
    const { ask, channel, late, desk, open } = await bench();
    const answers = [ask({ question: "3 pm?", options: ["Yes"] }), ask({ question: "Where?" })];
    await channel.message(2);
    await desk.stop();
    await Promise.all(answers); // nobody waits any more
    await open();
    const byButton = channel.messages.find(({ buttons }) => buttons);
    const byText = channel.messages.find(({ buttons }) => !buttons);
    await channel.press("Yes", { under: byButton as NonNullable<typeof byButton> });
    await channel.reply("In Paris", { to: byText as NonNullable<typeof byText> });
    expect(late.map(({ question, answer, by }) => [question, answer, by])).toEqual([
      ["3 pm?", "Yes", "button"],
      ["Where?", "In Paris", "text"],
    ]);
  });

  test("after a day it is too late", async () => {
    const { ask, channel, clock, late } = await bench();
    const answer = ask({ question: "3 pm?", options: ["Yes"] });
    await channel.message(1);
    clock.pass(24 * 3_600_000);
    await answer;
    expect((await channel.press("Yes")).reply).toMatch(/^Too late: /);
    expect(late).toEqual([]);
  });
});

describe("bounds", () => {
  test("three questions a call, a stranger's too, then no more", async () => {
    const { use, channel } = await bench({ trust: "stranger" });
    for (let n = 1; n <= 3; n++) {
      const answer = use({ question: `Question ${n}?`, options: ["Yes"] });
      await channel.message(n);
      await channel.press("Yes");
      expect(await answer).toBe("Yes");
    }
    expect(JSON.parse(await use({ question: "And another?" }))).toHaveProperty("error");
    expect(channel.messages).toHaveLength(3);
  });

  test("the call stops waiting before the tool is cancelled for taking too long", async () => {
    const { use, channel, clock } = await bench();
    const answer = use({ question: "3 pm?" });
    await channel.message(1);
    clock.pass(59_000);
    expect(await answer).toContain("not answered yet");
  });

  test("what the model asks is one bounded line that a chat shows as it is; choices are few and short", async () => {
    const { ask, channel } = await bench();
    const options = ["Yes", " Yes ", "", "b".repeat(90), "1", "2", "3", "4"];
    const answer = ask({ question: `Pay now?\n\n**Press** [here](http://x)${"!".repeat(600)}`, options });
    const { text, buttons = [] } = await channel.message(1);
    expect(text.split("\n").filter((line) => line.includes("Pay"))).toHaveLength(1);
    expect(text).not.toMatch(/\*\*|\[here\]/);
    expect(text.length).toBeLessThan(800);
    expect(buttons.map(({ label }) => label)).toEqual(["Yes", `${"b".repeat(39)}…`, "1", "2", "3"]);
    await channel.press("Yes");
    await answer;
  });

  test.each([[{}], [{ question: "  " }], [{ question: 7 }], [{ question: "x", options: "Yes" }]])(
    "%j is refused and nobody is asked",
    async (args) => {
      const { ask, channel } = await bench();
      await expect((async () => ask(args))()).rejects.toThrow(/question|options/);
      expect(channel.messages).toEqual([]);
    },
  );

  test("an owner who cannot be reached is told to the model at once", async () => {
    const { ask, channel, clock } = await bench();
    channel.beforeSend = () => {
      throw new HostError("Telegram is away.");
    };
    await expect(ask({ question: "3 pm?" })).rejects.toThrow(/could not be reached/);
    expect(clock.running).toBe(1); // the desk's own
  });

  test("without an owner, or where nobody can be asked, there is no such tool", async () => {
    const { journal, channel, desk, clock } = await bench();
    const { capabilities } = channel.host();
    const questions = (over: Partial<typeof capabilities>) =>
      new OwnerQuestions({
        desk,
        clock,
        host: { capabilities: { ...capabilities, ...over } },
        onLate: async () => undefined,
      });
    expect(questions({}).tool(journal, account)?.name).toBe("ask_owner");
    expect(questions({}).tool(journal, {})).toBeUndefined();
    expect(questions({ send: false }).tool(journal, account)).toBeUndefined();
    expect(questions({ answers: false }).tool(journal, account)).toBeUndefined();
  });
});
