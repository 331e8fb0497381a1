import type { Clock } from "../../core/clock.ts";
import { type Episode, followEpisode, type HealthLevel, owedTo } from "../../core/health.ts";
import type { ChannelAddress, Host, Logger } from "../../hosts/host.ts";
import type { Store } from "../../stores/store.ts";
import { untilAborted } from "../until-aborted.ts";
import { alertText, type News } from "./alert-words.ts";
import { checkKey, type HealthStanding } from "./monitor.ts";

export interface AlertsParts {
  readonly host: Pick<Host, "send" | "capabilities">;
  readonly store: Pick<Store, "document" | "documents" | "keep">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So long everything must have been well for an episode to be over. */
  readonly calmMs: number;
  /** One address gets at most so many messages within an hour. */
  readonly perHour: number;
  /** Who is told of an account's troubles, or of those that all accounts share. */
  readonly recipients: (accountId: string | undefined) => readonly ChannelAddress[];
}

/** An episode as it is kept, with what is being said of it right now: after a kill nobody knows whether it arrived. */
interface Kept {
  readonly episode: Episode;
  readonly telling: Readonly<Record<string, HealthLevel>>;
}

const KIND = "health-episode";
const HOUR_MS = 60 * 60_000;
/** Troubles seldom come alone: they are gathered for so long. */
const GATHER_MS = 3_000;
/** An address that did not take a message is tried again so much later. */
const AGAIN_MS = 30_000;
const TAKEN_WITHIN_MS = 15_000;

/**
 * Tells owners, in their own chat, that something their calls depend on is not well: once when it begins, once when it
 * gets worse than they know, once when it is over. What was told is kept, so that a restart repeats nothing.
 */
export class HealthAlerts {
  readonly #parts: AlertsParts;
  readonly #kept = new Map<string, Kept>();
  /** Keys whose document is not what it should be. */
  readonly #unsaved = new Set<string>();
  readonly #seen = new Set<string>();
  /** When each address got its messages of the last hour, and from when on it may be tried. */
  readonly #sent = new Map<string, { readonly atMs: readonly number[]; readonly notBeforeMs: number }>();
  #owedSinceMs: number | undefined;
  #stopped = new AbortController();

  constructor(parts: AlertsParts) {
    this.#parts = parts;
  }

