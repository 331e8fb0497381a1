import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fliteVoice,
  ruleMind,
  scriptEars,
  startPhoneNetwork,
  startSpeechModel,
  taughtVoice,
} from "openclaw-voice-channel/testing";
import { expect, test } from "vitest";
import { answerThePhone } from "./embed.ts";

// Your own test of a whole call: simulated people and a simulated model, real sockets and real sound, no account.
test("a caller asks when we are open and is told", async () => {
  const [ears, flite] = [scriptEars(), fliteVoice()];
  const voice = taughtVoice(flite, ears);
  const mind = ruleMind([{ when: /open/, say: "From nine to five." }]);
  const routes: Record<string, string> = {};
  const [phones, model] = await Promise.all([
    startPhoneNetwork({ voice, routes }),
    startSpeechModel({ voice, ears, mind }),
  ]);
  const carrier = { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url };
  const account = { number: "+15550001234", carrier, engine: { apiKey: "any", baseUrl: model.url }, dmPolicy: "open" };
  const settings = { publicUrl: "https://voice.example.com", listen: { port: 0 }, store: "memory" } as const;
  const folder = await mkdtemp(join(tmpdir(), "scripted-call-"));
  const plugin = await answerThePhone({ ...settings, accounts: { shop: account } } as never, async () => "", folder);
  try {
    const { listening } = await plugin.status();
    routes[settings.publicUrl] = `http://127.0.0.1:${listening?.port}`;
    phones.addNumber(account.number, { voiceUrl: `${settings.publicUrl}/twilio/shop/voice` });

    const call = phones.ring({
      from: "+15550005678",
      to: account.number,
      script: async (line) => {
        await line.hearReply(); // the greeting
        await line.say("When are you open?");
        await line.hearReply();
      },
    });
    await call.ended;

    const said = model.sessions[0]?.transcript.map(({ role, text }) => `${role}: ${text}`);
    expect(said).toContain("assistant: From nine to five.");
  } finally {
    for (const each of [plugin, phones, model]) await each.stop();
    await flite.close();
    await rm(folder, { recursive: true });
  }
});
