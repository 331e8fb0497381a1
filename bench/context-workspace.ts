import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContextRequest, VoiceContextManager } from "../src/context-manager.ts";
import { systemClock } from "../src/core/clock.ts";
import { silentLogger } from "../src/logger.ts";

/** How large a workspace is. */
export interface WorkspacePlan {
  readonly dailyFiles: number;
  readonly memoryBytes: number;
}

/** A workspace that was made. */
export interface WorkspaceFacts {
  readonly workspaceDir: string;
  readonly files: number;
  readonly bytes: number;
}

export type ContextManager = InstanceType<typeof VoiceContextManager>;

const DAY_MS = 86_400_000;
const BUDGET_TOKENS = 2_000;

/** Writes an agent's files: who it is, its memory, and a note for each of the last days. */
export async function makeWorkspace(workspaceDir: string, plan: WorkspacePlan): Promise<WorkspaceFacts> {
  await mkdir(join(workspaceDir, "memory"), { recursive: true });
  let [files, bytes] = [0, 0];
  const put = async (name: string, text: string) => {
    await writeFile(join(workspaceDir, name), text);
    files += 1;
    bytes += Buffer.byteLength(text);
  };
  await put("IDENTITY.md", "# Nia\nAn assistant on the telephone and in every other channel.\n");
  await put("SOUL.md", `---\npriority: 1\n---\n# Manner\n${prose(1, 600)}\n`);
  await put("USER.md", `# Ann\n${prose(2, 600)}\n`);
  let memory = "---\naudience: owner\n---\n";
  for (let part = 0; memory.length < plan.memoryBytes; part++) memory += `## Part ${part}\n${prose(part, 700)}\n\n`;
  await put("MEMORY.md", memory);
  for (let ago = 0; ago < plan.dailyFiles; ago++) {
    const day = new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
    const notes = [0, 1, 2].map((part) => `## 1${part}:00\n${prose(ago + part, 400)}\n`);
    await put(`memory/${day}.md`, `# ${day}\n\n${notes.join("\n")}`);
  }
  return { workspaceDir, files, bytes };
}

/** A call of the owner, with records of every kind. */
export function ownersCall(workspaceDir: string): ContextRequest {
  const nowMs = Date.now();
  return {
    persona: { name: "Nia", instructions: "You answer the telephone of Ann.", greeting: "", language: "en" },
    budgetTokens: BUDGET_TOKENS,
    dailyFiles: 2,
    timeZone: "UTC",
    direction: "inbound",
    trust: "owner",
    workspaceDir,
    callerNumber: "+15550005678",
    hasConsult: true,
    profile: {
      name: "Ann",
      facts: [0, 1, 2].map((n) => ({ text: prose(n, 80), atMs: nowMs, callId: `call_${n}`, verified: true })),
    },
    history: Array.from({ length: 5 }, (_, n) => ({
      callId: `call_${n}`,
      accountId: "default",
      direction: "inbound",
      from: "+15550005678",
      to: "+15550001234",
      state: "ended",
      trust: "owner",
      createdAtMs: nowMs - n * DAY_MS,
      turns: 8,
      bargeIns: 1,
      toolCalls: 0,
      outcome: { summary: prose(n, 200), outcome: prose(n, 60) },
    })),
    promises: [{ by: "agent", what: prose(3, 60), callId: "call_0", atMs: nowMs }],
    recentTurns: Array.from({ length: 20 }, (_, n) => ({
      role: n % 2 === 0 ? "person" : "agent",
      text: prose(n, 120),
      atMs: nowMs - (20 - n) * 60_000,
    })),
  };
}

/** How long the first context of the workspace takes once the tokeniser is loaded; then `rest` has the manager. */
export async function timedBuild(
  Manager: typeof VoiceContextManager,
  { workspaceDir }: WorkspaceFacts,
  rest: (manager: ContextManager) => Promise<void>,
): Promise<{ elapsedMs: number; tokens: number }> {
  const manager = new Manager({ clock: systemClock(), logger: silentLogger });
  try {
    // Too long to fit as bytes, so that it is counted: the tokeniser is loaded.
    const { workspaceDir: _none, ...bare } = ownersCall(workspaceDir);
    await manager.build({ ...bare, persona: { ...bare.persona, instructions: prose(0, BUDGET_TOKENS) } });
    const began = performance.now();
    const { tokens } = await manager.build(ownersCall(workspaceDir));
    const elapsedMs = performance.now() - began;
    await rest(manager);
    return { elapsedMs, tokens };
  } finally {
    await manager.close();
  }
}

// --- Internal helpers ---

const WORDS =
  "the garden needs water before noon and Ann prefers a window seat when she flies to Oslo in spring with Müller 42".split(
    " ",
  );

/** At least so many characters that look like notes; another seed gives another text. */
function prose(seed: number, characters: number): string {
  let text = "";
  for (let n = 0; text.length < characters; n++) {
    text += `${WORDS[(seed * 7 + n * (5 + (seed % 13))) % WORDS.length]}${n % 12 === 11 ? `, item ${seed * 31 + n}. ` : " "}`;
  }
  return text.trim();
}
