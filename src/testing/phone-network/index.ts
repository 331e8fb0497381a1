import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../core/clock.ts";
import { type NetworkParts, SimulatedCall } from "./call.ts";
import { type DialOrder, dialOut } from "./dial.ts";
import type { Faults } from "./faults.ts";
import { isE164, makeSid } from "./ids.ts";
import type { SimulatedRecording } from "./recording.ts";
import { type OwnNumber, restServer } from "./rest.ts";
import type { CallRequest } from "./rest-calls.ts";
import { FrameTicker } from "./ticker.ts";
import type { CalleeOptions, PhoneCall, PhoneNetwork, PhoneNetworkOptions, RingOrder } from "./types.ts";
import { Webhooks } from "./webhooks.ts";

export type * from "./faults.ts";
export { signRequest } from "./signature.ts";
export type * from "./types.ts";

/**
 * Starts a phone network that behaves as Twilio does, for one account: REST API, signed webhooks, TwiML,
 * Media Streams, and people with phones. Resolves once it listens.
 *
 * @example
 * ```ts
 * const network = await startPhoneNetwork({ voice, routes: { "https://voice.example.com": "http://127.0.0.1:8080" } });
 * network.addNumber("+15550001234", { voiceUrl: "https://voice.example.com/twilio/default/voice" });
 * const call = network.ring({ from: "+15550005678", to: "+15550001234", script: async (line) => {
 *   await line.hearReply();
 *   await line.say("What is the time?");
 *   await line.hearReply();
 * } });
 * const { wav, status } = await call.ended;
 * await network.stop();
 * ```
 */
export async function startPhoneNetwork(options: PhoneNetworkOptions): Promise<PhoneNetwork> {
  const { speed = 1, voice, host = "127.0.0.1", port = 0, routes = {} } = options;
  const clock = options.clock ?? systemClock({ speed });
  const accountSid = options.accountSid ?? makeSid("AC");
  const authToken = options.authToken ?? makeSid("");
  const faults: Faults = options.faults ?? {};
  const webhooks = new Webhooks({ clock, authToken, routes, faults });
  const ticker = new FrameTicker(clock);
  const recordings = new Map<string, SimulatedRecording>();
  const parts: NetworkParts = { clock, voice, ticker, webhooks, routes, faults, accountSid, authToken, recordings };
  const calls = new Map<string, SimulatedCall>();
  const numbers = new Map<string, OwnNumber>();
  const people = new Map<string, CalleeOptions>();
  const waiting = new Set<{ matches: (call: PhoneCall) => boolean; found: PromiseWithResolvers<PhoneCall> }>();

  const begin = (call: SimulatedCall) => {
    calls.set(call.sid, call);
    for (const waiter of waiting) {
      if (!waiter.matches(call)) continue;
      waiting.delete(waiter);
      waiter.found.resolve(call);
    }
  };

  const place = ({ from, to, status, fallbackUrl, ...order }: CallRequest) => {
    const person = people.get(to);
    const call = new SimulatedCall(parts, {
      direction: "outbound-api",
      from,
      to,
      person: person ?? {},
      status,
      fallbackUrl,
      extra: {},
    });
    begin(call);
    // After the REST answer, as in life: a client may then know the sid before the first callback.
    setImmediate(() => void dial(call, person, order));
    return call;
  };

  const stopping = new AbortController();
  const rest = { clock, faults, accountSid, authToken, calls, numbers, recordings, place, stopped: stopping.signal };
  const server = restServer(rest);
  server.listen(port, host);
  await once(server, "listening");
  const { port: boundPort } = server.address() as AddressInfo;
  let stopped: Promise<void> | undefined;

  const stop = async () => {
    stopping.abort();
    for (const { found } of waiting) found.reject(new Error("The phone network was stopped."));
    waiting.clear();
    for (const call of calls.values()) call.cut();
    webhooks.stop();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
    await Promise.allSettled([...calls.values()].map((call) => call.ended));
  };

  return {
    url: `http://${host}:${boundPort}`,
    accountSid,
    authToken,
    faults,
    addNumber(e164, number) {
      numbers.set(checked(e164), { sid: makeSid("PN"), options: number });
    },
    addPerson(e164, person = {}) {
      people.set(checked(e164), person);
    },
    ring(order) {
      if (stopped) throw new Error("The phone network was stopped.");
      const own = numbers.get(order.to);
      if (!own) throw new Error(`${order.to} is not a number of this network; add it with addNumber first.`);
      const call = inbound(parts, order, own);
      begin(call);
      return call;
    },
    get calls() {
      return [...calls.values()];
    },
    get recordings() {
      return [...recordings.values()];
    },
    nextCall(matches = () => true) {
      const known = [...calls.values()].find(matches);
      if (known) return Promise.resolve(known);
      const found = Promise.withResolvers<PhoneCall>();
      waiting.add({ matches, found });
      return found.promise;
    },
    stop: () => (stopped ??= stop()),
  };
}

/** A ringing inbound call that asks the application what to do. */
function inbound(parts: NetworkParts, order: RingOrder, { options }: OwnNumber): SimulatedCall {
  const { from, to, stirVerstat = "TN-Validation-Passed-A", extra = {} } = order;
  const { voiceUrl: url, voiceMethod: method = "POST", fallbackUrl, statusCallback } = options;
  const completed = new Set(["completed"] as const);
  const status = statusCallback ? { url: statusCallback, method: "POST" as const, events: completed } : undefined;
  const verdict = { ...(stirVerstat !== null && { StirVerstat: stirVerstat }), CallToken: makeSid("") };
  const call = new SimulatedCall(parts, {
    direction: "inbound",
    from,
    to,
    person: order,
    status,
    fallbackUrl,
    extra: { CalledCountry: "US", CallerCountry: "US", FromCountry: "US", ToCountry: "US", ...verdict, ...extra },
  });
  call.progress("ringing");
  call.instruct({ kind: "voice", url, method });
  return call;
}

async function dial(call: SimulatedCall, person: CalleeOptions | undefined, order: DialOrder): Promise<void> {
  try {
    await dialOut(call, person, order);
  } catch (error) {
    if (!call.line.signal.aborted) throw error;
  }
}

function checked(e164: string): string {
  if (!isE164(e164)) throw new RangeError(`${e164} is not a phone number in E.164, such as +15550001234.`);
  return e164;
}
