import type { VoiceTool } from "../calls/tools.ts";
import type { VoiceConfig } from "../config-types.ts";
import type { Clock } from "../core/clock.ts";
import type { Host } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";

/** What a voice channel is made with. Everything but the configuration has a default. */
export interface VoiceChannelOptions {
  /** The channel's settings with its accounts. Wrong settings are thrown by the constructor; a wrong account stops alone. */
  readonly config: VoiceConfig | Readonly<Record<string, unknown>>;
  /** The agent system behind the voice; a `standaloneHost()` without callbacks unless told. */
  readonly host?: Host;
  /** Functions of yours that the model may call during calls. */
  readonly tools?: readonly VoiceTool[];
  /** Folder for the store and the API token, created when absent; `~/.openclaw-voice` unless told. */
  readonly stateDir?: string;
  /** How the channel asks for itself through its public address; the machine's own `fetch` unless told. */
  readonly fetch?: typeof fetch;
  /** Time, for tests. */
  readonly clock?: Clock;
  /** A store of your own; `config.store` decides unless told. */
  readonly store?: Store;
}
