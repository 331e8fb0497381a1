/** Room at first: two seconds. A power of two, as every size of it. */
const FIRST_BYTES = 16_384;
/** More room is given back once nothing lies in it: sixteen seconds. */
const KEPT_BYTES = 131_072;

/**
 * Sound that waits, in memory that is used again and again. A buffer for each piece of an answer, kept for the seconds
 * until it plays, would outlive two collections of young memory and have the old collected every few seconds.
 * Places in it are counts of all bytes that were ever written.
 */
export class SoundRing {
  #bytes = new Uint8Array(FIRST_BYTES);
  #end = 0;

  /** Where the next byte will stand. */
  get end(): number {
    return this.#end;
  }

  /** Adds sound. What lies before `neededFrom` may be overwritten. */
  write(sound: Uint8Array, neededFrom: number): void {
    this.#makeRoom(sound.length, Math.min(neededFrom, this.#end));
    const at = this.#end & (this.#bytes.length - 1);
    const before = Math.min(sound.length, this.#bytes.length - at);
    if (before === sound.length) this.#bytes.set(sound, at);
    else {
      this.#bytes.set(sound.subarray(0, before), at);
      this.#bytes.set(sound.subarray(before), 0);
    }
    this.#end += sound.length;
  }

  /** The sound from one place to another, valid until the next `write`. */
  read(from: number, to: number): Uint8Array {
    const at = from & (this.#bytes.length - 1);
    const before = this.#bytes.length - at;
    if (to - from <= before) return this.#bytes.subarray(at, at + to - from);
    const sound = new Uint8Array(to - from);
    sound.set(this.#bytes.subarray(at));
    sound.set(this.#bytes.subarray(0, to - from - before), before);
    return sound;
  }

  #makeRoom(count: number, neededFrom: number): void {
    const needed = this.#end - neededFrom + count;
    const size = this.#bytes.length;
    const isTooLarge = needed === count && size > KEPT_BYTES;
    if (needed <= size && !isTooLarge) return;
    let larger = isTooLarge ? FIRST_BYTES : size;
    while (larger < needed) larger *= 2;
    const bytes = new Uint8Array(larger);
    for (let from = neededFrom; from < this.#end; ) {
      const at = from & (size - 1);
      const part = this.#bytes.subarray(at, Math.min(size, at + this.#end - from));
      for (let done = 0; done < part.length; ) {
        const to = (from + done) & (larger - 1);
        const fits = part.subarray(done, done + larger - to);
        bytes.set(fits, to);
        done += fits.length;
      }
      from += part.length;
    }
    this.#bytes = bytes;
  }
}
