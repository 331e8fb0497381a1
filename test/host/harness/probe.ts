import { AsyncLocalStorage } from "node:async_hooks";
import { type ChannelPlugin, defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";
import { systemClock } from "../../../src/core/clock.ts";
import type { AnswerVerdict, ChannelAnswer, Host } from "../../../src/hosts/host.ts";
import type { VoiceAccount } from "../../../src/hosts/openclaw/accounts.ts";
import { registerAnswers } from "../../../src/hosts/openclaw/answers.ts";
import { voiceChannel } from "../../../src/hosts/openclaw/channel.ts";
import { type OpenClawHost, openclawHost } from "../../../src/hosts/openclaw/host.ts";
import { readBody } from "./loopback.ts";

/** Where the gateway serves the probe. */
export const PROBE_PATH = "/probe";

/** What a test asks the probe: a verb of the host and what it is given, but for signals and callbacks. */
export interface ProbeQuestion {
  readonly verb: keyof Host | "answers";
  readonly args: readonly unknown[];
  /** Gives up after so long. */
  readonly timeoutMs: number;
}

/** What came of it, with the words that were told on the way and when, in milliseconds from the start. */
export interface ProbeAnswer {
  readonly value?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
  readonly words: readonly { readonly atMs: number; readonly text: string }[];
  readonly ms: number;
}

const clock = systemClock();

/**
 * Runs inside the real gateway in the channel's place: our host adapter with no calls behind it, each of whose verbs
 * a test asks for over HTTP. What listens to answers takes every one that does not say "not for you".
 */
const probe: ReturnType<typeof defineChannelPluginEntry<ChannelPlugin<VoiceAccount>>> = defineChannelPluginEntry({
  id: "voice",
  name: "Probe",
  description: "The verbs of the channel's host, for tests.",
  plugin: voiceChannel(),
  registerFull(api) {
    const answers: ChannelAnswer[] = [];
    const ready = Promise.withResolvers<void>();
    let host: OpenClawHost | undefined;
    let inOurContext = AsyncLocalStorage.snapshot();
    const listen = async (answer: ChannelAnswer): Promise<AnswerVerdict> => {
      if (answer.value.includes("not for you")) return { taken: false };
      answers.push(answer);
      if (answer.value === "throw") throw new Error("the listener failed");
      return { taken: true, reply: `Noted: ${answer.value}`, clearButtons: answer.how === "button" };
    };
    api.on("gateway_start", () => ready.resolve());
    registerAnswers(api, async (answer) => host?.answered(answer), clock);
    api.registerService({
      id: "voice",
      async start({ logger }) {
        inOurContext = AsyncLocalStorage.snapshot();
        const showing = { level: "debug", callerNumbers: false, words: false } as const;
        host = await openclawHost(api, logger, showing, clock, ready.promise);
        host.onAnswer(listen);
      },
      stop: () => host?.close(),
    });
    api.registerHttpRoute({
      path: PROBE_PATH,
      match: "exact",
      auth: "plugin",
      async handler(request, response) {
        const question = JSON.parse(await readBody(request)) as ProbeQuestion;
        const answer = await inOurContext(() => ask(host as OpenClawHost, answers, question));
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(answer));
        return true;
      },
    });
  },
});

export default probe;

async function ask(host: OpenClawHost, answers: unknown, question: ProbeQuestion): Promise<ProbeAnswer> {
  const startedAt = clock.now();
  const since = () => Math.round(clock.now() - startedAt);
  const words: { atMs: number; text: string }[] = [];
  const hear = (text: string) => void words.push({ atMs: since(), text });
  const signal = AbortSignal.timeout(question.timeoutMs);
  try {
    const value = await verb(host, answers, question, signal, hear);
    return { value, words, ms: since() };
  } catch (error) {
    const { name, message } = error as Error;
    return { error: { name, message }, words, ms: since() };
  }
}

function verb(
  host: OpenClawHost,
  answers: unknown,
  { verb, args }: ProbeQuestion,
  signal: AbortSignal,
  hear: (words: string) => void,
): unknown {
  const call = host[verb as "ask"] as (...args: unknown[]) => unknown;
  switch (verb) {
    case "answers":
      return answers;
    case "ask":
      return call(...args, hear, signal);
    case "consult":
      return call(...args, signal, hear);
    default:
      return call(...args, signal);
  }
}
