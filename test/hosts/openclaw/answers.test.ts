import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { describe, expect, test } from "vitest";
import type { AnswerVerdict, ChannelAnswer } from "../../../src/hosts/host.ts";
import { answerListeners } from "../../../src/hosts/openclaw/answer-listeners.ts";
import { registerAnswers, type TakeAnswer } from "../../../src/hosts/openclaw/answers.ts";
import { VoiceRuntime } from "../../../src/hosts/openclaw/runtime.ts";
import { silentLogger } from "../../../src/logger.ts";
import { handClock } from "../../calls/clock.ts";

type Handler = (event: object, context?: object) => Promise<unknown>;

/** What the host knows of the plugin once it is loaded, with an account whose owner is in Matrix. */
function load(take: TakeAnswer) {
  const presses = new Map<string, Handler>();
  let texts: Handler = async () => undefined;
  const warnings: string[] = [];
  const clock = handClock();
  const api = {
    config: { channels: { voice: { accounts: { desk: { owner: { channel: "Matrix", to: "@ann" } } } } } },
    logger: { warn: (line: string) => warnings.push(line) },
    registerInteractiveHandler: ({ channel, namespace, handler }: Record<string, unknown>) =>
      presses.set(`${namespace} in ${channel}`, handler as Handler),
    on: (_: string, handler: Handler) => {
      texts = handler;
    },
  };
  registerAnswers(api as unknown as OpenClawPluginApi, take, clock);
  const press = presses.get("ocv in telegram") as Handler;
  const write = (event: object) => texts({ channel: "telegram", senderId: "555", ...event }, {});
  return { presses, press, write, warnings, clock };
}

/** A press, and what the person sees of it. */
function pressing(more: object = {}) {
  const seen: string[] = [];
  const context = {
    channel: "telegram",
    senderId: "555",
    auth: { isAuthorizedSender: true },
    callback: { data: "ocv:q1:yes", payload: "q1:yes", messageId: 7 },
    respond: {
      reply: async ({ text }: { text: string }) => void seen.push(text),
      clearButtons: async () => void seen.push("(buttons gone)"),
    },
    ...more,
  };
  return { context, seen };
}

/** Listens, and answers with `verdict`. */
function listening(verdict: AnswerVerdict = { taken: true }) {
  const heard: ChannelAnswer[] = [];
  const take: TakeAnswer = async (answer) => {
    heard.push(answer);
    return verdict;
  };
  return { heard, take };
}

const silentWaiting: TakeAnswer = () => new Promise(() => {});
const closed: TakeAnswer = async () => undefined;
const refusing: TakeAnswer = async () => ({ taken: false });
const broken: TakeAnswer = () => Promise.reject(new Error("boom"));

test("presses are awaited where owners are, and where most of them would be", () => {
  const { presses } = load(silentWaiting);
  expect([...presses.keys()]).toEqual(["ocv in telegram", "ocv in discord", "ocv in matrix"]);
});

describe("a press", () => {
  test("is told with its value and its message; what it led to is said, and the buttons go", async () => {
    const { heard, take } = listening({ taken: true, reply: "Noted.", clearButtons: true });
    const { context, seen } = pressing();
    expect(await load(take).press(context)).toEqual({ handled: true });
    expect(heard).toEqual([{ channel: "telegram", from: "555", how: "button", value: "q1:yes", inReplyTo: "7" }]);
    expect(seen).toEqual(["Noted.", "(buttons gone)"]);
  });

  test("in a channel that names it otherwise is told as well", async () => {
    const { heard, take } = listening();
    const { context } = pressing({ channel: "discord", callback: undefined, interaction: { payload: "q1:no" } });
    await load(take).press(context);
    expect(heard).toEqual([{ channel: "discord", from: "555", how: "button", value: "q1:no" }]);
  });

  test.each([
    ["nobody wants", refusing, /not open any more/],
    ["comes while the channel is closed", closed, /right now/],
    ["breaks what takes it", broken, /right now/],
  ] as const)("that %s is answered politely and never reaches the agent", async (_, take, words) => {
    const { context, seen } = pressing();
    expect(await load(take).press(context)).toEqual({ handled: true });
    expect(seen).toEqual([expect.stringMatching(words)]);
  });

  test("that nobody answers within two seconds lets its person go", async () => {
    const { press, clock } = load(silentWaiting);
    const { context, seen } = pressing();
    const done = press(context);
    clock.pass(2_000);
    expect(await done).toEqual({ handled: true });
    expect(seen).toEqual([expect.stringContaining("press again")]);
    expect(clock.running).toBe(0);
  });

  test("of somebody whom the channel does not let in is told to nobody", async () => {
    const { heard, take } = listening();
    const { context } = pressing({ auth: { isAuthorizedSender: false } });
    expect(await load(take).press(context)).toEqual({ handled: true });
    expect(heard).toEqual([]);
  });

  test("never throws, whatever the channel hands over or fails to do", async () => {
    const { take } = listening({ taken: true, reply: "Noted.", clearButtons: true });
    const gone = async () => {
      throw new Error("the chat is gone");
    };
    const { press, warnings } = load(take);
    for (const context of [undefined, {}, pressing({ respond: { reply: gone, clearButtons: gone } }).context]) {
      expect(await press(context as object)).toEqual({ handled: true });
    }
    expect(warnings.length).toBeGreaterThan(0);
  });
});

