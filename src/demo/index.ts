import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sleep, systemClock } from "../core/clock.ts";
import { type CallDetails, standaloneHost, VoiceChannelPlugin } from "../index.ts";
import { jsonLogger } from "../logger.ts";
import { type Ears, scriptEars, taughtVoice } from "../testing/ears.ts";
import { type CallReport, type PhoneNetwork, startPhoneNetwork } from "../testing/phone-network/index.ts";
import { pocketsphinxEars, pocketsphinxInstalled } from "../testing/pocketsphinx.ts";
import { type SpeechModel, startSpeechModel } from "../testing/speech-model/index.ts";
import { fliteVoice } from "../testing/voice.ts";
import { ANSWER, caller, LINES, mind } from "./script.ts";

/** What a demonstration may be told. */
export interface DemoOptions {
  /** Folder for what is left afterwards; replaced when it exists. */
  readonly out: string;
  /** Takes each line of what happens. */
  readonly print: (line: string) => void;
}

/** What a demonstration shows, as `--json` prints it. */
export interface DemoResult {
  readonly callId: string;
  readonly endReason: string;
  readonly turns: number;
  readonly transcript: readonly { speaker: string; text: string; startMs: number; heardMs: number }[];
  /** Absolute paths of what was left. */
  readonly files: Readonly<Record<"recording" | "transcript" | "memoryBefore" | "memoryAfter", string>>;
  /** Who understood the caller: a recogniser, or the script's own words. */
  readonly ears: Ears["kind"];
  readonly longestSilenceMs: number;
  /** What the call would have cost at list price, US dollars. */
  readonly costUsd: number;
}

const OUR_NUMBER = "+15550001234";
const CALLER = "+15550005678";
/** Nobody resolves this name: the simulated network carries it to loopback, as a tunnel would. */
const PUBLIC_URL = "https://voice.example.com";
const ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;
/** What the agent wrote down earlier the same day, in the form of its daily file. */
const EARLIER = "## 08:10 Telegram\n\n- Ann's flight to San Francisco was moved to 9:40 tomorrow.\n";
/** The agent behind the voice takes its time, as agents do. */
const CONSULT_MS = 2_600;

/** Holds one whole phone call with real sound over real sockets: no account, no key, nothing but this machine. */
export async function runDemo({ out, print }: DemoOptions): Promise<DemoResult> {
  const folder = resolve(out);
  const workspace = join(folder, "workspace");
  await rm(folder, { recursive: true, force: true });
  const daily = join(workspace, "memory", `${today()}.md`);
  const files = {
    recording: join(folder, "call.wav"),
    transcript: join(folder, "transcript.json"),
    memoryBefore: join(folder, "memory-before.md"),
    memoryAfter: join(folder, "memory-after.md"),
  };
  await mkdir(join(workspace, "memory"), { recursive: true });
  await writeFile(daily, EARLIER);
  await copyFile(daily, files.memoryBefore);

  const flite = fliteVoice();
  const script = scriptEars();
  const voice = taughtVoice(flite, script);
  const ears = pocketsphinxInstalled() ? pocketsphinxEars({ sentences: Object.values(LINES) }) : script;
  const routes: Record<string, string> = {};
  const opened: { stop(): Promise<void> }[] = [{ stop: () => flite.close() }];
  try {
    await Promise.all(Object.values(LINES).map((line) => voice.speak(line, { speaker: "rms" })));
    const model = await startSpeechModel({ voice, ears, mind, apiKey: "demo-key", thinkMs: 120 });
    opened.unshift(model);
    const phones = await startPhoneNetwork({ voice, routes });
    opened.unshift(phones);
    const plugin = createPlugin(folder, workspace, phones, model);
    opened.unshift(plugin);
    await plugin.start();
    const { listening } = await plugin.status();
    routes[PUBLIC_URL] = `http://127.0.0.1:${listening?.port}`;
    phones.addNumber(OUR_NUMBER, { voiceUrl: `${PUBLIC_URL}/twilio/default/voice` });
    print(`A simulated person rings ${OUR_NUMBER}. ${EARS[ears.kind]}`);
    const { report, call } = await holdCall(plugin, phones, print);
    await copyFile(daily, files.memoryAfter);
    return await leave(files, report, call, ears.kind);
  } finally {
    for (const each of opened) await each.stop();
  }
}

