import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyRing } from "../../src/calls/recording/keys.ts";
import { type Clock, sleep } from "../../src/core/clock.ts";
import { readApiToken } from "../../src/http/token.ts";
import { scriptEars, taughtVoice } from "../../src/testing/ears.ts";
import { type PhoneCall, type PhoneNetwork, startPhoneNetwork } from "../../src/testing/phone-network/index.ts";
import { type SpeechModel, startSpeechModel } from "../../src/testing/speech-model/index.ts";
import { type FliteVoice, fliteVoice } from "../../src/testing/voice.ts";
import type { Random } from "../situations/random.ts";
import { Keeper } from "./keeper.ts";
import { ANSWERS, callee, type Fate, GREETING, LINES, mind, type Phone, type Plot, person } from "./person.ts";
import { PluginProcess } from "./process.ts";
import type { CrashPoint, FromProcess } from "./protocol.ts";
import { sharedClock } from "./shared-clock.ts";

const OUR_NUMBER = "+15550001234";
/** Nobody resolves this name: the simulated network carries it to loopback, as a tunnel would. */
const PUBLIC_URL = "https://voice.example.com";
const CONSULT_MS = 2_500;
const ANNOUNCEMENT = "This call is recorded.";
const RECORDING_KEY = "7b".repeat(32);
/** What recordings of a town are encrypted with. */
export const RECORDING_KEYS: KeyRing = [{ id: "1", secret: Buffer.from(RECORDING_KEY, "hex") }];
/** Nobody lets a phone ring for longer. */
const RINGING_MS = 60_000;
/** Each call is with somebody else; so many are known to us. */
const MOST_PEOPLE = 1_000;
const numberOf = (index: number): string => `+1555${2_000_000 + index}`;

/** One call as the people of the town know it. */
export interface Told {
  readonly plot: Plot;
  readonly fate: Fate;
  /** The network's side of it; absent when nobody was rung. */
  readonly leg: PhoneCall | undefined;
  /** When the leg was over, by the common clock. */
  endedAtMs: number | undefined;
  /** Set for calls that the API placed. */
  readonly callId?: string;
}

export interface TownOptions {
  readonly speed: number;
  /** Settings of the account beside those of the town. */
  readonly account?: Readonly<Record<string, unknown>>;
  /** Whether the disk may be told to fail. */
  readonly disk?: "well" | "fails";
}

/** Voice and compiled code, which outlive towns: what was spoken or compiled once costs nothing again. */
export interface Stage {
  readonly cacheDir: string;
  readonly flite: FliteVoice;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const cacheDir = await mkdtemp(join(tmpdir(), "voice-compiled-"));
  const flite = fliteVoice();
  return {
    cacheDir,
    flite,
    async close() {
      await flite.close();
      await rm(cacheDir, { recursive: true, force: true });
    },
  };
}

/** A telephone network, a speech model and a keeper that live on while the plugin's process is killed and started again. */
export class Town {
  readonly clock: Clock;
  readonly phones: PhoneNetwork;
  readonly model: SpeechModel;
  readonly keeper: Keeper;
  readonly stateDir: string;
  readonly workspaceDir: string;
  readonly told: Told[] = [];
  /** Times real time. */
  readonly speed: number;
  /** When each life of the plugin ended by a kill, by the common clock. */
  readonly killedAtMs: number[] = [];
  readonly #parts: TownParts;
  readonly #routes: Record<string, string>;
  #process: PluginProcess | undefined;
  #hasDied = true;
  #port = 0;
  #api: { url: string; token: string } | undefined;

  constructor(parts: TownParts) {
    this.#parts = parts;
    this.#routes = parts.routes;
    this.clock = parts.clock;
    this.speed = parts.time.speed;
    this.phones = parts.phones;
    this.model = parts.model;
    this.stateDir = join(parts.folder, "state");
    this.workspaceDir = join(parts.folder, "workspace");
    this.keeper = new Keeper(
      () => this.#api,
      () => sleep(parts.clock, CONSULT_MS),
    );
  }

