import { describe, expect, test } from "vitest";
import { judgeStep } from "../../bench/capacity.ts";
import { noFaults } from "../../bench/content.ts";
import { TIMED, type Timed } from "../../bench/generator/tally.ts";
import { whatIsLeft } from "../../bench/leak.ts";
import { type BridgeReport, type Measurement, type Run, repeatIfVoid, usualOptions } from "../../bench/measure.ts";
import { BRIDGES, type BridgeName } from "../../bench/messages.ts";
import { readOptions } from "../../bench/options.ts";
import { jsonReport, judge, textReport } from "../../bench/report.ts";
import { Samples, spread } from "../../bench/statistics.ts";

const counts = { calls: 2, callerBlocks: 10, agentBlocks: 10, responses: 1, bargeIns: 1, toolCalls: 0, clipBlocks: 0 };

function report(ms: number, faults: Partial<BridgeReport["faults"]> = {}): BridgeReport {
  const times = Object.fromEntries(TIMED.map((kind) => [kind, new Samples()])) as Record<Timed, Samples>;
  for (const kind of TIMED) times[kind].add(ms);
  return {
    cpuMs: spread([1.5]),
    rssIdleMb: 100,
    rssPerCallKb: 300,
    times,
    faults: { ...noFaults(), ...faults },
    counts,
  };
}

const measured = (ours: BridgeReport, ratios: Record<string, number[]>, countedRounds = 5): Measurement => ({
  plan: { bridges: ["ours", "raw"], rounds: 5, calls: 150, warmSeconds: 6, windowSeconds: 8 },
  countedRounds,
  voidRounds: [],
  bridges: new Map<BridgeName, BridgeReport>([["ours", ours]]),
  ratio: (other) => spread(ratios[other] ?? []),
  generator: { cpu: 0.3, lagP99Ms: 1.5 },
});

describe("budgets", () => {
  test("each is met when everything is small, and none is met without a round that counts", () => {
    const good = measured(report(0.05), { raw: [1.2, 1.25, 1.3], agents: [0.4] });
    expect(judge(good).filter(({ met }) => met !== true)).toEqual([]);
    const nothing = measured(report(0.05), { raw: [1.2], agents: [0.4] }, 0);
    expect(judge(nothing).filter(({ met }) => met !== null)).toEqual([]);
  });

  test("each is missed when everything is large", () => {
    const bad = { ...report(400, { stale: 1 }), rssIdleMb: 131, rssPerCallKb: 451 };
    expect(judge(measured(bad, { raw: [1.31], agents: [0.51] })).filter(({ met }) => met !== false)).toEqual([]);
  });

  test("the text names every budget and whether it is met", () => {
    const text = textReport(measured(report(0.05, { callerLost: 3 }), { raw: [1.4], agents: [0.4] }));
    expect(text).toMatch(/NOT MET\s+CPU against the raw relay ≤ 1\.30 x\s+1\.40 x/);
    expect(text).toMatch(/met\s+CPU against agents-extensions/);
    expect(text).toContain("ours: callerLost 3");
  });
});

test("the JSON report has medians with their spread, distributions, and faults by kind", () => {
  const json = jsonReport(measured(report(0.05, { stale: 2 }), { raw: [1.1, 1.2, 1.4], agents: [0.4] }), true);
  expect(JSON.parse(JSON.stringify(json))).toMatchObject({
    ratioToRaw: 1.2,
    ratioToAgents: 0.4,
    spread: { ratioToRaw: { min: 1.1, max: 1.4 }, ratioToAgents: { min: 0.4, max: 0.4 } },
    callerToModelMs: { p50: 0.05, p90: 0.05, p99: 0.05 },
    queuedAtBargeInMs: { p99: 0.05 },
    setupMs: { p50: 0.05 },
    rssIdleMb: 100,
    rssPerCallKb: 300,
    faults: { stale: 2 },
  });
});

describe("a step of capacity", () => {
  const run = (up: number[], down: number[], why?: string): Run => ({
    bridge: "ours",
    result: {
      load: { cpu: 0.2, lagP99Ms: 1 },
      faults: noFaults(),
      counts,
      times: {
        ...(Object.fromEntries(TIMED.map((kind) => [kind, []])) as unknown as Record<Timed, number[]>),
        callerToModel: up,
        firstAudio: down,
      },
    },
    cpuMs: 1,
    rssIdleMb: 100,
    rssPerCallKb: 300,
    void: why,
  });

  test("holds below 20 ms in both directions, fails in either, and is void rather than held", () => {
    expect(judgeStep(run([19], [19]), 50).verdict).toBe("held");
    expect(judgeStep(run([20], [1]), 50).verdict).toBe("failed");
    expect(judgeStep(run([1], [20]), 50).verdict).toBe("failed");
    expect(judgeStep(run([1], []), 50).verdict).toBe("failed");
    expect(judgeStep(run([1], [1], "late"), 50)).toMatchObject({ verdict: "void", why: "late" });
  });
});

test("what is left of calls: memory against the warm process, everything else against the idle one", () => {
  const idle = { rssMb: 100, heapMb: 20, sockets: 1, handles: 10, listeners: 20 };
  const warm = { rssMb: 150, heapMb: 30, sockets: 1, handles: 10, listeners: 20 };
  expect(whatIsLeft({ idle, warm, end: { ...warm, rssMb: 164 } })).toEqual([]);
  expect(whatIsLeft({ idle, warm, end: { ...warm, rssMb: 166 } })).toEqual(["rssMb: 150 before, 166 at the end"]);
  const end = { rssMb: 150, heapMb: 34, sockets: 2, handles: 12, listeners: 23 };
  expect(whatIsLeft({ idle, warm, end })).toHaveLength(4);
});

test("a void run is tried again, three times at most, and never passes", async () => {
  const outcomes = async (voids: (string | undefined)[]) => {
    const told: unknown[] = [];
    const { void: why } = await repeatIfVoid(
      async () => ({ void: voids[told.length] }),
      (run) => told.push(run),
    );
    return [told.length, why];
  };
  expect(await outcomes([undefined])).toEqual([1, undefined]);
  expect(await outcomes(["late", undefined, "late"])).toEqual([2, undefined]);
  expect(await outcomes(["late", "late", "busy", undefined])).toEqual([3, "busy"]);
});

test("our bridge is started as our command starts itself, the others as they are", () => {
  expect(BRIDGES.map((name) => [name, usualOptions(name).includes("--max-semi-space-size=2")])).toEqual(
    BRIDGES.map((name) => [name, name === "ours"]),
  );
});

describe("options", () => {
  test("without any the whole is measured", () => {
    expect(readOptions([])).toMatchObject({
      command: "measure",
      rounds: 5,
      calls: 150,
      seconds: 8,
      warm: 6,
      json: false,
    });
    expect(readOptions(["--tls", "--node=--a --b=1"])).toMatchObject({ tls: true, nodeOptions: ["--a", "--b=1"] });
    expect([readOptions([]).nodeOptions, readOptions(["--node="]).nodeOptions]).toEqual([undefined, []]);
    expect(readOptions(["leak"])).toMatchObject({ command: "leak", calls: 10_000 });
    expect(readOptions(["capacity", "--steps", "10,20"])).toMatchObject({
      bridges: ["ours", "raw", "agents"],
      steps: [10, 20],
    });
  });

  test.each([
    [["run"], 'There is no command "run"'],
    [["--bridges", "ours,theirs"], 'There is no bridge "theirs"'],
    [["--calls", "0"], "--calls must be a number above 0"],
    [["--steps", "10,x"], "--steps must be a number above 0"],
  ])("%j is refused", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});
