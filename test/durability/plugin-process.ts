/** The plugin as a user runs it, in a process that may be killed. Orders and answers travel over its parent's channel. */
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import type { Logger } from "../../src/hosts/host.ts";
import { standaloneHost } from "../../src/hosts/standalone.ts";
import { VoiceChannelPlugin } from "../../src/plugin.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import { fillableStore } from "../e2e/stalled-store.ts";
import { watchTimers } from "../watched-timers.ts";
import type { Disk, FromProcess, Holdings, HostVerb, ProcessOrder, ToProcess } from "./protocol.ts";
import { sharedClock } from "./shared-clock.ts";
import { brittleStore, crashingStore, watchedStore } from "./trapped-store.ts";

const order = JSON.parse(process.argv[2] ?? "") as ProcessOrder;
const tell = (message: FromProcess): void => {
  if (process.connected) process.send?.(message);
};

const asked = new Map<number, PromiseWithResolvers<unknown>>();
let lastAsked = 0;
/** Has the parent carry out a verb of the host; what it did stays done when this process dies. */
function ask(verb: HostVerb, payload: unknown): Promise<unknown> {
  const id = ++lastAsked;
  const answer = Promise.withResolvers<unknown>();
  asked.set(id, answer);
  tell({ type: "asked", id, verb, payload });
  return answer.promise;
}

const write = (level: "warn" | "error"): Logger["warn"] => {
  return (message, fields = {}) => tell({ type: "logged", level, message, fields });
};
const logger: Logger = { debug() {}, info() {}, warn: write("warn"), error: write("error") };

const path = join(order.stateDir, "calls.sqlite");
const fillable = order.disk === "fails" ? fillableStore(path) : undefined;
let disk: Disk = "well";
const brittle = brittleStore(fillable?.store ?? sqliteStore({ path, logger }), () => disk === "broken");
const watched = watchedStore(brittle, (callId) => tell({ type: "refused", callId }));
const store = order.crash ? crashingStore(watched, order.crash, () => process.kill(process.pid, "SIGKILL")) : watched;
const timers = watchTimers(sharedClock(order.time));

const plugin = new VoiceChannelPlugin({
  config: order.config,
  stateDir: order.stateDir,
  clock: timers.clock,
  store,
  host: standaloneHost({
    logger,
    workspaceDir: order.workspaceDir,
    record: async (record) => void (await ask("record", record)),
    send: async (address, message) => (await ask("send", { address, message })) as { messageId: string },
    consult: async ({ question }) => String(await ask("consult", { question })),
    complete: async () => String(await ask("complete", {})),
    wake: async (_session, note) => void (await ask("wake", note)),
  }),
});
plugin.on("ringing", ({ callId }) => tell({ type: "begun", callId }));
plugin.on("ended", ({ callId }) => tell({ type: "ended", callId }));

async function holdings(): Promise<Holdings> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const open = process.getActiveResourcesInfo().filter((name) => /^(?:TCP|TLS)/.test(name));
  return {
    rssBytes: rss,
    heapBytes: heapUsed + external,
    sockets: Object.fromEntries([...new Set(open)].map((name) => [name, open.filter((one) => one === name).length])),
    timers: timers.running(),
    liveCalls: (await plugin.status()).liveCalls,
  };
}

async function stop(): Promise<void> {
  await plugin.stop();
  tell({ type: "stopped" });
  process.disconnect();
}

const act: { readonly [Type in ToProcess["type"]]: (message: Extract<ToProcess, { type: Type }>) => unknown } = {
  answer({ id, value, error }) {
    const waiting = asked.get(id);
    asked.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  },
  disk({ is }) {
    disk = is;
    if (is === "full") fillable?.fill();
    else fillable?.free();
  },
  holdings: async () => tell({ type: "holdings", holdings: await holdings() }),
  stop,
};
process.on("message", (message: ToProcess) => void (act[message.type] as (message: ToProcess) => unknown)(message));
// Without its parent nobody would ever stop it.
process.on("disconnect", () => process.exit(0));

await plugin.start();
flushCompileCache(); // a process that is killed does not get to it
tell({ type: "ready", port: (await plugin.status()).listening?.port ?? 0 });