  /** The plugin's process that lives now. */
  get process(): PluginProcess {
    if (!this.#process) throw new Error("The plugin has not been started.");
    return this.#process;
  }

  /** Whether no life of the plugin goes on. */
  get hasDied(): boolean {
    return this.#hasDied;
  }

  /** Begins a life of the plugin; it is `ready` when it says so. */
  begin(crash?: CrashPoint): PluginProcess {
    const { time, stage, account, disk } = this.#parts;
    const life = new PluginProcess(
      {
        stateDir: this.stateDir,
        workspaceDir: this.workspaceDir,
        time,
        disk,
        config: { publicUrl: PUBLIC_URL, listen: { port: this.#port }, accounts: { default: account } },
        ...(crash && { crash }),
      },
      stage.cacheDir,
      { host: (verb, payload) => this.keeper.host(verb, payload), onMessage: (message) => this.#hear(message) },
    );
    this.#process = life;
    this.#hasDied = false;
    void life.exited.then(() => {
      if (this.#process === life) this.#hasDied = true;
    });
    return life;
  }

  /** Resolves once a life takes calls and its API is known. @throws Error it ended before */
  async opened(life: PluginProcess): Promise<void> {
    this.#port = await life.ready;
    const url = `http://127.0.0.1:${this.#port}`;
    this.#routes[PUBLIC_URL] = url;
    this.#api = { url, token: (await readApiToken(this.stateDir)) ?? "" };
  }

  async kill(): Promise<void> {
    await this.process.kill();
    this.killedAtMs.push(this.clock.now());
  }

  /** Somebody rings us. Resolves once they have hung up or were hung up on. */
  async ring(plot: Plot, random: Random): Promise<void> {
    const fate: Fate = { hungUp: false };
    const from = numberOf(this.told.length);
    const index = this.told.push({ plot, fate, leg: undefined, endedAtMs: undefined }) - 1;
    const leg = this.phones.ring({ from, to: OUR_NUMBER, script: person(plot, fate, random) });
    const patience = this.clock.after(RINGING_MS, () => {
      if (leg.status !== "in-progress") leg.hangUp();
    });
    await this.#over({ plot, fate, leg, endedAtMs: undefined }, index);
    patience.stop();
  }

  /** We ring somebody, by the API. Resolves once their phone is silent again. */
  async place(plot: Plot, random: Random, key: string, phone: Phone = callee(random)): Promise<void> {
    const fate: Fate = { hungUp: false };
    const to = numberOf(this.told.length);
    this.phones.addPerson(to, { ...phone, script: person(plot, fate, random) });
    const index = this.told.push({ plot, fate, leg: undefined, endedAtMs: undefined }) - 1; // the number is taken
    const callId = await this.keeper.place(to, key);
    const leg = this.phones.calls.find((call) => call.to === to);
    const told: Told = { plot, fate, leg, endedAtMs: undefined, ...(callId !== undefined && { callId }) };
    if (callId !== undefined && plot === "stay")
      this.clock.after(random.between(2_000, 12_000), () => void this.keeper.end(callId));
    await this.#over(told, index);
  }

  /**
   * Waits until every leg is over, every recording is where it stays, and the plugin says that nothing is open or
   * unfinished, at most `withinMs` of the machine. Resolves with whether that came.
   */
  async quiet(withinMs: number): Promise<boolean> {
    const until = Date.now() + withinMs;
    while (Date.now() < until) {
      const left = await this.keeper.left();
      const legs = this.phones.calls.filter(({ line }) => !line.signal.aborted);
      const isOver = left && left.open.length + left.unfinished.length + legs.length === 0;
      if (isOver && (await this.#undone()).length === 0) return true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  }

  /** Ends everything but the files. The plugin is stopped as its user does. */
  async close(): Promise<void> {
    await this.keeper.close();
    const stopped = this.#process?.stop();
    await stopped?.catch(() => undefined); // it was killed: there is nothing to stop
    await Promise.all([this.phones.stop(), this.model.stop()]);
  }

  async remove(): Promise<void> {
    await rm(this.#parts.folder, { recursive: true, force: true });
  }

  /** Marks of recordings that are not yet where they stay. */
  async #undone(): Promise<string[]> {
    const files = await readdir(join(this.stateDir, "recordings"), { recursive: true }).catch(() => []);
    return files.filter((file) => file.endsWith(".undone"));
  }

  async #over(told: Told, index: number): Promise<void> {
    this.told[index] = told;
    const { leg } = told;
    if (!leg) return;
    if (leg.line.signal.aborted) told.endedAtMs = this.clock.now();
    leg.line.signal.addEventListener("abort", () => {
      told.endedAtMs = this.clock.now();
    });
    await leg.ended;
  }

  #hear(message: FromProcess): void {
    const { keeper } = this;
    switch (message.type) {
      case "begun":
        keeper.follow(message.callId);
        break;
      case "refused":
        keeper.refused.set(message.callId, (keeper.refused.get(message.callId) ?? 0) + 1);
        break;
      case "logged": {
        const { fields } = message;
        const about = String(fields["callId"] ?? fields["legId"] ?? "");
        const line = `${message.level}: ${message.message} ${String(fields["error"] ?? "")}`;
        keeper.logged.set(about, [...(keeper.logged.get(about) ?? []), line]);
      }
    }
  }
}

/** Builds a town; the plugin does not live yet. */
export async function openTown(stage: Stage, options: TownOptions): Promise<Town> {
  const folder = await mkdtemp(join(tmpdir(), "voice-town-"));
  await mkdir(join(folder, "workspace"));
  const time = { originMs: Date.now(), speed: options.speed };
  const clock = sharedClock(time);
  const ears = scriptEars();
  const voice = taughtVoice(stage.flite, ears);
  await Promise.all([
    ...Object.values(LINES).map((text) => voice.speak(text, { speaker: "rms" })),
    ...[ANNOUNCEMENT, GREETING, ...Object.values(ANSWERS)].map((text) => voice.speak(text, { speaker: "slt" })),
    voice.speak("One moment, please."),
  ]);
  const model = await startSpeechModel({ clock, voice, ears, mind, apiKey: "sk-test" });
  const routes: Record<string, string> = {};
  const phones = await startPhoneNetwork({ clock, voice, routes });
  phones.addNumber(OUR_NUMBER, {
    voiceUrl: `${PUBLIC_URL}/twilio/default/voice`,
    statusCallback: `${PUBLIC_URL}/twilio/default/status`,
  });
  const account = {
    number: OUR_NUMBER,
    carrier: { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url },
    engine: { apiKey: "sk-test", baseUrl: model.url },
    persona: { name: "Nia", greeting: GREETING },
    allowFrom: Array.from({ length: MOST_PEOPLE }, (_, index) => numberOf(index)),
    owner: { channel: "telegram", to: "555" },
    timeZone: "UTC",
    recording: { mode: "announce", announcement: ANNOUNCEMENT, encryptionKey: RECORDING_KEY },
    limits: {
      maxConcurrentCalls: 500,
      placementsPerMinute: 600,
      maxCallSeconds: 120,
      idlePromptSeconds: 8,
      idleEndSeconds: 6,
    },
    ...options.account,
  };
  return new Town({ folder, time, clock, phones, model, routes, stage, account, disk: options.disk ?? "well" });
}

// --- Internal helpers ---

interface TownParts {
  readonly folder: string;
  readonly time: { readonly originMs: number; readonly speed: number };
  readonly clock: Clock;
  readonly phones: PhoneNetwork;
  readonly model: SpeechModel;
  readonly routes: Record<string, string>;
  readonly stage: Stage;
  readonly account: Readonly<Record<string, unknown>>;
  readonly disk: "well" | "fails";
}
