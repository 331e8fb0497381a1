import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { InvalidRequestError, StoreError } from "../../src/core/errors.ts";
import { soundOf } from "../../src/plugin/records.ts";

const call = { id: "call_1" };

test("the sound of a call is what was kept of it, with its length", async () => {
  const asked: string[] = [];
  const open = async (callId: string) => {
    asked.push(callId);
    return { stream: Readable.from([Buffer.from("RIFF")]), bytes: 4 };
  };
  const found = await soundOf(call, { open });
  expect([asked, found?.bytes]).toEqual([["call_1"], 4]);
  const pieces = [];
  for await (const piece of found?.sound ?? []) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toBe("RIFF");
});

test("a call of which nothing was kept has none; one whose sound cannot be had is another matter", async () => {
  const open = async (): Promise<never> => {
    throw new InvalidRequestError("callId", "nothing of this call was recorded, or it was deleted");
  };
  expect(await soundOf(call, { open })).toBeUndefined();
  const failing = async (): Promise<never> => {
    throw new StoreError("The bucket does not answer.");
  };
  await expect(soundOf(call, { open: failing })).rejects.toThrow(StoreError);
});
