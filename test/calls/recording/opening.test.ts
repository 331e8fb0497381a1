import { describe, expect, test } from "vitest";
import { Opening } from "../../../src/calls/recording/opening.ts";
import { silentLogger } from "../../../src/logger.ts";
import { answeredCall } from "../call-bench.ts";
import { handClock } from "../clock.ts";

const WHOLE = { itemId: "q", heardMs: 2_000, producedMs: 2_000, startedAtMs: 0 };
const CUT = { ...WHOLE, heardMs: 500 };

/** A call that is to be recorded, at the moment when both sides are there. */
async function scene(
  how: "announce" | "ask",
  { speaks = true, records = true, storeFails = false, keepsAnnouncement = true } = {},
) {
  const clock = handClock();
  const { journal, written, store } = await answeredCall({ clock });
  if (storeFails) store.append = () => Promise.reject(new Error("the store is full"));
  const happened: string[] = [];
  const settled = Promise.withResolvers<void>();
  const opening = new Opening({
    how,
    text: how === "ask" ? "May I?" : "This is recorded.",
    journal,
    clock,
    logger: silentLogger,
    say: (text) => {
      happened.push(`says ${text}`);
      return speaks;
    },
    record: async () => {
      await journal.flush();
      happened.push(journal.call.consent?.ok ? "records" : "records without consent");
      return records;
    },
    keepsAnnouncement,
    discard: () => happened.push("discards"),
    goOn: () => {
      happened.push("goes on");
      settled.resolve();
    },
  });
  const decided = async () => {
    const asked = (await written("consent.asked")).map((event) => ("how" in event ? `asked: ${event.how}` : ""));
    const { consent } = journal.call;
    return [...asked, ...(consent ? [`${consent.ok} by ${consent.by}`] : [])];
  };
  const said = (count: number) =>
    expect.poll(() => happened.filter((one) => one.startsWith("says")).length).toBe(count);
  expect(opening.mayGoOn()).toBe(false);
  return { clock, opening, happened, goesOn: settled.promise, decided, said };
}

describe("a call that is announced to be recorded", () => {
  test("case 40: is told so first; the recording holds the announcement, and consent is there once it was heard", async () => {
    const { opening, happened, goesOn, decided, said } = await scene("announce");
    await said(1);
    expect(happened).toEqual(["records without consent", "says This is recorded."]);
    expect(opening.mayGoOn()).toBe(false);
    expect(await decided()).toEqual(["asked: announce"]);
    opening.heard(WHOLE);
    await goesOn;
    expect(opening.mayGoOn()).toBe(true);
    expect(await decided()).toEqual(["asked: announce", "true by announcement"]);
  });

  test("is recorded only after the announcement by whoever cannot drop a recording again", async () => {
    const { opening, happened, goesOn, said } = await scene("announce", { keepsAnnouncement: false });
    await said(1);
    expect(happened).toEqual(["says This is recorded."]);
    opening.heard(WHOLE);
    await goesOn;
    await expect.poll(() => happened).toEqual(["says This is recorded.", "goes on", "records"]);
  });

  test("has no consent when they hang up before they were told", async () => {
    const { opening, said, decided } = await scene("announce");
    await said(1);
    opening.heard(CUT);
    opening.close();
    expect(await decided()).toEqual(["asked: announce"]);
  });

  test("hears it once more when they spoke over it, and then the conversation goes on", async () => {
    const { opening, happened, said, goesOn } = await scene("announce");
    await said(1);
    opening.heard(CUT);
    expect(opening.mayGoOn()).toBe(false);
    expect(happened.filter((one) => one.startsWith("says"))).toHaveLength(2);
    opening.heard(CUT);
    await goesOn;
    expect(happened.filter((one) => one === "goes on")).toHaveLength(1);
  });

  test("is not recorded when that cannot be written down or kept, and goes on without a word", async () => {
    for (const trouble of [{ storeFails: true }, { records: false }]) {
      const { happened, goesOn } = await scene("announce", trouble);
      await goesOn;
      expect(happened).toEqual(trouble.storeFails ? ["goes on"] : ["records without consent", "goes on"]);
    }
  });

  test("keeps nothing when the announcement cannot be said", async () => {
    const { happened, goesOn } = await scene("announce", { speaks: false });
    await goesOn;
    expect(happened).toEqual(["records without consent", "says This is recorded.", "discards", "goes on"]);
  });
});

