import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { HostError } from "../../src/core/errors.ts";
import { AFTERWARDS, type CallEvent } from "../../src/core/events.ts";
import type { OutgoingMessage, SessionRecord } from "../../src/hosts/host.ts";
import { type StandaloneHostOptions, standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import type { VoiceChannelPlugin } from "../../src/plugin.ts";
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

/** A call's events once all that comes after it is done. */
async function settled(plugin: VoiceChannelPlugin): Promise<readonly CallEvent[]> {
  return vi.waitFor(
    async () => {
      const { calls } = await plugin.calls();
      const events: CallEvent[] = [];
      for await (const { event } of plugin.follow(calls[0]?.callId ?? "", 0, AbortSignal.timeout(200)))
        events.push(event);
      expect(events.filter(({ type }) => type === "afterwards.done")).toHaveLength(AFTERWARDS.length);
      return events;
    },
    { timeout: 10_000 },
  );
}

const OUTCOME = JSON.stringify({
  summary: "Ann asked for the opening hours.",
  outcome: "She knows them.",
  commitments: [{ by: "agent", what: "pay her", due: null, turn: 3, quote: "I will pay you" }],
  needsAction: true,
});

/** An agent with other channels, a text model and sessions that it can be woken in. */
function agentHost(options: StandaloneHostOptions = {}) {
  const cards: OutgoingMessage[] = [];
  const wakes = new Map<string, string>();
  const host = standaloneHost({
    logger: silentLogger,
    complete: () => OUTCOME,
    send: (_address, message) => {
      cards.push(message);
      return {};
    },
    wake: (_session, { text, key }) => void wakes.set(key, text),
    ...options,
  });
  return { host, cards, wakes };
}

const owned = { owner: { channel: "telegram", to: "555" } };

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
  expect(count(await notes(workspaceDir), '"When are you open?"')).toBe(1); // a picked summary has it in single quotes
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

test("case 23: a call that a dead process left open is closed with the carrier's word, and counts as live no more", async () => {
  const ours = await world({ mind, settings: { store: "sqlite" }, account: { limits: { maxConcurrentCalls: 1 } } });
  const answered = new Promise<{ callId: string }>((resolve) => ours.plugin.once("answered", resolve));
  const over = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  const { callId } = await answered;
  // The other process knows only the store; the first one's caller has hung up before it starts.
  const stateDir = await ours.snapshot();
  over.hangUp();
  await over.ended;
  const next = ours.another({ stateDir });
  const closed = new Promise((resolve) => next.once("ended", resolve));
  await next.start();
  expect(await closed).toMatchObject({ callId, endReason: "caller_hangup" });
  await ours.routeTo(next);
  expect(await next.status()).toMatchObject({ liveCalls: 0 });
  const again = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.hearReply() }).ended;
  expect(again.streamEvents.streams).toBe(1);
});

test("case 29: what a call came to stands in the daily file and the owner's chat, and the agent is woken, once", async () => {
  const ours = await world({ mind, account: owned, settings: { store: "sqlite" } });
  await ours.plugin.stop();
  const workspaceDir = join(ours.stateDir, "workspace");
  await mkdir(workspaceDir);
  const { host, cards, wakes } = agentHost({ workspaceDir });
  const plugin = ours.another({ host });
  await plugin.start();
  await ours.routeTo(plugin);
  await talk(ours);
  const events = await settled(plugin);
  await plugin.stop();
  const again = ours.another({ host });
  await again.start();
  expect(await settled(again)).toEqual(events);

  expect(events.find(({ type }) => type === "outcome.found")).toMatchObject({ madeBy: "model", commitments: [] });
  expect(cards).toHaveLength(1);
  expect(cards[0]?.text).toContain('Outcome: "She knows them."');
  expect(cards[0]?.buttons?.map(({ label }) => label)).toEqual(["Call back"]);
  const note = await notes(workspaceDir);
  expect(count(note, 'Outcome: "She knows them."')).toBe(1);
  expect(count(note, "When are you open?")).toBe(1);
  expect(note).not.toContain("pay"); // nobody said it
  expect([...wakes.values()].filter((text) => text.includes("She knows them."))).toHaveLength(1);
});

test("a process that dies while the card is on its way has done the rest once, and the next one sends the card", async () => {
  const ours = await world({ mind, account: owned, settings: { store: "sqlite" } });
  await ours.plugin.stop();
  const workspaceDir = join(ours.stateDir, "workspace");
  await mkdir(workspaceDir);
  const texts: string[] = [];
  const record = ({ entries }: SessionRecord) => void texts.push(...entries.map(({ text }) => text));
  const sending = Promise.withResolvers<void>();
  const dying = agentHost({
    workspaceDir,
    record,
    send: () => {
      sending.resolve();
      return new Promise(() => {});
    },
  });
  const plugin = ours.another({ host: dying.host });
  await plugin.start();
  await ours.routeTo(plugin);
  await talk(ours);
  await sending.promise;
  const stateDir = await ours.snapshot();
  await plugin.stop();

  const living = agentHost({ workspaceDir, record });
  const next = ours.another({ host: living.host, stateDir });
  await next.start();
  const events = await settled(next);
  await next.stop();
  expect(texts).toEqual(WORDS);
  expect(count(await notes(workspaceDir), "<!-- voice:")).toBe(1);
  expect(living.cards.map(({ text }) => text)).toEqual([expect.stringContaining("She knows them.")]);
  expect([...dying.wakes, ...living.wakes]).toHaveLength(1);
  for (const type of ["session.recorded", "outcome.found", "memory.written"] as const)
    expect(events.filter((event) => event.type === type)).toHaveLength(1);
});
