import type { Omission, Source } from "./fill.ts";
import type { MemoryFile, MemoryFiles } from "./memory-files.ts";
import { type MannerRequest, phoneManner } from "./phone-manner.ts";
import { type RecordsRequest, recordSources } from "./records.ts";
import { tame } from "./tokenizer.ts";
import { type FilesRequest, type WantedFile, wantedFiles } from "./wanted.ts";

/** What a call's instructions are made from. */
export interface ContextRequest extends MannerRequest, FilesRequest, RecordsRequest {
  /** Hard limit of the instructions, in o200k tokens. */
  readonly budgetTokens: number;
  /** Why an outbound call is made. */
  readonly purpose?: string;
}

/** A file that is there and is not used. */
export interface Refusal extends Omission {
  /** Whether the file itself says so, so that nobody has to be told. */
  readonly wished: boolean;
}

/** The sources of a call in order of priority, and the files that were refused. */
export interface Sources {
  readonly sources: readonly Source[];
  readonly refused: readonly Refusal[];
}

/** The most of a source that is looked at, in characters for each token of the budget: prose has four or five. */
const CHARACTERS_PER_TOKEN = 16;

/** Reads what this caller's trust allows and nothing else: a file that may not be told is not opened. */
export async function gatherSources(request: ContextRequest, nowMs: number, files: MemoryFiles): Promise<Sources> {
  const window = request.budgetTokens * CHARACTERS_PER_TOKEN;
  const wanted = wantedFiles(request, nowMs);
  const [identity, memory] = await Promise.all(
    [wanted.identity, wanted.memory].map((kind) => filesOfKind(kind, request, window, files)),
  );
  const { caller, turns } = recordSources(request);
  return {
    sources: [
      ...spokenSources(request, nowMs, window),
      ...(identity?.sources ?? []),
      ...caller,
      ...(memory?.sources ?? []),
      ...turns,
    ],
    refused: [...(identity?.refused ?? []), ...(memory?.refused ?? [])],
  };
}

// --- Internal helpers ---

/** The mandatory part and the purpose. A long persona leaves the purpose a quarter of the budget. */
function spokenSources(request: ContextRequest, nowMs: number, window: number): Source[] {
  const { persona, purpose } = request;
  const spoken = `${phoneManner(request, nowMs)}\n\n${persona.instructions.trim()}`.trim();
  const manner: Source = {
    name: "persona",
    ...beginning(spoken, window),
    cut: true,
    most: purpose === undefined ? 1 : 0.75,
  };
  if (purpose === undefined) return [manner];
  return [manner, { name: "purpose", heading: "# Why you ring", ...beginning(purpose.trim(), window), cut: true }];
}

function beginning(text: string, window: number): Pick<Source, "sections" | "beyondBytes"> {
  const section = tame(text.slice(0, window));
  return { sections: section === "" ? [] : [section], beyondBytes: Buffer.byteLength(text.slice(window)) };
}

async function filesOfKind(
  kind: readonly WantedFile[],
  { workspaceDir, trust }: ContextRequest,
  window: number,
  files: MemoryFiles,
): Promise<Sources> {
  const usable: { readonly file: MemoryFile; readonly source: Source }[] = [];
  const refused: Refusal[] = [];
  const found =
    workspaceDir === undefined ? [] : await Promise.all(kind.map((one) => files.get(workspaceDir, one.name, window)));
  for (const [index, file] of found.entries()) {
    const wanted = kind[index];
    if (file === undefined || wanted === undefined) continue;
    const refuse = (reason: string, wished: boolean) =>
      refused.push({ source: wanted.name, bytes: file.bytes, reason, wished });
    if ("reason" in file) refuse(file.reason, false);
    else if (!file.frontMatter.voice) refuse("its front matter says voice: false", true);
    else if (file.frontMatter.audience === "owner" && trust !== "owner")
      refuse("its front matter says audience: owner", true);
    else usable.push({ file, source: { ...wanted, sections: file.sections, beyondBytes: file.beyondBytes } });
  }
  usable.sort((a, b) => b.file.frontMatter.priority - a.file.frontMatter.priority);
  return { sources: usable.map(({ source }) => source), refused };
}
