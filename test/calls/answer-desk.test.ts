import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AnswerDesk, type AnswerHandler, questionIdFor } from "../../src/calls/answer-desk.ts";
import type { QuestionOrder } from "../../src/calls/question-book.ts";
import { HostError, StoreError } from "../../src/core/errors.ts";
import type { Question } from "../../src/core/questions.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { handClock } from "./clock.ts";
import { OWNER, TextChannel } from "./text-channel.ts";

const HOUR = 3_600_000;
const never = new AbortController().signal;
const order: QuestionOrder = {
  accountId: "default",
  callId: "call_1",
  kind: "ask",
  address: OWNER,
  text: "Move to 3 pm?",
  options: ["Yes", "No"],
  openForMs: HOUR,
};

async function bench({ store = memoryStore(), channel = new TextChannel(), clock = handClock() } = {}) {
  await store.start();
  const start = async (handlers: Partial<Record<Question["kind"], AnswerHandler>> = {}, over: Partial<Store> = {}) => {
    const desk = new AnswerDesk({ host: channel.host(), store: { ...store, ...over }, clock });
    for (const [kind, handler] of Object.entries(handlers)) desk.on(kind as Question["kind"], handler);
    await desk.start();
    onTestFinished(async () => {
      await desk.stop();
      expect([channel.listeners.size, clock.running]).toEqual([0, 0]);
    });
    return desk;
  };
  const question = async (id: string) => (await store.document<Question>("question", id))?.value;
  return { store, channel, clock, start, question };
}

describe("asking", () => {
  test("a question is written down before it is sent, with buttons that fit, and the message is noted", async () => {
    const { store, channel, start, question } = await bench();
    const desk = await start();
    let written: unknown;
    channel.beforeSend = async () => {
      written = (await store.documents<Question>("question"))[0]?.value;
    };
    const { id } = await desk.ask(order);
    expect(written).toMatchObject({ id, state: "open", sent: false, text: order.text });
    expect(id).toMatch(/^[\w-]{10}$/);
    expect(channel.last).toMatchObject({
      address: OWNER,
      text: "Move to 3 pm?",
      buttons: [
        { label: "Yes", value: `q:${id}:0` },
        { label: "No", value: `q:${id}:1` },
      ],
    });
    expect(await question(id)).toMatchObject({ sent: true, messageId: "m1" });
  });

  test("what the channel did not take was not asked", async () => {
    const { store, channel, start } = await bench();
    const desk = await start();
    channel.beforeSend = () => {
      throw new HostError("Telegram is away.");
    };
    await expect(desk.ask(order)).rejects.toThrow("Telegram is away.");
    expect(await store.documents("question")).toEqual([]);
  });

  test("a step that is taken twice asks once, also over a restart", async () => {
    const { channel, start } = await bench();
    const id = questionIdFor("card", "call_1");
    const desk = await start();
    await desk.ask({ ...order, id });
    await desk.ask({ ...order, id });
    await desk.stop();
    await (await start()).ask({ ...order, id });
    expect(channel.messages).toHaveLength(1);
    expect(id).toMatch(/^[\w-]{10}$/);
    expect(questionIdFor("card", "call_2")).not.toBe(id);
  });

  test("one that was written down but never sent is sent by the next try", async () => {
    const { channel, start, question, store } = await bench();
    const id = questionIdFor("card", "call_1");
    const { openForMs: _, ...facts } = order;
    const unsent: Question = {
      ...facts,
      id,
      sent: false,
      state: "open",
      done: false,
      askedAtMs: 1_000_000,
      expiresAtMs: 2_000_000,
    };
    await store.keep("question", id, unsent, 0);
    await (await start()).ask({ ...order, id });
    expect(channel.messages).toHaveLength(1);
    expect(await question(id)).toMatchObject({ sent: true });
  });

  test("where there are no buttons the message says what to reply", async () => {
    const { channel, store, clock } = await bench();
    const { capabilities } = channel.host();
    const host = channel.host({ capabilities: { ...capabilities, buttons: false } });
    const desk = new AnswerDesk({ host, store, clock });
    await desk.start();
    await desk.ask(order);
    expect(channel.last.buttons).toBeUndefined();
    expect(channel.last.text).toContain("Yes, No");
    expect(await channel.reply("yes")).toMatchObject({ taken: true, reply: "Thank you." });
    await desk.stop();
  });

  test("more than ten options are refused before anything is sent", async () => {
    const { channel, start } = await bench();
    const options = Array.from({ length: 11 }, (_, n) => `${n}`);
    await expect((await start()).ask({ ...order, options })).rejects.toThrow(/10 at most/);
    expect(channel.messages).toEqual([]);
  });
});

