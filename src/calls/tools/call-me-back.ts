import type { Clock } from "../../core/clock.ts";
import type { VoiceTool } from "../tools.ts";

/** A call that somebody wants to get. */
export interface CallbackWish {
  /** Milliseconds since the epoch. */
  readonly dueAtMs: number;
  /** What it is about, in the caller's words. */
  readonly why: string;
}

export interface CallMeBackParts {
  readonly clock: Pick<Clock, "now">;
  /** Notes the call; says when there are too many already. */
  readonly schedule: (wish: CallbackWish) => Promise<"scheduled" | "too-many">;
  /** How a moment is said to the caller, in the account's time zone. */
  readonly say: (atMs: number) => string;
}

const SOONEST_MINUTES = 5;
const LATEST_MINUTES = 7 * 24 * 60;
const MAX_WHY = 300;
/** The model needs a moment to say "in five minutes". */
const LEEWAY_MINUTES = 1;

/** Has the agent ring the caller later. */
export function callMeBackTool({ clock, schedule, say }: CallMeBackParts): VoiceTool {
  return {
    name: "call_me_back",
    description:
      "Rings the caller again at a later time, when they ask for it: from five minutes to seven days from now. Repeat " +
      "the time that you are told, so that they can correct it.",
    parameters: {
      type: "object",
      properties: {
        when: {
          type: "string",
          description: "Minutes from now, such as 30; or date and time with offset, such as 2026-03-01T15:30:00+01:00.",
        },
        why: { type: "string", description: "What the call is to be about, in the caller's words." },
      },
      required: ["when", "why"],
      additionalProperties: false,
    },
    maxCalls: 5,
    async execute({ when, why }) {
      const dueAtMs = momentOf(when, clock.now());
      if (typeof why !== "string" || why.trim() === "") throw new Error("why: must say what the call is about.");
      const outcome = await schedule({ dueAtMs, why: why.trim().slice(0, MAX_WHY) });
      if (outcome === "too-many") return "It was not noted: as many calls as may be are noted for this caller already.";
      return `It is noted: you ring the caller on ${say(dueAtMs)}.`;
    },
  };
}

// --- Internal helpers ---

function momentOf(when: unknown, nowMs: number): number {
  const text = String(when ?? "").trim();
  const minutes = /^\d{1,5}$/.test(text) ? Number(text) : (dateOf(text) - nowMs) / 60_000;
  if (minutes < SOONEST_MINUTES - LEEWAY_MINUTES || minutes > LATEST_MINUTES) {
    throw new Error("when: must be from five minutes to seven days from now.");
  }
  return Math.round(nowMs + Math.max(minutes, SOONEST_MINUTES) * 60_000);
}

/** A time without an offset would be the server's, which is nobody's. */
function dateOf(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw new Error(
    "when: must be minutes from now, or a date and time with its offset, like 2026-03-01T15:30:00+01:00.",
  );
}
