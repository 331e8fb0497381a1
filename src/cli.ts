#!/usr/bin/env node
import { ask } from "./cli/ask.ts";
import { servingOptions, startOver } from "./cli/node-options.ts";

// First of all: what is loaded would be loaded twice, and a signal that was caught already would be lost.
if (process.argv[2] === "serve") startOver(servingOptions());
const { runCli } = await import("./cli/program.ts");

// The first signal asks to stop, the second one insists.
const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
  });
}

// Timers of ours keep no process alive; a command that waits for one does.
const waiting = setInterval(() => {}, 60_000);
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  ask: (question) => ask(question, stopping.signal),
  stop: stopping.signal,
});
clearInterval(waiting);
// Everything of ours is closed by now; what is not ours must not keep the terminal.
setTimeout(() => process.exit(), 1_000).unref();
