import type { Clock, Timer } from "../../core/clock.ts";
import type { Logger } from "../../hosts/host.ts";
import { type FilesRequest, wantedFiles } from "./wanted.ts";
import { findWorkspaceFile } from "./workspace-file.ts";

/** How often the files are looked at. Whatever is written between two looks is one change. */
export const LOOK_EVERY_MS = 2_000;

/** What the watch works with. */
export interface FileWatchParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Watcher {
  readonly request: FilesRequest;
  readonly onChange: (files: readonly string[]) => void;
  readonly leave: () => void;
  /** How the files were at the last look, by name; unset until the first. */
  seen?: ReadonlyMap<string, string>;
}

interface Workspace {
  readonly watchers: Set<Watcher>;
  readonly timer: Timer;
  looking: boolean;
}

/** How a file is that is not there. */
const ABSENT = "absent";

/**
 * Sees when memory files change. Looks at the few files that matter, once for all calls of a workspace, instead of asking
 * the system to tell: that also works over network mounts, through links, and for folders that are not there yet.
 */
export class FileWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #workspaces = new Map<string, Workspace>();
  #closed = false;

  constructor({ clock, logger }: FileWatchParts) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Resolves once it knows how the files are now. Never rejects. */
  async add(request: FilesRequest, onChange: Watcher["onChange"], signal: AbortSignal): Promise<void> {
    const { workspaceDir } = request;
    if (this.#closed || signal.aborted || workspaceDir === undefined) return;
    if (namesOf(request, this.#clock.now()).length === 0) return; // no file may be told to a stranger
    const workspace = this.#workspaceOf(workspaceDir);
    const remove = () => this.#remove(workspaceDir, watcher);
    const watcher: Watcher = { request, onChange, leave: () => signal.removeEventListener("abort", remove) };
    signal.addEventListener("abort", remove, { once: true });
    workspace.watchers.add(watcher);
    watcher.seen = await look(workspaceDir, namesOf(request, this.#clock.now()));
  }

  /** Ends all watching. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const [workspaceDir, { watchers }] of this.#workspaces) {
      for (const watcher of watchers) this.#remove(workspaceDir, watcher);
    }
  }

  #workspaceOf(workspaceDir: string): Workspace {
    const known = this.#workspaces.get(workspaceDir);
    if (known) return known;
    const workspace: Workspace = {
      watchers: new Set(),
      timer: this.#clock.every(LOOK_EVERY_MS, () => void this.#look(workspaceDir, workspace)),
      looking: false,
    };
    this.#workspaces.set(workspaceDir, workspace);
    return workspace;
  }

  #remove(workspaceDir: string, watcher: Watcher): void {
    watcher.leave();
    const workspace = this.#workspaces.get(workspaceDir);
    if (!workspace?.watchers.delete(watcher) || workspace.watchers.size > 0) return;
    workspace.timer.stop();
    this.#workspaces.delete(workspaceDir);
  }

  async #look(workspaceDir: string, workspace: Workspace): Promise<void> {
    if (workspace.looking) return; // a slow disk is not asked twice
    workspace.looking = true;
    const nowMs = this.#clock.now();
    const asked = [...workspace.watchers]
      .filter(({ seen }) => seen !== undefined)
      .map((watcher) => ({ watcher, names: namesOf(watcher.request, nowMs) }));
    const found = await look(workspaceDir, new Set(asked.flatMap(({ names }) => names)));
    workspace.looking = false;
    for (const { watcher, names } of asked) {
      if (!workspace.watchers.has(watcher)) continue;
      // A file that was not looked at before is one of a day that had not begun.
      const changed = names.filter((name) => found.get(name) !== (watcher.seen?.get(name) ?? ABSENT));
      watcher.seen = new Map(names.map((name) => [name, found.get(name) ?? ABSENT]));
      if (changed.length > 0) this.#tell(watcher, changed);
    }
  }

  #tell({ onChange }: Watcher, changed: readonly string[]): void {
    try {
      onChange(changed);
    } catch (error) {
      this.#logger.error("whoever was told that memory files have changed has failed", { error });
    }
  }
}

// --- Internal helpers ---

function namesOf(request: FilesRequest, nowMs: number): readonly string[] {
  const { identity, memory } = wantedFiles(request, nowMs);
  return [...identity, ...memory].map(({ name }) => name);
}

async function look(workspaceDir: string, names: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  return new Map(
    await Promise.all(
      Array.from(names, async (name): Promise<[string, string]> => {
        const file = await findWorkspaceFile(workspaceDir, name);
        return [name, file.kind === "found" ? file.stamp : file.kind === "absent" ? ABSENT : file.reason];
      }),
    ),
  );
}