// --- Internal helpers ---

const EARS: Readonly<Record<Ears["kind"], string>> = {
  pocketsphinx: "The model's ears are pocketsphinx, listening for the lines of the script.",
  script: "No recogniser is installed: the model's ears know the lines of the script by their sound.",
};

function createPlugin(
  folder: string,
  workspaceDir: string,
  phones: PhoneNetwork,
  model: SpeechModel,
): VoiceChannelPlugin {
  const clock = systemClock();
  return new VoiceChannelPlugin({
    stateDir: join(folder, "state"),
    host: standaloneHost({
      logger: jsonLogger({ level: "warn" }),
      workspaceDir,
      consult: async (_request, signal) => {
        await sleep(clock, CONSULT_MS, signal);
        return ANSWER;
      },
    }),
    config: {
      publicUrl: PUBLIC_URL,
      listen: { port: 0 },
      accounts: {
        default: {
          number: OUR_NUMBER,
          carrier: { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url },
          engine: { apiKey: "demo-key", baseUrl: model.url },
          persona: { name: "Nia", greeting: "Hello, this is Nia. How can I help you?" },
          allowFrom: [CALLER],
          timeZone: ZONE,
        },
      },
    },
  });
}

async function holdCall(plugin: VoiceChannelPlugin, phones: PhoneNetwork, print: DemoOptions["print"]) {
  let answeredAtMs = Date.now();
  const at = (ms = Date.now() - answeredAtMs) => `${(ms / 1000).toFixed(1).padStart(6)} s`;
  plugin.on("answered", (call) => {
    answeredAtMs = call.answeredAtMs ?? answeredAtMs;
    print(`${at()}  (answered)`);
  });
  // A line of speech is told when it is over, with the time at which it began: what happened meanwhile waits for it.
  let waiting: { readonly atMs: number; readonly line: string }[] = [];
  const printUntil = (ms: number) => {
    for (const { atMs, line } of waiting) if (atMs < ms) print(line);
    waiting = waiting.filter(({ atMs }) => atMs >= ms);
  };
  plugin.on("transcript", ({ speaker, text, startMs, cut }) => {
    printUntil(startMs);
    print(`${at(startMs)}  ${speaker === "agent" ? "Nia:   " : "Caller:"} ${text}${cut ? " — (interrupted)" : ""}`);
  });
  plugin.on("toolCalled", ({ name }) => {
    const atMs = Date.now() - answeredAtMs;
    waiting.push({ atMs, line: `${at(atMs)}  (Nia asks the agent: ${name})` });
  });
  const ended = new Promise<string>((done) => plugin.once("ended", ({ callId }) => done(callId)));
  const report = await phones.ring({ from: CALLER, to: OUR_NUMBER, speaker: "rms", script: caller }).ended;
  const callId = await ended;
  printUntil(Number.POSITIVE_INFINITY);
  print(`${at()}  (the caller hung up)`);
  await afterwards(plugin, callId);
  return { report, call: await plugin.call(callId) };
}

/** Waits until what comes after the call is done: the feed of a call ends with it. */
async function afterwards(plugin: VoiceChannelPlugin, callId: string): Promise<void> {
  for await (const { event } of plugin.follow(callId, 0, AbortSignal.timeout(10_000))) {
    if (event.type === "memory.written") return;
  }
}

async function leave(
  files: DemoResult["files"],
  report: CallReport,
  call: CallDetails,
  ears: Ears["kind"],
): Promise<DemoResult> {
  const transcript = call.transcript.map(({ speaker, text, startMs, heardMs }) => ({
    speaker,
    text,
    startMs,
    heardMs,
  }));
  const { callId, endReason = "lost", turns, longestSilenceMs = 0, costUsd = 0, usage } = call;
  await writeFile(files.recording, report.wav);
  await writeFile(
    files.transcript,
    `${JSON.stringify({ callId, endReason, costUsd, longestSilenceMs, transcript, usage }, null, 2)}\n`,
  );
  return { callId, endReason, turns, transcript, files, ears, longestSilenceMs, costUsd };
}

/** The day that the daily file of a call is named for. */
const today = () => new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE }).format(Date.now());
