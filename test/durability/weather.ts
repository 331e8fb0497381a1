import type { Clock } from "../../src/core/clock.ts";
import type { RestFate, StreamFate, WebhookFate, WebhookKind } from "../../src/testing/phone-network/index.ts";
import type { Random } from "../situations/random.ts";
import type { Town } from "./town.ts";

/** What goes wrong for everybody, for a while. */
export const EPISODES = [
  "calm",
  "carrier-away",
  "carrier-refusing",
  "carrier-unsure",
  "engine-away",
  "engine-slow",
  "engine-mute",
  "engine-drops",
  "engine-dead",
  "engine-stalls",
  "engine-refusing",
  "deaf",
  "disk-locked",
  "disk-full",
  "disk-broken",
] as const;
export type EpisodeKind = (typeof EPISODES)[number];

/** Times by the town's clock. */
export interface Episode {
  readonly kind: EpisodeKind;
  readonly fromMs: number;
  toMs: number;
}

/** Something that was done to one leg. */
export interface Blow {
  readonly legId: string;
  readonly kind: "reset" | "half-open" | "unanswered order";
  readonly atMs: number;
}

/** A session that opens while the engine drops them lives so long. */
export const DROPPED_AFTER_MS = 1_500;
/** Another process holds the file for so long, of the machine. */
const LOCKED_MS = { from: 200, to: 2_500 };

/** What went wrong, as it was done: whoever judges compares it with what was noted. */
export class Weather {
  readonly episodes: Episode[] = [];
  readonly blows: Blow[] = [];
  readonly #town: Town;
  readonly #chance: Random;
  readonly #clock: Clock;
  /** Orders of ours to a leg that the carrier took, and those that it did not. */
  readonly #orders = new Map<string, { taken: number; failed: number; atMs: number }>();

  constructor(town: Town, chance: Random) {
    this.#town = town;
    this.#chance = chance;
    this.#clock = town.clock;
    const { faults } = town.phones;
    faults.webhook = ({ kind }) => this.#webhook(kind);
    faults.stream = ({ callSid }) => this.#stream(callSid);
    faults.rest = ({ method, path }) => this.#rest(method, path);
    faults.deliverFrame = () => !this.#chance.chance(0.02);
  }

  /** One episode after another until `signal` is aborted; then it is calm. */
  async blow(signal: AbortSignal, lockFile: (forMs: number) => Promise<void>): Promise<void> {
    // Every kind comes before one comes again.
    let rest: EpisodeKind[] = [];
    while (!signal.aborted) {
      if (rest.length === 0) rest = shuffled(EPISODES, this.#chance);
      const kind = rest.pop() as EpisodeKind;
      const episode: Episode = { kind, fromMs: this.#clock.now(), toMs: Number.POSITIVE_INFINITY };
      this.episodes.push(episode);
      this.#begin(kind);
      if (kind === "disk-locked") await lockFile(this.#chance.between(LOCKED_MS.from, LOCKED_MS.to));
      else await this.#wait(this.#chance.between(1_500, 8_000), signal);
      this.#end();
      episode.toMs = this.#clock.now();
      await this.#wait(this.#chance.between(500, 4_000), signal);
    }
  }

  /** Nothing goes wrong any more. */
  clear(): void {
    const { faults } = this.#town.phones;
    faults.webhook = () => undefined;
    faults.stream = () => undefined;
    faults.rest = () => undefined;
    faults.deliverFrame = () => true;
    for (const [legId, { taken, failed, atMs }] of this.#orders)
      if (failed > 0 && taken === 0) this.blows.push({ legId, kind: "unanswered order", atMs });
  }

  /** Whether an episode of a kind was on at a moment. */
  wasOn(kind: EpisodeKind, atMs: number): boolean {
    return this.episodes.some((episode) => episode.kind === kind && episode.fromMs <= atMs && atMs <= episode.toMs);
  }

  get #now(): EpisodeKind {
    const last = this.episodes.at(-1);
    return last && last.toMs === Number.POSITIVE_INFINITY ? last.kind : "calm";
  }

  #begin(kind: EpisodeKind): void {
    const { model, process } = this.#town;
    const { faults } = model;
    if (kind === "engine-away") faults.refuseUpgrade = { status: 503, code: "server_error" };
    if (kind === "engine-slow") faults.openAfterMs = 2_500;
    if (kind === "engine-mute") faults.noSessionCreated = true;
    if (kind === "engine-drops") faults.dropAfterMs = DROPPED_AFTER_MS;
    if (kind === "engine-dead") faults.dead = true;
    if (kind === "engine-stalls") faults.stallAfterMs = 300;
    if (kind === "engine-refusing") faults.failResponses = { code: "rate_limit_exceeded" };
    if (kind === "deaf") faults.failTranscriptions = true;
    if (kind === "disk-full") process.setDisk("full");
    if (kind === "disk-broken") process.setDisk("broken");
  }

  #end(): void {
    const { model, process } = this.#town;
    for (const fault of Object.keys(model.faults)) delete model.faults[fault as keyof typeof model.faults];
    process.setDisk("well");
  }

  #webhook(kind: WebhookKind): WebhookFate | undefined {
    const chance = this.#chance;
    if (this.#now === "carrier-away" && chance.chance(5)) return { lose: true };
    if (!chance.chance(2.5)) return undefined;
    return chance.pick<() => WebhookFate>([
      () => ({ delayMs: chance.between(100, 6_000) }),
      () => ({ copies: chance.whole(2, 4) }),
      () => (kind === "status" ? { swapWithNext: true } : { delayMs: chance.between(100, 1_000) }), // others have no next
      () => ({ lose: true }),
      () => ({ loseAnswer: true }),
      () => ({ copies: 2, delayMs: chance.between(100, 3_000) }),
    ])();
  }

  #stream(legId: string): StreamFate | undefined {
    const chance = this.#chance;
    if (!chance.chance(1.5)) return undefined;
    const inMs = chance.between(200, 8_000);
    const atMs = this.#clock.now() + inMs;
    if (chance.chance(3)) return { connectDelayMs: chance.between(100, 3_000) };
    if (chance.chance(5)) {
      this.blows.push({ legId, kind: "reset", atMs });
      return { resetAfterMs: inMs };
    }
    this.blows.push({ legId, kind: "half-open", atMs });
    return { freezeAfterMs: inMs };
  }

  #rest(method: string, path: string): RestFate | undefined {
    const fate = this.#restFate();
    const legId = /\/Calls\/(CA\w+)\.json/.exec(path)?.[1];
    if (method !== "POST" || legId === undefined) return fate;
    const orders = this.#orders.get(legId) ?? { taken: 0, failed: 0, atMs: this.#clock.now() };
    this.#orders.set(legId, orders);
    if (fate?.error || fate?.unreachable) orders.failed += 1;
    else orders.taken += 1;
    return fate;
  }

  #restFate(): RestFate | undefined {
    const chance = this.#chance;
    switch (this.#now) {
      case "carrier-away":
        return { unreachable: true };
      case "carrier-refusing":
        return { error: { status: chance.pick([500, 503, 429]), code: 20_429 } };
      case "carrier-unsure":
        return { loseAnswer: true, delayMs: chance.between(0, 2_000) };
      default:
        return chance.chance(1) ? { delayMs: chance.between(0, 3_000) } : undefined;
    }
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(ms, resolve);
      const stop = () => {
        timer.stop();
        resolve();
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
  }
}

// --- Internal helpers ---

function shuffled<T>(from: readonly T[], chance: Random): T[] {
  return from
    .map((one) => ({ one, at: chance.unit() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
