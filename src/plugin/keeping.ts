import {
  Erasure,
  type ErasureOrder,
  type ErasureReceipt,
  type FilesOfCalls,
  type NotesOfCalls,
} from "../calls/erasure.ts";
import { Retention } from "../calls/retention.ts";
import type { Clock } from "../core/clock.ts";
import type { Host } from "../hosts/host.ts";
import type { Finding } from "../http/doors.ts";
import type { Store } from "../stores/store.ts";
import type { AccountBook } from "./accounts.ts";

export interface KeepingParts {
  readonly host: Host;
  readonly store: Store;
  readonly clock: Clock;
  readonly accounts: AccountBook;
  readonly notes: NotesOfCalls;
  readonly recordings: FilesOfCalls;
  readonly flightRecords: FilesOfCalls;
  /** Whether this process works on a call: it is live, or what comes after it is not done. */
  readonly isBusy: (callId: string) => boolean;
  /** Whether nobody is on the telephone. */
  readonly isIdle: () => boolean;
}

/** What is kept, and for how long: retention, and the erasure of one person. */
export class Keeping {
  readonly #parts: KeepingParts;
  readonly #erasure: Erasure;
  readonly #retention: Retention;

  constructor(parts: KeepingParts) {
    this.#parts = parts;
    const { logger } = parts.host;
    const shared = { ...parts, logger };
    this.#erasure = new Erasure({ ...shared, workspaces: () => this.#workspaces() });
    this.#retention = new Retention({
      ...shared,
      accounts: () => this.#accounts().map(({ id, config }) => ({ id, ...config })),
      workspace: (accountId) => this.#workspace(accountId),
    });
  }

  /** Goes on with erasures that were begun, and begins to take away what is kept long enough. The store is open. */
  start(): void {
    void this.#erasure.resume();
    this.#retention.start();
  }

  async stop(): Promise<void> {
    await this.#retention.stop();
  }

  /** @throws NotAllowedError a call with the number is not over and done with */
  erase(order: ErasureOrder): Promise<ErasureReceipt> {
    return this.#erasure.erase(order);
  }

  #accounts() {
    const { accounts } = this.#parts;
    return accounts.ids.flatMap((id) => {
      const config = accounts.config(id);
      return config ? [{ id, config }] : [];
    });
  }

  async #workspaces(): Promise<readonly string[]> {
    const all = await Promise.all(this.#parts.accounts.ids.map((id) => this.#workspace(id)));
    return [...new Set(all.filter((one) => one !== undefined))];
  }

  async #workspace(accountId: string): Promise<string | undefined> {
    const { accounts, host } = this.#parts;
    const account = accounts.find(accountId);
    if (!account) return undefined;
    const { agentId, numbers } = account;
    const own = { accountId, agentId, number: numbers[0] as string, direction: "inbound" } as const;
    return (await host.route(own)).workspaceDir;
  }
}

/** What `doctor` says of what was damaged and set aside; nothing when all is whole. */
export async function damageFindings(store: Pick<Store, "damage">): Promise<readonly Finding[]> {
  const { rows, callIds, files } = await store.damage();
  const found = { level: "warning", check: "store_damage" } as const;
  const calls = callIds.length === 0 ? "" : ` Calls: ${callIds.join(", ")}.`;
  return [
    ...(rows === 0
      ? []
      : [
          {
            ...found,
            message: `${rows} stored rows could not be read and were set aside.${calls}`,
            remedy: "Check the disk. What is left of these calls is whole.",
          },
        ]),
    ...files.map((file) => ({
      ...found,
      message: `A damaged store was put aside as ${file}; what could be read of it was taken over.`,
      remedy: "Check the disk. Delete the file once you need nothing of it.",
    })),
  ];
}
