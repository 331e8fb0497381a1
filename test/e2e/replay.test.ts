import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type Flight, flightFiles, flightsDir, readFlight } from "../../src/calls/flight/file.ts";
import { replayFlight } from "../../src/calls/flight/replay.ts";
import { runCli } from "../../src/cli/program.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { tamperings } from "../calls/flight/tampering.ts";
import { CapturedTerminal } from "../cli/terminal.ts";
import { ANN, OUR_NUMBER, type World, type WorldOptions, worlds } from "./world.ts";

const world = worlds();
const FRUIT = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges, bananas and a great many more.";
const RAIN = "It rains in Berlin until the evening.";
const HOUR_MS = 3_600_000;
const mind = ruleMind([
  { when: /fruit/i, say: FRUIT },
  { when: /stop/i, say: "All right." },
  { when: /weather/i, say: "Let me look.", call: "ask_openclaw", args: { request: "What is the weather?" } },
  { when: "tool:ask_openclaw", say: RAIN },
]);
const options: WorldOptions = { mind, host: { consult: async () => RAIN }, speed: 4 };

/** A caller who asks, interrupts and presses keys. */
const talk: PersonScript = async (line) => {
  await line.hearReply();
  await line.say("How is the weather?");
  await line.hearReply({ quietMs: 1_500 });
  await line.say("What fruit do you have?");
  await line.waitForSpeech();
  await line.pause(1_500);
  await line.say("Stop, please, I want nothing.");
  await line.hearReply();
  await line.press("4242#");
  await line.pause(1_500);
};

async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  return ending;
}

/** The records of a call, once they are packed. */
async function records(ours: World, callId: string): Promise<{ file: string; flight: Flight }[]> {
  const files = await flightFiles(flightsDir(ours.stateDir), callId);
  return Promise.all(
    files.map(async (file) => {
      const whole = async () => {
        const flight = await readFlight(file);
        expect(flight.items.at(-1)?.kind).toBe("end");
        return flight;
      };
      return { file, flight: await vi.waitFor(whole, { timeout: 3_000 }) };
    }),
  );
}

test("a call is replayed as it was decided, and each of 200 changes of what came in is reported where it is", async () => {
  const ours = await world(options);
  const call = await ring(ours, talk);
  expect(call.words.at(-1)).toMatch(/^agent: /);
  const [{ file, flight } = { file: "", flight: undefined }] = await records(ours, call.callId);
  if (!flight) throw new Error("the call left no record");
  const report = await replayFlight(flight);
  expect(report).toMatchObject({ complete: true });
  expect(report.divergence).toBeUndefined();
  expect(report.commands).toBeGreaterThan(500);

  const { mode, size } = await stat(file);
  expect(mode & 0o777).toBe(0o600);
  expect(size).toBeLessThan((1_000_000 * report.durationMs) / HOUR_MS + 10_000); // the beginning is no part of the rate

  const wrong: string[] = [];
  for (const { items, at, what } of tamperings(flight.items, 200, 20_261_121)) {
    const { divergence } = await replayFlight({ ...flight, items });
    const item = divergence?.item ?? -1;
    if (item < at.from || item > at.until) wrong.push(`${what}: reported at ${item}, not ${at.from} to ${at.until}`);
  }
  expect(wrong).toEqual([]);

  // Decisions alone, without the sums, tell every input from which something followed at once that was lost.
  const missed: string[] = [];
  for (const { items, at, what } of tamperings(flight.items, 200, 7).filter(({ what }) => what.startsWith("dropped"))) {
    const followed = ["command", "leg-audio", "session-audio"].includes(items[at.from]?.kind ?? "");
    const { divergence } = await replayFlight({ ...flight, items }, { checks: false });
    const item = divergence?.item ?? -1;
    if (followed && (divergence?.what !== "decision" || item < at.from || item > at.until)) missed.push(what);
  }
  expect(missed).toEqual([]);
});

test("the command goes through a call's record, says where it parts, and gives it away without ids", async () => {
  const ours = await world(options);
  const { callId } = await ring(ours, talk);
  const [{ flight } = { flight: undefined }] = await records(ours, callId);
  if (!flight) throw new Error("the call left no record");
  const run = async (...args: string[]) => {
    const terminal = new CapturedTerminal({});
    const code = await runCli(["replay", ...args], terminal);
    return { code, out: terminal.output, err: terminal.errors };
  };
  const shown = await run(callId, "--state-dir", ours.stateDir);
  expect(shown.code).toBe(0);
  expect(shown.out.at(-1)).toMatch(/^The same was decided: \d+ things came in, \d+ went out\.$/);
  expect(shown.out.join("\n")).toMatch(/\d\.\d{3} s {2}caller {3}is heard for \d+ ms/);

  const exported = join(ours.stateDir, "bug.flight");
  expect((await run(callId, "--state-dir", ours.stateDir, "--export", exported)).code).toBe(0);
  const given = await readFlight(exported);
  expect(given.items.some(({ kind }) => kind === "id")).toBe(false);
  expect(given.header.callId).toBeUndefined();
  const again = await run(exported, "--json");
  expect(again.code).toBe(0);
  expect(JSON.parse(again.out[0] as string)).toMatchObject({ complete: true, file: exported });

  const none = await run("call_none", "--state-dir", ours.stateDir);
  expect({ code: none.code, err: none.err[0] }).toEqual({
    code: 1,
    err: expect.stringContaining("no record of call_none"),
  });
});

test("a call over two processes and three sessions of the model leaves two records, which both are replayed", async () => {
  const ours = await world({ ...options, settings: { store: "sqlite" } });
  ours.model.faults.dropAfterMs = 8_000;
  const next = ours.another();
  const ending = new Promise<string>((resolve) => next.once("ended", ({ callId }) => resolve(callId)));
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("What fruit do you have?");
      await line.waitForSpeech();
      await line.pause(4_000); // the session is lost meanwhile
      const stream = call.stream?.sid;
      delete ours.model.faults.dropAfterMs;
      await ours.plugin.stop();
      await line.waitForSpeech(); // the carrier asks them to wait
      await next.start();
      await ours.routeTo(next);
      await expect.poll(() => call.stream?.sid ?? stream, { timeout: 20_000, interval: 20 }).not.toBe(stream);
      await line.waitForSpeech();
      await line.waitForQuiet();
      await line.say("How is the weather?");
      await line.hearReply();
    },
  });
  await call.ended;
  const both = await records(ours, await ending);
  expect(both).toHaveLength(2);
  expect(ours.model.sessions.length).toBeGreaterThanOrEqual(3);
  for (const { flight } of both) expect((await replayFlight(flight)).divergence).toBeUndefined();
});
