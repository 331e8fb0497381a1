import { type CallSummary, callerNumber, summarise } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { HostError } from "./core/errors.ts";
import { trustOfNumber } from "./core/trust.ts";
import type { Admission, AdmissionPolicy, CallerRef, Host, Route } from "./hosts/host.ts";
import type { CallPage, Store } from "./stores/store.ts";

/** How long the host may take to say who somebody is: a caller is listening to ringing meanwhile. */
const HOST_PATIENCE_MS = 2_000;
/** The most that a store lists at once. */
const PAGE = 500;

/** What the manager works with. */
export interface SessionManagerParts {
  readonly host: Host;
  readonly store: Store;
  readonly clock: Clock;
}

/** Who the other person is to the host, and what they may. */
export interface CallerIdentity {
  readonly route: Route;
  readonly admission: Admission;
}

/** A session of the host that calls belong to. */
export interface SessionSummary {
  readonly sessionKey: string;
  readonly agentId: string;
  /** E.164 of the other person on the session's latest call. */
  readonly number: string;
  /** How many of the recent calls belong to it. */
  readonly calls: number;
  /** When the latest of them began, in milliseconds since the epoch. */
  readonly lastCallAtMs: number;
}

/** Knows whose call it is: the host's session and the trust of a number, and what was on the telephone before. */
export class VoiceSessionManager {
  readonly #host: Host;
  readonly #store: Store;
  readonly #clock: Clock;

  constructor({ host, store, clock }: SessionManagerParts) {
    this.#host = host;
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Who rings, and whether they may. The host is asked for both at once, and answers for the trust it gives.
   * @throws HostError the host failed, or did not answer within 2 s
   */
  async identify(caller: CallerRef, policy: AdmissionPolicy): Promise<CallerIdentity> {
    const [route, admission] = await this.#askHost("who is calling", () =>
      Promise.all([this.#host.route(caller), this.#host.admit(caller, policy)]),
    );
    return { route, admission };
  }

  /**
   * Whom the agent rings. A callee is not admitted, because we are the ones who ring: only the route is asked.
   * @throws HostError the host failed, or did not answer within 2 s
   */
  async identifyCallee(callee: CallerRef, policy: AdmissionPolicy): Promise<CallerIdentity> {
    const route = await this.#askHost("who is to be called", () => this.#host.route(callee));
    const trust = trustOfNumber(callee.number, policy.allowFrom);
    return { route, admission: { allowed: true, reason: "outbound", trust } };
  }

  /** Calls with this number that are over, newest first, at most `limit`. @throws StoreError */
  async history(accountId: string, number: string, limit: number): Promise<readonly CallSummary[]> {
    const past: CallSummary[] = [];
    let page: CallPage | undefined;
    while (past.length < limit && (page === undefined || page.next !== undefined)) {
      page = await this.#store.calls({
        accountId,
        caller: number,
        limit: Math.min(PAGE, limit + 1), // one more: the call that asks is in the store already
        ...(page?.next !== undefined && { after: page.next }),
      });
      const ended = page.calls.filter(({ state }) => state === "ended");
      past.push(...ended.map((call) => summarise(call, this.#clock.now())));
    }
    return past.slice(0, limit);
  }

  /** Sessions of the last 500 calls, the one with the newest call first, at most `limit`. @throws StoreError */
  async sessions(limit: number): Promise<readonly SessionSummary[]> {
    const { calls } = await this.#store.calls({ limit: PAGE });
    const sessions = new Map<string, SessionSummary>();
    for (const call of calls) {
      if (call.sessionKey === undefined || call.agentId === undefined) continue; // turned away before it had one
      const known = sessions.get(call.sessionKey);
      sessions.set(call.sessionKey, {
        sessionKey: call.sessionKey,
        agentId: known?.agentId ?? call.agentId,
        number: known?.number ?? callerNumber(call),
        calls: (known?.calls ?? 0) + 1,
        lastCallAtMs: Math.max(known?.lastCallAtMs ?? 0, call.createdAtMs),
      });
    }
    return [...sessions.values()].sort((a, b) => b.lastCallAtMs - a.lastCallAtMs).slice(0, limit);
  }

  async #askHost<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = this.#clock.after(HOST_PATIENCE_MS, () =>
      reject(new HostError(`The host did not say within ${HOST_PATIENCE_MS / 1_000} s ${what}.`)),
    );
    try {
      return await Promise.race([ask(), tooLate]);
    } catch (cause) {
      if (cause instanceof HostError) throw cause;
      throw new HostError(`The host could not say ${what}.`, { cause });
    } finally {
      timer.stop();
    }
  }
}
