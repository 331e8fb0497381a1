/** What must be none, each with what it means. */
export const KINDS = [
  /** Acknowledged, and not there afterwards: an entry, a reply, a turn, a note, a card. */
  "lost",
  /** A leg that lives at the carrier though its call is over for us, or that nobody ever ended. */
  "orphans",
  /** A call without exactly one end, or whose reason is not the carrier's. */
  "doubleEnds",
  /** A call that is open, or not done with, when everybody has hung up. */
  "stuck",
  /** What the process still holds at the end: timers, sockets, memory. */
  "leaked",
  /** A fault without an event and a reason, or somebody who waited without hearing anything. */
  "silent",
  /** Done twice, though it must be done once: a dialling, a note, a card that does not say so. */
  "doubled",
  /** A call whose decisions, made again from its record, are others. */
  "diverged",
] as const;
export type Kind = (typeof KINDS)[number];

/** One thing that is wrong. */
export interface Finding {
  readonly kind: Kind;
  /** The call's id, the leg's where the call has none, or what else it is about. */
  readonly about: string;
  readonly why: string;
}

export interface RunFacts {
  readonly seed: number;
  readonly calls: number;
  readonly startedAtMs: number;
}

export const found = (kind: Kind, about: string, why: string): Finding => ({ kind, about, why });

/** What a run came to, as it is printed: how many, how long, and the ids behind the counts. */
export function report<Facts extends RunFacts>(findings: readonly Finding[], facts: Facts) {
  const { startedAtMs, ...rest } = facts;
  const of = (kind: Kind) => findings.filter((finding) => finding.kind === kind);
  const ids = (kind: Kind) => [...new Set(of(kind).map(({ about }) => about))];
  return {
    ...(Object.fromEntries(KINDS.map((kind) => [kind, ids(kind).length])) as { [K in Kind]: number }),
    ...rest,
    seconds: Math.round((Date.now() - startedAtMs) / 100) / 10,
    ids: Object.fromEntries(KINDS.map((kind) => [kind, ids(kind)])) as { [K in Kind]: string[] },
    why: findings.map(({ kind, about, why }) => `${kind} ${about}: ${why}`),
  };
}

/** Whether nothing is wrong. */
export function isClean(counts: { readonly [K in Kind]: number }): boolean {
  return KINDS.every((kind) => counts[kind] === 0);
}
