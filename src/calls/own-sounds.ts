import type { Clip, ClipName, Clips } from "./clips.ts";
import type { MediaBridge } from "./media-bridge.ts";
import type { Scribe } from "./scribe.ts";

export interface OwnSoundsParts {
  readonly bridge: Pick<MediaBridge, "play" | "hasLeg">;
  readonly scribe: Pick<Scribe, "agentWords">;
  /** Absent where nothing was rendered. */
  readonly clips: Pick<Clips, "get"> | undefined;
  /** How often the call was taken up: the sounds of its earlier lives keep their names. */
  readonly resumes: number;
}

/** Marks sounds of our own among the model's items. */
const OURS = "ours:";
const SOUNDS_OF_A_LIFE = 100_000;

/** Sounds that are not the model's: clips and key tones. Each is an item of the call like any other. */
export class OwnSounds {
  readonly #parts: OwnSoundsParts;
  #count: number;

  constructor(parts: OwnSoundsParts) {
    this.#parts = parts;
    this.#count = parts.resumes * SOUNDS_OF_A_LIFE;
  }

  /** Whether an item is one of these. */
  static has(itemId: string): boolean {
    return itemId.startsWith(OURS);
  }

  /** The newest one. */
  get lastItemId(): string {
    return `${OURS}${this.#count}`;
  }

  /** Plays a sound behind what is there; `text` is what it says. Says its name. */
  play(audio: Uint8Array, text: string): string {
    const { bridge, scribe } = this.#parts;
    this.#count += 1;
    const itemId = this.lastItemId;
    if (text !== "") scribe.agentWords(itemId, text);
    bridge.play(itemId, audio);
    return itemId;
  }

  playClip({ audio, text }: Clip): void {
    this.play(audio, text);
  }

  /** Plays a clip by name. Says whether there is one, and anybody to hear it. */
  playNamed(name: ClipName): boolean {
    const { clips, bridge } = this.#parts;
    const clip = clips?.get(name);
    if (!clip || !bridge.hasLeg) return false;
    this.playClip(clip);
    return true;
  }
}
