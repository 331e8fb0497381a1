import { writeSync } from "node:fs";
import { Recordings } from "../../../src/calls/recordings.ts";
import { Ticker } from "../../../src/calls/ticker.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/logger.ts";
import { answeredCall } from "../call-bench.ts";

// Run as a process by the tests: node killed.ts <state directory> [<key in hex>]. Records a call until it is killed, and
// says after each frame of the caller's which it was.

const [stateDir = "", hex] = process.argv.slice(2);
const clock = systemClock();
const { journal, store } = await answeredCall({ clock });
const settings = {
  mode: "announce",
  byPrefix: {},
  by: "own",
  announcement: "",
  question: "",
  ...(hex && { keys: [{ id: "k1", secret: Buffer.from(hex, "hex") }] as const }),
} as const;
const recordings = new Recordings({
  stateDir,
  store,
  clock,
  ticker: new Ticker(clock),
  logger: silentLogger,
  newId: () => "rec_1",
  settingsOf: () => settings,
  write: (_, ...events) => journal.write(...events),
});
await journal.write({ type: "consent.decided", ok: true, by: "announcement" });
const recording = recordings.of(journal, settings);
await recording.start();
let said = 0;
const begunMs = clock.now();
setInterval(() => {
  const nowMs = clock.now();
  for (; begunMs + (said + 1) * 20 <= nowMs; said++) {
    recording.callerFrame(new Uint8Array(160).fill(said % 100), nowMs);
    recording.agentPlays([{ itemId: "a", audio: new Uint8Array(160).fill(100 + (said % 100)), startsAtMs: nowMs }]);
  }
  writeSync(1, `${said}\n`);
}, 20);
