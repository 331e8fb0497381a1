import { expect, test } from "vitest";
import { decodeMulaw, encodeMulaw, MULAW_SILENCE, SAMPLE_RATE } from "../../src/audio/g711.ts";
import { encodeWav } from "../../src/audio/wav.ts";
import { CLIP_TEXTS, type ClipName, Clips } from "../../src/calls/clips.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { judged, type Produced } from "./sound.ts";
import { ANN, type EndedCall, GREETING, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();

const ANSWERS = {
  fruit: "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges, bananas and a great many more.",
  bread:
    "Our bread is baked every morning before the shop opens. There is a dark loaf with seeds, a white one with milk, " +
    "and a small round one that children like. The dark loaf keeps for a week.",
  cheese: "The cheese comes from a farm in the hills. It is made of the milk of goats, and it is sold by the pound.",
  look: "Let me look.",
  order: "Your order is ready at five.",
} as const;

const mind = ruleMind([
  { when: /fruit/i, say: ANSWERS.fruit },
  { when: /bread/i, say: ANSWERS.bread },
  { when: /cheese/i, say: ANSWERS.cheese },
  { when: /order/i, say: ANSWERS.look, call: "ask_openclaw", args: { request: "When is the order ready?" } },
  { when: "tool:ask_openclaw", say: (turn) => turn.toolResult?.output ?? "" },
]);

/** A burst of air, then a rough tail of voice: too short for a word. */
function cough(): Int16Array {
  let noise = 1;
  return Int16Array.from({ length: 180 * 8 }, (_, i) => {
    noise = (noise * 16_807) % 2_147_483_647;
    const air = (noise / 2_147_483_647 - 0.5) * 24_000 * Math.exp(-i / 300);
    const voice = i < 400 ? 0 : 9_000 * Math.sin(i / 7) * Math.exp(-(i - 400) / 500);
    return Math.round(air + voice);
  });
}

/** What the model produces of a text: sentence by sentence, as its wire carries it. */
async function produced({ voice }: World, text: string): Promise<Uint8Array> {
  const sentences = text.match(/.+?(?:[.!?]+\s+|$)/gs) ?? [text];
  const spoken = await Promise.all(sentences.map((sentence) => voice.speak(sentence.trim(), { speaker: "slt" })));
  return Buffer.concat(spoken.map((samples) => encodeMulaw(samples)));
}

/** All that may be heard on the call, in the order in which it is to begin; then the sounds of our own. */
async function sounds(ours: World, { journal }: EndedCall): Promise<Produced[]> {
  const said = [GREETING, ...Object.values(ANSWERS)];
  const cuts = journal.flatMap(({ event }) => (event.type === "playout.cut" ? [event.heardMs] : []));
  const answers = await Promise.all(
    said.map(async (name, index): Promise<Produced> => {
      const cutAtMs = cuts[index - 1];
      return { name, audio: await produced(ours, name), ...(cutAtMs !== undefined && index > 0 && { cutAtMs }) };
    }),
  );
  return [...answers, ...(await ourClips())];
}

/** The cues and phrases that come with the package. */
async function ourClips(): Promise<Produced[]> {
  const clips = new Clips({ language: "en" });
  await clips.load();
  return (Object.keys(CLIP_TEXTS) as ClipName[]).flatMap((name) => {
    const audio = clips.get(name)?.audio;
    return audio ? [{ name: `clip ${name}`, audio, again: true }] : [];
  });
}

test("no clip of ours begins or ends with a click", async () => {
  const clips = await ourClips();
  expect(clips).toHaveLength(Object.keys(CLIP_TEXTS).length);
  for (const clip of clips) {
    const pause = new Uint8Array(800).fill(MULAW_SILENCE);
    const heard = decodeMulaw(Buffer.concat([pause, clip.audio, pause]));
    const wav = encodeWav({ sampleRate: SAMPLE_RATE, channels: [new Int16Array(heard.length), heard] });
    expect(judged(wav, [clip]).flaws).toEqual([]);
  }
});

test("a call with three interruptions, a cough, a nod and a wait: no gap, click, overlap or repeated sentence", async () => {
  const ours = await world({
    speed: 3,
    mind,
    host: {
      consult: () => new Promise((resolve) => void ours.clock.after(3_600, () => resolve(ANSWERS.order))),
    },
  });
  const cheeseMs = (await produced(ours, ANSWERS.cheese)).length / 8;
  const script: PersonScript = async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(200); // the answer has hardly begun
    await line.say("Stop. Tell me about the bread.");
    await line.waitForSpeech();
    await line.pause(1_500);
    await line.play(cough());
    await line.waitForQuiet(200);
    await line.waitForSpeech(); // it goes on
    await line.pause(2_500); // it is in its middle
    await line.say("Wait. What about the cheese?");
    await line.waitForSpeech();
    await line.pause(1_200);
    await line.say("Mhm.");
    await line.waitForSpeech(); // it goes on
    await line.pause(cheeseMs - 2_500); // it is near its end
    await line.say("Fine. When is my order ready?");
    await line.hearReply({ quietMs: 300 });
    await line.hearReply({ quietMs: 2_500 });
  };
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  const ended = await ending;
  const all = await sounds(ours, ended);
  const { flaws, runs, covered } = judged(report.wav, all);
  expect(flaws).toEqual([]);

  // What was to happen did: what was heard of each sound, and how much of it the conversation holds for heard.
  const heard = all.map((sound, index) => {
    const parts = runs.filter((run) => run.sound === index);
    const untilMs = Math.max(0, ...parts.map(({ at, from, to }) => (at + to - from) / 8));
    return { name: sound.name, parts: parts.length, untilMs, share: (untilMs * 8) / sound.audio.length, sound };
  });
  expect(heard.slice(0, 6).map(({ parts }) => parts)).toEqual([1, 1, 2, 2, 1, 1]); // by the cough and by the nod
  const cuts = heard.filter(({ sound }) => sound.cutAtMs !== undefined);
  expect(cuts.map(({ share }) => (share < 0.2 ? "beginning" : share < 0.7 ? "middle" : "near the end"))).toEqual([
    "beginning",
    "middle",
    "near the end",
  ]);
  for (const { untilMs, sound } of cuts) expect(Math.abs(untilMs - (sound.cutAtMs ?? 0))).toBeLessThanOrEqual(40);
  expect(heard.find(({ name }) => name === "clip cue")?.parts).toBeGreaterThan(0);
  // A step in the wave there may be where the carrier stopped for the caller, and nowhere else.
  const stops = runs.map(({ to }) => Math.round(to / 8));
  for (const { atMs } of covered) expect(stops).toContain(Math.round(atMs));
});
