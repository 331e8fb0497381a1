import type { Clock } from "../core/clock.ts";
import type { VoiceEvents } from "../core/events.ts";
import type { Logger } from "../hosts/host.ts";
import type { Account } from "./account.ts";
import type { AskAgent } from "./agent-brain.ts";
import type { Clips } from "./clips.ts";
import type { Ear } from "./ear.ts";
import type { OpenSession } from "./engine-line-opening.ts";
import type { CallJournal } from "./journal.ts";
import type { Leave } from "./leaving.ts";
import type { MediaTap } from "./media-bridge.ts";
import type { Opening, OpeningParts } from "./recording/opening.ts";
import type { Ticker } from "./ticker.ts";
import type { VoiceTool } from "./tools.ts";

/** Tells the plugin's listeners. */
export type Emit = <Name extends keyof VoiceEvents>(name: Name, ...payload: VoiceEvents[Name]) => void;

/** What has to be said, and perhaps answered, before the conversation begins: that it is recorded. */
export type Prelude = Pick<Opening, "mayGoOn" | "heard" | "words" | "pressed" | "close">;

/** Keeps the sound of a call. */
export interface CallSound extends MediaTap {
  /** What stands before the conversation, if anything does. */
  opening(commands: Pick<OpeningParts, "say" | "goOn">): Prelude | undefined;
  /** A key was pressed that nobody may know. */
  hideKey(): void;
}

export interface ConversationParts {
  readonly account: Pick<Account, "persona" | "turns" | "bargeIn" | "limits"> & {
    readonly clips?: Pick<Clips, "get">;
  };
  readonly journal: Pick<CallJournal, "call" | "note" | "write">;
  /** What the model may call on this call. */
  readonly tools: () => readonly VoiceTool[];
  readonly clock: Clock;
  readonly ticker: Pick<Ticker, "add">;
  readonly logger: Logger;
  readonly emit: Emit;
  /** Keeps the call's sound, once it may; absent where nothing is kept. */
  readonly recording?: CallSound;
  /** Opens a session that goes on from what was heard: one for each engine of the account, best first. */
  readonly openers: readonly OpenSession[];
  /** Has the agent itself take the caller's turns; absent when the model thinks. */
  readonly askAgent?: AskAgent;
  /** Listens to the caller's frames; one of our own unless told. */
  readonly ear?: Ear;
  /** The media connection is over. */
  readonly onMediaClosed: (how: "stopped" | "lost") => void;
  /** The conversation cannot go on. */
  readonly onLeave: (why: Leave) => void;
}
