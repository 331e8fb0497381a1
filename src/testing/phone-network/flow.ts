import { encodeMulaw, SAMPLE_RATE } from "../../audio/g711.ts";
import { decodeWav } from "../../audio/wav.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { isKey, keyTone } from "./tones.ts";
import { parseTwiml, type StreamOrder, TwimlRefused, type Verb } from "./twiml.ts";
import type { Voice, WebhookKind } from "./types.ts";
import { type WebhookAnswer, WebhookFailed } from "./webhooks.ts";

/** Where the next TwiML comes from. */
export type TwimlSource =
  | { readonly kind: "inline"; readonly twiml: string }
  | {
      readonly kind: "voice" | "redirect" | "action";
      readonly url: string;
      readonly method: "GET" | "POST";
      readonly params?: Readonly<Record<string, string>>;
    };

/** What TwiML can do to a call. */
export interface FlowHost {
  readonly clock: Clock;
  readonly voice: Voice;
  readonly isAnswered: boolean;
  /** Asked in place of any other address that gives no instructions. */
  readonly fallbackUrl: string | undefined;
  answer(): void;
  end(status: "completed" | "busy" | "no-answer"): void;
  /** Asks the application; the call's own parameters are added to `params`. */
  ask(
    kind: WebhookKind,
    order: { url: string; method: "GET" | "POST"; params?: Readonly<Record<string, string>> },
  ): Promise<WebhookAnswer>;
  /** Plays µ-law to the person; resolves when it has been played. */
  playOut(audio: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Opens a media stream and resolves, with its id, when it is over. */
  connect(order: StreamOrder, signal: AbortSignal): Promise<string>;
  /** Writes a document down before it is executed. */
  executes(twiml: string): void;
  note(code: number, message: string): void;
}

const APOLOGY = "We are sorry. An application error has occurred. Goodbye.";
/** Verbs that Twilio carries out before it picks up. */
const BEFORE_ANSWER = new Set<Verb["verb"]>(["Reject", "Pause", "Redirect"]);
const KEY_MS = 100;
const KEY_GAP_MS = 100;
const WAIT_MS = 500;

/** Executes TwiML until it runs out, which ends the call, or until `signal` aborts. */
export async function runFlow(call: FlowHost, first: TwimlSource, signal: AbortSignal): Promise<void> {
  try {
    let source: TwimlSource | undefined = first;
    while (source) {
      const twiml = await orAborted(load(call, source), signal);
      call.executes(twiml);
      const { verbs, warnings } = parseTwiml(twiml);
      for (const { code, message } of warnings) call.note(code, message);
      source = await runVerbs(call, verbs, source, signal);
      signal.throwIfAborted();
    }
    if (!call.isAnswered) call.answer();
    call.end("completed");
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof TwimlRefused) && !(error instanceof WebhookFailed)) throw error;
    call.note(error.code, error.message);
    await apologise(call, signal);
  }
}

/** As `work`, unless `signal` aborts first: an application that is slow to answer holds up nobody. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

async function apologise(call: FlowHost, signal: AbortSignal): Promise<void> {
  call.answer();
  await call.playOut(encodeMulaw(await call.voice.speak(APOLOGY)), signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  if (!signal.aborted) call.end("completed");
}

async function load(call: FlowHost, source: TwimlSource): Promise<string> {
  if (source.kind === "inline") return source.twiml;
  const { kind, url, method, params = {} } = source;
  const { fallbackUrl } = call;
  try {
    return asTwiml(await call.ask(kind, { url, method, params }));
  } catch (error) {
    if (!(error instanceof WebhookFailed) || !fallbackUrl) throw error;
    call.note(error.code, error.message);
    const why = { ErrorCode: String(error.code), ErrorUrl: url };
    return asTwiml(await call.ask("fallback", { url: fallbackUrl, method: "POST", params: { ...params, ...why } }));
  }
}

function asTwiml({ contentType, body }: WebhookAnswer): string {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const text = body.toString("utf8");
  if (type === "text/xml" || type === "application/xml" || type === "text/html") return text;
  if (type === "text/plain") return `<Response><Say>${text.replace(/[&<]/g, "")}</Say></Response>`;
  throw new TwimlRefused(12_300, `Invalid Content-Type: "${contentType}" cannot be executed.`);
}

/** Runs one document; returns where to go on, or undefined when the call has nothing left to do. */
async function runVerbs(
  call: FlowHost,
  verbs: readonly Verb[],
  source: TwimlSource,
  signal: AbortSignal,
): Promise<TwimlSource | undefined> {
  const follow = (kind: "redirect" | "action", url: string, method: "GET" | "POST", params = {}): TwimlSource => {
    const base = source.kind === "inline" ? undefined : source.url;
    if (!URL.canParse(url, base)) throw new TwimlRefused(11_100, `Invalid URL format: ${url}`);
    return { kind, url: /^https?:/i.test(url) ? url : new URL(url, base).href, method, params };
  };
  for (const verb of verbs) {
    if (!call.isAnswered && !BEFORE_ANSWER.has(verb.verb)) call.answer();
    switch (verb.verb) {
      case "Say":
        await repeat(call, encodeMulaw(await call.voice.speak(verb.text)), verb.loop, signal);
        break;
      case "Play":
        await repeat(call, verb.digits ? dial(verb.digits) : await fetchSound(call, verb.url), verb.loop, signal);
        break;
      case "Pause":
        await sleep(call.clock, verb.ms, signal);
        break;
      case "Connect": {
        const streamSid = await call.connect(verb.stream, signal);
        if (verb.action) return follow("action", verb.action, verb.method, { StreamSid: streamSid });
        break;
      }
      case "Redirect":
        return follow("redirect", verb.url, verb.method);
      case "Reject":
        call.end(call.isAnswered ? "completed" : verb.reason === "busy" ? "busy" : "no-answer");
        break;
      case "Hangup":
        call.end("completed");
        break;
    }
    signal.throwIfAborted();
  }
  return undefined;
}

async function repeat(call: FlowHost, audio: Uint8Array, times: number, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < times && audio.length > 0; i++) await call.playOut(audio, signal);
}

/** The tones of `digits`; `w` waits half a second. */
function dial(digits: string): Uint8Array {
  const pause = (ms: number) => new Int16Array((ms * SAMPLE_RATE) / 1000);
  const pieces = [...digits].flatMap((key) => {
    if (key === "w" || key === "W") return [pause(key === "w" ? WAIT_MS : 2 * WAIT_MS)];
    return isKey(key) ? [keyTone(key, KEY_MS), pause(KEY_GAP_MS)] : [];
  });
  return Buffer.concat(pieces.map(encodeMulaw));
}

/** Fetches the sound of a `<Play>`: 16-bit WAV at 8 kHz is what this network can play. */
async function fetchSound(call: FlowHost, url: string): Promise<Uint8Array> {
  const { body } = await call.ask("play", { url, method: "GET" });
  try {
    const { sampleRate, channels } = decodeWav(body);
    if (sampleRate === SAMPLE_RATE && channels[0]) return encodeMulaw(channels[0]);
  } catch (cause) {
    throw new TwimlRefused(12_300, `${url} is not a sound that can be played.`, { cause });
  }
  throw new TwimlRefused(12_300, `${url} is not WAV at 8 kHz.`);
}
