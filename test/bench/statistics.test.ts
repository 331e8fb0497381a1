import fc from "fast-check";
import { expect, test } from "vitest";
import { GENERATOR_LIMITS, median, percentile, Samples, spread, whyVoid } from "../../bench/statistics.ts";

const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });

test("a percentile is a sample that as many samples do not exceed, and the smallest such", () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const sorted = Float64Array.from(values).sort();
      const found = percentile(sorted, percent) as number;
      const share = (limit: (value: number) => boolean) => (values.filter(limit).length / values.length) * 100;
      expect(values).toContain(found);
      expect(share((value) => value <= found)).toBeGreaterThanOrEqual(percent - 1e-9);
      expect(share((value) => value < found)).toBeLessThan(percent);
    }),
  );
});

test("samples of many runs are one distribution, however many there are", () => {
  const samples = new Samples();
  samples.addAll(Array.from({ length: 3_000 }, (_, i) => 3_000 - i));
  samples.add(0);
  expect(samples.count).toBe(3_001);
  expect(samples.percentiles()).toEqual({ p50: 1_500, p90: 2_700, p99: 2_970 });
});

test("nothing measured is null, never zero", () => {
  expect(new Samples().percentiles()).toEqual({ p50: null, p90: null, p99: null });
  expect(median([])).toBeNull();
  expect(spread([])).toEqual({ median: null, min: null, max: null });
});

test("a median is the middle one, or lies between the middle two", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(spread([1.2, 1.4, 1.1])).toEqual({ median: 1.2, min: 1.1, max: 1.4 });
});

test("what a busy or late generator has measured is void, and what was measured on a core that others used", () => {
  expect(GENERATOR_LIMITS).toEqual({ cpu: 0.7, lagP99Ms: 5, foreign: 0.2 });
  expect(whyVoid({ cpu: 0.7, lagP99Ms: 5 })).toBeUndefined();
  expect(whyVoid({ cpu: 0.71, lagP99Ms: 0.1 })).toContain("71 % CPU");
  expect(whyVoid({ cpu: 0.1, lagP99Ms: 5.1 })).toContain("5.1 ms late");
  expect(whyVoid({ cpu: 0.1, lagP99Ms: 1, foreign: 0.2 })).toBeUndefined();
  expect(whyVoid({ cpu: 0.1, lagP99Ms: 1, foreign: 0.21 })).toContain("21 % of the bridge's core");
});
