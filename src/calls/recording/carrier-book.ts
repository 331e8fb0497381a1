import type { Store } from "../../stores/store.ts";
import { removeDocument } from "../remove-document.ts";

/** A recording that a carrier makes or still has. */
export interface Held {
  readonly callId: string;
  readonly accountId: string;
  readonly legId: string;
  /** The carrier's id, once it is known. */
  readonly carrierId?: string;
  /** What became of it, once that is known. */
  readonly outcome?: Outcome;
}

/** What became of a recording at a carrier. */
export interface Outcome {
  readonly state: "ready" | "absent" | "failed" | "gone";
  readonly durationMs: number;
  readonly carrierStatus: string;
}

const KIND = "recording-at-carrier";

/** Which recordings are at a carrier, by our ids: each stands here until the carrier has nothing of it any more. */
export class CarrierBook {
  readonly #store: Pick<Store, "document" | "documents" | "keep">;

  constructor(store: Pick<Store, "document" | "documents" | "keep">) {
    this.#store = store;
  }

  async all(): Promise<readonly { readonly id: string; readonly held: Held }[]> {
    return (await this.#store.documents<Held>(KIND)).map(({ key: id, value: held }) => ({ id, held }));
  }

  async get(recordingId: string): Promise<Held | undefined> {
    return (await this.#store.document<Held>(KIND, recordingId))?.value;
  }

  /** Notes one that was not known; one that is stays as it is. */
  async add(recordingId: string, held: Held): Promise<void> {
    await this.#store.keep(KIND, recordingId, held, 0);
  }

  /** Changes one, whoever else does at the same time. Resolves with whether it is known. */
  async change(recordingId: string, update: (held: Held) => Held): Promise<boolean> {
    for (;;) {
      const found = await this.#store.document<Held>(KIND, recordingId);
      if (!found) return false;
      const value = update(found.value);
      if (value === found.value || (await this.#store.keep(KIND, recordingId, value, found.version))) return true;
    }
  }

  async drop(recordingId: string): Promise<void> {
    await removeDocument(this.#store, KIND, recordingId);
  }
}
