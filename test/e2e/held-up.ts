import { monitorEventLoopDelay } from "node:perf_hooks";

/**
 * Measures by how much this process is held up. Telephones, plugin and model of a world are all in it: when it stands
 * still for longer than the sound that lies at the carrier, 230 ms at least, there is a gap that is nobody's fault.
 */
export function heldUp(): { stop(): number } {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return {
    /** The longest that it stood still, real milliseconds. */
    stop() {
      delay.disable();
      return delay.max / 1e6;
    },
  };
}

/** A recording of a process that stood still for longer, by the world's clock, says nothing about gaps: two in a row add up. */
export const VOID_AFTER_MS = 110;
