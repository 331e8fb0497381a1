import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyCollector, type KeyEntry, keyNote } from "../../src/calls/key-collector.ts";
import { handClock } from "./clock.ts";

function start() {
  const clock = handClock();
  const told: KeyEntry[] = [];
  const collector = new KeyCollector({ clock, onEntry: (entry) => told.push(entry) });
  const press = (keys: string, gapMs = 0) => {
    for (const key of keys) {
      collector.pressed(key);
      clock.pass(gapMs);
    }
  };
  return { clock, told, collector, press };
}

test("keys up to the terminator are one entry, which is told at once", () => {
  const { told, press, clock } = start();
  press("123#", 500);
  expect(told).toEqual([{ digits: "123", endedBy: "terminator", terminator: "#", secret: false }]);
  clock.pass(60_000);
  expect(told).toHaveLength(1);
  expect(clock.running).toBe(0);
});

test("without a terminator an entry ends 3 s after its last key", () => {
  const { told, press, clock } = start();
  press("12", 2_999);
  expect(told).toEqual([]);
  clock.pass(1);
  expect(told).toEqual([{ digits: "12", endedBy: "timeout", secret: false }]);
});

test("an entry of 32 keys ends by itself; the next key begins another", () => {
  const { told, press, clock } = start();
  press("7".repeat(33));
  expect(told).toEqual([{ digits: "7".repeat(32), endedBy: "length", secret: false }]);
  clock.pass(3_000);
  expect(told[1]?.digits).toBe("7");
});

test("however keys are pressed, none is lost or doubled, and entries part where 3 s pass, a # comes, or 32 are there", () => {
  const presses = fc.array(
    fc.record({ key: fc.constantFrom(..."0123456789*#ABCD"), thenMs: fc.constantFrom(0, 100, 2_999, 3_000, 9_000) }),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(presses, (all) => {
      const { told, collector, clock } = start();
      const expected: string[] = [];
      let entry = "";
      for (const { key, thenMs } of all) {
        collector.pressed(key);
        clock.pass(thenMs);
        entry += key;
        if (key === "#" || entry.length === 32 || thenMs >= 3_000) {
          expected.push(entry);
          entry = "";
        }
      }
      expect(told.map(({ digits, terminator = "" }) => digits + terminator)).toEqual(expected);
      collector.close();
      expect(clock.running).toBe(0);
    }),
  );
});

test("what is asked for goes to the one who asked, with the end and the length they chose", async () => {
  const { told, collector, press, clock } = start();
  const choice = collector.collect({ maxDigits: 1 });
  press("4");
  expect(await choice).toEqual({ digits: "4", endedBy: "length", secret: false });
  const starred = collector.collect({ terminator: "*" });
  press("1#2*");
  expect(await starred).toEqual({ digits: "1#2", endedBy: "terminator", terminator: "*", secret: false });
  const plain = collector.collect({ terminator: "", maxDigits: 3 });
  press("#*#");
  expect(await plain).toMatchObject({ digits: "#*#", endedBy: "length" });
  const slow = collector.collect({ firstMs: 5_000, betweenMs: 1_000 });
  clock.pass(4_999);
  press("9", 999);
  press("8", 1_000);
  expect(await slow).toMatchObject({ digits: "98", endedBy: "timeout" });
  const nothing = collector.collect({ firstMs: 5_000 });
  clock.pass(5_000);
  expect(await nothing).toEqual({ digits: "", endedBy: "timeout", secret: false });
  expect(told).toEqual([]);
});

test("whoever asks next supersedes; keys that were pressed before are not theirs", async () => {
  const { told, collector, press } = start();
  press("1");
  const first = collector.collect();
  expect(told).toEqual([{ digits: "1", endedBy: "superseded", secret: false }]);
  press("2");
  const second = collector.collect();
  press("3#");
  expect(await first).toMatchObject({ digits: "2", endedBy: "superseded" });
  expect(await second).toMatchObject({ digits: "3", endedBy: "terminator" });
});

test("at the end of the call whoever waits is told, and what nobody asked for is dropped", async () => {
  const { told, collector, press, clock } = start();
  const waiting = collector.collect();
  press("12");
  collector.close();
  expect(await waiting).toMatchObject({ digits: "12", endedBy: "closed" });
  press("3");
  expect(await collector.collect({ secret: true })).toEqual({ digits: "", endedBy: "closed", secret: true });
  const other = start();
  other.press("5");
  other.collector.close();
  expect([...told, ...other.told]).toEqual([]);
  expect([clock.running, other.clock.running]).toEqual([0, 0]);
});

test("a secret is masked where it is written down, and the note does not have it", async () => {
  const { collector } = start();
  const pin = collector.collect({ secret: true });
  const written = [..."4711#"].map((key) => {
    const shown = collector.shown(key);
    collector.pressed(key);
    return shown;
  });
  const entry = await pin;
  expect(entry.digits).toBe("4711");
  expect(written.join("")).toBe("xxxx#");
  expect(keyNote(entry)).toBe("The caller entered 4 secret digits with the keys; they are not told to you.");
  expect(collector.shown("4")).toBe("4");
});

test("the model is told the keys one by one, the last one included", () => {
  const note = (digits: string, terminator?: string) =>
    keyNote({ digits, endedBy: "timeout", secret: false, ...(terminator && { terminator }) });
  expect(note("123", "#")).toBe("The caller pressed the keys 1 2 3 #.");
  expect(note("1")).toBe("The caller pressed the key 1.");
  expect(note("", "#")).toBe("The caller pressed the key #.");
  expect(note("")).toBe("The caller pressed no key.");
});