  /** Reads what was told before. Resolves with the levels that were believed. @throws StoreError */
  async start(): Promise<ReadonlyMap<string, HealthLevel>> {
    this.#stopped = new AbortController();
    for (const { key, value } of await this.#parts.store.documents<Kept>(KIND)) this.#kept.set(key, value);
    // What nobody was told of is believed when it is seen again.
    const known = [...this.#kept].filter(([, { episode }]) => !episode.over && Object.keys(episode.told).length > 0);
    return new Map(known.map(([key, { episode }]) => [key, episode.worst]));
  }

  /** Gives up what is being sent. */
  stop(): void {
    this.#stopped.abort(new Error("The voice channel stops."));
  }

  /** Takes in how everything stands now, and tells who is to be told. Never rejects. */
  async update(standings: readonly HealthStanding[]): Promise<void> {
    try {
      const byKey = new Map(standings.map((standing) => [checkKey(standing), standing]));
      for (const [key, standing] of byKey) this.#follow(key, standing);
      // An account that has left leaves no troubles.
      for (const key of this.#seen) if (!byKey.has(key)) this.#drop(key);
      await this.#save();
      await this.#tell(byKey);
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#parts.logger.error("Alerts wait.", { error: String(error) });
    }
  }

  #follow(key: string, { level }: HealthStanding): void {
    const { clock, calmMs } = this.#parts;
    this.#seen.add(key);
    const kept = this.#kept.get(key);
    const episode = followEpisode(kept?.episode, level, Math.round(clock.now()), calmMs);
    if (!episode) return;
    const isNew = !kept || kept.episode.worst !== episode.worst;
    this.#keep(key, { episode, telling: kept?.telling ?? {} }, isNew);
  }

  async #tell(byKey: ReadonlyMap<string, HealthStanding>): Promise<void> {
    const { clock } = this.#parts;
    const owed = this.#owed(byKey);
    for (const [key, { episode }] of this.#kept) {
      const isOwed = [...owed.values()].some(({ news }) => news.some((item) => item.key === key));
      if (episode.over && !isOwed) this.#drop(key);
    }
    if (owed.size === 0) {
      this.#owedSinceMs = undefined;
    } else {
      this.#owedSinceMs ??= clock.now();
      if (clock.now() - this.#owedSinceMs >= GATHER_MS) {
        for (const [name, { address, news }] of owed) if (this.#mayTell(name)) await this.#send(name, address, news);
      }
    }
    await this.#save();
  }

  /** What each address is still to be told. */
  #owed(byKey: ReadonlyMap<string, HealthStanding>) {
    const owed = new Map<
      string,
      { readonly address: ChannelAddress; readonly news: (News & { readonly key: string })[] }
    >();
    if (!this.#parts.host.capabilities.send) return owed;
    for (const [key, { episode, telling }] of this.#kept) {
      const standing = byKey.get(key);
      if (!standing) continue;
      for (const address of this.#parts.recipients(standing.accountId)) {
        const name = nameOf(address);
        const level = owedTo(episode, name);
        if (level === undefined) continue;
        const entry = owed.get(name) ?? { address, news: [] };
        entry.news.push({ key, standing, level, episode, perhapsAgain: telling[name] === level });
        owed.set(name, entry);
      }
    }
    return owed;
  }

  #mayTell(name: string): boolean {
    const { clock, perHour } = this.#parts;
    const nowMs = clock.now();
    const { atMs, notBeforeMs } = this.#sent.get(name) ?? { atMs: [], notBeforeMs: 0 };
    return nowMs >= notBeforeMs && atMs.filter((sent) => sent > nowMs - HOUR_MS).length < perHour;
  }

  /** Sends one message with all news. It is written down before that it is being sent, and after that it was. */
  async #send(
    name: string,
    address: ChannelAddress,
    news: readonly (News & { readonly key: string })[],
  ): Promise<void> {
    const { host, clock, logger } = this.#parts;
    const change = (item: { readonly key: string }, by: (kept: Kept) => Kept) => {
      const kept = this.#kept.get(item.key);
      if (kept) this.#keep(item.key, by(kept), true);
    };
    for (const item of news) change(item, (kept) => ({ ...kept, telling: { ...kept.telling, [name]: item.level } }));
    await this.#save();
    const limit = new AbortController();
    const timer = clock.after(TAKEN_WITHIN_MS, () => limit.abort(new Error("The channel took too long.")));
    const before = this.#sent.get(name)?.atMs ?? [];
    try {
      const signal = AbortSignal.any([limit.signal, this.#stopped.signal]);
      await untilAborted(host.send(address, { text: alertText(news, clock.now()) }, signal), signal);
    } catch (error) {
      this.#sent.set(name, { atMs: before, notBeforeMs: clock.now() + AGAIN_MS });
      if (!this.#stopped.signal.aborted)
        logger.warn("An owner could not be told of the channel's health.", {
          channel: address.channel,
          error: String(error),
        });
      return;
    } finally {
      timer.stop();
    }
    const recent = before.filter((sent) => sent > clock.now() - HOUR_MS);
    this.#sent.set(name, { atMs: [...recent, clock.now()], notBeforeMs: 0 });
    for (const item of news) {
      change(item, ({ episode, telling }) => {
        const { [name]: _told, ...others } = telling;
        const { [name]: _before, ...told } = episode.told;
        const known = item.level === "well" ? told : { ...told, [name]: item.level };
        return { episode: { ...episode, told: known }, telling: others };
      });
    }
    await this.#save();
  }

  #keep(key: string, kept: Kept, isToBeSaved: boolean): void {
    this.#kept.set(key, kept);
    if (isToBeSaved) this.#unsaved.add(key);
  }

  #drop(key: string): void {
    this.#seen.delete(key);
    if (this.#kept.delete(key)) this.#unsaved.add(key);
  }

  /** Brings the documents up to date. A store that fails, and is perhaps what is to be told, stops nothing. */
  async #save(): Promise<void> {
    const { store, logger } = this.#parts;
    for (const key of this.#unsaved) {
      try {
        const version = (await store.document<Kept>(KIND, key))?.version ?? 0;
        const value = this.#kept.get(key);
        const isThere = value !== undefined || version > 0;
        if (!isThere || (await store.keep(KIND, key, value, version))) this.#unsaved.delete(key);
      } catch (error) {
        logger.debug("What was told of the channel's health is not written down yet.", { key, error: String(error) });
        return; // tried again a second later
      }
    }
  }
}

// --- Internal helpers ---

const nameOf = ({ channel, to, accountId = "" }: ChannelAddress): string => `${channel}:${accountId}:${to}`;
