// Prints the table of situations: who kept the floor, who got it, and how fast.
// node scripts/situations.ts [--run 5001] [--only cough] [--wrong] [--wav folder]

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { COUNTS, situation as makeSituation, orders } from "../test/situations/catalogue.ts";
import { clips } from "../test/situations/clips.ts";
import { judge, type Verdict } from "../test/situations/judge.ts";
import { play } from "../test/situations/runner.ts";
import type { Kind } from "../test/situations/situation.ts";
import { table } from "../test/situations/table.ts";

const { values } = parseArgs({
  options: {
    run: { type: "string", default: "5001", multiple: false },
    only: { type: "string", multiple: true },
    wrong: { type: "boolean", default: false },
    wav: { type: "string" },
  },
});

const kinds = (Object.keys(COUNTS) as Kind[]).filter(
  (kind) => !values.only || values.only.some((one) => kind.includes(one)),
);
const voices = clips();
const verdicts: Verdict[] = [];
for (const run of values.run.split(",")) {
  for (const order of orders(Number(run)).filter(({ kind }) => kinds.includes(kind))) {
    const situation = await makeSituation(order.kind, order.seed, voices);
    const played = await play(situation);
    const verdict = judge(situation, played);
    verdicts.push(verdict);
    const { seed, expect, kind, vad, during } = situation;
    const bad =
      verdict.gaveUp !== (expect === "yield") ||
      !verdict.clean ||
      !verdict.valid ||
      (expect === "yield" && !((verdict.stopMs ?? 1e9) <= 300));
    if (values.wrong && bad) {
      console.log(
        seed,
        kind,
        vad,
        during,
        JSON.stringify({ ...verdict, situation: undefined, fromMs: situation.fromMs }),
      );
    }
    if (values.wav && bad) {
      await mkdir(values.wav, { recursive: true });
      await writeFile(join(values.wav, `${seed}.wav`), played.tape);
    }
  }
}
await voices.close();
console.log(table(verdicts));
