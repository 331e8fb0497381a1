import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { StoreError } from "../../core/errors.ts";
import type { Host } from "../../hosts/host.ts";
import type { Store } from "../../stores/store.ts";
import type { Account } from "../account.ts";
import type { CallWatch } from "./call-watch.ts";
import type { HealthCheck, Reading } from "./monitor.ts";

/** A store slower than this delays what callers wait for. */
const STORE_SLOW_MS = 500;
/** Peers over a network, and the agent system. */
const PEER_SLOW_MS = 4_000;
const MIB = 1_024 * 1_024;

/** Whether the store takes writes: one that is undone. `probeId` names the process's own. */
export function storeCheck(store: Pick<Store, "document" | "keep">, probeId: string, clock: Clock): HealthCheck {
  return {
    name: "store",
    slowMs: STORE_SLOW_MS,
    remedy: "Make the state directory writable, and leave room on its disk.",
    async look() {
      const left = await store.document("health-probe", probeId);
      const version = left?.version ?? 0;
      const kept = await store.keep("health-probe", probeId, { atMs: Math.round(clock.now()) }, version);
      const undone = kept && (await store.keep("health-probe", probeId, undefined, version + 1));
      if (!undone) throw new StoreError("A document of our own could not be kept and removed again.");
      return well("It takes writes.");
    },
  };
}

/** Whether an account's carrier answers and accepts its credentials. */
export function carrierCheck({ id, carrier }: Pick<Account, "id" | "carrier">): HealthCheck {
  return {
    name: "carrier",
    accountId: id,
    slowMs: PEER_SLOW_MS,
    remedy: "Correct the account's carrier settings, or wait until the carrier can be reached.",
    async look(signal) {
      await carrier.probe(signal);
      return well("It answers and accepts the credentials.");
    },
  };
}

/** Whether an account's speech model can be had; while another of its models can, calls go on with that. */
export function engineCheck({
  id,
  engine,
  fallbackEngines,
}: Pick<Account, "id" | "engine" | "fallbackEngines">): HealthCheck {
  return {
    name: "engine",
    accountId: id,
    slowMs: PEER_SLOW_MS,
    remedy: "Correct the account's engine settings, or wait until the model can be reached.",
    async look(signal) {
      try {
        await engine.probe(signal);
      } catch (error) {
        for (const other of fallbackEngines) {
          const answers = await other.probe(signal).then(
            () => true,
            () => false, // the first one's error is what helps
          );
          if (answers) return { level: "degraded", message: `Calls use a fallback model. ${String(error)}` };
        }
        throw error;
      }
      return well("It answers and accepts the key.");
    },
  };
}

/** Whether the agent system answers. What it says of its settings is no matter of health. */
export function hostCheck(host: Pick<Host, "report">): HealthCheck {
  return {
    name: "host",
    slowMs: PEER_SLOW_MS,
    remedy: "See its log.",
    async look() {
      await host.report();
      return well("It answers.");
    },
  };
}

/** How much room a folder's disk has, as `statfs` of node:fs/promises says. */
export type FreeSpace = (folder: string) => Promise<{ readonly bavail: number; readonly bsize: number }>;

/** The room on the disk where a folder is, or will be once something is kept in it. */
export const freeSpaceOf: FreeSpace = (folder) =>
  statfs(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" || dirname(folder) === folder) throw error;
    return freeSpaceOf(dirname(folder));
  });

/** Whether there is room for journals and recordings. */
export function diskCheck(
  folder: string,
  { diskLowMiB, diskFullMiB }: { readonly diskLowMiB: number; readonly diskFullMiB: number },
  freeSpace: FreeSpace,
): HealthCheck {
  return {
    name: "disk",
    slowMs: PEER_SLOW_MS,
    remedy: "Make room on its disk, or keep recordings and calls for a shorter time.",
    async look() {
      const { bavail, bsize } = await freeSpace(folder);
      const freeMiB = Math.floor((bavail * bsize) / MIB);
      const message = `${freeMiB} MiB are free where the state is kept.`;
      if (freeMiB >= diskLowMiB) return well(message);
      return { level: freeMiB < diskFullMiB ? "down" : "degraded", message };
    },
  };
}

/** Whether all open calls have somebody who looks after them: live here, or about to be taken up. */
export function callsCheck(
  watch: CallWatch,
  store: Pick<Store, "calls">,
  isOwned: (callId: string) => boolean,
  clock: Clock,
): HealthCheck {
  return {
    name: "calls",
    slowMs: PEER_SLOW_MS,
    remedy: "Let the account that they are of run, or start again: then they are closed by the carrier's word.",
    async look() {
      await watch.sweep(store, clock.now());
      const orphans = watch.orphans(isOwned, clock.now());
      if (orphans.length === 0) return well("Every open call is looked after.");
      return {
        level: "degraded",
        message: `${orphans.length} calls are open and nobody looks after them: ${orphans.slice(0, 3).join(", ")}.`,
      };
    },
  };
}

// --- Internal helpers ---

const well = (message: string): Reading => ({ level: "well", message });
