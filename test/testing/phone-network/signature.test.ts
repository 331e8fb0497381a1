import fc from "fast-check";
import webhooks from "twilio/lib/webhooks/webhooks.js";
import { expect, test } from "vitest";
import { signRequest } from "../../../src/testing/phone-network/index.ts";
import { connectStream, PUBLIC_URL, streamEvent } from "./application.ts";
import { useWorld } from "./world.ts";

const { validateRequest } = webhooks;
const world = useWorld();

test("every signature is valid to Twilio's own check", () => {
  const fields = fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== "__proto__"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.webUrl({ withQueryParameters: true }), fields, (token, url, params) => {
      expect(validateRequest(token, signRequest(token, url, params), url, params)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("the forms and the upgrade of a call are signed over their public URLs", async () => {
  const { application, network } = world;
  application.handlers["/voice"] = () => connectStream();
  const opened = new Promise((resolve) => {
    application.onStream = (socket, messages) =>
      resolve(streamEvent(socket, messages, ({ event }) => event === "start"));
  });
  const call = world.ring({ extra: { CallerName: "Zoë & Söhne" } });
  await opened;
  call.hangUp();
  await call.ended;

  expect(application.received.map(({ path }) => path)).toEqual(["/voice", "/status"]);
  for (const { path, headers, params } of application.received) {
    const signature = String(headers["x-twilio-signature"]);
    expect(params).toMatchObject({ CallSid: call.sid, CallerName: "Zoë & Söhne" });
    expect(validateRequest(network.authToken, signature, PUBLIC_URL + path, params)).toBe(true);
    expect(validateRequest(network.authToken, signature, PUBLIC_URL + path, { ...params, From: "+1" })).toBe(false);
    expect(headers).toMatchObject({ host: "voice.example.com", "x-forwarded-proto": "https" });
  }
  const upgrade = application.upgrades[0]?.headers["x-twilio-signature"];
  expect(validateRequest(network.authToken, String(upgrade), "wss://voice.example.com/stream", {})).toBe(true);
});

test.each([
  [undefined, "TN-Validation-Passed-A"],
  ["TN-Validation-Failed-B-Diverted", "TN-Validation-Failed-B-Diverted"],
  [null, undefined],
] as const)("a call whose check came to %s is reported as %s, signed like everything else", async (order, told) => {
  const { application, network } = world;
  await world.ring(order === undefined ? {} : { stirVerstat: order }).ended;
  const [received] = application.received;
  const { path = "", headers = {}, params = {} } = received ?? {};
  expect(params["StirVerstat"]).toBe(told);
  const signature = String(headers["x-twilio-signature"]);
  expect(validateRequest(network.authToken, signature, PUBLIC_URL + path, params)).toBe(true);
  const better = { ...params, StirVerstat: "TN-Validation-Passed-B" };
  expect(validateRequest(network.authToken, signature, PUBLIC_URL + path, better)).toBe(false);
});

test("a GET is signed with its parameters in the URL", async () => {
  const { application, network } = world;
  network.addNumber("+15550002222", { voiceUrl: `${PUBLIC_URL}/voice?a=1`, voiceMethod: "GET" });
  await world.ring({ to: "+15550002222" }).ended;
  const [received] = application.received;
  expect(received).toMatchObject({ method: "GET", params: { a: "1", To: "+15550002222" } });
  const url = network.calls[0]?.requests[0]?.url ?? "";
  expect(validateRequest(network.authToken, String(received?.headers["x-twilio-signature"]), url, {})).toBe(true);
});
