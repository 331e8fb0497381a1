import { expect, test } from "vitest";
import { memoryStore } from "../../src/stores/memory.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { worlds } from "./world.ts";

const world = worlds();
/** A secret as OpenAI makes them: `whsec_` and base64. */
const secret = `whsec_${Buffer.from("a secret of the webhook endpoint").toString("base64")}`;
const mind = ruleMind([]);

async function openaiWorld() {
  const store = memoryStore();
  const { account, ...made } = await world({ mind, store });
  const engine = { ...(account["engine"] as object), webhookSecret: secret };
  await made.plugin.setAccount("default", { ...account, engine });
  return { ...made, store, webhookUrl: `${made.url}/webhook` };
}

test("a call that OpenAI offers by SIP is written down and declined as busy", async () => {
  const { model, webhookUrl, plugin, store } = await openaiWorld();
  const { callId, webhookStatus } = await model.ringSip({ webhookUrl, secret });
  expect(webhookStatus).toBe(200);
  expect(model.sipCall(callId)).toMatchObject({ state: "rejected", statusCode: 486 });
  const [entry] = await store.journal(`offer_${callId}`);
  expect(entry?.event).toMatchObject({ type: "offer.declined", engineCallId: callId, sipStatus: 486 });
  expect(await plugin.calls()).toEqual({ calls: [] });
});

test("the same offer delivered again is acknowledged and declined once", async () => {
  const { model, webhookUrl } = await openaiWorld();
  const first = await model.ringSip({ webhookUrl, secret, webhookId: "wh_1" });
  const again = await model.ringSip({ webhookUrl, secret, webhookId: "wh_1" });
  expect([first.webhookStatus, again.webhookStatus]).toEqual([200, 200]);
  expect(model.requests.filter(({ path }) => path.endsWith("/reject"))).toHaveLength(1);
});

test("a forged offer is refused and declines nothing", async () => {
  const { model, webhookUrl } = await openaiWorld();
  const other = `whsec_${Buffer.from("another secret altogether, of nobody").toString("base64")}`;
  const { callId, webhookStatus } = await model.ringSip({ webhookUrl, secret: other });
  expect(webhookStatus).toBe(403);
  expect(model.sipCall(callId)).toMatchObject({ state: "ringing" });
});

test("without a secret every message is refused", async () => {
  const { model, url } = await world({ mind });
  const { webhookStatus } = await model.ringSip({ webhookUrl: `${url}/webhook`, secret });
  expect(webhookStatus).toBe(403);
});
