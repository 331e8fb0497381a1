import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { OpenAIRealtimeSession, SessionMemory } from "../../src/engines/openai-realtime-session.ts";
import { handClock } from "../calls/clock.ts";

/** A socket whose other side reads as the test says. */
class Socket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  /** Frames of audio on the wire. */
  frames = 0;
  readonly wire = { write: () => void this.frames++ };
  send(): void {}
  close(): void {}
  terminate(): void {}
}

test("caller audio that the model does not take is dropped, told of once, and goes on when it is taken again", () => {
  const socket = new Socket();
  const memory = new SessionMemory();
  const session = new OpenAIRealtimeSession(socket as unknown as WebSocket, memory, "gpt-realtime-2.1", handClock());
  socket.emit("upgrade", { socket: socket.wire });
  const faults: string[] = [];
  session.on("fault", ({ message }) => faults.push(message));
  const frame = Buffer.from("//8=");
  session.sendAudio(frame);
  socket.bufferedAmount = 256 * 1024 + 1;
  for (let i = 0; i < 100; i++) session.sendAudio(frame);
  expect(socket.frames).toBe(1);
  expect(faults).toEqual([expect.stringContaining("takes no more of the caller's audio")]);
  socket.bufferedAmount = 0;
  session.sendAudio(frame);
  expect(socket.frames).toBe(2);
  session.close();
});

/** Ways in which words may be asked for before their time, and what is told then. */
const AT_ONCE: readonly [string, (session: OpenAIRealtimeSession, socket: Socket) => void][] = [
  ["a stop", (session) => session.stop()],
  ["a close", (session) => session.close()],
  ["the loss of the connection", (_session, socket) => socket.emit("close", 1006)],
  ["another event", (_session, socket) => socket.emit("message", message("response.output_audio.done"))],
];
const message = (type: string, rest: object = {}) =>
  Buffer.from(JSON.stringify({ type, response_id: "r1", item_id: "i1", ...rest }));

test.each(AT_ONCE)("words that have come are told together, and before %s", (_what, happens) => {
  const socket = new Socket();
  const clock = handClock();
  const memory = new SessionMemory();
  const session = new OpenAIRealtimeSession(socket as unknown as WebSocket, memory, "gpt-realtime-2.1", clock);
  const told: string[] = [];
  session.on("agentWords", ({ text }) => told.push(text));
  session.on("audioDone", () => told.push("done"));
  session.on("closed", () => told.push("closed"));
  socket.emit("message", message("response.created", { response: { id: "r1" } }));
  for (const delta of ["It ", "leaves ", "soon."]) {
    socket.emit("message", message("response.output_audio_transcript.delta", { delta }));
  }
  expect(told).toEqual([]);
  happens(session, socket);
  expect(told[0]).toBe("It leaves soon.");
  clock.pass(1_000);
  expect(told.filter((text) => text.startsWith("It"))).toHaveLength(1);
  session.close();
});
