import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptEars, taughtVoice } from "../../../src/testing/ears.ts";
import { type PhoneNetwork, startPhoneNetwork } from "../../../src/testing/phone-network/index.ts";
import { type Rule, ruleMind, type SpeechModel, startSpeechModel } from "../../../src/testing/speech-model/index.ts";
import { fliteVoice } from "../../../src/testing/voice.ts";
import { ANN_PHONE, ANN_TELEGRAM, hostConfig } from "./config.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { freePort } from "./loopback.ts";
import { makeOpenClawHome, type OpenClawHome } from "./openclaw.ts";
import { packedPackage } from "./package.ts";
import { type StandInModel, startStandInModel } from "./stand-in-model.ts";
import { type StandInTelegram, startStandInTelegram } from "./stand-in-telegram.ts";
import { type ShownCall, type VoiceApi, voiceApi } from "./voice-api.ts";
import { stretchWire, type Wire } from "./wire.ts";

/** Where carriers think we are; the simulated network delivers it to our listener, as a tunnel does. */
export const PUBLIC_URL = "https://voice.example.com";
/** The number of the account `default`. */
export const MAIN_NUMBER = "+15550001234";
/** The number of the account `second`, which lets everybody in. */
export const SECOND_NUMBER = "+15550001235";
/** The number of the account `broken`, one of whose secrets is nowhere to be found. */
export const BROKEN_NUMBER = "+15550001236";
/** Somebody on nobody's list. */
export const STRANGER_PHONE = "+15559998888";
/** Somebody whom the agent rings. */
export const BOB_PHONE = "+15557776666";

const NUMBERS = { default: MAIN_NUMBER, second: SECOND_NUMBER, broken: BROKEN_NUMBER };

/** Resolves once the account has said that it takes calls, in a line of the gateway's log after `afterLine`. */
export async function taking(gateway: Gateway, accountId: string, afterLine = 0): Promise<void> {
  const line = `The account takes calls. accountId=${accountId}`;
  await gateway.log.first(line, (seen) => seen.includes(line) && gateway.log.all.indexOf(seen) >= afterLine, 60_000);
}

/** The real gateway with our packed plugin in it, and everything that it talks to simulated on loopback. */
export interface HostWorld {
  readonly home: OpenClawHome;
  readonly gateway: Gateway;
  readonly model: StandInModel;
  readonly telegram: StandInTelegram;
  readonly phones: PhoneNetwork;
  readonly speech: SpeechModel;
  /** Our channel's own API. */
  readonly api: VoiceApi;
  /** Base URL of our own listener. */
  readonly voiceUrl: string;
  /** What our sockets run through, each of which may be torn. */
  readonly wires: { readonly door: Wire; readonly engine: Wire; readonly carrier: Wire };
  /** What `plugins install` printed. */
  readonly installed: string;
  /** Changes `channels.voice` in the configuration on disk; the running gateway sees it. */
  changeVoice(change: (voice: VoiceSection) => void): Promise<void>;
  /** Starts a gateway in place of the one that has ended; resolves when its account takes calls. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** As much of `channels.voice` as tests change. */
export interface VoiceSection {
  accounts: Record<string, Record<string, unknown>>;
}

/** The call that began last. */
export async function newestCall({ api }: HostWorld): Promise<ShownCall> {
  const [call] = await api.calls();
  if (!call) throw new Error("there is no call yet");
  return call;
}

/** Packs, installs, configures and starts everything. `mind` is what the speech model says. */
export async function startHostWorld(mind: readonly Rule[]): Promise<HostWorld> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const workDir = await mkdtemp(join(tmpdir(), "voice-tarball-"));
    closers.push(() => rm(workDir, { recursive: true, force: true }));
    const model = await startStandInModel();
    closers.push(model.close);
    const telegram = await startStandInTelegram();
    closers.push(telegram.close);

    const ears = scriptEars();
    const flite = fliteVoice();
    closers.push(() => flite.close());
    const voice = taughtVoice(flite, ears);
    const speech = await startSpeechModel({ voice, ears, mind: ruleMind(mind), apiKey: "sk-of-the-engine" });
    closers.push(() => speech.stop());
    const [gatewayPort, voicePort] = [await freePort(), await freePort()];
    const voiceUrl = `http://127.0.0.1:${voicePort}`;
    const wire = async (...order: Parameters<typeof stretchWire>) => {
      const stretched = await stretchWire(...order);
      closers.push(stretched.close);
      return stretched;
    };
    const door = await wire(voiceUrl, "is dialled");
    const phones = await startPhoneNetwork({ voice, routes: { [PUBLIC_URL]: door.url } });
    closers.push(() => phones.stop());
    for (const [accountId, number] of Object.entries(NUMBERS)) {
      phones.addNumber(number, { voiceUrl: `${PUBLIC_URL}/twilio/${accountId}/voice` });
    }
    const wires = { door, engine: await wire(speech.url, "dials"), carrier: await wire(phones.url, "dials") };

    const secrets = { VOICE_CARRIER_TOKEN: phones.authToken, VOICE_ENGINE_KEY: "sk-of-the-engine" };
    const home = await makeOpenClawHome(secrets);
    closers.push(home.remove);
    const parts = { home, gatewayPort, modelBaseUrl: model.baseUrl, telegramApiRoot: telegram.apiRoot };
    await home.writeConfig(hostConfig(parts));
    const tarball = await packedPackage(workDir);
    const args = ["plugins", "install", `npm-pack:${tarball}`, "--force", "--accept-capabilities"];
    const install = await home.openclaw(args, 180_000);
    const installed = install.stdout + install.stderr;
    if (install.code !== 0) throw new Error(`plugins install ended with ${install.code}:\n${installed}`);

    const secret = (id: string) => ({ source: "env", provider: "default", id });
    const account = (number: string, carrierToken = "VOICE_CARRIER_TOKEN") => ({
      number,
      carrier: { accountSid: phones.accountSid, authToken: secret(carrierToken), apiBaseUrl: wires.carrier.url },
      engine: { apiKey: secret("VOICE_ENGINE_KEY"), baseUrl: wires.engine.url },
      persona: { name: "Nia", greeting: "Hello, this is Nia." },
      dmPolicy: "allowlist",
      allowFrom: [ANN_PHONE],
      owner: { channel: "telegram", to: String(ANN_TELEGRAM) },
      timeZone: "Europe/Berlin",
    });
    const config = (await home.readConfig()) as { channels: Record<string, unknown> };
    config.channels["voice"] = {
      publicUrl: PUBLIC_URL,
      listen: { port: voicePort },
      defaultAccount: "default",
      accounts: {
        default: account(MAIN_NUMBER),
        second: { ...account(SECOND_NUMBER), dmPolicy: "open", allowFrom: ["*", ANN_PHONE] },
        broken: account(BROKEN_NUMBER, "VOICE_TOKEN_THAT_NOBODY_SET"),
      },
    };
    await home.writeConfig(config);
    let gateway = await startGateway(home);
    closers.push(() => gateway.stop());
    await taking(gateway, "default");
    await taking(gateway, "second");
    return {
      home,
      get gateway() {
        return gateway;
      },
      model,
      telegram,
      phones,
      speech,
      wires,
      voiceUrl,
      api: voiceApi(voiceUrl, home.stateDir),
      installed,
      async changeVoice(change) {
        const now = (await home.readConfig()) as { channels: { voice: VoiceSection } };
        change(now.channels.voice);
        await home.writeConfig(now);
      },
      async restart() {
        gateway = await startGateway(home);
        await taking(gateway, "default");
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
