import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { type StandaloneHostOptions, standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import { VoiceChannelPlugin } from "../../src/plugin.ts";
import { scriptEars, taughtVoice } from "../../src/testing/ears.ts";
import {
  type PhoneNetwork,
  type PhoneNetworkOptions,
  startPhoneNetwork,
} from "../../src/testing/phone-network/index.ts";
import {
  type Mind,
  type SpeechModel,
  type SpeechModelOptions,
  startSpeechModel,
} from "../../src/testing/speech-model/index.ts";
import { fliteVoice } from "../../src/testing/voice.ts";

export const OUR_NUMBER = "+15550001234";
export const ANN = "+15550005678";
export const PUBLIC_URL = "https://voice.example.com";

export interface WorldOptions {
  readonly mind: Mind;
  /** Times real time; 1 for tests that judge sound. */
  readonly speed?: number;
  readonly account?: Record<string, unknown>;
  readonly settings?: Record<string, unknown>;
  readonly host?: StandaloneHostOptions;
  readonly model?: Partial<SpeechModelOptions>;
  readonly phones?: Partial<PhoneNetworkOptions>;
  readonly tools?: ConstructorParameters<typeof VoiceChannelPlugin>[0]["tools"];
}

/** A telephone network, a speech model and our plugin between them, all over real sockets on loopback. */
export interface World {
  readonly clock: Clock;
  readonly phones: PhoneNetwork;
  readonly model: SpeechModel;
  readonly plugin: VoiceChannelPlugin;
  readonly stateDir: string;
  /** Base URL of our listener. */
  readonly url: string;
  readonly account: Record<string, unknown>;
  /** Which public base URL leads to which loopback address. */
  readonly routes: Record<string, string>;
  stop(): Promise<void>;
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const clock = systemClock({ speed: options.speed ?? 5 });
  const stateDir = await mkdtemp(join(tmpdir(), "voice-world-"));
  const ears = scriptEars();
  const flite = fliteVoice();
  const voice = taughtVoice(flite, ears);
  const model = await startSpeechModel({ clock, voice, ears, mind: options.mind, apiKey: "sk-test", ...options.model });
  const routes: Record<string, string> = {};
  const phones = await startPhoneNetwork({ clock, voice, routes, ...options.phones });
  const account = {
    number: OUR_NUMBER,
    carrier: { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url },
    engine: { apiKey: "sk-test", baseUrl: model.url },
    persona: { name: "Nia", greeting: "Hello, this is Nia." },
    allowFrom: [ANN],
    ...options.account,
  };
  const plugin = new VoiceChannelPlugin({
    config: {
      publicUrl: PUBLIC_URL,
      listen: { port: 0 },
      store: "memory",
      accounts: { default: account },
      ...options.settings,
    },
    stateDir,
    clock,
    host: standaloneHost({ logger: silentLogger, ...options.host }),
    ...(options.tools && { tools: options.tools }),
  });
  await plugin.start();
  const { listening } = await plugin.status();
  const url = `http://127.0.0.1:${listening?.port}`;
  routes[PUBLIC_URL] = url;
  phones.addNumber(OUR_NUMBER, { voiceUrl: `${PUBLIC_URL}/twilio/default/voice` });
  return {
    clock,
    phones,
    model,
    plugin,
    stateDir,
    url,
    account,
    routes,
    async stop() {
      await plugin.stop();
      await phones.stop();
      await model.stop();
      await flite.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
