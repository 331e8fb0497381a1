import { allCalls } from "./calls/all-calls.ts";
import { linkedAddresses, ownLink } from "./calls/links.ts";
import { type CallSummary, callerNumber, summarise } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { HostError } from "./core/errors.ts";
import { trustOfNumber } from "./core/trust.ts";
import type { Admission, AdmissionPolicy, CallerRef, ChannelAddress, Host, Route } from "./hosts/host.ts";
import type { Store } from "./stores/store.ts";

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
  /** Where else that person is reached: the channels that the session may be shared with. */
  readonly linked: readonly ChannelAddress[];
}

/** A session that a person's calls belong to. */
export interface LinkedSession {
  readonly sessionKey: string;
  readonly agentId: string;
  /** Where that person is reached in text; empty for a session of earlier calls alone. */
  readonly channels: readonly ChannelAddress[];
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
    const named = this.#named(caller);
    const [route, admission] = await this.#askHost("who is calling", () =>
      Promise.all([this.#host.route(caller), this.#host.admit(caller, policy)]),
    );
    return { route: await named(route), admission };
  }

  /**
   * Whom the agent rings. A callee is not admitted, because we are the ones who ring: only the route is asked.
   * @throws HostError the host failed, or did not answer within 2 s
   */
  async identifyCallee(callee: CallerRef, policy: AdmissionPolicy): Promise<CallerIdentity> {
    const named = this.#named(callee);
    const route = await this.#askHost("who is to be called", () => this.#host.route(callee));
    const trust = trustOfNumber(callee.number, policy.allowFrom);
    return { route: await named(route), admission: { allowed: true, reason: "outbound", trust } };
  }

  /**
   * Where the host puts a caller, as `identify` finds it, without asking whether they may.
   * @throws HostError the host failed, or did not answer within 2 s
   */
  async route(caller: CallerRef): Promise<Route> {
    const named = this.#named(caller);
    return named(await this.#askHost("where a call belongs", () => this.#host.route(caller)));
  }

  /** Where else the same person is reached, as the host's links and our own say. Never rejects. */
  linked(caller: CallerRef): Promise<readonly ChannelAddress[]> {
    return linkedAddresses({ host: this.#host, store: this.#store }, caller);
  }

  /**
   * The sessions of a person's calls: first the one that the host puts them in now, with the channels that it may be
   * shared with, then those of earlier calls. @throws HostError @throws StoreError
   */
  async linkedSessions(caller: CallerRef): Promise<readonly LinkedSession[]> {
    const { accountId, number } = caller;
    const [{ sessionKey, agentId }, channels, past] = await Promise.all([
      this.route(caller),
      this.linked(caller),
      this.#store.calls({ accountId, caller: number }),
    ]);
    const sessions = new Map([[sessionKey, { sessionKey, agentId, channels }]]);
    for (const { sessionKey: key, agentId: agent } of past.calls) {
      if (key === undefined || agent === undefined || sessions.has(key)) continue;
      sessions.set(key, { sessionKey: key, agentId: agent, channels: [] });
    }
    return [...sessions.values()];
  }

  /** Calls with this number that are over, newest first, at most `limit`. @throws StoreError */
  async history(accountId: string, number: string, limit: number): Promise<readonly CallSummary[]> {
    const past: CallSummary[] = [];
    // One more: the call that asks is in the store already.
    const query = { accountId, caller: number, limit: Math.min(PAGE, limit + 1) };
    for await (const call of allCalls(this.#store, query)) {
      if (call.state === "ended") past.push(summarise(call, this.#clock.now()));
      if (past.length >= limit) break;
    }
    return past;
  }

  /** Sessions of the last 500 calls, the one with the newest call first, at most `limit`. @throws StoreError */
  async sessions(limit: number): Promise<readonly SessionSummary[]> {
    const { calls } = await this.#store.calls({ limit: PAGE });
    const sessions = new Map<string, Omit<SessionSummary, "linked"> & { readonly caller: CallerRef }>();
    for (const call of calls) {
      const { sessionKey, agentId, accountId, direction } = call;
      if (sessionKey === undefined || agentId === undefined) continue; // turned away before it had one
      const known = sessions.get(sessionKey);
      const number = known?.number ?? callerNumber(call);
      sessions.set(sessionKey, {
        sessionKey,
        number,
        agentId: known?.agentId ?? agentId,
        calls: (known?.calls ?? 0) + 1,
        lastCallAtMs: Math.max(known?.lastCallAtMs ?? 0, call.createdAtMs),
        caller: known?.caller ?? { accountId, agentId, number, direction },
      });
    }
    const latest = [...sessions.values()].sort((a, b) => b.lastCallAtMs - a.lastCallAtMs).slice(0, limit);
    return Promise.all(latest.map(async ({ caller, ...rest }) => ({ ...rest, linked: await this.linked(caller) })));
  }

  /**
   * Looks for our own link of a number while the host is asked, and adds its name to a route that has none. Only the name:
   * the key of a session is the host's alone.
   */
  #named(caller: CallerRef): (route: Route) => Promise<Route> {
    const link = ownLink(this.#store, caller).catch((error: unknown) => {
      this.#host.logger.warn("The links could not be read.", { callId: caller.callId, error: String(error) });
      return undefined;
    });
    return async (route) => {
      if (route.principal !== undefined) return route;
      const principal = (await link)?.principal;
      return { ...route, ...(principal !== undefined && { principal }) };
    };
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
