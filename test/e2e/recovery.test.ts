import { describe, expect, test } from "vitest";
import type { Line, PhoneCall, PhoneNetwork } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { toldHistory } from "./told-history.ts";
import { ANN, BOB, ended, GREETING, OUR_NUMBER, PUBLIC_URL, types, type World, worlds } from "./world.ts";

const world = worlds();
const HOURS = "We are open from nine to five.";
const BACK = "I am back. Where were we?";
const SATURDAY = "On Saturdays until noon.";

const mind = ruleMind([
  { when: /saturday/i, say: SATURDAY },
  { when: /open/i, say: HOURS },
  { when: "otherwise", say: BACK },
]);

/** Ann asks, something happens to the line, and she goes on when she is spoken to again. */
function interruptedCall(ours: World, happens: (line: Line) => Promise<void>) {
  return ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
      await happens(line);
      await line.say("And on Saturday?");
      await line.hearReply();
    },
  });
}

const WORDS = [
  `agent: ${GREETING}`,
  "caller: When are you open?",
  `agent: ${HOURS}`,
  `agent: ${BACK}`,
  "caller: And on Saturday?",
  `agent: ${SATURDAY}`,
];

/** Resolves when another media stream stands open than there was. */
async function nextStream(call: PhoneCall, before: string | undefined): Promise<void> {
  await expect.poll(() => call.stream?.sid ?? before, { timeout: 20_000, interval: 20 }).not.toBe(before);
}

describe("a call that lives when its process ends", () => {
  test("a stop lets it go, and the next process goes on with it: nobody is hung up on", async () => {
    const ours = await world({ mind, settings: { store: "sqlite" } });
    const next = ours.another();
    const ending = new Promise<Parameters<typeof ended>[1]>((resolve) => next.once("ended", resolve));
    const call = interruptedCall(ours, async (line) => {
      const stream = call.stream?.sid;
      await ours.plugin.stop();
      await line.waitForSpeech(); // the carrier asks them to wait
      await next.start();
      await ours.routeTo(next);
      const again = line.nowMs;
      await nextStream(call, stream);
      await line.waitForSpeech();
      expect(line.nowMs - again).toBeLessThan(5_000);
      await line.waitForQuiet();
    });
    const report = await call.ended;
    const { words, journal, ...facts } = await ended(next, await ending);
    expect(words).toEqual(WORDS);
    expect(facts).toMatchObject({ endReason: "caller_hangup", state: "ended" });
    expect(report.streamEvents.streams).toBe(2);
    const names = types({ words, journal, ...facts } as never);
    expect(names.filter((name) => /^call\./.test(name))).toEqual([
      "call.created",
      "call.released",
      "call.resumed",
      "call.ended",
    ]);
    expect(toldHistory(ours.model)).toEqual([GREETING, "When are you open?", HOURS]);
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_, index) => index + 1));
  });

  test("a leg that ended meanwhile is closed with the carrier's reason, and takes up no line", async () => {
    const ours = await world({ mind, settings: { store: "sqlite" }, account: { limits: { maxConcurrentCalls: 1 } } });
    const call = ours.phones.ring({
      from: ANN,
      to: OUR_NUMBER,
      script: async (line) => {
        await line.hearReply();
        await ours.plugin.stop();
      },
    });
    await call.ended;
    const next = ours.another();
    const ending = new Promise<Parameters<typeof ended>[1]>((resolve) => next.once("ended", resolve));
    await next.start();
    await ours.routeTo(next);
    const { journal, endReason } = await ended(next, await ending);
    expect(endReason).toBe("caller_hangup");
    expect(journal.filter(({ event }) => event.type === "call.ended")).toHaveLength(1);
    const again = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.hearReply() }).ended;
    expect(again.streamEvents.streams).toBe(1);
  });

  test("while the carrier's API is away the leg comes back by itself, and goes on", async () => {
    const ours = await world({ mind, settings: { store: "sqlite" }, speed: 8 });
    const next = ours.another();
    const ending = new Promise<Parameters<typeof ended>[1]>((resolve) => next.once("ended", resolve));
    const call = interruptedCall(ours, async (line) => {
      const stream = call.stream?.sid;
      await ours.plugin.stop();
      ours.phones.faults.rest = () => ({ error: { status: 503, code: 20_500 } });
      await next.start();
      await ours.routeTo(next);
      await nextStream(call, stream);
      await line.hearReply();
      delete ours.phones.faults.rest;
    });
    const report = await call.ended;
    const { words, journal } = await ended(next, await ending);
    expect(words).toEqual(WORDS);
    expect(report.requests.map(({ kind }) => kind)).toContain("redirect");
    expect(journal).toContainEqual(
      expect.objectContaining({ event: expect.objectContaining({ type: "call.resumed", how: "returned" }) }),
    );
  });

  describe("while it placed a call, of which it then knew no leg,", () => {
    /** A call to BOB whose order arrived and whose answer did not; the process that placed it is gone. */
    async function placed(bob: Parameters<PhoneNetwork["addPerson"]>[1]) {
      const ours = await world({ mind, settings: { store: "sqlite" } });
      ours.phones.addPerson(BOB, bob);
      ours.phones.faults.rest = ({ method }) => (method === "POST" ? { loseAnswer: true } : {});
      ours.routes[PUBLIC_URL] = "http://127.0.0.1:9"; // nobody is there
      await expect(ours.plugin.placeCall({ to: BOB, message: GREETING })).rejects.toMatchObject({
        code: "carrier_unreachable",
      });
      delete ours.phones.faults.rest;
      const stateDir = await ours.snapshot();
      await ours.plugin.stop();
      const next = ours.another({ stateDir });
      const ending = new Promise<Parameters<typeof ended>[1]>((resolve) => next.once("ended", resolve));
      return { ours, next, over: async () => ended(next, await ending) };
    }

    test("who picks up after the next start is talked to, also while the carrier is slow to say which leg it is", async () => {
      const { ours, next, over } = await placed({
        answerAfterMs: 6_000,
        script: async (line: Line) => {
          await line.hearReply();
          await line.say("When are you open?");
          await line.hearReply();
        },
      });
      ours.phones.faults.rest = ({ path }) => (path.endsWith("/Calls.json") ? { delayMs: 20_000 } : {});
      await next.start();
      await ours.routeTo(next);
      const { words, endReason, journal } = await over();
      delete ours.phones.faults.rest;
      expect(words).toEqual([`agent: ${GREETING}`, "caller: When are you open?", `agent: ${HOURS}`]);
      expect(endReason).toBe("callee_hangup");
      const legs = journal.flatMap(({ event }) => (event.type === "leg.accepted" ? [event.legId] : []));
      expect(new Set(legs)).toEqual(new Set(ours.phones.calls.map(({ sid }) => sid)));
    });

    test("whom it could not reach is told by the carrier, though its message was lost", async () => {
      const { ours, next, over } = await placed({ outcome: "busy" });
      await expect.poll(() => ours.phones.calls.map(({ status }) => status)).toEqual(["busy"]);
      await next.start();
      const { endReason, journal } = await over();
      expect(endReason).toBe("busy");
      expect(journal.filter(({ event }) => event.type === "call.ended")).toHaveLength(1);
    });
  });

  test("an outbound call that nobody has answered is hung up by a stop", async () => {
    const ours = await world({ mind });
    ours.phones.addPerson(BOB, { answerAfterMs: 60_000 });
    const ending = ours.nextEnd();
    await ours.plugin.placeCall({ to: BOB });
    await ours.plugin.stop();
    expect(await ending).toMatchObject({ endReason: "shutdown", state: "ended" });
  });
});

