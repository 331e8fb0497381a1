import { parentPort } from "node:worker_threads";
import { fill } from "./fill.ts";
import type { FillAnswer, FillOrder } from "./filler.ts";
import { loadTokenizer } from "./tokenizer.ts";

// The thread's program: one order in, one answer out.

const port = parentPort;
if (!port) throw new Error("This file is started as a thread of the context manager.");

const tokenizer = await loadTokenizer();
port.on("message", ({ id, sources, budgetTokens }: FillOrder) => {
  const answer: FillAnswer = { id, filled: fill(sources, budgetTokens, tokenizer) };
  port.postMessage(answer);
});
