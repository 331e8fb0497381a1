import fc from "fast-check";
import { expect, test } from "vitest";
import { Playout } from "../../../src/testing/phone-network/playout.ts";

type Step = { do: "audio"; bytes: number } | { do: "mark" } | { do: "clear" } | { do: "pull" };

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("audio" as const), bytes: fc.integer({ min: 0, max: 700 }) }),
    fc.constantFrom<Step>({ do: "mark" }, { do: "clear" }, { do: "pull" }, { do: "pull" }),
  ),
  { maxLength: 60 },
);

test("audio is played in order without a gap, and each mark comes back once, after its audio or on clear", () => {
  fc.assert(
    fc.property(steps, (script: Step[]) => {
      const playout = new Playout();
      // The model: one list of bytes and marks in the order of arrival.
      let queue: (number | string)[] = [];
      let next = 1;
      let names = 0;
      for (const step of script) {
        if (step.do === "audio") {
          const bytes = Uint8Array.from({ length: step.bytes }, () => (next = (next % 250) + 1));
          queue.push(...bytes);
          playout.enqueue(bytes);
        } else if (step.do === "mark") {
          queue.push(`m${names}`);
          playout.mark(`m${names++}`);
        } else if (step.do === "clear") {
          expect(playout.clear()).toEqual(queue.filter((entry) => typeof entry === "string"));
          queue = [];
        } else {
          const due = queue.slice(
            0,
            Math.max(
              0,
              queue.findIndex((entry) => typeof entry === "number"),
            ),
          );
          const marks = queue.some((entry) => typeof entry === "number") ? due : queue;
          expect(playout.takeDueMarks()).toEqual(marks);
          queue = queue.slice(marks.length);
          const frame: number[] = [];
          const left: string[] = [];
          while (frame.length < 160 && queue.length > 0) {
            const entry = queue.shift() as number | string;
            if (typeof entry === "number") frame.push(entry);
            else left.push(entry);
          }
          expect([...playout.pull()]).toEqual([...frame, ...new Array(160 - frame.length).fill(0xff)]);
          queue.unshift(...left);
        }
        expect(playout.pendingBytes).toBe(queue.filter((entry) => typeof entry === "number").length);
      }
    }),
    { numRuns: 300 },
  );
});
