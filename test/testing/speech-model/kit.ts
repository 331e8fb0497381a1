import { WebSocket } from "ws";
import { encodeMulaw } from "../../../src/audio/g711.ts";
import { type Ears, type ScriptEars, scriptEars, taughtVoice } from "../../../src/testing/ears.ts";
import {
  type ModelSession,
  ruleMind,
  type SpeechModel,
  type SpeechModelOptions,
  startSpeechModel,
} from "../../../src/testing/speech-model/index.ts";
import { fliteVoice, type Voice } from "../../../src/testing/voice.ts";

/** Voice and ears of one test file. */
export interface Speech {
  readonly voice: Voice;
  readonly ears: ScriptEars;
  close(): Promise<void>;
}

export function speech(): Speech {
  const flite = fliteVoice();
  const ears = scriptEars();
  return { voice: taughtVoice(flite, ears), ears, close: () => flite.close() };
}

/** A voice without a synthesizer: a buzz whose length follows the text. For tests that are not about sound. */
export const buzz: Voice = {
  speak: async (text) => Int16Array.from({ length: text.length * 480 }, (_, i) => (i % 40 < 20 ? 6_000 : -6_000)),
};

/** Ears that understand nothing. */
export const deaf: Ears = { kind: "script", hear: async () => "" };

export const startModel = (options: Partial<SpeechModelOptions> = {}): Promise<SpeechModel> =>
  startSpeechModel({ speed: 8, voice: buzz, ears: deaf, mind: ruleMind([]), ...options });

/** A plain client of the wire. `next(type)` takes the next event of that type, in order. */
export interface Client {
  readonly session: ModelSession;
  readonly socket: WebSocket;
  readonly events: Record<string, unknown>[];
  readonly texts: string[];
  send(event: object | string): void;
  // biome-ignore lint/suspicious/noExplicitAny: tests read events of many shapes
  next(type: string): Promise<any>;
  types(): string[];
  close(): Promise<void>;
}

export async function connect(model: SpeechModel, query = "model=gpt-realtime-2.1", key = "test"): Promise<Client> {
  const url = `${model.url.replace(/^http/, "ws")}/realtime?${query}`;
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${key}` },
    perMessageDeflate: false,
    ca: model.ca,
  });
  const events: Record<string, unknown>[] = [];
  const texts: string[] = [];
  const waiting: { type: string; resolve: (event: unknown) => void }[] = [];
  const cursor = new Map<string, number>();
  socket.on("message", (data) => {
    texts.push(data.toString());
    const event = JSON.parse(data.toString()) as Record<string, unknown>;
    events.push(event);
    const at = waiting.findIndex(({ type }) => type === event["type"]);
    if (at < 0) return;
    cursor.set(event["type"] as string, events.length);
    waiting.splice(at, 1)[0]?.resolve(event);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const session = query.startsWith("call_id") ? (model.sessions.at(-1) as ModelSession) : await model.nextSession();
  return {
    session,
    socket,
    events,
    texts,
    send: (event) => socket.send(typeof event === "string" ? event : JSON.stringify(event)),
    next(type) {
      const from = cursor.get(type) ?? 0;
      const at = events.findIndex((event, index) => index >= from && event["type"] === type);
      if (at >= 0) {
        cursor.set(type, at + 1);
        return Promise.resolve(events[at]);
      }
      return new Promise((resolve) => waiting.push({ type, resolve }));
    },
    types: () => events.map((event) => event["type"] as string),
    close: () =>
      new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) return resolve();
        socket.once("close", () => resolve());
        socket.close();
      }),
  };
}

/** µ-law of samples, followed by `silenceMs` of silence. */
export function mulaw(samples: Int16Array, silenceMs = 0): Buffer {
  return Buffer.concat([encodeMulaw(samples), Buffer.alloc(silenceMs * 8, 0xff)]);
}

/** Sends µ-law in frames, as a telephone would but all at once: the detector counts audio, not time. */
export function sendAudio(client: Pick<Client, "send">, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 160) {
    client.send({ type: "input_audio_buffer.append", audio: bytes.subarray(at, at + 160).toString("base64") });
  }
}

/** The session settings of a telephone client. */
export const telephone = (more: { turns?: object | null; tools?: object[]; instructions?: string } = {}): object => ({
  type: "session.update",
  session: {
    type: "realtime",
    ...(more.tools ? { tools: more.tools } : {}),
    ...(more.instructions ? { instructions: more.instructions } : {}),
    audio: {
      input: {
        format: { type: "audio/pcmu" },
        transcription: { model: "gpt-transcribe" },
        turn_detection: more.turns === undefined ? { type: "server_vad" } : more.turns,
      },
      output: { format: { type: "audio/pcmu" }, voice: "marin" },
    },
  },
});
