/** The load generator's process: both ends of every call. Orders and results travel over its parent's channel. */

import { readCertificate } from "../certificate.ts";
import type { FromGenerator, RunResult, ToGenerator } from "../messages.ts";
import { Exchange, makeSounds } from "./exchange.ts";
import { runChurn, runLoad } from "./load.ts";
import { Schedule } from "./schedule.ts";
import { openServers } from "./servers.ts";

const sounds = await makeSounds();
let exchange: Exchange | undefined;
const servers = await openServers(() => exchange, await readCertificate());

const tell = (message: FromGenerator) => void process.send?.(message);

async function run(order: Exclude<ToGenerator, { type: "stop" }>): Promise<RunResult> {
  const schedule = new Schedule();
  exchange = new Exchange(schedule, sounds, order.type === "load" ? order.spelling : "usual");
  try {
    if (order.type === "churn") return await runChurn(order, exchange);
    return await runLoad(order, exchange, (is) => tell({ type: "window", is }));
  } finally {
    schedule.clear();
  }
}

process.on("message", (order: ToGenerator) => {
  if (order.type === "stop") {
    void servers.close().then(() => process.disconnect());
    return;
  }
  run(order).then(
    (result) => tell({ type: "result", result }),
    (error: unknown) =>
      tell({ type: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// Without its parent nobody would ever stop it.
process.on("disconnect", () => process.exit(0));
tell({ type: "listening", port: servers.port });
