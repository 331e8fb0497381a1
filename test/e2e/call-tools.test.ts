import { describe, expect, test } from "vitest";
import { mulawMs } from "../../src/audio/g711.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { CallHandoff } from "../../src/core/events.ts";
import type { OutgoingMessage } from "../../src/hosts/host.ts";
import type { VoiceChannelPlugin } from "../../src/plugin.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, BOB, ended, GREETING, OUR_NUMBER, types, type World, worlds } from "./world.ts";

const world = worlds();
const TELEGRAM = { channel: "telegram", to: "555" };

/** Ann rings; resolves when her call is over and stored. */
async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  return { report, call: await ending };
}

describe("end_call", () => {
  const GOODBYE = "It was nice to talk to you. Have a good day, and goodbye.";
  const mind: Mind = (turn) => {
    if (/open/i.test(turn.heard)) return [{ say: "Until five." }];
    return turn.toolResult ? [] : ruleMind([{ when: /bye/i, say: GOODBYE, call: "end_call" }])(turn);
  };

  /** What the carrier is told to do with calls, each with the caller's time when it was. */
  function orders(ours: World) {
    const at: number[] = [];
    ours.phones.faults.rest = ({ method, path }) => {
      if (method === "POST" && /Calls\/CA\w+\.json$/.test(path))
        at.push(ours.phones.calls[0]?.line.nowMs ?? Number.NaN);
      return undefined;
    };
    return at;
  }

  test("the goodbye is heard to its end before the carrier is told to hang up", async () => {
    const ours = await world({ mind });
    const hungUpAtMs = orders(ours);
    const { report, call } = await ring(ours, async (line) => {
      await line.hearReply();
      await line.say("That is all, bye.");
      await line.waitForEnd();
    });
    expect(call.endReason).toBe("agent_ended");
    expect(call.words.at(-1)).toBe(`agent: ${GOODBYE}`);
    const last = report.heardSegments.filter(({ startMs }) => startMs > (report.spoken[0]?.endMs ?? 0));
    const spokenMs = mulawMs((await ours.voice.speak(GOODBYE, { speaker: "slt" })).length);
    const heardMs = (last.at(-1)?.endMs ?? 0) - (last[0]?.startMs ?? 0);
    expect(heardMs).toBeGreaterThanOrEqual(spokenMs - 100); // its quiet edges
    expect(hungUpAtMs).toHaveLength(1);
    expect(hungUpAtMs[0]).toBeGreaterThanOrEqual(last.at(-1)?.endMs ?? Number.NaN);
    const written = types(call);
    expect(written.indexOf("tool.finished")).toBeLessThan(written.indexOf("end.requested"));
  });

  test("a caller who speaks over the goodbye keeps the call", async () => {
    const ours = await world({ mind });
    const hungUpAtMs = orders(ours);
    const { call } = await ring(ours, async (line) => {
      await line.hearReply();
      await line.say("That is all, bye.");
      await ours.model.sessions[0]?.untilSent("response.output_audio.delta", ours.model.sessions[0].sent.length);
      await line.pause(1_000);
      await line.say("Wait, when are you open?");
      await line.hearReply({ quietMs: 5_000 }); // the goodbye would have been over long ago
    });
    expect(call.endReason).toBe("caller_hangup");
    expect(call.words.slice(2)).toEqual([
      expect.stringMatching(/^agent: It was nice.* -$/),
      "caller: Wait, when are you open?",
      "agent: Until five.",
    ]);
    expect(hungUpAtMs).toEqual([]);
  });
});

