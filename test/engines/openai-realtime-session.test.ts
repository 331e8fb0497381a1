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
