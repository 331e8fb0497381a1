import type { RecordingMode } from "../../core/consent.ts";
import type { KeyRing } from "./keys.ts";

/** How an account's calls are recorded. */
export interface RecordingSettings {
  readonly mode: RecordingMode;
  /** The mode of numbers that begin so; the longest counts. */
  readonly byPrefix: Readonly<Record<string, RecordingMode>>;
  /** Who keeps the sound: this process, or the carrier. */
  readonly by: "own" | "carrier";
  /** What is said under `announce`, word for word. */
  readonly announcement: string;
  /** What is asked under `ask`, word for word. */
  readonly question: string;
  /** What recordings are encrypted with; without, they are plain WAV files. */
  readonly keys?: KeyRing;
  /** Where they go once they are whole; without, they stay below the state directory. */
  readonly bucket?: RecordingBucket;
}

/** A place for recordings outside of this machine. */
export interface RecordingBucket {
  /** Where what is put under a name is, as the journal holds it. */
  locationOf(name: string): string;
  /** Whether a location is one of this bucket's. */
  has(location: string): boolean;
  /** Puts a file there; one of the same name and length that is there already stays. Resolves when it is safe there. @throws StoreError */
  put(name: string, path: string, signal: AbortSignal): Promise<void>;
  /** Reads a file back. @throws StoreError it is not there, or cannot be had */
  open(location: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Removes a file; one that is gone already is fine. @throws StoreError */
  delete(location: string, signal: AbortSignal): Promise<void>;
}
