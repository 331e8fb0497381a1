import { writeSync } from "node:fs";
import { sqliteStore } from "../../src/stores/index.ts";

// Run as a process by the tests: node writer.ts <file> <bytes of each event> [<count>]. Says each seq once it is acknowledged.

const [path = "", size = "1", count = "Infinity"] = process.argv.slice(2);
const store = sqliteStore({ path });
await store.start();
for (let n = 1; n <= Number(count); n++) {
  await store.append("call_a", [{ type: "dtmf.received", atMs: n, digit: "1".repeat(Number(size)) }]).then(
    (seq) => writeSync(1, `${seq}\n`),
    (error: Error) => writeSync(1, `${error.name}: ${error.message}\n`),
  );
}
