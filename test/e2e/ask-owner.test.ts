import { expect, test } from "vitest";
import type { AnswerVerdict, ChannelAnswer, OutgoingMessage } from "../../src/hosts/host.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { longestSilenceMs, toolRuns } from "./silence.ts";
import { BOB, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();
const OWNER = { channel: "telegram", to: "555" };
/** Where an owner is waited for in vain, and no sound is judged. */
const FAST = 10;
/** Two seconds are promised; the tests of the silence say it to the frame. */
const BRIDGED_MS = 2_200;
const ASKING = "I will ask. One moment.";
const NOT_YET = "They will call you back.";

/** Asks the owner about tables, and says what the tool tells; a late answer it is told to tell it tells word for word. */
const mind: Mind = (turn) => {
  const { toolResult } = turn;
  if (toolResult?.output.includes("not answered yet")) return [{ say: NOT_YET }];
  return ruleMind([
    {
      when: /table/i,
      say: ASKING,
      call: "ask_owner",
      args: { question: "A table for six tonight?", options: ["Yes", "No"] },
    },
    { when: "tool:ask_owner", say: `They say: ${toolResult?.output}` },
  ])(turn);
};

/** The owner's chat: what comes into it, and what the owner does there. */
function ownersChat() {
  const messages: OutgoingMessage[] = [];
  const waiting: PromiseWithResolvers<OutgoingMessage>[] = [];
  let listener: ((answer: ChannelAnswer) => Promise<AnswerVerdict>) | undefined;
  const give = (answer: Pick<ChannelAnswer, "how" | "value"> & Partial<ChannelAnswer>): Promise<AnswerVerdict> =>
    listener?.({ channel: OWNER.channel, from: OWNER.to, ...answer }) ?? expect.fail("Nobody listens to answers.");
  return {
    messages,
    /** The next message that comes. */
    next(): Promise<OutgoingMessage> {
      const next = Promise.withResolvers<OutgoingMessage>();
      waiting.push(next);
      return next.promise;
    },
    press: (label: string, from = OWNER.to) => {
      const value = messages.at(-1)?.buttons?.find((button) => button.label === label)?.value ?? "none";
      return give({ how: "button", value, from });
    },
    write: (value: string, from = OWNER.to) => give({ how: "text", value, from, inReplyTo: `m${messages.length}` }),
    host: {
      send(_: unknown, message: OutgoingMessage) {
        messages.push(message);
        waiting.shift()?.resolve(message);
        return { messageId: `m${messages.length}` };
      },
      answers(told: (answer: ChannelAnswer) => Promise<AnswerVerdict>) {
        listener = told;
        return () => {
          listener = undefined;
        };
      },
    },
  };
}

async function open(speed = 6) {
  const chat = ownersChat();
  const ours = await world({
    mind,
    speed,
    account: { dmPolicy: "open", owner: OWNER, afterCall: { card: false, wake: false } },
    host: chat.host,
  });
  return { ours, chat };
}

/** A stranger rings; resolves when the call is over and stored. */
async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: BOB, to: OUR_NUMBER, script }).ended;
  const call = await ending;
  const answers = call.journal.flatMap(({ event }) => (event.type === "owner.answered" ? [event] : []));
  return { report, call, answers };
}

/** Resolves when the agent has said that much, to the end of the sentence. */
function saidBy(ours: World, part: string): Promise<void> {
  return new Promise((resolve) => {
    const look = ({ text, speaker }: { text: string; speaker: string }) => {
      if (speaker !== "agent" || !text.includes(part)) return;
      ours.plugin.off("transcript", look);
      resolve();
    };
    ours.plugin.on("transcript", look);
  });
}

