import { join } from "node:path";
import { memoryStore } from "./memory.ts";
import { type SqliteStoreOptions, sqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

export { memoryStore } from "./memory.ts";
export { type SqliteStoreOptions, sqliteStore } from "./sqlite.ts";

/** What a store is made from. */
export type StoreParts = Pick<SqliteStoreOptions, "logger"> & {
  /** Folder for what the channel keeps. */
  readonly stateDir: string;
};

/** The store that the setting `store` names; nothing is opened before its `start`. */
export function createStore(kind: "sqlite" | "memory", { stateDir, ...rest }: StoreParts): Store {
  switch (kind) {
    case "sqlite":
      return sqliteStore({ path: join(stateDir, "calls.sqlite"), ...rest });
    case "memory":
      return memoryStore();
  }
}
