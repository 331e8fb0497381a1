import type { Speaker } from "../../src/testing/voice.ts";
import {
  AFTERWARDS,
  ANSWERS,
  ASIDES,
  BACK_CHANNELS,
  type Clips,
  COMMANDS,
  GREETING,
  INTERRUPTIONS,
  MACHINES,
  QUESTIONS,
  SPEAKERS,
} from "./clips.ts";
import type { Echo } from "./line.ts";
import type { Utterance } from "./model.ts";
import { type Random, random } from "./random.ts";
import type { Kind, Situation, Vad } from "./situation.ts";
import { babble, cough, faraway, holdMusic, hum, laughter, lineNoise, roomTone } from "./sounds.ts";
import { add, atLevel, faded, noise, samplesOf, silence, type Wave } from "./waves.ts";

/** How many of each kind are in one run. */
export const COUNTS: Record<Kind, number> = {
  interruption: 46,
  "interruption over noise": 18,
  "interruption under our echo": 10,
  "IVR voice": 6,
  "room tone": 14,
  "call-centre noise": 14,
  "hold music": 22,
  cough: 26,
  laughter: 22,
  "back-channel": 34,
  "echo of our own voice": 26,
  "second speaker": 22,
  "line noise, faint": 9,
  "line noise, medium": 9,
  "line noise, loud": 9,
};

/** What one run is made of. Runs with different seeds have nothing in common but the kinds. */
export function orders(runSeed: number): { readonly kind: Kind; readonly seed: number }[] {
  return (Object.entries(COUNTS) as [Kind, number][]).flatMap(([kind, count], index) =>
    Array.from({ length: count }, (_, i) => ({ kind, seed: runSeed * 100_000 + index * 1_000 + i })),
  );
}

/** The situation that a seed makes of a kind. */
export async function situation(kind: Kind, seed: number, clips: Clips): Promise<Situation> {
  const dice = random(seed);
  const call = await opening(dice, clips, kind === "second speaker" ? "answer" : undefined);
  const event = await EVENTS[kind](dice, clips, call);
  const { atMs, caller } = call;
  const fromMs = event.throughout ? call.speechFromMs : atMs;
  const untilMs = event.throughout ? call.speechUntilMs : atMs + event.sound.length / 8;
  add(caller, event.sound, event.throughout ? 0 : atMs);
  const vad = event.vad ?? "missing";
  const utterance = event.utterance ?? noticed(dice, vad, atMs + lead(event.sound), untilMs, event.text, call);
  return {
    kind,
    seed,
    expect: event.expect ?? "whole",
    during: call.during,
    fromMs: event.throughout ? fromMs : atMs + lead(event.sound),
    untilMs,
    speechFromMs: call.speechFromMs,
    speechUntilMs: call.speechUntilMs,
    caller,
    utterances: [...call.utterances, utterance],
    ...(event.echo && { echo: event.echo }),
    wayMs: call.wayMs,
    latencyMs: call.latencyMs,
    greeting: call.greeting,
    answers: call.answers,
    vad,
  };
}

// --- Internal helpers ---

/** The call up to the event: greeting, the caller's first turn and the beginning of the answer; or the greeting alone. */
interface Opening {
  readonly during: "greeting" | "answer";
  /** When the event begins. */
  readonly atMs: number;
  readonly speechFromMs: number;
  readonly speechUntilMs: number;
  readonly caller: Wave;
  readonly callerSpeaker: Speaker;
  readonly otherSpeaker: Speaker;
  readonly callerDbfs: number;
  readonly utterances: Utterance[];
  readonly wayMs: number;
  readonly latencyMs: number;
  readonly greeting: Wave;
  readonly answers: readonly Wave[];
}

interface Event {
  readonly sound: Wave;
  /** Whether it sounds from the beginning of the call on. */
  readonly throughout?: boolean;
  readonly expect?: "yield";
  readonly vad?: Vad;
  readonly text?: string;
  readonly utterance?: Utterance;
  readonly echo?: Echo;
}

/** What the engine does not transcribe at all, rarely. */
const VAD_SILENCE_MS = 500;

