import type { CallSummary } from "../../core/call.ts";
import { mayKnow } from "../../core/trust.ts";
import { lastDays } from "./days.ts";
import type { Omission, Source } from "./fill.ts";
import { readFrontMatter } from "./front-matter.ts";
import { historyLine } from "./history.ts";
import { type MannerRequest, phoneManner } from "./phone-manner.ts";
import { sectionsOf } from "./sections.ts";
import { tame } from "./tokenizer.ts";
import { readWorkspaceFile } from "./workspace-file.ts";

/** What a call's instructions are made from. */
export interface ContextRequest extends MannerRequest {
  /** Hard limit of the instructions, in o200k tokens. */
  readonly budgetTokens: number;
  /** How many daily memory files are read, today's included. */
  readonly dailyFiles: number;
  /** The agent's folder; without it there are no files. */
  readonly workspaceDir?: string;
  /** Why an outbound call is made. */
  readonly purpose?: string;
  /** Earlier calls with this person, newest first. */
  readonly history: readonly CallSummary[];
}

/** The sources of a call in order of priority, and the files that were refused. */
export interface Sources {
  readonly sources: readonly Source[];
  readonly refused: readonly Omission[];
}

/** Why a file that could be used is not. */
export const KEPT_OUT = "its front matter says voice: false";

/** The most of a source that is looked at, in characters for each token of the budget: prose has four or five. */
const CHARACTERS_PER_TOKEN = 16;

/** Reads what this caller's trust allows and nothing else: a file that may not be told is not opened. */
export async function gatherSources(request: ContextRequest, nowMs: number): Promise<Sources> {
  const knowledge = mayKnow(request.trust);
  const most = request.budgetTokens * CHARACTERS_PER_TOKEN;
  const files = await Promise.all(
    wantedFiles(request, nowMs).map(({ name, heading }) => fileSource(request.workspaceDir, name, heading, most)),
  );
  const [identity, memory] = [files.slice(0, IDENTITY.length), files.slice(IDENTITY.length)];
  const history = knowledge.history ? [historySource(request)] : [];
  const read = [...identity, ...history, ...memory].filter((found) => found !== undefined);
  return {
    sources: [...spokenSources(request, nowMs, most), ...read.filter((found) => "sections" in found)],
    refused: read.filter((found) => "reason" in found),
  };
}

// --- Internal helpers ---

interface WantedFile {
  readonly name: string;
  readonly heading: string;
}

const IDENTITY: readonly WantedFile[] = [
  { name: "IDENTITY.md", heading: "# Who you are" },
  { name: "SOUL.md", heading: "# How you are" },
];

function wantedFiles({ trust, dailyFiles, timeZone }: ContextRequest, nowMs: number): readonly WantedFile[] {
  const { identity, memory } = mayKnow(trust);
  const daily = lastDays(nowMs, timeZone, dailyFiles).map((day) => ({
    name: `memory/${day}.md`,
    heading: `# Your notes of ${day}`,
  }));
  return [
    ...(identity ? IDENTITY : []),
    ...(memory
      ? [
          { name: "USER.md", heading: "# Your owner" },
          { name: "MEMORY.md", heading: "# Your memory" },
        ]
      : []),
    ...(memory ? daily : []),
  ];
}

/** The mandatory part and the purpose. A long persona leaves the purpose a quarter of the budget. */
function spokenSources(request: ContextRequest, nowMs: number, most: number): Source[] {
  const { persona, purpose } = request;
  const spoken = `${phoneManner(request, nowMs)}\n\n${persona.instructions.trim()}`.trim();
  const manner: Source = {
    name: "persona",
    ...window(spoken, most),
    cut: true,
    share: purpose === undefined ? 1 : 0.75,
  };
  if (purpose === undefined) return [manner];
  return [manner, { name: "purpose", heading: "# Why you ring", ...window(purpose.trim(), most), cut: true }];
}

function window(text: string, most: number): Pick<Source, "sections" | "beyondBytes"> {
  const section = tame(text.slice(0, most));
  return { sections: section === "" ? [] : [section], beyondBytes: Buffer.byteLength(text.slice(most)) };
}

function historySource({ history, timeZone }: ContextRequest): Source {
  return {
    name: "history",
    heading: "# Earlier calls with this person",
    sections: history.map((call) => tame(historyLine(call, timeZone))),
    beyondBytes: 0,
  };
}

async function fileSource(
  workspaceDir: string | undefined,
  name: string,
  heading: string,
  most: number,
): Promise<Source | Omission | undefined> {
  if (workspaceDir === undefined) return undefined;
  const file = await readWorkspaceFile(workspaceDir, name);
  if (file.kind === "absent") return undefined;
  if (file.kind === "refused") return { source: name, bytes: file.bytes, reason: file.reason };
  try {
    const { body, voice } = await readFrontMatter(file.text);
    if (!voice) return { source: name, bytes: file.bytes, reason: KEPT_OUT };
    const { sections, rest } = sectionsOf(body, most);
    return { name, heading, sections: sections.map(tame), beyondBytes: Buffer.byteLength(rest) };
  } catch (error) {
    return { source: name, bytes: file.bytes, reason: (error as Error).message };
  }
}
