import type { Attestation, Trust } from "./events.ts";

/** What may be used on a call, beside the public persona that everybody meets. */
export interface Knowledge {
  /** Who the agent is: IDENTITY.md and SOUL.md. */
  readonly identity: boolean;
  /** What the same caller's earlier calls were about. */
  readonly history: boolean;
  /** The owner's private memory: USER.md, MEMORY.md and the daily files. */
  readonly memory: boolean;
}

const KNOWLEDGE: Readonly<Record<Trust, Knowledge>> = {
  stranger: { identity: false, history: false, memory: false },
  known: { identity: true, history: true, memory: false },
  owner: { identity: true, history: true, memory: true },
};

/** Each trust includes what stands before it. */
const RANK: Readonly<Record<Trust, number>> = { stranger: 0, known: 1, owner: 2 };

/** What a caller of this trust may be told. Each step up only adds. */
export function mayKnow(trust: Trust): Knowledge {
  return KNOWLEDGE[trust];
}

/**
 * The most that a telephone number is worth by itself: `known` when the account lists it, else `stranger`.
 * `*` lets everybody in and makes nobody known. A number can be forged, so it never makes an owner.
 */
export function trustOfNumber(number: string, allowFrom: readonly string[]): Trust {
  return number !== "*" && allowFrom.includes(number) ? "known" : "stranger";
}

/**
 * What remains of a caller's trust once the network has spoken of their number. It only ever takes away: the best
 * signature says that a telephone may use a number, not who holds it.
 * - `failed`: the number may be another's, so whatever was believed because of it is not believed. Honest calls fail
 *   now and then, when a certificate cannot be fetched; they are talked to as strangers, and a code still raises them.
 * - `gateway` says no more of the number than nothing does, and every call from abroad has it. Whoever forges a number
 *   can send it without a signature as well: lowering it would keep out honest people alone.
 * - Absent: most networks outside North America sign nothing.
 */
export function lowered(trust: Trust, attestation: Attestation | undefined): Trust {
  return attestation === "failed" ? "stranger" : trust;
}

/** The greater of two. */
export function higher(a: Trust, b: Trust): Trust {
  return RANK[a] >= RANK[b] ? a : b;
}

/** Whether a caller of this trust may use what needs at least `needs`: what is not for them is not there for them. */
export function mayUse(trust: Trust, needs: Trust): boolean {
  return RANK[trust] >= RANK[needs];
}
