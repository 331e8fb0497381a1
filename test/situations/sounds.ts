import type { Random } from "./random.ts";
import { add, atLevel, cords, faded, filter, noise, silence, through, vowel, type Wave, wave } from "./waves.ts";

/** An empty room: air, mains hum, and something that moves now and then. */
export function roomTone(ms: number, dbfs: number, random: Random): Wave {
  const drift = random.between(0.1, 0.4);
  const air = through(noise(ms, random), filter("low", random.between(300, 1_200)));
  const room = atLevel(air, dbfs).map((x, i) => x * (1 + 0.4 * Math.sin((drift * i) / 1_300)));
  const mains = random.pick([50, 60]);
  const hum = wave(ms, (t) => Math.sin(2 * Math.PI * mains * 2 * t) + 0.5 * Math.sin(2 * Math.PI * mains * 4 * t));
  add(room, atLevel(hum, dbfs - 6));
  for (let atMs = random.between(0, 2_000); atMs < ms; atMs += random.between(1_500, 5_000)) {
    const knock = through(noise(random.between(5, 40), random), filter("low", 1_500));
    add(room, atLevel(faded(knock, 1, 30), dbfs + random.between(6, 20)), atMs);
  }
  return room;
}

/** A line that is never quiet: hiss, hum, crackle. */
export function lineNoise(ms: number, dbfs: number, random: Random): Wave {
  const hiss = through(noise(ms, random), filter("low", random.between(1_000, 3_900)));
  const line = atLevel(hiss, dbfs);
  const mains = random.pick([50, 60]);
  if (random.chance(5))
    add(
      line,
      atLevel(
        wave(ms, (t) => Math.sign(Math.sin(2 * Math.PI * mains * t))),
        dbfs - 10,
      ),
    );
  for (let atMs = 0; atMs < ms; atMs += random.between(30, 1_500)) {
    add(line, atLevel(noise(random.between(0.5, 4), random), Math.min(-12, dbfs + random.between(0, 12))), atMs);
  }
  return line;
}

/** Music as a telephone exchange plays it: chords, a bass, a tune. */
export function holdMusic(ms: number, dbfs: number, random: Random): Wave {
  const music = silence(ms);
  const beatMs = 60_000 / random.between(80, 132);
  const root = random.between(110, 196);
  const scale = random.pick([
    [0, 2, 4, 5, 7, 9, 11],
    [0, 2, 3, 5, 7, 8, 10],
  ]);
  const pitch = (step: number) =>
    root * 2 ** (((scale[((step % 7) + 7) % 7] as number) + 12 * Math.floor(step / 7)) / 12);
  const decay = random.between(1.2, 5);
  const played = new Map<string, Wave>();
  const note = (hz: number, lengthMs: number, overtones: number) => {
    const key = `${hz} ${lengthMs} ${overtones}`;
    const known = played.get(key);
    if (known) return known;
    const weights = Array.from({ length: overtones }, (_, n) => 1 / (n + 1) ** 1.3);
    const tone = wave(lengthMs, (t) => {
      let sum = 0;
      for (let n = 0; n < overtones; n++) sum += Math.sin(2 * Math.PI * hz * (n + 1) * t) * (weights[n] as number);
      return sum * Math.exp(-decay * t);
    });
    const sound = faded(tone, 8, 30);
    played.set(key, sound);
    return sound;
  };
  let chord = 0;
  let tune = 7;
  for (let beat = 0; beat * beatMs < ms; beat++) {
    const atMs = beat * beatMs;
    if (beat % 4 === 0) {
      chord = random.pick([0, 3, 4, 5]);
      for (const step of [0, 2, 4]) add(music, note(pitch(chord + step), beatMs * 4, 4), atMs, 0.5);
    }
    if (beat % 2 === 0) add(music, note(pitch(chord - 7), beatMs * 2, 6), atMs, 0.6);
    if (random.chance(8)) {
      tune = Math.max(4, Math.min(14, tune + random.whole(-2, 2)));
      const halves = random.chance(3) ? 2 : 1;
      for (let half = 0; half < halves; half++) {
        add(music, note(pitch(tune + half), (beatMs / halves) * 1.1, 5), atMs + (half * beatMs) / halves, 0.8);
      }
    }
  }
  return atLevel(music, dbfs);
}