describe("answers", () => {
  test("whoever waits gets the answer, by button; the handler does not", async () => {
    const ask = vi.fn<AnswerHandler>();
    const { channel, start, question } = await bench();
    const desk = await start({ ask });
    const id = desk.newId();
    const waiting = desk.waitFor(id, 60_000, never);
    await desk.ask({ ...order, id });
    expect(await channel.press("No")).toEqual({ taken: true, reply: "Thank you.", clearButtons: true });
    expect(await waiting).toMatchObject({ answer: "No", option: 1, by: "button", callId: "call_1" });
    expect(await question(id)).toMatchObject({ state: "answered", answer: "No", done: true });
    expect(ask).not.toHaveBeenCalled();
  });

  test("a reply in words answers the question that it refers to", async () => {
    const { channel, start } = await bench();
    const desk = await start();
    const [first, second] = [desk.newId(), desk.newId()];
    const waiting = [desk.waitFor(first, 60_000, never), desk.waitFor(second, 60_000, never)];
    await desk.ask({ ...order, id: first, options: [] });
    const asked = channel.last;
    await desk.ask({ ...order, id: second, options: [] });
    await channel.reply("At four, please");
    await channel.reply("Not today", { to: asked });
    const [one, two] = await Promise.all(waiting);
    expect([one?.answer, two?.answer, one?.by]).toEqual(["Not today", "At four, please", "text"]);
  });

  test("a press that comes before the channel has said that it took the message counts", async () => {
    const { channel, start, question, store } = await bench();
    const desk = await start();
    const id = desk.newId();
    const waiting = desk.waitFor(id, 60_000, never);
    channel.beforeSend = async () => {
      expect(await store.document("question", id)).toBeDefined();
      await channel.tell({ channel: "telegram", from: "555", how: "button", value: `q:${id}:0` });
    };
    await desk.ask({ ...order, id });
    expect(await waiting).toMatchObject({ answer: "Yes" });
    expect(await question(id)).toMatchObject({ state: "answered", sent: true, messageId: "m1" });
  });

  test.each([
    ["the same press told twice", ["Yes", "Yes"]],
    ["another button afterwards", ["Yes", "No"]],
  ])("%s changes nothing and is answered politely", async (_, labels) => {
    const ask = vi.fn<AnswerHandler>(async () => "I will tell them.");
    const { channel, start, question } = await bench();
    const desk = await start({ ask });
    const { id } = await desk.ask(order);
    const verdicts = [];
    for (const label of labels) verdicts.push(await channel.press(label));
    verdicts.push(await channel.reply("Or maybe not"));
    const repeated = { taken: true, reply: "That has been answered.", clearButtons: true };
    expect(verdicts).toEqual([{ taken: true, reply: "I will tell them.", clearButtons: true }, repeated, repeated]);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(await question(id)).toMatchObject({ answer: "Yes" });
  });

  test("of two presses at once one counts", async () => {
    const ask = vi.fn<AnswerHandler>(async () => undefined);
    const { channel, start, question } = await bench();
    const desk = await start({ ask });
    const { id } = await desk.ask(order);
    const verdicts = await Promise.all([channel.press("Yes"), channel.press("No"), channel.press("Yes")]);
    expect(verdicts.map(({ reply }) => reply).sort()).toEqual(
      ["Thank you.", "That has been answered.", "That has been answered."].sort(),
    );
    expect(ask).toHaveBeenCalledTimes(1);
    expect((await question(id))?.answer).toBe(ask.mock.calls[0]?.[0].answer);
  });

  test("once its time is over an answer is too late, whether or not anybody has looked", async () => {
    const ask = vi.fn<AnswerHandler>();
    const { channel, clock, start, question } = await bench();
    const desk = await start({ ask });
    const { id } = await desk.ask(order);
    clock.pass(HOUR);
    const verdict = await channel.press("Yes");
    expect(verdict).toEqual({ taken: true, reply: expect.stringMatching(/^Too late: /), clearButtons: true });
    expect(await question(id)).toMatchObject({ state: "expired" });
    expect(ask).not.toHaveBeenCalled();
  });

  test("the clock closes a question that nobody answers", async () => {
    const { clock, start, question } = await bench();
    const { id } = await (await start()).ask(order);
    clock.pass(HOUR);
    await vi.waitFor(async () => {
      clock.pass(60_000);
      expect((await question(id))?.state).toBe("expired");
    });
  });

  test("nobody else answers it, neither by button nor by reply, and it stays open", async () => {
    const { channel, start, question } = await bench();
    const { id } = await (await start()).ask(order);
    const said = { taken: true, reply: "This question was not put to you." };
    expect(await channel.press("Yes", { from: "666" })).toEqual(said);
    expect(await channel.press("Yes", { channel: "discord" })).toEqual(said);
    expect(await channel.reply("Yes", { from: "666" })).toEqual({ taken: false });
    expect(await question(id)).toMatchObject({ state: "open" });
    expect(await channel.press("Yes")).toMatchObject({ reply: "Thank you." });
  });

  test("a button of ours that nobody knows is taken and told; whatever else is not ours is left alone", async () => {
    const { channel, start } = await bench();
    await (await start()).ask({ ...order, options: [] });
    const tell = (how: "button" | "text", value: string, inReplyTo?: string) =>
      channel.tell({ channel: "telegram", from: "555", how, value, ...(inReplyTo !== undefined && { inReplyTo }) });
    expect(await tell("button", "q:unknown:0")).toEqual({
      taken: true,
      reply: "That is no longer open.",
      clearButtons: true,
    });
    expect(await tell("button", "other:thing")).toEqual({ taken: false });
    expect(await tell("text", "hello agent")).toEqual({ taken: false });
    expect(await tell("text", "hello agent", "m99")).toEqual({ taken: false });
    expect(await tell("text", "/status", "m1")).toEqual({ taken: false });
    expect(await tell("text", "  ", "m1")).toEqual({ taken: false });
  });

  test("what is not ours goes on to who takes the rest", async () => {
    const { channel, store, clock } = await bench();
    const desk = new AnswerDesk({ host: channel.host(), store, clock });
    const rest: string[] = [];
    desk.otherwise(async ({ value }) => {
      rest.push(value);
      if (value === "bad") throw new Error("no such thing");
      return { taken: true, reply: "Done." };
    });
    await desk.start();
    await desk.ask(order);
    await channel.press("Yes");
    const tell = (value: string) => channel.tell({ channel: "telegram", from: "555", how: "button", value });
    expect(await tell("cb:1")).toEqual({ taken: true, reply: "Done." });
    expect(await tell("bad")).toEqual({ taken: false });
    expect(rest).toEqual(["cb:1", "bad"]);
    await desk.stop();
  });

  test("a reply that comes before the channel has named the message waits for that", async () => {
    const { channel, start } = await bench();
    const desk = await start();
    const id = desk.newId();
    const waiting = desk.waitFor(id, 60_000, never);
    const asked = desk.ask({ ...order, id });
    await channel.message(1);
    expect(await channel.reply("no")).toMatchObject({ reply: "Thank you." });
    expect(await waiting).toMatchObject({ answer: "No", by: "text" });
    await asked;
  });

  test("words that are no button leave a question of buttons open", async () => {
    const { channel, start } = await bench();
    await (await start()).ask({ ...order, kind: "link" });
    const verdict = await channel.reply("who?");
    expect(verdict).toEqual({ taken: true, reply: expect.stringContaining("buttons") });
    expect(await channel.reply("yes")).toMatchObject({ reply: "Thank you." });
  });
});

