import { expect, test } from "vitest";
import { apply, newCall } from "../../src/core/call.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { soundOf } from "../../src/plugin/records.ts";

const events: CallEvent[] = ["rec_1", "rec_2", "rec_3"].flatMap((recordingId, at): CallEvent[] => [
  { type: "recording.started", atMs: at, recordingId, by: "own", encrypted: false },
  { type: "recording.stored", atMs: at, recordingId, location: `${recordingId}.wav`, bytes: 44, durationMs: 0 },
]);
const call = [
  ...events,
  { type: "recording.deleted", atMs: 9, recordingId: "rec_1", because: "order" } as const,
].reduce(apply, newCall());

async function* sound() {
  yield Buffer.from("RIFF");
}

test("the first recording that is there is had, or the one that is named; a deleted one is not", async () => {
  const opened: string[] = [];
  const open = async ({ location = "" }: { location?: string }) => {
    opened.push(location);
    return { sound: sound(), bytes: 4 };
  };
  expect(await soundOf(call, undefined, open)).toMatchObject({ recordingId: "rec_2", bytes: 4 });
  expect(await soundOf(call, "rec_3", open)).toMatchObject({ recordingId: "rec_3" });
  expect(await soundOf(call, "rec_1", open)).toBeUndefined();
  expect(await soundOf(call, "rec_9", open)).toBeUndefined();
  expect(opened).toEqual(["rec_2.wav", "rec_3.wav"]);
});

test("a file that is not there any more is no recording", async () => {
  expect(await soundOf(call, undefined, async () => undefined)).toBeUndefined();
});
