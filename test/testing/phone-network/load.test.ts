import { expect, test } from "vitest";
import { connectStream, playOn, streamEvent, tone } from "./application.ts";
import { useWorld } from "./world.ts";

const world = useWorld({ speed: 1 });

test("twenty calls at once, in real time: all are whole and no frame is missing", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const frames: number[][] = [];
  const answer = tone(600);
  world.application.onStream = (socket, messages) => {
    streamEvent(socket, messages, ({ event }) => event === "start").then(
      ({ streamSid }) => playOn(socket, streamSid, answer),
      () => {}, // the counts below show it
    );
    socket.on("close", () => {
      frames.push(messages.filter(({ event }) => event === "media").map(({ media }) => Number(media.chunk)));
    });
  };
  const calls = Array.from({ length: 20 }, (_, i) =>
    world.ring({
      from: `+1555000${1000 + i}`,
      script: async (line) => {
        await line.play(tone(400));
        await line.hearReply({ quietMs: 100 });
      },
    }),
  );
  const reports = await Promise.all(calls.map(({ ended }) => ended));

  for (const { status, heardSegments } of reports) {
    expect(status).toBe("completed");
    const heardMs = heardSegments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    expect(heardMs).toBe(600);
  }
  expect(frames).toHaveLength(20);
  for (const chunks of frames) expect(chunks).toEqual(chunks.map((_, i) => i + 1));
});
