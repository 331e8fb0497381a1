import { SAMPLE_RATE } from "../../audio/g711.ts";

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = "123A456B789C*0#D";

/** Whether `key` is on a telephone keypad. */
export const isKey = (key: string): boolean => key.length === 1 && KEYS.includes(key);

/** The two-tone signal of one key (ITU-T Q.23), each tone peaking at −10 dBFS. */
export function keyTone(key: string, durationMs: number): Int16Array {
  const index = KEYS.indexOf(key);
  const [low, high] = [ROWS[index >> 2] ?? 0, COLUMNS[index & 3] ?? 0];
  const amplitude = 32_767 * 10 ** (-10 / 20);
  return Int16Array.from({ length: (durationMs * SAMPLE_RATE) / 1000 }, (_, i) => {
    const phase = (2 * Math.PI * i) / SAMPLE_RATE;
    return Math.round(amplitude * (Math.sin(phase * low) + Math.sin(phase * high)));
  });
}