test("the owner presses a button: nobody else's counts, a second press changes nothing, and the caller hears it", async () => {
  const { ours, chat } = await open();
  const verdicts: AnswerVerdict[] = [];
  const asked = chat.next().then(async () => {
    verdicts.push(await chat.press("No", "666"));
    await new Promise<void>((resolve) => void ours.clock.after(5_000, resolve)); // the owner thinks
    verdicts.push(await chat.press("Yes"), await chat.press("Yes"), await chat.press("No"), await chat.write("No"));
  });
  const heard = saidBy(ours, "They say");
  const { report, call, answers } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("A table for six, please.");
    await Promise.race([heard, line.waitForEnd()]);
    await line.waitForQuiet();
  });
  await asked;
  expect(chat.messages).toEqual([
    {
      text: expect.stringMatching(/\+15550009999 .*not known.*\n.*A table for six tonight\?/),
      buttons: [expect.objectContaining({ label: "Yes" }), expect.objectContaining({ label: "No" })],
    },
  ]);
  expect(verdicts.map(({ reply }) => reply)).toEqual([
    "This question was not put to you.",
    "Thank you.",
    "That has been answered.",
    "That has been answered.",
    "That has been answered.",
  ]);
  expect(verdicts.every(({ taken }) => taken)).toBe(true);
  expect(answers).toEqual([expect.objectContaining({ by: "button", answer: "Yes" })]);
  expect(call.words).toContain(`agent: ${ASKING}`);
  expect(call.words.filter((line) => line.includes("They say"))).toEqual(["agent: They say: Yes"]);
  expect(longestSilenceMs(report.wav, toolRuns(call.journal))).toBeLessThanOrEqual(BRIDGED_MS);
});

test("the owner writes: the words that refer to the question are its answer, and another's are not", async () => {
  const { ours, chat } = await open();
  const verdicts: AnswerVerdict[] = [];
  const asked = chat.next().then(async () => {
    verdicts.push(await chat.write("Never.", "666"), await chat.write("At nine."), await chat.write("No, at ten."));
  });
  const heard = saidBy(ours, "They say");
  const { call, answers } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("A table for six, please.");
    await Promise.race([heard, line.waitForEnd()]);
    await line.waitForQuiet();
  });
  await asked;
  expect(verdicts).toEqual([
    { taken: false }, // it goes where that person's messages go
    expect.objectContaining({ taken: true, reply: "Thank you." }),
    expect.objectContaining({ taken: true, reply: "That has been answered." }),
  ]);
  expect(answers).toEqual([expect.objectContaining({ by: "text", answer: "At nine." })]);
  expect(call.words.filter((line) => line.includes("They say"))).toEqual(["agent: They say: At nine."]);
});

test("an answer that is late: the call promises it, and it is told as a turn of its own, once", async () => {
  const { ours, chat } = await open(FAST);
  const told = saidBy(ours, NOT_YET);
  const verdicts: AnswerVerdict[] = [];
  const late = told.then(async () => {
    verdicts.push(await chat.press("No"), await chat.press("No"));
  });
  const heard = saidBy(ours, "No");
  const { call, answers } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("A table for six, please.");
    await Promise.race([heard, line.waitForEnd()]);
    await line.waitForQuiet();
  });
  await late;
  expect(verdicts.map(({ reply }) => reply)).toEqual(["I am telling them now.", "That has been answered."]);
  expect(answers.map(({ by, answer }) => [by, answer])).toEqual([
    ["nobody", undefined],
    ["button", "No"],
  ]);
  expect(call.words.filter((line) => [`agent: ${NOT_YET}`, "agent: No"].includes(line))).toEqual([
    `agent: ${NOT_YET}`,
    "agent: No",
  ]);
});

test("an answer after the call: the other person is rung once and told, however often it is pressed", async () => {
  const { ours, chat } = await open(FAST);
  const told = saidBy(ours, NOT_YET);
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("A table for six, please.");
    await Promise.race([told, line.waitForEnd()]);
  });
  ours.phones.addPerson(BOB, { script: (line) => line.hearReply() });
  const ending = ours.nextEnd();
  const replies = [await chat.press("Yes"), await chat.press("Yes")].map(({ reply }) => reply);
  expect(replies).toEqual(["I will ring them now.", "That has been answered."]);
  const back = await ending;
  expect(back).toMatchObject({ direction: "outbound", to: BOB, purpose: expect.stringContaining('The answer: "Yes"') });
  expect(back.callId).not.toBe(call.callId);
  expect(ours.phones.calls.filter(({ direction }) => direction === "outbound-api")).toHaveLength(1);
  expect(JSON.stringify(ours.model.sessions.at(-1)?.config.instructions)).toContain("The answer");
});
