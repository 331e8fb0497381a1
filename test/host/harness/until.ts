/** Things that were seen, in order, with somebody waiting for the next one that fits. */
export interface Seen<T> {
  readonly all: readonly T[];
  add(item: T): void;
  /** The first item, already seen or still to come, that `fits`; fails with what was seen instead. */
  first(what: string, fits: (item: T) => boolean, timeoutMs?: number): Promise<T>;
}

/** A list to which servers add and for which tests wait, without polling. */
export function seen<T>(describe: (item: T) => string): Seen<T> {
  const all: T[] = [];
  const waiting = new Set<(item: T) => void>();
  return {
    all,
    add(item) {
      all.push(item);
      for (const check of [...waiting]) check(item);
    },
    first(what, fits, timeoutMs = 60_000) {
      const already = all.find(fits);
      if (already !== undefined) return Promise.resolve(already);
      return new Promise((resolve, reject) => {
        const check = (item: T) => {
          if (!fits(item)) return;
          done();
          resolve(item);
        };
        const timer = setTimeout(() => {
          done();
          const last = all.slice(-5).map(describe).join("\n  ");
          reject(new Error(`${what}: not within ${timeoutMs} ms; the last of ${all.length} seen:\n  ${last}`));
        }, timeoutMs);
        const done = () => {
          clearTimeout(timer);
          waiting.delete(check);
        };
        waiting.add(check);
      });
    },
  };
}