describe("a text", () => {
  test("that replies to a message is told, and kept from the agent when it is taken", async () => {
    const { heard, take } = listening({ taken: true, reply: "Thanks." });
    const { write } = load(take);
    expect(await write({ content: " At eight. ", replyToId: "7" })).toEqual({ handled: true, text: "Thanks." });
    expect(heard).toEqual([{ channel: "telegram", from: "555", how: "text", value: "At eight.", inReplyTo: "7" }]);
  });

  test.each([
    ["no reply", { content: "hello" }],
    ["a command", { content: "/status", replyToId: "7" }],
    ["a press that nobody took", { content: "callback_data: ocv:q1:yes", replyToId: "7" }],
    ["nothing", { content: "  ", replyToId: "7" }],
    ["a turn of our own channel", { content: "hello", replyToId: "7", channel: "voice" }],
  ])("that is %s is the agent's alone", async (_, event) => {
    const { heard, take } = listening();
    expect(await load(take).write(event)).toBeUndefined();
    expect(heard).toEqual([]);
  });

  test.each([
    ["is not wanted", refusing],
    ["comes while the channel is closed", closed],
    ["breaks what takes it", broken],
  ] as const)("that %s goes on to the agent", async (_, take) => {
    expect(await load(take).write({ content: "At eight.", replyToId: "7" })).toBeUndefined();
  });

  test("that nobody answers within two seconds goes on to the agent", async () => {
    const { write, clock } = load(silentWaiting);
    const done = write({ content: "At eight.", replyToId: "7" });
    clock.pass(2_000);
    expect(await done).toBeUndefined();
  });
});

test("a channel that was never opened takes nothing, and says so at once", async () => {
  const { answer } = new VoiceRuntime(handClock());
  expect(await answer({ channel: "telegram", from: "555", how: "button", value: "q1:yes" })).toBeUndefined();
});

describe("those who listen", () => {
  const answer: ChannelAnswer = { channel: "telegram", from: "555", how: "text", value: "yes" };

  test("are asked until one takes the answer, and no more once they have left", async () => {
    const asked: string[] = [];
    const listeners = answerListeners(silentLogger);
    const listen = (name: string, taken: boolean) =>
      listeners.add(async () => {
        asked.push(name);
        return { taken };
      });
    const leave = listen("first", false);
    listen("second", true);
    listen("third", true);
    expect(await listeners.tell(answer)).toEqual({ taken: true });
    leave();
    await listeners.tell(answer);
    expect(asked).toEqual(["first", "second", "second"]);
  });

  test("and fail leave it to the others; when nobody takes it, that it failed is known", async () => {
    const listeners = answerListeners(silentLogger);
    listeners.add(() => Promise.reject(new Error("boom")));
    expect(await listeners.tell(answer)).toBeUndefined();
    listeners.add(async () => ({ taken: true }));
    expect(await listeners.tell(answer)).toEqual({ taken: true });
  });

  test("when nobody listens nothing is taken", async () => {
    expect(await answerListeners(silentLogger).tell(answer)).toEqual({ taken: false });
  });
});
