import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A wire between two programs that can be torn. */
export interface Wire {
  /** Base URL of this end of the wire. */
  readonly url: string;
  /** Connections that are up. */
  readonly connections: number;
  /**
   * Resets every connection (RST) towards the end that is ours, and drops its other end: what a dying proxy does.
   * Resolves with how many there were.
   */
  tear(): number;
  close(): Promise<void>;
}

/** Which end of a wire our plugin is at: the one that dials in, or the one that is dialled. */
export type OurEnd = "dials" | "is dialled";

/** Forwards every byte from a loopback port of its own to `target`, both ways. */
export async function stretchWire(target: string, ourEnd: OurEnd): Promise<Wire> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<{ ours: Socket; theirs: Socket }>();
  const server = createServer((dialled) => {
    const onward = connect(Number(port), hostname);
    const pair = ourEnd === "dials" ? { ours: dialled, theirs: onward } : { ours: onward, theirs: dialled };
    pairs.add(pair);
    for (const [from, to] of [
      [dialled, onward],
      [onward, dialled],
    ] as const) {
      from.setNoDelay(true);
      from.pipe(to);
      from.once("close", () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.on("error", () => to.destroy()); // either end may go at any time; the other learns of it by its close
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  const url = new URL(target);
  url.port = String(address.port);
  const tear = () => {
    const torn = [...pairs];
    for (const { ours, theirs } of torn) {
      ours.resetAndDestroy();
      theirs.destroy();
    }
    return torn.length;
  };
  return {
    url: url.href.replace(/\/$/, ""),
    get connections() {
      return pairs.size;
    },
    tear,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const { ours, theirs } of pairs) {
        ours.destroy();
        theirs.destroy();
      }
      await closed;
    },
  };
}
