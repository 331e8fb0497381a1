import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { type Clock, systemClock, type Timer } from "../../../src/core/clock.ts";
import type { PhoneNetwork, RestFate } from "../../../src/testing/phone-network/index.ts";
import { connectStream, PUBLIC_URL, type StreamEvent, streamEvent } from "./application.ts";
import { AGENT_NUMBER, CALLER_NUMBER, useWorld } from "./world.ts";

const world = useWorld();
const received = (path: string) => world.application.received.filter((request) => request.path === path);

/** Places a call by the REST API. */
function create({ url, accountSid, authToken }: PhoneNetwork = world.network): Promise<Response> {
  return fetch(`${url}/2010-04-01/Accounts/${accountSid}/Calls.json`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}`, connection: "close" },
    body: new URLSearchParams([
      ["To", CALLER_NUMBER],
      ["From", AGENT_NUMBER],
      ["Url", `${PUBLIC_URL}/voice`],
      ["StatusCallback", `${PUBLIC_URL}/status`],
      ...["initiated", "ringing", "answered", "completed"].map((event) => ["StatusCallbackEvent", event]),
    ] as [string, string][]),
  });
}

test("case 14: a webhook can arrive twice, with one token, and its first answer counts", async () => {
  let answers = 0;
  world.application.handlers["/voice"] = () => `<Response><Say>${"x".repeat(++answers * 10)}</Say></Response>`;
  world.network.faults.webhook = ({ kind }) => (kind === "voice" ? { copies: 2 } : undefined);
  const report = await world.ring().ended;
  const tokens = received("/voice").map(({ headers }) => headers["i-twilio-idempotency-token"]);
  expect(tokens).toHaveLength(2);
  expect(new Set(tokens).size).toBe(1);
  expect(report.twiml).toHaveLength(1);
});

test("a status callback can get lost", async () => {
  world.network.faults.webhook = ({ kind }) => (kind === "status" ? { lose: true } : undefined);
  const report = await world.ring().ended;
  expect(received("/status")).toEqual([]);
  expect(report.requests.map(({ kind, status }) => [kind, status])).toEqual([
    ["voice", 200],
    ["status", 0],
  ]);
});

test("a status callback can come late, after the call's report", async () => {
  world.network.faults.webhook = ({ kind }) => (kind === "status" ? { delayMs: 2_000 } : undefined);
  const call = world.ring();
  await call.ended;
  expect(received("/status")).toEqual([]);
  const [late] = await world.application.arrived("/status");
  expect(late?.params).toMatchObject({ CallSid: call.sid, CallStatus: "completed" });
});

test("status callbacks can change places", async () => {
  world.network.addPerson(CALLER_NUMBER);
  world.network.faults.webhook = ({ params }) =>
    params["CallStatus"] === "ringing" ? { swapWithNext: true } : undefined;
  await create();
  const told = await world.application.arrived("/status", 4);
  const numbers = told.map(({ params }) => Number(params["SequenceNumber"]));
  expect(numbers.indexOf(1)).toBeGreaterThan(numbers.indexOf(0) + 1);
  expect([...numbers].sort()).toEqual([0, 1, 2, 3]);
});

test("an answer that gets lost is a failure, though the application acted", async () => {
  world.network.faults.webhook = ({ kind }) => (kind === "voice" ? { loseAnswer: true } : undefined);
  world.application.handlers["/fallback"] = () => "<Response/>";
  const report = await world.ring().ended;
  expect(received("/voice")).toHaveLength(1);
  expect(report.errors.map(({ code }) => code)).toEqual([11_200]);
});

/** The application's end of the next stream. */
function nextStream(): Promise<{ socket: WebSocket; messages: StreamEvent[] }> {
  world.application.handlers["/voice"] = () => connectStream("", "<Say>still here</Say>");
  return new Promise((resolve) => {
    world.application.onStream = (socket, messages) => resolve({ socket, messages });
  });
}

test("a stream that is reset breaks for the application, and the call goes on after it", async () => {
  const opened = nextStream();
  const call = world.ring();
  const { socket } = await opened;
  (await call.streaming()).reset();
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(1006);
  const report = await call.ended;
  expect(report).toMatchObject({ status: "completed", twiml: [expect.any(String)] });
  expect(report.heardSegments).toHaveLength(1);
});

test("a stream can be told beforehand when it breaks", async () => {
  world.network.faults.stream = () => ({ resetAfterMs: 1_000 });
  const opened = nextStream();
  const call = world.ring();
  const { messages } = await opened;
  await call.ended;
  const frames = messages.filter(({ event }) => event === "media").length;
  expect(frames).toBeGreaterThan(10); // a reset also takes what has arrived and was not read
  expect(frames).toBeLessThan(75);
});

test("a frozen stream neither sends nor reads until it thaws, and its time stamps show the gap", async () => {
  const opened = nextStream();
  const call = world.ring();
  const { socket, messages } = await opened;
  await streamEvent(socket, messages, ({ media }) => media?.chunk === "3");
  const stream = await call.streaming();
  stream.freeze();
  await call.line.pause(60); // what had left before the freeze has arrived
  const before = messages.length;
  socket.send(JSON.stringify({ event: "mark", streamSid: stream.sid, mark: { name: "unread" } }));
  await call.line.pause(500);
  expect(messages.length).toBe(before);
  expect(socket.readyState).toBe(socket.OPEN);
  stream.thaw();
  await streamEvent(socket, messages, ({ event }) => event === "mark");
  const chunks = messages.filter(({ event }) => event === "media").map(({ media }) => Number(media.chunk));
  const gaps = chunks.slice(1).map((chunk, i) => chunk - (chunks[i] as number));
  expect(Math.max(...gaps)).toBeGreaterThanOrEqual(25);
  call.hangUp();
  await call.ended;
});

test("single frames can get lost", async () => {
  world.network.faults.deliverFrame = ({ chunk }) => chunk % 2 === 0;
  const opened = nextStream();
  const call = world.ring({ script: (line) => line.pause(2_000) });
  const { messages } = await opened;
  await call.ended;
  const chunks = messages.filter(({ event }) => event === "media").map(({ media }) => Number(media.chunk));
  expect(chunks.length).toBeGreaterThan(3);
  expect(chunks.every((chunk) => chunk % 2 === 0)).toBe(true);
});

test("the REST API refuses as told, once", async () => {
  const fates: RestFate[] = [{ error: { status: 429, code: 20_429, message: "Too Many Requests" } }];
  world.network.faults.rest = () => fates.shift();
  const refused = await create();
  expect(refused.status).toBe(429);
  expect(await refused.json()).toEqual({
    code: 20_429,
    message: "Too Many Requests",
    more_info: "https://www.twilio.com/docs/errors/20429",
    status: 429,
  });
  expect((await create()).status).toBe(201);
});

test("the REST API can be unreachable: nothing happens", async () => {
  world.network.faults.rest = () => ({ unreachable: true });
  await expect(create()).rejects.toThrow("fetch failed");
  expect(world.network.calls).toEqual([]);
});

test("the REST API can act and lose its answer: the call rings all the same", async () => {
  world.network.faults.rest = () => ({ loseAnswer: true });
  world.network.addPerson(CALLER_NUMBER);
  await expect(create()).rejects.toThrow("fetch failed");
  expect((await (await world.network.nextCall()).ended).status).toBe("completed");
});

describe("stopping in the middle of everything", () => {
  const timers = new Set<Timer>();
  const clock = countingClock(timers);
  const busy = useWorld({ clock });

  test("leaves no timer, no socket and nobody waiting", async () => {
    const { application, network } = busy;
    application.handlers["/voice"] = ({ params }) =>
      params["From"] === CALLER_NUMBER ? connectStream() : new Promise<string>(() => {});
    const opened = new Promise<WebSocket>((resolve) => {
      application.onStream = resolve;
    });
    const call = busy.ring({ script: (line) => line.pause(3_600_000) });
    const socket = await opened;
    const ringing = busy.ring({ from: "+15550009999" });
    await application.arrived("/voice", 2);
    network.faults.rest = () => ({ delayMs: 3_600_000 });
    const waiting = expect(create(network)).rejects.toThrow("fetch failed");
    const never = expect(network.nextCall(() => false)).rejects.toThrow("stopped");
    await network.stop();
    await Promise.all([waiting, never, network.stop()]);
    if (socket.readyState !== socket.CLOSED) await once(socket, "close");
    expect((await call.ended).status).toBe("completed");
    expect((await ringing.ended).status).toBe("failed");
    expect(timers.size).toBe(0);
    expect(() => busy.ring()).toThrow("stopped");
  });
});

/** A fast clock that knows which of its timers still run. */
function countingClock(running: Set<Timer>): Clock {
  const inner = systemClock({ speed: 10 });
  const watched = (start: (done: () => void) => Timer): Timer => {
    const timer: Timer = {
      stop() {
        running.delete(timer);
        handle.stop();
      },
    };
    running.add(timer);
    const handle = start(() => running.delete(timer));
    return timer;
  };
  return {
    now: () => inner.now(),
    every: (periodMs, action) => watched(() => inner.every(periodMs, action)),
    after: (delayMs, action) =>
      watched((done) =>
        inner.after(delayMs, () => {
          done();
          action();
        }),
      ),
  };
}
