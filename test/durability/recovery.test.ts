import { afterEach, expect, test } from "vitest";
import type { PhoneCall } from "../../src/testing/phone-network/index.ts";
import { toldHistory } from "../e2e/told-history.ts";
import { ANSWERS, GREETING, LINES } from "./person.ts";
import { settle } from "./settle.ts";
import { openStage, openTown, type Stage, type Town } from "./town.ts";

const RINGING = { from: "+15552000000", to: "+15550001234" };
let stage: Stage | undefined;
let town: Town | undefined;

afterEach(async () => {
  await town?.close();
  await town?.remove();
  await stage?.close();
  town = undefined;
  stage = undefined;
});

test("a caller whose process is killed hears so, and talks on within 5 s of its being back, with a model that knows", async () => {
  stage = await openStage();
  const ours = await openTown(stage, { speed: 1.5 });
  town = ours;
  await ours.opened(ours.begin());
  let waitedMs = Number.POSITIVE_INFINITY;
  const call: PhoneCall = ours.phones.ring({
    ...RINGING,
    script: async (line) => {
      await line.hearReply({ quietMs: 2_000 });
      await line.say(LINES.open);
      await line.hearReply();
      const stream = call.stream?.sid;
      await ours.kill();
      await line.waitForSpeech(); // the carrier asks them to wait
      const next = ours.begin();
      await ours.opened(next);
      const backAtMs = ours.clock.now();
      await expect.poll(() => call.stream?.sid ?? stream, { timeout: 20_000, interval: 10 }).not.toBe(stream);
      await line.waitForSpeech();
      waitedMs = ours.clock.now() - backAtMs;
      await line.waitForQuiet();
      await line.say(LINES.more);
      await line.hearReply();
    },
  });
  await call.ended;
  expect(waitedMs).toBeLessThan(5_000);

  expect(toldHistory(ours.model)).toEqual(expect.arrayContaining([GREETING, LINES.open, ANSWERS.open]));
  const { findings } = await settle(ours);
  expect(findings).toEqual([]);
}, 60_000);
