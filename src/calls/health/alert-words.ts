import type { Episode, HealthLevel } from "../../core/health.ts";
import type { HealthStanding } from "./monitor.ts";

/** One thing that an owner is told. */
export interface News {
  readonly standing: HealthStanding;
  /** What they are told: trouble, or that it is over. */
  readonly level: HealthLevel;
  readonly episode: Episode;
  /** Whether they may have been told already: it is not known. */
  readonly perhapsAgain: boolean;
}

const MOST_LINES = 12;
const MOST_CHARACTERS = 300;

/** What is looked at, in people's words. */
const SUBJECTS: Readonly<Record<string, string>> = {
  store: "the store of calls",
  carrier: "the phone carrier",
  engine: "the speech model",
  host: "the agent system",
  public_url: "the public address",
  disk: "the disk",
  calls: "the list of open calls",
};

/** A message to an owner about how the voice channel is doing. */
export function alertText(news: readonly News[], nowMs: number): string {
  const lines = news.slice(0, MOST_LINES).map((item) => line(item, nowMs));
  const more = news.length - lines.length;
  const again = news.some(({ perhapsAgain }) => perhapsAgain) ? ["(You may have had this message already.)"] : [];
  if (lines.length === 1 && more === 0) return [...again, `Phone calls: ${lines[0]}`].join("\n");
  return [
    ...again,
    "Phone calls:",
    ...lines.map((text) => `- ${text}`),
    ...(more > 0 ? [`- and ${more} more.`] : []),
  ].join("\n");
}

// --- Internal helpers ---

function line({ standing, level, episode }: News, nowMs: number): string {
  const { check, accountId, message, remedy } = standing;
  const of = accountId === undefined ? "" : ` of account ${accountId}`;
  const subject = `${SUBJECTS[check] ?? check}${of}`;
  if (level === "well") {
    const lasted = (episode.wellSinceMs ?? nowMs) - episode.startedAtMs;
    return `${subject} is well again, after ${duration(lasted)}.`;
  }
  const state = level === "down" ? "is not working" : "is not well";
  return `${subject} ${state}. ${[message, remedy].filter(Boolean).join(" ")}`.slice(0, MOST_CHARACTERS).toWellFormed();
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "less than a minute";
  if (minutes < 120) return minutes === 1 ? "a minute" : `${minutes} minutes`;
  return `${Math.round(minutes / 60)} hours`;
}
