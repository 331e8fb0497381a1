import type { FileHandle } from "node:fs/promises";
import { MULAW_WAV_HEAD_BYTES, mulawWavHead } from "../../audio/wav-mulaw.ts";
import type { RecordingKey } from "./keys.ts";
import { SEGMENT_BYTES, Sealer } from "./sealed.ts";

/** What of an open file is used. */
export type RecordingHandle = Pick<FileHandle, "write" | "sync" | "close">;

/** Chunks that may wait for a slow disk: ten seconds of sound. */
const MOST_WAITING = 25;

/**
 * Writes one recording, behind whoever makes it: chunks are handed in and written one after another. A disk that fails,
 * or keeps more waiting than there is room for, ends it: what it has taken by then stays, and opens.
 */
export class RecordingWriter {
  readonly #handle: RecordingHandle;
  readonly #startSample: number;
  readonly #sealer: Sealer | undefined;
  readonly #onFailed: (error: Error) => void;
  readonly #free: Buffer[] = [];
  #waiting: Buffer[] = [];
  #position = 0;
  #soundBytes = 0;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** `handle`: a new and empty file, which this owns from now on. */
  constructor(
    handle: RecordingHandle,
    { startSample, key }: { readonly startSample: number; readonly key?: RecordingKey | undefined },
    onFailed: (error: Error) => void,
  ) {
    this.#handle = handle;
    this.#startSample = startSample;
    this.#sealer = key && new Sealer(key, { contents: "sound", startSample });
    this.#onFailed = onFailed;
    this.#add(this.#sealer?.head ?? mulawWavHead({ startSample }));
  }

  /** A buffer to fill with the next `SEGMENT_BYTES` of sound and to hand to `add`; none when the disk takes no more. */
  room(): Buffer | undefined {
    if (this.#failed) return undefined;
    if (this.#waiting.length < MOST_WAITING) return this.#free.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES);
    this.#fail(new Error("The disk does not take the recording."));
    return undefined;
  }

  /** Has the sound in a buffer of `room` written. */
  add(sound: Buffer): void {
    this.#soundBytes += sound.length;
    this.#add(this.#sealer?.seal(sound) ?? sound);
    if (this.#sealer) this.#free.push(sound);
  }

  /**
   * Writes the rest of the sound, fewer than `SEGMENT_BYTES`, and what closes the file. Resolves when all is on the disk.
   * @throws Error it is not
   */
  async finish(rest: Uint8Array): Promise<{ readonly soundBytes: number; readonly bytes: number }> {
    this.#soundBytes += rest.length;
    if (this.#sealer) this.#add(this.#sealer.seal(rest, true));
    else if (rest.length > 0) this.#add(Buffer.from(rest));
    await this.#writing;
    if (this.#failed) throw new Error("The recording was not written to its end.");
    try {
      if (!this.#sealer) {
        const head = mulawWavHead({ startSample: this.#startSample, soundBytes: this.#soundBytes });
        await this.#handle.write(head, 0, MULAW_WAV_HEAD_BYTES, 0);
      }
      await this.#handle.sync();
      await this.#handle.close();
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
    return { soundBytes: this.#soundBytes, bytes: this.#position };
  }

  /** Lets go of the file as it is. */
  abandon(): void {
    this.#fail(undefined);
  }

  #add(bytes: Buffer): void {
    if (this.#failed) return;
    this.#waiting.push(bytes);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    try {
      for (let next = this.#waiting[0]; next && !this.#failed; next = this.#waiting[0]) {
        for (let at = 0; at < next.length; ) {
          const { bytesWritten } = await this.#handle.write(next, at, next.length - at, this.#position);
          at += bytesWritten;
          this.#position += bytesWritten;
        }
        this.#waiting.shift();
        if (!this.#sealer && next.length === SEGMENT_BYTES) this.#free.push(next);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#writing = undefined;
    if (this.#failed) await this.#handle.close().catch(() => {}); // what failed before was told
  }

  #fail(error: Error | undefined): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#waiting = [];
    if (!this.#writing) void this.#handle.close().catch(() => {}); // there is nothing left to lose
    if (error) this.#onFailed(error);
  }
}
