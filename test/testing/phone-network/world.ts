import { afterEach, beforeEach } from "vitest";
import {
  type PhoneCall,
  type PhoneNetwork,
  type PhoneNetworkOptions,
  type RingOrder,
  startPhoneNetwork,
} from "../../../src/testing/phone-network/index.ts";
import { type Application, PUBLIC_URL, startApplication, toneVoice } from "./application.ts";

export const AGENT_NUMBER = "+15550001234";
export const CALLER_NUMBER = "+15550005678";

/** A phone network and an application, new for each test. */
export interface World {
  network: PhoneNetwork;
  application: Application;
  /** The caller rings the agent's number. */
  ring(order?: Partial<RingOrder>): PhoneCall;
}

/** Starts a world before each test and stops it after. Ten times as fast as life, unless told otherwise. */
export function useWorld(options: Partial<PhoneNetworkOptions> = {}): World {
  const world = {
    ring: (order: Partial<RingOrder> = {}) => world.network.ring({ from: CALLER_NUMBER, to: AGENT_NUMBER, ...order }),
  } as World;
  beforeEach(async () => {
    world.application = await startApplication();
    const routes = { [PUBLIC_URL]: world.application.baseUrl };
    world.network = await startPhoneNetwork({ speed: 10, voice: toneVoice, routes, ...options });
    world.network.addNumber(AGENT_NUMBER, {
      voiceUrl: `${PUBLIC_URL}/voice`,
      fallbackUrl: `${PUBLIC_URL}/fallback`,
      statusCallback: `${PUBLIC_URL}/status`,
    });
    world.application.handlers = { "/status": () => "", "/voice": () => "<Response/>" };
  });
  afterEach(async () => {
    await world.network.stop();
    await world.application.stop();
  });
  return world;
}
