import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FRAME_BYTES } from "../audio/g711.ts";
import type { Carrier, CarrierEvent, MediaLeg, RawRequest } from "../carriers/carrier.ts";
import type { Clock } from "../core/clock.ts";
import { CarrierUnreachableError, InvalidSignatureError, NotAllowedError } from "../core/errors.ts";
import { type CarrierListener, hear, isSound, noise, startCarrierListener } from "./carrier-listener.ts";
import { recordingConformance } from "./carrier-recording-conformance.ts";

/** A carrier under test, with the network behind it: a simulator, or the provider's own test system. */
export interface CarrierBench {
  readonly carrier: Carrier;
  /** By which both the carrier and who is behind it tell the time. */
  readonly clock: Pick<Clock, "now">;
  /** The account's number, E.164; its webhooks reach the listener that the bench was opened with. */
  readonly ownNumber: string;
  /** Whose phone rings for a while, is picked up, and stays on the line. */
  readonly personNumber: string;
  /** Whose line is busy. */
  readonly busyNumber: string;
  /** The person rings the account's number and stays on the line. */
  ring(): BenchPhone;
  /** The person's phone on a leg that was dialled. */
  phone(legId: string): BenchPhone;
  /** From now on the carrier's API cannot be reached. */
  cutApi(): void;
  stop(): Promise<void>;
}

/** A person's phone on one leg. */
export interface BenchPhone {
  readonly legId: string;
  /** Lets the person make some noise for `ms` milliseconds. */
  speak(ms: number): void;
  press(digit: string): void;
  hangUp(): void;
  /** Breaks the media connection without a word; the leg lives on at the carrier. */
  loseMedia(): void;
  /** Resolves when the leg is over, with the milliseconds of sound that the person heard. */
  readonly ended: Promise<{ readonly heardMs: number }>;
}

/**
 * What the `Carrier` contract says, as tests over real connections. Call it inside a `describe` of vitest.
 * `open` gets the address that the carrier's webhooks and media are to reach; the bench may run faster than real time.
 *
 * @example describe("my carrier", () => carrierConformance((url) => openMyBench(url)));
 */
