import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, vi } from "vitest";
import type { CallSummary } from "../../src/core/call.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { JournalEntry } from "../../src/core/events.ts";
import { type StandaloneHostOptions, standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import type { VoiceChannelOptions } from "../../src/plugin/options.ts";
import { VoiceChannelPlugin } from "../../src/plugin.ts";
import type { Store } from "../../src/stores/store.ts";
import { scriptEars, taughtVoice } from "../../src/testing/ears.ts";
import {
  type PhoneNetwork,
  type PhoneNetworkOptions,
  startPhoneNetwork,
} from "../../src/testing/phone-network/index.ts";
import {
  type Mind,
  type SpeechModel,
  type SpeechModelOptions,
  startSpeechModel,
} from "../../src/testing/speech-model/index.ts";
import { steadyClock } from "../../src/testing/steady-clock.ts";
import { fliteVoice, type Voice } from "../../src/testing/voice.ts";
import { watchTimers } from "../watched-timers.ts";

export const OUR_NUMBER = "+15550001234";
export const ANN = "+15550005678";
export const BOB = "+15550009999";
export const PUBLIC_URL = "https://voice.example.com";
export const GREETING = "Hello, this is Nia.";

const FINAL = ["completed", "busy", "failed", "no-answer", "canceled"];

export interface WorldOptions {
  readonly mind: Mind;
  /** Times real time; 1 for tests that judge sound. */
  readonly speed?: number;
  readonly account?: Record<string, unknown>;
  readonly settings?: Record<string, unknown>;
  readonly host?: StandaloneHostOptions;
  readonly model?: Partial<SpeechModelOptions>;
  readonly phones?: Partial<PhoneNetworkOptions>;
  readonly tools?: VoiceChannelOptions["tools"];
  readonly store?: Store;
  /** Whether the plugin can ask the world for itself: the public address leads to where it is routed. */
  readonly fetch?: boolean;
}

/** A telephone network, a speech model and our plugin between them, all over real sockets on loopback. */
export interface World {
  readonly clock: Clock;
  readonly phones: PhoneNetwork;
  readonly model: SpeechModel;
  readonly voice: Voice;
  readonly plugin: VoiceChannelPlugin;
  readonly stateDir: string;
  /** Base URL of our listener. */
  readonly url: string;
  /** Where the network delivers requests to a public URL. */
  readonly routes: Record<string, string>;
  readonly account: Record<string, unknown>;
  /** A further plugin over the same state, with the same clock; it stops with the world, if not before. */
  another(options?: Partial<VoiceChannelOptions>): VoiceChannelPlugin;
  /** Lets the network reach a plugin's listener as the public URL. */
  routeTo(plugin: VoiceChannelPlugin): Promise<void>;
  /** A copy of the state as a process that is killed now would leave it. */
  snapshot(): Promise<string>;
  /** The next call that ends, with its journal. */
  nextEnd(): Promise<EndedCall>;
  /** Stops everything and fails when anything is left. */
  stop(): Promise<void>;
}

export interface EndedCall extends CallSummary {
  /** `speaker: text` of each turn; a cut turn ends in a dash. */
  readonly words: readonly string[];
  readonly journal: readonly JournalEntry[];
}

const ears = scriptEars();
const flite = fliteVoice();
const taught = taughtVoice(flite, ears);

/** Starts worlds that end with their test; what is left of one then fails that test. */
export function worlds(): (options: WorldOptions) => Promise<World> {
  const open: World[] = [];
  afterEach(async () => {
    for (const world of open.splice(0)) await world.stop();
  });
  afterAll(() => flite.close());
  return async (options) => {
    const world = await startWorld(options);
    open.push(world);
    return world;
  };
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const baseline = sockets();
  const clock = steadyClock({ speed: options.speed ?? 6 });
  const watched = watchTimers(clock);
  // Who speaks needs the machine's time for it, and no time of the call's.
  const voice: Voice = { speak: (text, by) => clock.during(taught.speak(text, by)) };
  const stateDir = await mkdtemp(join(tmpdir(), "voice-world-"));
  const folders = [stateDir];
  const model = await startSpeechModel({ clock, voice, ears, mind: options.mind, apiKey: "sk-test", ...options.model });
  const routes: Record<string, string> = {};
  const phones = await startPhoneNetwork({ clock, voice, routes, ...options.phones });
  const account = {
    number: OUR_NUMBER,
    carrier: { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url },
    engine: { apiKey: "sk-test", baseUrl: model.url },
    persona: { name: "Nia", greeting: GREETING },
    allowFrom: [ANN],
    ...options.account,
  };
  const settings = {
    publicUrl: PUBLIC_URL,
    listen: { port: 0 },
    store: "memory",
    accounts: { default: account },
    ...options.settings,
  };
  const plugins: VoiceChannelPlugin[] = [];
  const another = (more: Partial<VoiceChannelOptions> = {}) => {
    const made = new VoiceChannelPlugin({
      config: settings,
      stateDir,
      clock: watched.clock,
      host: standaloneHost({ logger: silentLogger, ...options.host }),
      ...(options.tools && { tools: options.tools }),
      ...(options.store && { store: options.store }),
      ...(options.fetch && {
        fetch: (url, init) => fetch(String(url).replace(PUBLIC_URL, routes[PUBLIC_URL] ?? ""), init),
      }),
      ...more,
    });
    plugins.push(made);
    return made;
  };
  const routeTo = async (target: VoiceChannelPlugin): Promise<void> => {
    const { listening } = await target.status();
    routes[PUBLIC_URL] = `http://127.0.0.1:${listening?.port}`;
  };
  const plugin = another();
  await plugin.start();
  await routeTo(plugin);
  phones.addNumber(OUR_NUMBER, { voiceUrl: `${PUBLIC_URL}/twilio/default/voice` });

  return {
    clock,
    phones,
    model,
    voice,
    plugin,
    stateDir,
    account,
    another,
    routes,
    routeTo,
    url: routes[PUBLIC_URL] as string,
    async snapshot() {
      const copy = await mkdtemp(join(tmpdir(), "voice-copy-"));
      folders.push(copy);
      await cp(stateDir, copy, { recursive: true });
      return copy;
    },
    nextEnd: () =>
      new Promise((resolve) => {
        plugin.once("ended", (call) => void ended(plugin, call).then(resolve));
      }),
    async stop() {
      await Promise.all(plugins.map((each) => each.stop()));
      const unfinished = phones.calls.filter(({ status }) => !FINAL.includes(status)).map(({ sid }) => sid);
      const { liveCalls } = await plugin.status();
      await Promise.all([phones.stop(), model.stop()]);
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
      expect({ unfinished, liveCalls }).toEqual({ unfinished: [], liveCalls: 0 });
      await vi.waitFor(() => expect(watched.running()).toEqual([]), { timeout: 5_000 });
      clock.stop();
      await vi.waitFor(() => expect(sockets()).toEqual(baseline), { timeout: 5_000 });
    },
  };
}

/** An ended call with its words and its journal. */
export async function ended(plugin: VoiceChannelPlugin, call: CallSummary): Promise<EndedCall> {
  const { transcript, ...facts } = await plugin.call(call.callId);
  const journal: JournalEntry[] = [];
  for await (const entry of plugin.follow(call.callId, 0, new AbortController().signal)) {
    journal.push(entry);
    if (entry.event.type === "afterwards.done" && entry.event.step === "wake") break; // the last that a call gets
  }
  const words = transcript.map(({ speaker, text, cut }) => `${speaker}: ${text}${cut ? " -" : ""}`);
  return { ...facts, words, journal };
}

/** The types of the events of a journal, in order. */
export const types = ({ journal }: EndedCall): string[] => journal.map(({ event }) => event.type);

// --- Internal helpers ---

/** What keeps the process busy and is a socket. */
function sockets(): Record<string, number> {
  const open = process.getActiveResourcesInfo().filter((name) => /^(?:TCP|TLS|Pipe)/.test(name));
  return Object.fromEntries([...new Set(open)].sort().map((name) => [name, open.filter((o) => o === name).length]));
}