describe("call_me_back", () => {
  const IN_MS = 5 * 60_000;
  /** It is looked for calls that are due every ten seconds. */
  const LOOKED_WITHIN_MS = 12_000;
  const NOTED = "It is noted.";
  const OPENING = "You asked me to ring.";
  const mind = ruleMind([
    { when: /ring me/i, call: "call_me_back", args: { when: "5", why: "the table for six" } },
    { when: "tool:call_me_back", say: NOTED },
    { when: "nothing", say: OPENING },
  ]);
  const open = () => world({ mind, speed: 8, settings: { store: "sqlite" } });
  const outbound = (ours: World) => ours.phones.calls.filter(({ direction }) => direction === "outbound-api");

  /** Ann asks for a call in five minutes, and the process ends. Resolves with when she asked. */
  async function askForCall(ours: World): Promise<number> {
    const noted = new Promise<void>((resolve) => {
      ours.plugin.on("transcript", ({ text }) => text === NOTED && resolve());
    });
    const { call } = await ring(ours, async (line) => {
      await line.hearReply();
      await line.say("Please ring me in five minutes.");
      await Promise.race([noted, line.waitForEnd()]);
    });
    await ours.plugin.stop();
    const asked = call.journal.find(({ event }) => event.type === "tool.called");
    expect(call.words.at(-1)).toBe(`agent: ${NOTED}`);
    return asked?.event.atMs ?? expect.fail("The tool was not called.");
  }

  /** A process that starts later: its clock shows `atMs` now. */
  async function processAt(ours: World, atMs: number, stateDir = ours.stateDir): Promise<VoiceChannelPlugin> {
    const aheadMs = atMs - ours.clock.now();
    const clock: Clock = { ...ours.clock, now: () => ours.clock.now() + aheadMs };
    const plugin = ours.another({ clock, stateDir });
    await plugin.start();
    await ours.routeTo(plugin);
    return plugin;
  }

  const passed = (ours: World, ms: number) => new Promise<void>((resolve) => void ours.clock.after(ms, resolve));

  test("the call is placed at its time, by whichever process lives then, and once", async () => {
    const ours = await open();
    ours.phones.addPerson(ANN, { script: (line) => line.hearReply() });
    const askedAtMs = await askForCall(ours);
    const next = await processAt(ours, askedAtMs + IN_MS - 15_000);
    const call = await new Promise<Parameters<typeof ended>[1]>((resolve) => next.once("ended", resolve));
    const { words, purpose, createdAtMs, to, direction } = await ended(next, call);
    expect(createdAtMs - askedAtMs).toBeGreaterThanOrEqual(IN_MS);
    expect(createdAtMs - askedAtMs).toBeLessThan(IN_MS + LOOKED_WITHIN_MS);
    expect({ to, direction, words }).toEqual({ to: ANN, direction: "outbound", words: [`agent: ${OPENING}`] });
    expect(purpose).toContain("the table for six");
    expect(JSON.stringify(ours.model.sessions.at(-1)?.config.instructions)).toContain("the table for six");
    await next.stop();
    const last = await processAt(ours, askedAtMs + IN_MS * 4);
    await passed(ours, LOOKED_WITHIN_MS);
    expect(outbound(ours)).toHaveLength(1);
    await last.stop();
  });

  test("a process that is killed while it rings: the next one does not dial again", async () => {
    const ours = await open();
    ours.phones.addPerson(ANN, { answerAfterMs: 60_000 });
    const askedAtMs = await askForCall(ours);
    const dying = await processAt(ours, askedAtMs + IN_MS - 2_000);
    const ringing = new Promise((resolve) => dying.once("ringing", resolve));
    await ringing;
    const state = await ours.snapshot();
    await dying.stop();
    const next = await processAt(ours, askedAtMs + IN_MS + 30_000, state);
    await passed(ours, LOOKED_WITHIN_MS);
    expect(outbound(ours)).toHaveLength(1);
    const { calls } = await next.calls();
    expect(calls.filter(({ direction }) => direction === "outbound")).toHaveLength(1);
    await next.stop();
  });
});

describe("what is said here and there", () => {
  test("what was said goes to the person's own channel when they ask for it on the call", async () => {
    const messages: OutgoingMessage[] = [];
    const handoffs: CallHandoff[] = [];
    const ours = await world({
      mind: ruleMind([
        { when: /open/i, say: "Until five." },
        { when: /telegram/i, call: "send_to_channel", args: { what: "summary", channel: "telegram" } },
      ]),
      host: {
        linked: () => [TELEGRAM],
        send: (address, message) => {
          expect(address).toEqual(TELEGRAM);
          messages.push(message);
          return {};
        },
      },
    });
    ours.plugin.on("handoff", (handoff) => handoffs.push(handoff));
    let sentDuringCall = 0;
    const { call } = await ring(ours, async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
      await line.say("Send that to my Telegram, please.");
      await line.hearReply();
      sentDuringCall = messages.length;
    });
    expect(sentDuringCall).toBe(1);
    expect(messages).toHaveLength(1);
    expect(messages[0]?.text).toContain("When are you open?");
    expect(messages[0]?.text).toContain("Until five.");
    expect(messages[0]?.text).toContain("You can go on with this here.");
    expect(handoffs).toEqual([{ ...TELEGRAM, text: messages[0]?.text }]);
    expect(call.journal.map(({ event }) => event)).toContainEqual(
      expect.objectContaining({ type: "handoff.made", ...TELEGRAM }),
    );
    expect(call.words.at(-1)).toBe("agent: It was sent to their own channel; they can go on with it there.");
  });

  const CHAT = "agent:main:telegram:direct:555";
  /** Opens with what the person wrote last, where it knows that. */
  const opener: Mind = (turn) => {
    const wrote = /they wrote: "([^"]+)"/.exec(turn.instructions)?.[1];
    return ruleMind([{ when: "nothing", say: wrote === undefined ? GREETING : `You wrote: ${wrote}` }])(turn);
  };

  test.each([
    ["somebody who is known", ANN, "agent: You wrote: My flight moved to nine."],
    ["a stranger, who is told nothing of it", BOB, `agent: ${GREETING}`],
  ])("a call that goes on with a text conversation opens knowing it: %s", async (_, to, opening) => {
    const asked: string[] = [];
    const ours = await world({
      mind: opener,
      host: {
        recentTurns: ({ sessionKey }) => {
          asked.push(sessionKey);
          return sessionKey === CHAT ? [{ role: "person", text: "My flight moved to nine.", atMs: 0 }] : [];
        },
      },
    });
    ours.phones.addPerson(to, { script: (line) => line.hearReply() });
    const ending = ours.nextEnd();
    await ours.plugin.placeCall({ to, continues: CHAT });
    const call = await ending;
    expect(call.words).toEqual([opening]);
    expect(asked.includes(CHAT)).toBe(to === ANN);
  });
});