export function carrierConformance(open: (listenerUrl: string) => Promise<CarrierBench>): void {
  const signal = new AbortController().signal;
  let listener: CarrierListener;
  let bench: CarrierBench;
  let carrier: Carrier;

  beforeEach(async () => {
    listener = await startCarrierListener();
    bench = await open(listener.url);
    carrier = bench.carrier;
    listener.carrier = carrier;
  });
  afterEach(async () => {
    await bench.stop();
    await listener.stop();
  });

  /** A call that is connected to us. */
  const connected = async () => {
    const phone = bench.ring();
    const media = await listener.media.find((leg) => leg.legId === phone.legId);
    return { phone, media, heard: hear(media) };
  };
  const dial = (to: string, from = bench.ownNumber) =>
    carrier.dial({ callId: "call_1", from, to, timeLimitSeconds: 60 }, signal);
  const ended = (legId: string) => listener.events.find(isEnd(legId));

  test("every capability is said, as yes or no", () => {
    const { mediaStream, sendsDigits, tellsKeys, records } = carrier.capabilities;
    for (const one of [mediaStream, sendsDigits, tellsKeys, records]) expect(typeof one).toBe("boolean");
  });

  describe("webhooks", () => {
    test("an inbound call asks for an answer and names both parties", async () => {
      const { phone } = await connected();
      expect(await listener.events.find()).toMatchObject({
        type: "leg.waiting",
        direction: "inbound",
        legId: phone.legId,
        from: bench.personNumber,
        to: bench.ownNumber,
      });
      expect(listener.errors).toEqual([]);
    });

    test("a repeated request has the same key, another call's has another", async () => {
      const first = bench.ring();
      await listener.media.find(({ legId }) => legId === first.legId);
      const [request] = listener.requests as [RawRequest];
      const key = () => carrier.parse(carrier.verify({ ...request })).key;
      expect(key()).toBe(key());
      const second = bench.ring();
      const other = await listener.events.find(({ legId }) => legId === second.legId);
      expect(other.key).not.toBe(key());
    });

    test("a forged, changed or unsigned request is refused", async () => {
      await connected();
      const [genuine] = listener.requests as [RawRequest];
      const digit = genuine.body.search(/\d(?=\D*$)/);
      const changed =
        genuine.body.slice(0, digit) + ((Number(genuine.body[digit]) + 1) % 10) + genuine.body.slice(digit + 1);
      const forged: RawRequest[] = [
        { ...genuine, headers: {} },
        { ...genuine, body: changed },
        { ...genuine, body: "" },
        { ...genuine, path: `${genuine.path}${genuine.path.includes("?") ? "&" : "?"}call=call_2` },
        { ...genuine, headers: Object.fromEntries(Object.keys(genuine.headers).map((name) => [name, "x"])) },
      ];
      for (const request of forged) expect(() => carrier.verify(request)).toThrow(InvalidSignatureError);
      expect(() => carrier.verify(genuine)).not.toThrow();
    });

    test("no answer is empty", () => {
      const answers = [
        listener.answer,
        { kind: "speak", text: "", language: "" },
        { kind: "hang-up" },
      ] as const satisfies readonly CarrierListener["answer"][];
      for (const answer of answers) {
        const reply = carrier.answer(answer);
        expect(reply.status).toBe(200);
        expect(reply.body.trim()).not.toBe("");
      }
    });

    test("a spoken answer is heard and ends the leg", async () => {
      listener.answer = { kind: "speak", text: "We are closed. Goodbye.", language: "en" };
      expect((await bench.ring().ended).heardMs).toBeGreaterThan(0);
    });
  });

  describe("media", () => {
    test("brings our token back and carries the person's sound in frames of 20 ms", async () => {
      const { phone, media, heard } = await connected();
      expect(media.token).toBe("token-1");
      phone.speak(400);
      const audio = await heard.find((item) => item.kind === "audio" && isSound(item.value));
      expect(Buffer.from(audio.value, "base64")).toHaveLength(FRAME_BYTES);
    });

    test("plays what we send, and says when it has been played", async () => {
      const { phone, media, heard } = await connected();
      media.sendAudio(noise(600));
      media.mark("played");
      await heard.find(({ kind, value }) => kind === "marked" && value === "played");
      phone.hangUp();
      expect((await phone.ended).heardMs).toBeGreaterThanOrEqual(500);
    });

    test("throws away what was not played yet, and returns its marks at once", async () => {
      const { phone, media, heard } = await connected();
      media.sendAudio(noise(60_000));
      media.mark("never played");
      media.clear();
      await heard.find(({ kind, value }) => kind === "marked" && value === "never played");
      phone.hangUp();
      expect((await phone.ended).heardMs).toBeLessThan(30_000);
    });

    test("tells of keys", async () => {
      const { phone, heard } = await connected();
      phone.press("5");
      expect(await heard.find(({ kind }) => kind === "dtmf")).toEqual({ kind: "dtmf", value: "5" });
    });

    test("says once, and last, that the person has hung up", async () => {
      const { phone, heard } = await connected();
      phone.hangUp();
      await heard.find(({ kind }) => kind === "closed");
      await phone.ended;
      expect(heard.all.filter(({ kind }) => kind === "closed")).toEqual([{ kind: "closed", value: "stopped" }]);
      expect(heard.all.at(-1)?.kind).toBe("closed");
    });

    test("says that a broken connection is lost, and the leg comes back to ask what now", async () => {
      const { phone, heard } = await connected();
      phone.loseMedia();
      expect(await heard.find(({ kind }) => kind === "closed")).toEqual({ kind: "closed", value: "lost" });
      const returned = await listener.events.find(({ type }) => type === "leg.returned");
      expect(returned).toMatchObject({ legId: phone.legId, callId: "call_1" });
      await phone.ended;
    });

    test("closes when we close it", async () => {
      const { media, heard } = await connected();
      media.close();
      expect(await heard.find(({ kind }) => kind === "closed")).toEqual({ kind: "closed", value: "stopped" });
    });
  });

  describe("legs", () => {
    test("an outbound leg is accepted, rings, is answered and connected, all with our call's id", async () => {
      const legId = await dial(bench.personNumber);
      const media = await listener.media.find((leg) => leg.legId === legId);
      expect(media.token).toBe("token-1");
      await listener.events.find(({ type }) => type === "leg.answered");
      const types = new Set(listener.events.all.map(({ type }) => type));
      for (const type of ["leg.accepted", "leg.ringing", "leg.waiting"]) expect(types).toContain(type);
      for (const event of listener.events.all) expect(event).toMatchObject({ legId, callId: "call_1" });
      const waiting = await listener.events.find(({ type }) => type === "leg.waiting");
      expect(waiting).toMatchObject({ direction: "outbound", from: bench.ownNumber, to: bench.personNumber });
      expect(listener.errors).toEqual([]);
    });

    test("ends when we hang up, which may be asked twice", async () => {
      const legId = await dial(bench.personNumber);
      await listener.media.find((leg) => leg.legId === legId);
      expect((await carrier.fetchState(legId, signal)).state).toBe("active");
      await carrier.hangUp(legId, signal);
      await ended(legId);
      expect((await carrier.fetchState(legId, signal)).state).toBe("ended");
      await carrier.hangUp(legId, signal);
    });

    test("ends while it rings when we hang up or have something to say", async () => {
      for (const end of [
        (legId: string) => carrier.hangUp(legId, signal),
        (legId: string) => carrier.speakAndHangUp(legId, "Never mind.", "en", signal),
      ]) {
        const legId = await dial(bench.personNumber);
        await listener.events.find((event) => event.type === "leg.ringing" && event.legId === legId);
        await end(legId);
        await ended(legId);
        expect((await carrier.fetchState(legId, signal)).state).toBe("ended");
      }
    });

    test("speaks a sentence in place of the media and ends", async () => {
      const { phone, heard } = await connected();
      await carrier.speakAndHangUp(phone.legId, "Sorry, I must go.", "en", signal);
      expect((await phone.ended).heardMs).toBeGreaterThan(0);
      await heard.find(({ kind }) => kind === "closed");
      await carrier.speakAndHangUp(phone.legId, "Too late.", "en", signal);
    });

    test("takes new instructions in the middle of its media, which stops, and connects anew", async () => {
      const { phone, heard } = await connected();
      const again = { kind: "connect", callId: "call_1", token: "token-2" } as const;
      expect(await carrier.redirect(phone.legId, again, signal)).toBe(true);
      expect(await heard.find(({ kind }) => kind === "closed")).toEqual({ kind: "closed", value: "stopped" });
      const media = await listener.media.find(({ token }) => token === "token-2");
      expect(media.legId).toBe(phone.legId);
      const [old] = listener.media.all as [MediaLeg];
      expect(media.streamId).not.toBe(old.streamId);
      phone.speak(200);
      await hear(media).find((item) => item.kind === "audio" && isSound(item.value));
    });

    test("takes new instructions while the carrier keeps it company after its media was lost", async () => {
      const { phone, heard } = await connected();
      phone.loseMedia();
      await heard.find(({ kind }) => kind === "closed");
      const again = { kind: "connect", callId: "call_1", token: "token-2" } as const;
      expect(await carrier.redirect(phone.legId, again, signal)).toBe(true);
      const media = await listener.media.find(({ token }) => token === "token-2");
      expect(media.legId).toBe(phone.legId);
      expect(listener.events.all.some(({ type }) => type === "leg.returned")).toBe(false);
    });

    test("takes no instructions while it rings, when it is over, or when nobody knows it", async () => {
      const legId = await dial(bench.personNumber);
      await listener.events.find(({ type }) => type === "leg.ringing");
      const farewell = { kind: "speak", text: "Too late.", language: "en" } as const;
      expect(await carrier.redirect(legId, farewell, signal)).toBe(false);
      await carrier.hangUp(legId, signal);
      await ended(legId);
      expect(await carrier.redirect(legId, farewell, signal)).toBe(false);
      const nobody = legId.slice(0, -4) + (legId.endsWith("0000") ? "1111" : "0000");
      expect(await carrier.redirect(nobody, farewell, signal)).toBe(false);
    });

    test("that is busy ends as busy", async () => {
      const legId = await dial(bench.busyNumber);
      expect(await ended(legId)).toMatchObject({ reason: "busy", callId: "call_1" });
      expect(await carrier.fetchState(legId, signal)).toMatchObject({ state: "ended", reason: "busy" });
    });

    test("that the person ends is their hang-up", async () => {
      const legId = await dial(bench.personNumber);
      await listener.media.find((leg) => leg.legId === legId);
      bench.phone(legId).hangUp();
      expect(await ended(legId)).toMatchObject({ reason: "callee_hangup" });
    });

    test("cannot come from a number that is not the account's", async () => {
      await expect(dial(bench.personNumber, bench.busyNumber)).rejects.toThrow(NotAllowedError);
    });

    test("is found by numbers and time when the answer to its order was lost, unless several may be it", async () => {
      const order = { from: bench.ownNumber, to: bench.personNumber, atMs: bench.clock.now() };
      const legId = await dial(bench.personNumber);
      expect(await carrier.findDialled(order, signal)).toBe(legId);
      expect(await carrier.findDialled({ ...order, to: bench.busyNumber }, signal)).toBeUndefined();
      expect(await carrier.findDialled({ ...order, atMs: order.atMs - 600_000 }, signal)).toBeUndefined();
      await dial(bench.personNumber);
      expect(await carrier.findDialled(order, signal)).toBeUndefined();
    });

    test("that nobody knows is unknown, and hanging it up is fine", async () => {
      const legId = await dial(bench.busyNumber);
      const nobody = legId.slice(0, -4) + (legId.endsWith("0000") ? "1111" : "0000");
      expect((await carrier.fetchState(nobody, signal)).state).toBe("unknown");
      await carrier.hangUp(nobody, signal);
    });
  });

  describe("recordings at the carrier", () => recordingConformance(() => ({ bench, carrier, listener })));

  describe("the carrier's API", () => {
    test("answers a probe", async () => {
      await carrier.warmUp();
      await carrier.probe(signal);
    });

    test("that cannot be reached is an error of its own, for every verb", async () => {
      bench.cutApi();
      const verbs = [
        () => dial(bench.personNumber),
        () => carrier.hangUp("CA00", signal),
        () => carrier.speakAndHangUp("CA00", "x", "en", signal),
        () => carrier.redirect("CA00", { kind: "hang-up" }, signal),
        () => carrier.fetchState("CA00", signal),
        () => carrier.findDialled({ from: bench.ownNumber, to: bench.personNumber, atMs: 0 }, signal),
        () => carrier.startRecording({ legId: "CA00", callId: "call_1", recordingId: "rec_1" }, signal),
        () => carrier.pauseRecording({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.resumeRecording({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.stopRecording({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.findRecordings("CA00", signal),
        () => carrier.fetchRecordingState({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.fetchRecording({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.deleteRecording({ legId: "CA00", id: "RE00" }, signal),
        () => carrier.probe(signal),
      ];
      for (const verb of verbs) await expect(verb()).rejects.toThrow(CarrierUnreachableError);
    });

    test("is not waited for once the signal is aborted", async () => {
      await expect(carrier.probe(AbortSignal.abort())).rejects.toThrow(CarrierUnreachableError);
    });
  });
}

// --- Internal helpers ---

const isEnd =
  (legId: string) =>
  (event: CarrierEvent): event is Extract<CarrierEvent, { type: "leg.ended" }> =>
    event.type === "leg.ended" && event.legId === legId;
