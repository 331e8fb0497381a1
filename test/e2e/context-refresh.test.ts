import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Trust } from "../../src/core/events.ts";
import type { Line } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, GREETING, OUR_NUMBER, worlds } from "./world.ts";

const world = worlds();
const BEFORE = "The safe is behind the mirror.";
const AFTER = "The safe is under the stairs.";
const LONG = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges and a great many more.";
/** Files are looked at every two seconds. */
const SEEN_WITHIN_MS = 6_000;

const mind: Mind = (turn) =>
  ruleMind([
    { when: /fruit/i, say: LONG },
    { when: /safe/i, say: /The safe is [a-z ]+\./.exec(turn.instructions)?.[0] ?? "I do not know." },
  ])(turn);

/** A caller of that trust asks for the fruit, and while they are told MEMORY.md changes. */
async function changeDuringCall(trust: Trust) {
  const workspaceDir = await mkdtemp(join(tmpdir(), "voice-workspace-"));
  onTestFinished(() => rm(workspaceDir, { recursive: true, force: true }));
  await writeFile(join(workspaceDir, "MEMORY.md"), `# Home\n\n${BEFORE}\n`);
  const ours = await world({
    mind,
    speed: 2, // files are read in real time
    host: { workspaceDir, admit: () => ({ allowed: true, reason: "allowlisted", trust }) },
  });
  const ending = ours.nextEnd();
  let toldAtMs = Number.NaN;
  const change = async (line: Line) => {
    const session = ours.model.sessions[0];
    const told = session?.untilReceived("session.update", session.received.length).then(
      () => {
        toldAtMs = line.nowMs;
      },
      () => {}, // the call ended without one
    );
    await writeFile(join(workspaceDir, "MEMORY.md"), `# Home\n\n${AFTER}\n`);
    await Promise.race([told, line.pause(SEEN_WITHIN_MS)]);
  };
  const report = await ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("What fruit do you have?");
      await line.waitForSpeech();
      await change(line);
      await line.waitForQuiet();
      await line.say("Where is the safe?");
      await line.hearReply();
    },
  }).ended;
  const call = await ending;
  const refreshed = call.journal.flatMap(({ event }) => (event.type === "context.refreshed" ? [event] : []));
  const updates = ours.model.sessions.flatMap(({ received }) =>
    received.filter(({ type }) => type === "session.update"),
  );
  return { report, call, toldAtMs, refreshed, updates, sessions: ours.model.sessions };
}

test("a memory file changes during the owner's call: the running model is told, and what it says is not cut", async () => {
  const { report, call, toldAtMs, refreshed, updates, sessions } = await changeDuringCall("owner");
  expect(sessions).toHaveLength(1);
  const instructions = updates.map((update) => JSON.stringify(update));
  expect(instructions[0]).toContain(BEFORE);
  expect(instructions.slice(1)).toEqual([expect.stringContaining(AFTER)]);
  expect(instructions.at(-1)).not.toContain(BEFORE);
  expect(refreshed).toEqual([expect.objectContaining({ because: expect.stringContaining("MEMORY.md") })]);
  // It came in the middle of a sentence, which was heard to its end.
  expect(report.heardSegments.some(({ startMs, endMs }) => startMs < toldAtMs && toldAtMs < endMs)).toBe(true);
  expect(call.journal.filter(({ event }) => event.type === "playout.cut")).toEqual([]);
  expect(call.words).toEqual([
    `agent: ${GREETING}`,
    "caller: What fruit do you have?",
    `agent: ${LONG}`,
    "caller: Where is the safe?",
    `agent: ${AFTER}`,
  ]);
});

test("a caller who is known by their number alone: nothing of the file reaches the model, before or after", async () => {
  const { call, refreshed, updates, sessions } = await changeDuringCall("known");
  expect(refreshed).toEqual([]);
  expect(updates).toHaveLength(1);
  const wire = JSON.stringify(sessions.map(({ received }) => received));
  expect(wire).not.toContain("The safe is");
  expect(call.words.at(-1)).toBe("agent: I do not know.");
});
