import { describe, expect, test, vi } from "vitest";
import { dtmfSequence } from "../../src/audio/dtmf.ts";
import { FRAME_BYTES } from "../../src/audio/g711.ts";
import type { Account } from "../../src/calls/account.ts";
import type { CallParts } from "../../src/calls/desk.ts";
import { withKeyEar } from "../../src/calls/key-ear.ts";
import { acceptMedia } from "../../src/calls/media-arrival.ts";
import type { MediaLeg, MediaListener } from "../../src/carriers/carrier.ts";
import { silentLogger } from "../../src/logger.ts";
import { handClock } from "./clock.ts";

/** A leg that is told what to bring, and what was made of it. */
function bareLeg() {
  const done: unknown[] = [];
  let listener: MediaListener | undefined;
  const leg: MediaLeg = {
    legId: "leg",
    streamId: "stream",
    token: "token",
    bufferedBytes: 7,
    sendAudio: (audio) => void done.push(["audio", audio.length]),
    mark: (name) => void done.push(["mark", name]),
    clear: () => void done.push(["clear"]),
    together: (sends) => sends(),
    listen: (given) => {
      listener = given;
    },
    close: () => void done.push(["close"]),
  };
  const bring = (sound: Uint8Array) => {
    for (let at = 0; at < sound.length; at += FRAME_BYTES) {
      listener?.audio(Buffer.from(Buffer.from(sound.subarray(at, at + FRAME_BYTES)).toString("base64"), "latin1"));
    }
  };
  return { leg, done, bring, listener: () => listener as MediaListener };
}

/** Writes down what is heard, in order: a dot for a frame. */
function notes() {
  let heard = "";
  const listener: MediaListener = {
    audio: () => {
      heard += ".";
    },
    marked: (name) => {
      heard += `(${name})`;
    },
    dtmf: (digit) => {
      heard += digit;
    },
    unrecognised: (what) => {
      heard += `?${what}`;
    },
    closed: (how) => {
      heard += how;
    },
  };
  return { listener, heard: () => heard };
}

describe("a leg whose carrier tells of no keys", () => {
  test("keys are heard in the sound, each once and behind its frame, and the sound goes on whole", () => {
    const { leg, bring } = bareLeg();
    const { listener, heard } = notes();
    withKeyEar(leg).listen(listener);
    const keys = dtmfSequence("42#");
    bring(keys);
    expect(heard().replaceAll(".", "")).toBe("42#");
    expect(heard().replaceAll(/[^.]/g, "")).toHaveLength(Math.ceil(keys.length / FRAME_BYTES));
    expect(heard()).toMatch(/^\.{2,4}4\.+2\.+#\.+$/); // within 80 ms of its beginning
  });

  test("everything else passes as it is, both ways", () => {
    const { leg, done, listener: inner } = bareLeg();
    const { listener, heard } = notes();
    const eared = withKeyEar(leg);
    expect([eared.legId, eared.streamId, eared.token, eared.bufferedBytes]).toEqual(["leg", "stream", "token", 7]);
    eared.listen(listener);
    eared.together(() => {
      eared.sendAudio(new Uint8Array(160));
      eared.mark("m");
    });
    eared.clear();
    eared.close();
    expect(done).toEqual([["audio", 160], ["mark", "m"], ["clear"], ["close"]]);
    inner().marked("m");
    inner().dtmf("5");
    inner().unrecognised("what");
    inner().closed("lost");
    expect(heard()).toBe("(m)5?whatlost");
  });
});

describe.each([
  { tellsKeys: false, pressed: "19" },
  { tellsKeys: true, pressed: "" },
])("media of a carrier that tells of keys: $tellsKeys", ({ tellsKeys, pressed }) => {
  test("tones count as keys where nobody else tells of them, and only there", async () => {
    const { leg, bring } = bareLeg();
    const { listener, heard } = notes();
    const clock = handClock();
    const live = {
      journal: { call: { answeredAtMs: clock.now(), resumes: 0 }, note: vi.fn() },
      conversation: { hasMedia: false, attach: (media: MediaLeg) => media.listen(listener) },
    };
    const parts = { calls: { get: () => live }, clock, logger: silentLogger, tokens: { redeem: () => "call_1" } };
    const account = { id: "a", carrier: { openMedia: async () => leg, capabilities: { tellsKeys } } };
    await acceptMedia(
      parts as unknown as CallParts,
      account as unknown as Account,
      {} as never,
      new AbortController().signal,
    );
    bring(dtmfSequence("19"));
    expect(heard().replaceAll(".", "")).toBe(pressed);
  });
});
