import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fliteVoice,
  ruleMind,
  scriptEars,
  startPhoneNetwork,
  startSpeechModel,
  steadyClock,
  taughtVoice,
} from "openclaw-voice-channel/testing";
import { expect, test } from "vitest";
import { answerThePhone } from "./embed.ts";

// Your own test of a whole call: simulated people and a simulated model, real sockets and real sound, no account, and
// faster than real time.
test("a caller asks when we are open and is told", async () => {
  const clock = steadyClock({ speed: 5 });
  const [ears, flite] = [scriptEars(), fliteVoice({ clock })];
  const voice = taughtVoice(flite, ears);
  const mind = ruleMind([{ when: /open/, say: "From nine to five." }]);
  const routes: Record<string, string> = {};
  const [phones, model] = await Promise.all([
    startPhoneNetwork({ voice, routes, clock }),
    startSpeechModel({ voice, ears, mind, clock }),
  ]);
  const carrier = { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url };
  const account = { number: "+15550001234", carrier, engine: { apiKey: "any", baseUrl: model.url }, dmPolicy: "open" };
  const settings = { publicUrl: "https://voice.example.com", listen: { port: 0 }, store: "memory" } as const;
  const config = { ...settings, accounts: { shop: account } } as never;
  const stateDir = await mkdtemp(join(tmpdir(), "scripted-call-"));
  const plugin = await answerThePhone(config, async () => "", { stateDir, clock });
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
    clock.stop();
    await flite.close();
    await rm(stateDir, { recursive: true });
  }
});
