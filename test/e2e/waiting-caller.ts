import { expect } from "vitest";
import { CLIP_TEXTS } from "../../src/calls/clips.ts";
import type { CallSummary } from "../../src/core/call.ts";
import type { CallReport, Line } from "../../src/testing/phone-network/index.ts";
import { longestSilenceMs } from "./silence.ts";
import { ANN, type EndedCall, ended, OUR_NUMBER, type World } from "./world.ts";

/** What nobody has to bear: no silence of ours is longer. */
const PROMISED_MS = 2_000;
/** A recording is read in frames of 20 ms: one at each end of a silence. */
const FRAMES_MS = 40;
/**
 * The plugin's own measure differs from the recording's by so much at most: a frame at each end, and the way of the
 * sound to the telephone, a few milliseconds of this process at several times the speed of life.
 */
const AGREEMENT_MS = 100;
/** By the promise, a quiet that is longer says that the agent has finished. */
const FINISHED_MS = 2_100;

export const QUESTION = "How is the weather?";
/** What a caller hears when the conversation cannot go on. */
export const APOLOGY = `agent: ${CLIP_TEXTS.apology}`;

const BRIDGES = (["one-moment", "just-a-moment", "still-working", "thank-you"] as const).map(
  (name) => `agent: ${CLIP_TEXTS[name]}`,
);

/** A call of somebody who was greeted, asked, and said nothing until they were answered or the call ended. */
export interface WaitingCall {
  readonly report: CallReport;
  readonly call: EndedCall;
}

export interface Caller {
  readonly from?: string;
  readonly question?: string;
  /** They have been greeted and are about to ask: what is to go wrong may begin. */
  readonly greeted?: (line: Line) => void | Promise<void>;
  /** They have asked. */
  readonly asked?: (line: Line) => void | Promise<void>;
  /** They have been answered and are about to hang up. */
  readonly hungUp?: () => void;
}

/** Somebody rings, waits as a person would, and hangs up when they were answered. Resolves when the call is stored. */
export async function waitOnTheLine(ours: World, caller: Caller = {}): Promise<WaitingCall> {
  const { question = QUESTION, from = ANN, greeted, asked, hungUp } = caller;
  const ending = endOf(ours, from);
  const call = ours.phones.ring({
    from,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply({ quietMs: FINISHED_MS });
      await greeted?.(line);
      await line.say(question);
      await asked?.(line);
      await line.hearReply({ quietMs: FINISHED_MS, timeoutMs: 120_000 });
      hungUp?.();
    },
  });
  return { report: await call.ended, call: await ending };
}

/** Nobody waited two seconds in silence, by the recording and by what is stored, and nobody was talked over. */
export function expectNeverSilent({ report, call }: WaitingCall): void {
  const recordedMs = longestSilenceMs(report.wav);
  const storedMs = call.longestSilenceMs ?? Number.NaN;
  // What was on its way when they began to speak could not be known to be over them.
  const overCaller = report.heardSegments.filter(({ startMs, endMs }) =>
    report.spoken.some((said) => startMs < said.endMs && endMs > said.startMs),
  );
  expect(overCaller, "heard while the caller spoke").toEqual([]);
  expect(recordedMs).toBeLessThanOrEqual(PROMISED_MS + FRAMES_MS);
  expect(storedMs).toBeLessThanOrEqual(PROMISED_MS);
  const difference = `${storedMs} ms stored, ${recordedMs} ms recorded`;
  expect(Math.abs(storedMs - recordedMs), difference).toBeLessThanOrEqual(AGREEMENT_MS);
  // Whatever was said was said to its end: no clip cut into a sentence of the model's, and none was cut.
  expect(call.words.filter((line) => line.endsWith(" -"))).toEqual([]);
}

/** What was said by both, without what only bridged the waiting. */
export function conversation({ call }: WaitingCall): string[] {
  return call.words.filter((line) => !BRIDGES.includes(line));
}

/** How often somebody who waited was told so in words. */
export function bridges({ call }: WaitingCall): number {
  return call.words.filter((line) => BRIDGES.includes(line)).length;
}

// --- Internal helpers ---

/** The end of the call of that caller; others may end before, and meanwhile. */
async function endOf({ plugin }: World, from: string): Promise<EndedCall> {
  const { promise, resolve } = Promise.withResolvers<CallSummary>();
  const onEnded = (call: CallSummary) => call.from === from && resolve(call);
  plugin.on("ended", onEnded);
  const call = await promise;
  plugin.off("ended", onEnded);
  return ended(plugin, call);
}