describe("a caller who is asked whether the call may be recorded", () => {
  test.each([
    ["Yes, of course.", true],
    ["Nein, danke.", false],
  ])("case 40: answers by voice: %s", async (words, ok) => {
    const { opening, happened, goesOn, decided } = await scene("ask");
    opening.heard(WHOLE);
    opening.words(words);
    await goesOn;
    expect(happened).toEqual(["says May I?", ...(ok ? ["records"] : []), "goes on"]);
    expect(await decided()).toEqual(["asked: ask", `${ok} by words`]);
    expect(opening.mayGoOn()).toBe(true);
  });

  test.each([
    ["1", true],
    ["2", false],
  ])("answers with the key %s, also during the question", async (key, ok) => {
    const { opening, happened, goesOn, decided } = await scene("ask");
    expect(opening.pressed("5")).toBe(false);
    expect(opening.pressed(key)).toBe(true);
    await goesOn;
    expect(happened.includes("records")).toBe(ok);
    expect(await decided()).toEqual(["asked: ask", `${ok} by keys`]);
    expect(opening.pressed(key)).toBe(false);
  });

  test("answers while the question is still being said; other words there are no answer", async () => {
    const { opening, happened, goesOn } = await scene("ask");
    opening.words("Hello?");
    expect(happened).toEqual(["says May I?"]);
    opening.words("Yes yes.");
    await goesOn;
    expect(happened).toEqual(["says May I?", "records", "goes on"]);
  });

  test("is asked once more when that was not clear, and is then taken to have said no", async () => {
    const { opening, happened, goesOn, decided } = await scene("ask");
    opening.heard(WHOLE);
    opening.words("What for?");
    expect(happened).toEqual(["says May I?", "says May I?"]);
    opening.heard(WHOLE);
    opening.words("Well, hm.");
    await goesOn;
    expect(happened).toEqual(["says May I?", "says May I?", "goes on"]);
    expect(await decided()).toEqual(["asked: ask", "false by words"]);
  });

  test("who says nothing is asked once more, and then not recorded: nobody answered", async () => {
    const { opening, happened, goesOn, decided, clock } = await scene("ask");
    opening.heard(WHOLE);
    clock.pass(8_000);
    opening.heard(WHOLE);
    clock.pass(8_000);
    await goesOn;
    expect(happened).toEqual(["says May I?", "says May I?", "goes on"]);
    expect(await decided()).toEqual(["asked: ask", "false by nobody"]);
    expect(clock.running).toBe(0);
  });

  test("who never hears the question is not kept waiting, and not recorded", async () => {
    const { happened, goesOn, decided, clock } = await scene("ask");
    clock.pass(60_000);
    await goesOn;
    expect(happened).toEqual(["says May I?", "goes on"]);
    expect(await decided()).toEqual(["asked: ask", "false by nobody"]);
  });

  test("who agreed is not recorded when that cannot be written down; the call goes on", async () => {
    const { opening, happened, goesOn } = await scene("ask", { storeFails: true });
    opening.words("Yes.");
    await goesOn;
    expect(happened).toEqual(["says May I?", "goes on"]);
  });

  test("who hangs up leaves nothing behind, and is not recorded", async () => {
    const { opening, happened, clock } = await scene("ask");
    opening.heard(WHOLE);
    opening.close();
    opening.words("Yes.");
    expect(opening.pressed("1")).toBe(false);
    clock.pass(120_000);
    expect(happened).toEqual(["says May I?"]);
    expect(clock.running).toBeLessThanOrEqual(1); // what the journal still writes
  });
});
