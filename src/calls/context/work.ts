import { type Filled, fill, type Source } from "./fill.ts";
import { type BadFrontMatter, type FrontMatter, loadFrontMatterReader } from "./front-matter.ts";
import { loadTokenizer } from "./tokenizer.ts";

/** What takes too long, or too much to load, for the thread that carries sound. */
export type Task =
  | { readonly kind: "fill"; readonly sources: readonly Source[]; readonly budgetTokens: number }
  | { readonly kind: "front-matter"; readonly block: string };

export type TaskResult = Filled | FrontMatter | BadFrontMatter;

/** Does a task. Never throws. */
export type Work = (task: Task) => TaskResult;

/** Loads what the tasks need: a third of a second of CPU and 60 MB. */
export async function loadWork(): Promise<Work> {
  const [tokenizer, readFrontMatter] = await Promise.all([loadTokenizer(), loadFrontMatterReader()]);
  return (task) =>
    task.kind === "fill" ? fill(task.sources, task.budgetTokens, tokenizer) : readFrontMatter(task.block);
}