describe("a restart", () => {
  test("between question and answer loses neither, by button or by reply, and the answer counts once", async () => {
    const { channel, start } = await bench();
    const before = await start();
    await before.ask({ ...order, options: [] });
    await before.ask(order);
    await before.stop();
    const told: string[] = [];
    await start({ ask: async ({ answer, callId }) => void told.push(`${callId}: ${answer}`) });
    expect(await channel.press("Yes")).toMatchObject({ reply: "Thank you." });
    expect(await channel.reply("At four", { to: await channel.message(1) })).toMatchObject({ reply: "Thank you." });
    expect(await channel.press("Yes")).toMatchObject({ reply: "That has been answered." });
    expect(told).toEqual(["call_1: Yes", "call_1: At four"]);
  });

  test("between the answer and what follows from it carries that out, once", async () => {
    const { channel, start, question } = await bench();
    const failing = await start({ ask: () => Promise.reject(new Error("killed")) });
    const { id } = await failing.ask(order);
    expect(await channel.press("Yes")).toMatchObject({ reply: expect.stringContaining("could not be carried out") });
    await failing.stop();
    const done = vi.fn<AnswerHandler>(async () => undefined);
    await start({ ask: done });
    await vi.waitFor(async () => expect(await question(id)).toMatchObject({ done: true }));
    await channel.press("Yes");
    expect(done).toHaveBeenCalledTimes(1);
    expect(done.mock.calls[0]?.[0]).toMatchObject({ id, answer: "Yes" });
  });

  test("a press that is told again while its consequence is due carries it out, and is no second answer", async () => {
    const { channel, start } = await bench();
    const ask = vi.fn<AnswerHandler>().mockRejectedValueOnce(new Error("no disk")).mockResolvedValueOnce("Done.");
    await (await start({ ask })).ask(order);
    await channel.press("Yes");
    expect(await channel.press("No")).toMatchObject({ reply: "That has been answered." });
    expect(ask.mock.calls.map(([{ answer }]) => answer)).toEqual(["Yes", "Yes"]);
  });

  test("questions of a month ago are forgotten", async () => {
    const { channel, clock, start, store } = await bench();
    await (await start()).ask(order);
    clock.pass(30 * 24 * HOUR);
    await vi.waitFor(async () => {
      clock.pass(60_000);
      expect(await store.documents("question")).toEqual([]);
    });
    expect(await channel.press("Yes")).toMatchObject({ taken: true, reply: "That is no longer open." });
  });
});

