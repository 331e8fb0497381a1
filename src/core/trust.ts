import type { Trust } from "./events.ts";

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
