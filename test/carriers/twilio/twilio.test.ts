import { describe } from "vitest";
import { createCarrier } from "../../../src/carriers/index.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { type BenchPhone, type CarrierBench, carrierConformance } from "../../../src/testing/carrier-conformance.ts";
import { type PhoneCall, type PhoneNetwork, startPhoneNetwork } from "../../../src/testing/phone-network/index.ts";
import { OWN, PERSON, PUBLIC_URL } from "./fixtures.ts";

const BUSY = "+15550007777";

describe("twilio", () => carrierConformance(openBench));

/** The adapter against the simulated network, twenty times as fast as life. */
async function openBench(listenerUrl: string): Promise<CarrierBench> {
  const clock = systemClock({ speed: 20 });
  const network = await startPhoneNetwork({
    clock,
    voice: { speak: async (text) => tone(text.length * 50) },
    routes: { [PUBLIC_URL]: listenerUrl },
  });
  network.addNumber(OWN, {
    voiceUrl: `${PUBLIC_URL}/twilio/default/voice`,
    statusCallback: `${PUBLIC_URL}/twilio/default/status`,
  });
  network.addPerson(PERSON, { script: (line) => line.waitForEnd(), answerAfterMs: 3_000 });
  network.addPerson(BUSY, { outcome: "busy" });
  const { accountSid, authToken, url: apiBaseUrl } = network;
  const settings = { provider: "twilio", accountSid, authToken, apiBaseUrl } as const;
  return {
    carrier: createCarrier(settings, { accountId: "default", publicUrl: PUBLIC_URL, numbers: [OWN], clock }),
    clock,
    ownNumber: OWN,
    personNumber: PERSON,
    busyNumber: BUSY,
    ring: () => phoneOf(network.ring({ from: PERSON, to: OWN, script: (line) => line.waitForEnd() })),
    phone: (legId) => phoneOf(callOf(network, legId)),
    cutApi() {
      network.faults.rest = () => ({ unreachable: true });
    },
    stop: () => network.stop(),
  };
}

function callOf(network: PhoneNetwork, legId: string): PhoneCall {
  const call = network.calls.find(({ sid }) => sid === legId);
  if (!call) throw new Error(`The network has no call ${legId}.`);
  return call;
}

function phoneOf(call: PhoneCall): BenchPhone {
  const { line } = call;
  // What the person still does when the call ends is not what is tested.
  const carryOn = (act: Promise<void>) => void act.catch(() => {});
  return {
    legId: call.sid,
    speak: (ms) => carryOn(line.play(tone(ms))),
    press: (digit) => carryOn(line.press(digit)),
    hangUp: () => call.hangUp(),
    loseMedia: () => call.stream?.reset(),
    ended: call.ended.then(({ heardSegments }) => ({
      heardMs: heardSegments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0),
    })),
  };
}

/** A square wave at 8 kHz. */
function tone(ms: number): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, at) => (at % 16 < 8 ? 8_000 : -8_000));
}