describe("what may go wrong", () => {
  test("a store that fails is told to whoever answered, who may try again; nothing is thrown", async () => {
    const { channel, start, store } = await bench();
    let broken = false;
    const keep: Store["keep"] = (...args) =>
      broken ? Promise.reject(new StoreError("The disk is full.")) : store.keep(...args);
    const desk = await start({}, { keep });
    await desk.ask(order);
    broken = true;
    expect(await channel.press("Yes")).toEqual({ taken: true, reply: expect.stringContaining("try again") });
    expect(await channel.reply("yes")).toEqual({ taken: true, reply: expect.stringContaining("try again") });
    broken = false;
    expect(await channel.press("Yes")).toMatchObject({ reply: "Thank you." });
  });

  test("what takes long goes on without the person who pressed", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { channel, clock, start, question } = await bench();
    const started = Promise.withResolvers<void>();
    const ask: AnswerHandler = () => {
      started.resolve();
      return promise;
    };
    const { id } = await (await start({ ask })).ask(order);
    const pressed = channel.press("Yes");
    await started.promise;
    clock.pass(1_200);
    expect(await pressed).toEqual({ taken: true, reply: "Thank you.", clearButtons: true });
    expect(await question(id)).toMatchObject({ done: false });
    resolve("Called.");
    await vi.waitFor(async () => expect(await question(id)).toMatchObject({ done: true }));
  });

  test("who waits is let go by time, by their signal and by the end, and no timer stays", async () => {
    const { clock, start } = await bench();
    const desk = await start();
    const abort = new AbortController();
    const waits = [
      desk.waitFor("a", 1_000, never),
      desk.waitFor("b", 9_000, abort.signal),
      desk.waitFor("c", 9_000, never),
    ];
    clock.pass(1_000);
    expect(await waits[0]).toBeUndefined();
    abort.abort();
    expect(await waits[1]).toBeUndefined();
    await desk.stop();
    expect(await waits[2]).toBeUndefined();
    expect(await desk.waitFor("d", 9_000, never)).toBeUndefined();
    expect(clock.running).toBe(0);
  });
});