/** Who is in the background can be told only from a caller who has spoken before. */
async function opening(dice: Random, clips: Clips, when?: "answer"): Promise<Opening> {
  const agent = dice.pick(SPEAKERS);
  const people = SPEAKERS.filter((one) => one !== agent);
  const callerSpeaker = dice.pick(people);
  const otherSpeaker = dice.pick(people.filter((one) => one !== callerSpeaker));
  const during = when ?? (dice.chance(3) ? "greeting" : "answer");
  const loudness = dice.between(-24, -17);
  const greeting = atLevel(await clips.passage(agent, during === "greeting" ? GREETING : GREETING.slice(2)), loudness);
  const answer = atLevel(await clips.passage(agent, dice.pick(ANSWERS)), loudness);
  const after = atLevel(await clips.passage(agent, AFTERWARDS), loudness);
  const wayMs = dice.whole(5, 40);
  const latencyMs = dice.whole(200, 600);
  const callerDbfs = dice.between(-30, -16);
  const greetingFromMs = latencyMs + 2 * wayMs;
  const greetingMs = greeting.length / 8;
  const utterances: Utterance[] = [];
  let speechFromMs = greetingFromMs;
  let speechMs = greetingMs;
  let question: Wave | undefined;
  let questionAtMs = 0;
  if (during === "answer") {
    const text = dice.pick(QUESTIONS);
    question = atLevel(await clips.speech({ speaker: callerSpeaker, text }), callerDbfs);
    questionAtMs = greetingFromMs + greetingMs + dice.between(400, 1_200);
    const untilMs = questionAtMs + question.length / 8;
    const stoppedAtMs = untilMs + VAD_SILENCE_MS + dice.between(0, 80);
    const vad = { startedAtMs: questionAtMs + dice.between(80, 200), stoppedAtMs };
    utterances.push({ fromMs: questionAtMs, untilMs, vad, text, writtenAfterMs: dice.between(200, 800) });
    speechFromMs = stoppedAtMs + latencyMs + 2 * wayMs;
    speechMs = answer.length / 8;
  }
  const atMs = speechFromMs + dice.between(300, Math.min(6_000, speechMs - 3_500));
  const caller = silence(atMs + 16_000);
  const room = dice.pick(["none", "none", "quiet", "quiet", "lively"]);
  if (room !== "none") add(caller, atLevel(noise(caller.length / 8, dice), room === "quiet" ? -66 : -56));
  if (question) add(caller, question, questionAtMs);
  return {
    during,
    atMs,
    speechFromMs,
    speechUntilMs: speechFromMs + speechMs,
    caller,
    callerSpeaker,
    otherSpeaker,
    callerDbfs,
    utterances,
    wayMs,
    latencyMs,
    greeting,
    answers: during === "answer" ? [answer, after] : [after],
  };
}

const EVENTS: Record<Kind, (dice: Random, clips: Clips, call: Opening) => Promise<Event>> = {
  interruption: (dice, clips, call) => interruption(dice, clips, call),

  async "interruption over noise"(dice, clips, call) {
    const event = await interruption(dice, clips, call);
    const below = Math.min(-32, call.callerDbfs - dice.between(10, 18));
    const lengthMs = call.caller.length / 8;
    const kind = dice.pick(["line", "room", "people", "music"]);
    if (kind === "line") add(call.caller, lineNoise(lengthMs, below, dice));
    if (kind === "room") add(call.caller, roomTone(lengthMs, below, dice));
    if (kind === "people") add(call.caller, babble(lengthMs, below, await crowd(clips), dice));
    if (kind === "music") add(call.caller, holdMusic(lengthMs, below - 4, dice));
    return event;
  },

  async "interruption under our echo"(dice, clips, call) {
    const event = await interruption(dice, clips, call);
    return { ...event, echo: { lagMs: dice.between(0, 300), gainDb: -dice.between(12, 40) } };
  },

  async "IVR voice"(dice, clips) {
    const lines = dice.pick(MACHINES);
    const sound = atLevel(await clips.passage(dice.pick(["slt", "kal"]), lines), dice.between(-24, -16));
    return { sound, expect: "yield", vad: dice.pick(["exact", "exact", "late", "missing"]), text: lines.join(" ") };
  },

  async "room tone"(dice, _clips, call) {
    const dbfs = dice.between(-62, -44);
    return { sound: roomTone(call.caller.length / 8, dbfs, dice), throughout: true, ...fooled(dice, ["", "", "Bye."]) };
  },

  async "call-centre noise"(dice, clips, call) {
    const sound = babble(
      call.caller.length / 8,
      Math.min(-32, call.callerDbfs - dice.between(14, 22)),
      await crowd(clips),
      dice,
    );
    return { sound, throughout: true, ...fooled(dice, ["", "", "the", "Thank you."]) };
  },

  async "hold music"(dice, _clips, call) {
    const throughout = dice.chance(5);
    const lengthMs = throughout ? call.caller.length / 8 : dice.between(2_000, 9_000);
    const sound = faded(holdMusic(lengthMs, dice.between(-34, -20), dice), dice.between(10, 1_000), 200);
    return { sound, throughout, ...fooled(dice, ["", "♪", "[music]"]) };
  },

  async cough(dice, _clips, call) {
    return { sound: cough(call.callerDbfs + dice.between(-2, 8), dice), ...startled(dice, ["", "", "(coughs)"]) };
  },

  async laughter(dice, _clips, call) {
    return {
      sound: laughter(call.callerDbfs + dice.between(-4, 6), dice),
      ...startled(dice, ["", "Haha.", "[laughter]"]),
    };
  },

  async "back-channel"(dice, clips, call) {
    const text = dice.pick(BACK_CHANNELS);
    const spoken = dice.chance(6);
    const dbfs = call.callerDbfs + dice.between(-6, 2);
    const sound = spoken ? atLevel(await clips.speech({ speaker: call.callerSpeaker, text }), dbfs) : hum(dbfs, dice);
    return { sound, ...startled(dice, [spoken ? text : "Mm-hmm."]) };
  },

  async "echo of our own voice"(dice, _clips, call) {
    const echo = { lagMs: dice.between(0, 320), gainDb: -dice.between(6, 40) };
    const said = call.during === "greeting" ? GREETING : ["the first one is", "on board now"];
    return { sound: silence(20), throughout: true, echo, ...fooled(dice, ["", dice.pick(said)]) };
  },

  async "second speaker"(dice, clips, call) {
    const lines = dice.chance(5) ? ASIDES.slice(0, 2) : [dice.pick(ASIDES)];
    const speech = await clips.passage(call.otherSpeaker, lines);
    const sound = faraway(speech, call.callerDbfs - dice.between(12, 20));
    return { sound, ...startled(dice, ["", lines.join(" ")]) };
  },

  "line noise, faint": (dice, _clips, call) => noisy(dice, call, dice.between(-56, -48)),
  "line noise, medium": (dice, _clips, call) => noisy(dice, call, dice.between(-44, -38)),
  "line noise, loud": (dice, _clips, call) => noisy(dice, call, dice.between(-34, -28)),
};

