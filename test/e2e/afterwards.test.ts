import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { HostError } from "../../src/core/errors.ts";
import type { SessionRecord } from "../../src/hosts/host.ts";
import { standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, ended, GREETING, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /open/i, say: "Until five." }]);
const WORDS = [GREETING, "When are you open?", "Until five."];

async function talk(ours: World): Promise<void> {
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
    },
  });
  await call.ended;
}

/** What stands in all daily files of a workspace. */
async function notes(workspaceDir: string): Promise<string> {
  const files = await readdir(join(workspaceDir, "memory")).catch(() => []);
  return (await Promise.all(files.map((file) => readFile(join(workspaceDir, "memory", file), "utf8")))).join("\n");
}

const count = (text: string, words: string) => text.split(words).length - 1;

test("each turn is recorded once, and the call stands in the daily file once", async () => {
  const records: SessionRecord[] = [];
  const ours = await world({ mind });
  const workspaceDir = join(ours.stateDir, "workspace");
  await mkdir(workspaceDir);
  const host = standaloneHost({ logger: silentLogger, workspaceDir, record: (record) => void records.push(record) });
  const plugin = ours.another({ host });
  await plugin.start();
  await ours.routeTo(plugin);
  const ending = new Promise<{ callId: string }>((resolve) => plugin.once("ended", resolve));
  await talk(ours);
  const call = await ended(plugin, (await ending) as Parameters<typeof ended>[1]);
  await plugin.stop();
  expect(records.flatMap(({ entries }) => entries.map(({ text }) => text))).toEqual(WORDS);
  expect(records[0]).toMatchObject({ callId: call.callId, sessionKey: `voice:default:${ANN}`, trust: "known" });
  expect(count(await notes(workspaceDir), "When are you open?")).toBe(1);
});

test("a host that does not take the record at first is asked again", async () => {
  let attempts = 0;
  const texts: string[] = [];
  const ours = await world({
    mind,
    host: {
      record: ({ entries }) => {
        attempts += 1;
        if (attempts < 3) throw new HostError("The session is busy.");
        texts.push(...entries.map(({ text }) => text));
      },
    },
  });
  const ending = ours.nextEnd();
  await talk(ours);
  const { journal } = await ending;
  expect(attempts).toBe(3);
  expect(texts).toEqual(WORDS);
  expect(journal.filter(({ event }) => event.type === "session.recorded")).toHaveLength(1);
});

test("what was not done before a restart is done once after it", async () => {
  const ours = await world({
    mind,
    host: { record: () => new Promise<void>(() => {}) },
    settings: { store: "sqlite" },
  });
  const ending = new Promise((resolve) => ours.plugin.once("ended", resolve));
  await talk(ours);
  await ending;
  await ours.plugin.stop();
  const texts: string[] = [];
  const host = standaloneHost({
    logger: silentLogger,
    record: ({ entries }) => void texts.push(...entries.map(({ text }) => text)),
  });
  for (const _restart of [1, 2]) {
    const next = ours.another({ host });
    await next.start();
    const { calls } = await next.calls();
    const call = await ended(next, calls[0] as Parameters<typeof ended>[1]);
    expect(call.journal.filter(({ event }) => event.type === "session.recorded")).toHaveLength(1);
    await next.stop();
  }
  expect(texts).toEqual(WORDS);
});

test("calls that a dead process left open are closed with the carrier's word, and the living one is hung up", async () => {
  const ours = await world({ mind, settings: { store: "sqlite" } });
  const answered = () => new Promise<{ callId: string }>((resolve) => ours.plugin.once("answered", resolve));
  const first = answered();
  const over = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  const { callId: overId } = await first;
  const second = answered();
  const living = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  const { callId: livingId } = await second;

  // The other process knows only the store; the first one's caller has hung up before it starts.
  const store = await ours.snapshot();
  over.hangUp();
  await over.ended;
  const next = ours.another({ stateDir: store });
  await next.start();
  const state = async (callId: string) => (await next.call(callId)).endReason;
  await vi.waitFor(async () => expect(await state(overId)).toBe("caller_hangup"), { timeout: 5_000 });
  await vi.waitFor(async () => expect(await state(livingId)).toBe("lost"), { timeout: 5_000 });
  expect((await living.ended).status).toBe("completed");
});