/** One to three coughs: a burst of air, then a short rough tail of voice. */
export function cough(dbfs: number, random: Random): Wave {
  const bursts = random.whole(1, 3);
  const pitch = random.between(110, 280);
  const whole = silence(bursts * 420);
  let atMs = 0;
  for (let burst = 0; burst < bursts; burst++) {
    const airMs = random.between(70, 170);
    const air = through(noise(airMs, random), filter("band", random.between(700, 1_800), 0.8));
    const tail = vowel(
      cords(random.between(40, 150), (t) => pitch * (1 - 1.5 * t), random),
      [600, 1_200, 2_400],
    );
    add(whole, atLevel(faded(air, 4, airMs * 0.6), 0), atMs, 0.05);
    add(whole, atLevel(faded(tail, 15, 60), -6), atMs + airMs * 0.7, 0.05);
    atMs += random.between(260, 400);
  }
  return atLevel(whole, dbfs);
}

/** Laughter: four to six bursts a second, each a breath and a falling vowel, dying away. */
export function laughter(dbfs: number, random: Random): Wave {
  const bursts = random.whole(3, 9);
  const stepMs = random.between(160, 240);
  const pitch = random.between(150, 420);
  const open = random.pick([
    [700, 1_200, 2_500],
    [500, 1_700, 2_400],
    [450, 900, 2_300],
  ]);
  const whole = silence(bursts * stepMs + 200);
  for (let burst = 0; burst < bursts; burst++) {
    const height = pitch * (1 - 0.05 * burst);
    const breath = through(noise(stepMs * 0.4, random), filter("band", open[1] as number, 0.7));
    const voice = vowel(
      cords(stepMs * 0.55, (t) => height * (1.08 - 1.4 * t), random),
      open,
    );
    const fades = 0.88 ** burst;
    add(whole, atLevel(faded(breath, 10, 20), -14), burst * stepMs, 0.1 * fades);
    add(whole, atLevel(faded(voice, 12, 50), 0), burst * stepMs + stepMs * 0.3, 0.1 * fades);
  }
  return atLevel(whole, dbfs);
}

/** A hum of agreement, with the mouth closed: "mhm", "mm", "uh-huh". */
export function hum(dbfs: number, random: Random): Wave {
  const pitch = random.between(95, 240);
  const humps = random.whole(1, 2);
  const humpMs = random.between(130, 260);
  const whole = silence(humps * (humpMs + 60));
  for (let hump = 0; hump < humps; hump++) {
    const rise = hump === 1 ? 1.2 : 1;
    const voice = cords(humpMs, (t) => pitch * rise * (1 + 0.3 * Math.sin(t * 9)), random);
    add(whole, faded(vowel(voice, [260, 1_000, 2_200]), 30, 60), hump * (humpMs + random.between(20, 60)));
  }
  return atLevel(whole, dbfs);
}

/** Many people in one room, none of them near: pieces of speech on top of each other. */
export function babble(ms: number, dbfs: number, voices: readonly Wave[], random: Random): Wave {
  const room = silence(ms);
  for (let layer = 0; layer < 8; layer++) {
    const gain = random.between(0.5, 1);
    for (let atMs = -random.between(0, 2_000); atMs < ms; ) {
      const clip = random.pick(voices);
      add(room, atLevel(clip, -20), atMs, gain);
      atMs += clip.length / 8 + random.between(50, 400);
    }
  }
  return atLevel(through(room, filter("low", 2_500)), dbfs);
}

/** Another person a few metres away: quieter, and duller. */
export const faraway = (speech: Wave, dbfs: number): Wave => atLevel(through(speech, filter("low", 1_800)), dbfs);