async function interruption(dice: Random, clips: Clips, call: Opening): Promise<Event> {
  const short = dice.chance(2);
  const text = dice.pick(short ? COMMANDS : INTERRUPTIONS);
  const speech = await clips.speech({ speaker: call.callerSpeaker, text });
  const sound = atLevel(speech, Math.min(-12, call.callerDbfs + dice.between(-4, 6)));
  const vad = dice.pick<Vad>(
    short ? ["exact", "early", "late"] : ["exact", "exact", "exact", "early", "late", "missing"],
  );
  const written = short || !dice.chance(0.5) ? { text } : {};
  return { sound, expect: "yield", vad, ...written };
}

async function noisy(dice: Random, call: Opening, dbfs: number): Promise<Event> {
  const throughout = dice.chance(6);
  const sound = lineNoise(throughout ? call.caller.length / 8 : dice.between(800, 5_000), dbfs, dice);
  return { sound, throughout, ...fooled(dice, ["", "", "you"]) };
}

const crowd = (clips: Clips): Promise<Wave[]> =>
  Promise.all(
    ASIDES.flatMap((text, i) => SPEAKERS.map((speaker) => ({ speaker, text, i })))
      .filter(({ i }, index) => (index + i) % 2 === 0)
      .map((line) => clips.speech(line)),
  );

/** A sound that lasts: the engine is fooled by it in four of ten cases, at any moment. */
const fooled = (dice: Random, texts: readonly string[]): Pick<Event, "vad" | "text"> =>
  dice.chance(4) ? { vad: "false", text: dice.pick(texts) } : { vad: "missing", text: "" };

/** A sudden sound: the engine takes it for speech in six of ten cases. */
const startled = (dice: Random, texts: readonly string[]): Pick<Event, "vad" | "text"> =>
  dice.chance(6)
    ? { vad: dice.pick(["exact", "exact", "early", "late"]), text: dice.pick(texts) }
    : { vad: "missing", text: dice.pick(texts) };

function noticed(
  dice: Random,
  vad: Vad,
  fromMs: number,
  untilMs: number,
  text: string | undefined,
  call: Opening,
): Utterance {
  const written = { ...(text !== undefined && { text }), writtenAfterMs: dice.between(200, 800) };
  const endsMs = untilMs + VAD_SILENCE_MS + dice.between(0, 80);
  if (vad === "missing") return { fromMs, untilMs, ...written };
  if (vad === "false") {
    const startedAtMs = dice.between(call.speechFromMs, call.atMs + 2_000);
    const lengthMs = dice.between(200, 2_000);
    return {
      fromMs: startedAtMs,
      untilMs: startedAtMs + lengthMs,
      vad: { startedAtMs, stoppedAtMs: startedAtMs + lengthMs + 600 },
      ...written,
    };
  }
  const startedAtMs =
    fromMs + { exact: dice.between(80, 200), early: -dice.between(40, 250), late: dice.between(350, 900) }[vad];
  const stoppedAtMs = vad === "late" ? Math.max(endsMs, startedAtMs + 100) + dice.between(100, 400) : endsMs;
  return { fromMs, untilMs, vad: { startedAtMs, stoppedAtMs }, ...written };
}

/** When a sound has become audible: above −45 dBFS, by 10 ms. Milliseconds from its beginning. */
function lead(sound: Wave): number {
  const window = samplesOf(10);
  for (let at = 0; at + window <= sound.length; at += window) {
    let sum = 0;
    for (let i = at; i < at + window; i++) sum += (sound[i] as number) ** 2;
    if (10 * Math.log10(sum / window + 1e-12) > -45) return at / 8;
  }
  return 0;
}
