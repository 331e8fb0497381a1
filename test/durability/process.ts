import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Disk, FromProcess, Holdings, HostVerb, ProcessOrder, ToProcess } from "./protocol.ts";

const PROGRAM = fileURLToPath(new URL("./plugin-process.ts", import.meta.url));
const STOP_WITHIN_MS = 10_000;

export interface Listeners {
  readonly host: (verb: HostVerb, payload: unknown) => Promise<unknown>;
  readonly onMessage: (message: FromProcess) => void;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** One life of the plugin. */
export class PluginProcess {
  /** Resolves with the port once calls are taken; rejects when the process ends before. */
  readonly ready: Promise<number>;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #listeners: Listeners;
  readonly #ready = Promise.withResolvers<number>();
  #holdings: PromiseWithResolvers<Holdings> | undefined;
  #stderr = "";

  /** `cacheDir`: where compiled code is kept from one life to the next. */
  constructor(order: ProcessOrder, cacheDir: string, listeners: Listeners) {
    this.#listeners = listeners;
    this.#child = fork(PROGRAM, [JSON.stringify(order)], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
      env: { ...process.env, NODE_COMPILE_CACHE: cacheDir },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.#child.on("error", () => {}); // it has gone: `exited` says so
    this.#child.on("message", (message) => this.#take(message as FromProcess));
    this.ready = this.#ready.promise;
    this.ready.catch(() => {}); // killed while it started: whoever waits is told
    this.exited = once(this.#child, "close").then(([code, signal]) => {
      const why = new Error(`The process ended (${code ?? signal}). ${this.#stderr}`);
      this.#ready.reject(why);
      this.#holdings?.reject(why);
      return { code, signal, stderr: this.#stderr };
    });
  }

  /** Kills it as a power cut does. */
  async kill(): Promise<Exit> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }

  /** Stops it as a user does. @throws Error it did not stop in time */
  async stop(): Promise<Exit> {
    this.#send({ type: "stop" });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#child.kill("SIGKILL");
    }, STOP_WITHIN_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    if (late) throw new Error(`The process did not stop within ${STOP_WITHIN_MS} ms.`);
    return exit;
  }

  holdings(): Promise<Holdings> {
    this.#holdings ??= Promise.withResolvers<Holdings>();
    this.#send({ type: "holdings" });
    return this.#holdings.promise;
  }

  setDisk(is: Disk): void {
    this.#send({ type: "disk", is });
  }

  #take(message: FromProcess): void {
    if (message.type === "ready") this.#ready.resolve(message.port);
    if (message.type === "holdings") {
      this.#holdings?.resolve(message.holdings);
      this.#holdings = undefined;
    }
    if (message.type === "asked") void this.#answer(message.id, message.verb, message.payload);
    this.#listeners.onMessage(message);
  }

  async #answer(id: number, verb: HostVerb, payload: unknown): Promise<void> {
    try {
      this.#send({ type: "answer", id, value: await this.#listeners.host(verb, payload) });
    } catch (error) {
      this.#send({ type: "answer", id, error: String(error) });
    }
  }

  #send(message: ToProcess): void {
    // A process that dies meanwhile is not told any more.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}
