import { type Clock, sleep } from "../../core/clock.ts";
import type { SimulatedCall } from "./call.ts";
import type { TwimlSource } from "./flow.ts";
import type { AnsweredBy, CalleeOptions } from "./types.ts";

/** What the application asked for when it placed an outbound call. */
export interface DialOrder {
  readonly source: TwimlSource;
  /** Seconds of ringing before it is no answer. */
  readonly timeoutSeconds: number;
  /** Seconds after answer at which the call is cut. */
  readonly timeLimitSeconds: number;
  readonly detection: Detection | undefined;
}

/** Machine detection of one call. */
export interface Detection {
  /** Where the result goes; undefined: the call's first instructions wait for it. */
  readonly asyncCallback: string | undefined;
}

/** How long the network takes to find the phone. */
const SETUP_MS = 200;
/** How long machine detection listens. */
const DETECTION_MS = 3_000;

/** Rings the person, and runs the call's instructions once it is answered. */
export async function dialOut(call: SimulatedCall, callee: CalleeOptions | undefined, order: DialOrder): Promise<void> {
  const { clock } = call;
  const { signal } = call.line;
  const { outcome = "answer", answerAfterMs = 1_000, answeredBy = "human" } = callee ?? { outcome: "invalid" };
  call.progress("initiated");
  await sleep(clock, SETUP_MS, signal);
  if (outcome === "invalid") {
    call.note(13_224, `Dial: ${call.to} is not in service.`);
    return call.end("failed", { SipResponseCode: "404" });
  }
  if (outcome === "failed") return call.end("failed", { SipResponseCode: "503" });
  call.progress("ringing");
  const timeoutMs = order.timeoutSeconds * 1000;
  await sleep(clock, outcome === "no-answer" ? timeoutMs : Math.min(answerAfterMs, timeoutMs), signal);
  if (outcome === "no-answer" || answerAfterMs >= timeoutMs) return call.end("no-answer", { SipResponseCode: "487" });
  if (outcome === "busy") return call.end("busy", { SipResponseCode: "486" });
  if (outcome === "reject") return call.end("busy", { SipResponseCode: "603" });
  call.answer();
  const limit = clock.after(order.timeLimitSeconds * 1000, () => call.end("completed"));
  signal.addEventListener("abort", () => limit.stop(), { once: true });
  if (order.detection) await detect(call, clock, answeredBy, order.detection);
  call.instruct(order.source);
}

async function detect(call: SimulatedCall, clock: Clock, found: AnsweredBy, detection: Detection): Promise<void> {
  const heard = sleep(clock, DETECTION_MS, call.line.signal);
  const { asyncCallback } = detection;
  if (asyncCallback === undefined) {
    await heard;
    call.answeredBy = found;
    return;
  }
  const result = { AnsweredBy: found, MachineDetectionDuration: String(DETECTION_MS) };
  heard.then(
    () => {
      call.answeredBy = found;
      call.inform("amd", asyncCallback, result);
    },
    () => {}, // the call ended before anything was found
  );
}
