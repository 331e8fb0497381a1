/** How this process was held up, in real milliseconds. */
export interface HeldUp {
  /** The longest that it stood still. */
  readonly longestMs: number;
  /** How long it stood still in all within the worst second: a machine that is busy halts it again and again. */
  readonly worstSecondMs: number;
}

const LOOK_EVERY_MS = 2;
/** A timer is late by so much on a machine that is well. */
const USUAL_MS = 5;
const WINDOW_MS = 1_000;

/**
 * Measures by how much this process is held up. Telephones, plugin and model of a world are all in it: when it stands
 * still for longer than the sound that lies at the carrier, 230 ms at least, there is a gap that is nobody's fault.
 */
export function heldUp(): { stop(): HeldUp } {
  const halts: { readonly endedAtMs: number; readonly lostMs: number }[] = [];
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const endedAtMs = performance.now();
    const lostMs = endedAtMs - lastMs - LOOK_EVERY_MS;
    lastMs = endedAtMs;
    if (lostMs > USUAL_MS) halts.push({ endedAtMs, lostMs });
  }, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      const within = (fromMs: number) =>
        halts
          .filter(({ endedAtMs }) => endedAtMs >= fromMs && endedAtMs <= fromMs + WINDOW_MS)
          .reduce((sum, { lostMs }) => sum + lostMs, 0);
      return {
        longestMs: Math.max(0, ...halts.map(({ lostMs }) => lostMs)),
        worstSecondMs: Math.max(0, ...halts.map(({ endedAtMs }) => within(endedAtMs))),
      };
    },
  };
}

/** A recording of a process that stood still for longer, by the world's clock, says nothing about gaps: two in a row add up. */
export const VOID_AFTER_MS = 110;
