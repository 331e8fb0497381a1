import type { Trust } from "../../core/events.ts";
import { mayKnow } from "../../core/trust.ts";
import { lastDays } from "./days.ts";

/** Which files a call may use. */
export interface FilesRequest {
  /** The agent's folder; without it there are no files. */
  readonly workspaceDir?: string;
  readonly trust: Trust;
  /** How many daily memory files are read, today's included. */
  readonly dailyFiles: number;
  /** IANA zone of the account: decides which day it is. */
  readonly timeZone: string;
}

/** A file that may be told, if it is there. */
export interface WantedFile {
  /** Its path in the workspace, with forward slashes. */
  readonly name: string;
  readonly heading: string;
  /** As of a source. */
  readonly share: number;
}

/** What the agent is, and what it remembers: two kinds of files, each in order. */
export interface WantedFiles {
  readonly identity: readonly WantedFile[];
  readonly memory: readonly WantedFile[];
}

/*
 * The shares of all sources together are 1. They are there for what grows: a MEMORY.md of a megabyte leaves the daily notes
 * theirs, and these leave theirs to what was said an hour ago in another channel, which is what people ring about.
 * Where nothing grows nobody meets them, because what one leaves others take.
 */
const WHO: readonly WantedFile[] = [
  { name: "IDENTITY.md", heading: "# Who you are", share: 0.06 },
  { name: "SOUL.md", heading: "# How you are", share: 0.12 },
];
const OWNER: WantedFile = { name: "USER.md", heading: "# Your owner", share: 0.1 };
const MEMORY: WantedFile = { name: "MEMORY.md", heading: "# Your memory", share: 0.16 };
const DAILY_SHARE = 0.14;

/** The files that a caller of this trust may hear of, whether they are there or not. */
export function wantedFiles({ trust, dailyFiles, timeZone }: FilesRequest, nowMs: number): WantedFiles {
  const { identity, memory } = mayKnow(trust);
  const daily = () =>
    lastDays(nowMs, timeZone, dailyFiles).map((day) => ({
      name: `memory/${day}.md`,
      heading: `# Your notes of ${day}`,
      share: DAILY_SHARE / dailyFiles,
    }));
  return {
    identity: [...(identity ? WHO : []), ...(memory ? [OWNER] : [])],
    memory: memory ? [MEMORY, ...daily()] : [],
  };
}