describe("a call whose media breaks while its process lives", () => {
  test("goes on in a new stream, with a model that knows what was said", async () => {
    const ours = await world({ mind });
    const ending = ours.nextEnd();
    const call = interruptedCall(ours, async (line) => {
      const stream = call.stream?.sid;
      call.stream?.reset();
      await nextStream(call, stream);
      await line.hearReply();
    });
    const report = await call.ended;
    const { words, endReason } = await ending;
    expect(words).toEqual(WORDS);
    expect(endReason).toBe("caller_hangup");
    expect(report.streamEvents.streams).toBe(2);
  });

  test("case 25: a call without media is reaped, a long talk is not", async () => {
    const ours = await world({ mind, speed: 20 });
    const ending = ours.nextEnd();
    const call = ours.phones.ring({
      from: ANN,
      to: OUR_NUMBER,
      script: async (line) => {
        await line.hearReply();
        for (let turn = 0; turn < 14; turn++) {
          await line.say("When are you open?");
          await line.hearReply();
          await line.pause(6_000);
        }
        ours.phones.faults.stream = () => ({ freezeAfterMs: 0 });
        call.stream?.freeze();
        await line.waitForEnd();
      },
    });
    const { durationMs } = await call.ended;
    const { journal, endReason, words } = await ending;
    expect(words.filter((line) => line === `agent: ${HOURS}`)).toHaveLength(14);
    expect(durationMs).toBeGreaterThan(123_000);
    expect(endReason).toBe("lost");
    expect(journal.filter(({ event }) => event.type === "call.resumed").length).toBeGreaterThan(0);
  });
});

describe("the end of a call", () => {
  const hangsUp = async (line: Line) => {
    await line.hearReply();
    await line.say("When are you open?");
    await line.hearReply();
  };

  test.each([
    ["media alone", { webhook: ({ kind }: { kind: string }) => (kind === "status" ? { lose: true } : undefined) }],
    ["messages and media, twice and late", { webhook: () => ({ copies: 2, delayMs: 300 }) }],
  ])("case 27: told by %s, it is one end", async (_, faults) => {
    const ours = await world({ mind });
    const ending = ours.nextEnd();
    const call = ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: hangsUp });
    await call.streaming();
    Object.assign(ours.phones.faults, faults);
    const report = await call.ended;
    const { journal, endReason } = await ending;
    expect(endReason).toBe("caller_hangup");
    expect(journal.filter(({ event }) => event.type === "call.ended")).toHaveLength(1);
    expect(report.status).toBe("completed");
  });

  test("case 28: a call that is over is found, by this process and by the next", async () => {
    const ours = await world({ mind, settings: { store: "sqlite" } });
    const ending = ours.nextEnd();
    await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: hangsUp }).ended;
    const { callId } = await ending;
    const here = await ours.plugin.call(callId);
    expect(here).toMatchObject({ state: "ended", endReason: "caller_hangup" });
    await ours.plugin.stop();
    const next = ours.another();
    await next.start();
    expect(await next.call(callId)).toEqual(here);
    expect((await next.endCall(callId)).confirmed).toBe(true);
  });
});

test("drained, it takes no call and lets the one that runs come to its end", async () => {
  const ours = await world({ mind });
  const ending = ours.nextEnd();
  const draining = Promise.withResolvers<Promise<void>[]>();
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      draining.resolve([ours.plugin.drain(60_000)]);
      await line.say("When are you open?");
      await line.hearReply();
    },
  });
  const [drained] = await draining.promise;
  const refused = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.waitForEnd() }).ended;
  expect(refused.streamEvents.streams).toBe(0);
  await expect(ours.plugin.placeCall({ to: BOB, message: GREETING })).rejects.toMatchObject({ code: "not_running" });
  await call.ended;
  await drained;
  expect(await ending).toMatchObject({ endReason: "caller_hangup" });
});
