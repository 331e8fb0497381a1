import { afterAll, afterEach, expect, test } from "vitest";
import { isAudible } from "../../../src/audio/g711.ts";
import { ruleMind, type SpeechModel, type SpeechModelOptions } from "../../../src/testing/speech-model/index.ts";
import { connect, mulaw, sendAudio, speech, startModel, telephone } from "./kit.ts";

const { voice, ears, close } = speech();
let model: SpeechModel;
afterEach(() => model.stop());
afterAll(close);

const start = async (options: Partial<SpeechModelOptions> = {}): Promise<SpeechModel> => {
  model = await startModel({ voice, ears, ...options });
  return model;
};

test("a spoken turn: audio in, detected, transcribed, answered in audio with its words beside it", async () => {
  const client = await connect(
    await start({ mind: ruleMind([{ when: /open/i, say: "We open at nine. Anything else?" }]) }),
  );
  await client.next("session.created");
  client.send(telephone());
  expect((await client.next("session.updated")).session.audio.input.format).toEqual({ type: "audio/pcmu" });
  sendAudio(client, mulaw(await voice.speak("When do you open?"), 700));

  const started = await client.next("input_audio_buffer.speech_started");
  const stopped = await client.next("input_audio_buffer.speech_stopped");
  const committed = await client.next("input_audio_buffer.committed");
  expect(stopped.item_id).toBe(started.item_id);
  expect(committed.item_id).toBe(started.item_id);
  expect(stopped.audio_end_ms - started.audio_start_ms).toBeGreaterThan(1_000);
  const heard = await client.next("conversation.item.input_audio_transcription.completed");
  expect(heard).toMatchObject({ item_id: started.item_id, transcript: "When do you open?", usage: { type: "tokens" } });

  const done = await client.next("response.done");
  expect(done.response).toMatchObject({ status: "completed", output: [{ status: "completed", role: "assistant" }] });
  expect(done.response.output[0].content[0].transcript).toBe("We open at nine. Anything else?");
  const audio = Buffer.concat(
    client.events
      .filter((event) => event["type"] === "response.output_audio.delta")
      .map((event) => Buffer.from(event["delta"] as string, "base64")),
  );
  expect(isAudible(audio)).toBe(true);
  expect(audio.length / 8).toBeGreaterThan(1_500);
  const words = client.events
    .filter((event) => event["type"] === "response.output_audio_transcript.delta")
    .map((event) => event["delta"]);
  expect(words.length).toBeGreaterThan(3);
  expect(words.join("")).toBe("We open at nine. Anything else?");
  expect(client.session.transcript).toEqual([
    { role: "user", text: "When do you open?" },
    { role: "assistant", text: "We open at nine. Anything else?" },
  ]);
  await client.close();
});
