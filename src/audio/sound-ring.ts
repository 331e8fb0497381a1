/** Room at first: two seconds of µ-law. A power of two, as every size of it. */
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
    this.#put(sound, this.#end);
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
    const wanted = this.#end - neededFrom + count;
    const size = this.#bytes.length;
    const isTooLarge = wanted === count && size > KEPT_BYTES;
    if (wanted <= size && !isTooLarge) return;
    let room = isTooLarge ? FIRST_BYTES : size;
    while (room < wanted) room *= 2;
    const needed = this.read(neededFrom, this.#end);
    this.#bytes = new Uint8Array(room);
    this.#put(needed, neededFrom);
  }

  #put(sound: Uint8Array, place: number): void {
    const at = place & (this.#bytes.length - 1);
    const room = this.#bytes.length - at;
    if (sound.length <= room) {
      this.#bytes.set(sound, at);
      return;
    }
    this.#bytes.set(sound.subarray(0, room), at);
    this.#bytes.set(sound.subarray(room), 0);
  }
}
