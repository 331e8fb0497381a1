/** How something that calls depend on is doing, best first. */
export const HEALTH_LEVELS = ["well", "degraded", "down"] as const;
export type HealthLevel = (typeof HEALTH_LEVELS)[number];
/** A level that somebody should know of. */
export type Trouble = Exclude<HealthLevel, "well">;

/** How many looks in a row it takes to believe in a change. */
export interface Hysteresis {
  /** Looks that are all worse than what is believed. */
  readonly fallAfter: number;
  /** Looks that are all better. */
  readonly riseAfter: number;
}

/** What is believed of something after all looks at it so far. */
export interface Standing {
  readonly level: HealthLevel;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  /** The last so many looks were all worse, or all better, than `level`. */
  readonly doubts: number;
  /** What the level becomes once there are enough of them: of worse looks the mildest, of better ones the worst. */
  readonly towards: HealthLevel;
}

/** A time in which something was not well, short recoveries included. People are told once that it began and once that it is over. */
export interface Episode {
  readonly startedAtMs: number;
  readonly worst: Trouble;
  /** Since when it has been well; absent while it is not. */
  readonly wellSinceMs?: number;
  /** It has been well for so long that the next trouble is another episode. */
  readonly over: boolean;
  /** The worst that each address was told of. */
  readonly told: Readonly<Record<string, Trouble>>;
}

/** What is believed before the first look. */
export function believe(level: HealthLevel, sinceMs: number): Standing {
  return { level, sinceMs, doubts: 0, towards: level };
}

/** Takes one look in. One look that differs changes nothing unless one is enough. */
export function judge(
  standing: Standing,
  look: { readonly level: HealthLevel; readonly atMs: number },
  { fallAfter, riseAfter }: Hysteresis,
): Standing {
  const { level } = standing;
  if (look.level === level) return { ...standing, doubts: 0, towards: level };
  const isWorse = rank(look.level) > rank(level);
  const goesOn = standing.doubts > 0 && rank(standing.towards) > rank(level) === isWorse;
  const doubts = goesOn ? standing.doubts + 1 : 1;
  const towards = goesOn ? nearest(level, standing.towards, look.level) : look.level;
  return doubts < (isWorse ? fallAfter : riseAfter) ? { ...standing, doubts, towards } : believe(towards, look.atMs);
}

/** The episode as it is now; `undefined` while there is none. `calmMs` of being well end it, and a relapse before goes on with it. */
export function followEpisode(
  episode: Episode | undefined,
  level: HealthLevel,
  nowMs: number,
  calmMs: number,
): Episode | undefined {
  if (level !== "well") {
    if (!episode) return { startedAtMs: nowMs, worst: level, over: false, told: {} };
    const { wellSinceMs: _wellSinceMs, ...rest } = episode;
    return { ...rest, over: false, worst: worse(episode.worst, level) };
  }
  if (!episode) return undefined;
  const wellSinceMs = episode.wellSinceMs ?? nowMs;
  return { ...episode, wellSinceMs, over: nowMs - wellSinceMs >= calmMs };
}

/** What an address is still to be told of an episode: that there is trouble, or that it is over. */
export function owedTo(episode: Episode, address: string): HealthLevel | undefined {
  const told = episode.told[address];
  if (episode.over) return told && "well";
  if (episode.wellSinceMs !== undefined) return undefined; // perhaps it passes before anybody has heard of it
  return told === undefined || rank(episode.worst) > rank(told) ? episode.worst : undefined;
}

/** The worst of several; well when there are none. */
export function worstOf(levels: Iterable<HealthLevel>): HealthLevel {
  let worst: HealthLevel = "well";
  for (const level of levels) if (rank(level) > rank(worst)) worst = level;
  return worst;
}

// --- Internal helpers ---

const rank = (level: HealthLevel): number => HEALTH_LEVELS.indexOf(level);

const worse = (a: Trouble, b: Trouble): Trouble => (rank(a) > rank(b) ? a : b);

/** Of two levels on the same side of `level` the one that changes least. */
function nearest(level: HealthLevel, a: HealthLevel, b: HealthLevel): HealthLevel {
  return Math.abs(rank(a) - rank(level)) <= Math.abs(rank(b) - rank(level)) ? a : b;
}
