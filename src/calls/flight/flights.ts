import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { Logger } from "../../hosts/host.ts";
import { Conversation } from "../conversation.ts";
import type { ConversationParts } from "../conversation-parts.ts";
import { TappedConversation } from "./conversation.ts";
import { beginningOf, FlightFile, flightFiles, Packer } from "./file.ts";
import { headerOf } from "./header.ts";
import { Recorder } from "./recorder.ts";

export interface FlightsParts {
  /** Whether calls are recorded. */
  readonly enabled: boolean;
  /** The folder of the records. */
  readonly dir: string;
  /** The package's version. */
  readonly version: string;
  readonly logger: Logger;
}

/** The flight recorder of all calls: each keeps what came in and what was decided, and nobody's words. */
export class Flights {
  readonly #parts: FlightsParts;
  readonly #open = new Set<FlightFile>();
  readonly #packer = new Packer();

  constructor(parts: FlightsParts) {
    this.#parts = parts;
  }

  /** The talk of a call, recorded when calls are. */
  converse(parts: ConversationParts): Conversation {
    const { enabled, dir, version, logger } = this.#parts;
    if (!enabled) return new Conversation(parts);
    const file = new FlightFile({ dir, callId: parts.journal.call.id, logger, packer: this.#packer });
    this.#open.add(file);
    void file.done.then(() => this.#open.delete(file));
    const recorder = new Recorder({ clock: parts.clock, sink: file });
    file.write(beginningOf(headerOf(parts, version, recorder.now(), (id) => recorder.learn(id))));
    return new TappedConversation(parts, recorder, randomBytes(16).toString("hex"));
  }

  /** Deletes the records of a call that is over. Resolves with how many files that were. */
  async deleteFilesOf(callId: string): Promise<number> {
    const files = await flightFiles(this.#parts.dir, callId);
    await Promise.all(files.map((file) => rm(file, { force: true })));
    return files.length;
  }

  /** Resolves when the records of all calls that are over are on disk; those of others end here. */
  async stop(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what was over just now ends its record then
    for (const file of this.#open) file.end();
    await Promise.all([...this.#open].map(({ done }) => done));
  }
}
