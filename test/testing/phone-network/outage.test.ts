import { expect, test } from "vitest";
import type { Received } from "./application.ts";
import { connectStream, PUBLIC_URL } from "./application.ts";
import { useWorld } from "./world.ts";

const world = useWorld();

/** What keeps a caller company while nobody is there, and where the call comes back then. */
const TAIL = `<Say>One moment, please.</Say><Pause length='5'/><Redirect>${PUBLIC_URL}/resume</Redirect><Hangup/>`;

test.each(["closed", "reset"])(
  "a call whose stream is %s by a dying application hears the tail, then comes back",
  async (how) => {
    world.application.handlers["/voice"] = () => connectStream("", TAIL);
    world.application.handlers["/resume"] = () => "<Response><Say>Here I am again.</Say></Response>";
    world.application.onStream = (socket) => (how === "closed" ? socket.close() : socket.terminate());
    const report = await world.ring({ script: (line) => line.waitForEnd() }).ended;
    expect(report.heardSegments).toHaveLength(2);
    const [company, again] = report.heardSegments;
    expect((again?.startMs ?? 0) - (company?.endMs ?? 0)).toBeGreaterThanOrEqual(4_980);
    expect(report.requests.map(({ kind }) => kind)).toEqual(["voice", "redirect", "status"]);
  },
);

test("a call that comes back to nobody asks twice, then the fallback; an apology is the last that it hears", async () => {
  let asked = 0;
  const { application } = world;
  application.handlers["/voice"] = () => connectStream("", TAIL);
  application.onStream = (socket) => socket.terminate();
  world.network.faults.webhook = ({ kind }) => {
    if (kind === "redirect") asked += 1;
    return kind === "redirect" ? { lose: true } : undefined;
  };
  const told = Promise.withResolvers<Received>();
  application.handlers["/fallback"] = (request) => {
    told.resolve(request);
    return "<Response><Say>Please ring again later.</Say></Response>";
  };
  const report = await world.ring({ script: (line) => line.waitForEnd() }).ended;
  expect(asked).toBe(1);
  expect((await told.promise).params).toMatchObject({ ErrorCode: "11205", ErrorUrl: `${PUBLIC_URL}/resume` });
  expect(report.requests.map(({ kind }) => kind)).toEqual(["voice", "redirect", "fallback", "status"]);
  expect(report.heardSegments).toHaveLength(2);
});

test("a call that comes back while the application is starting is connected anew", async () => {
  let tries = 0;
  world.application.handlers["/voice"] = () => connectStream("", TAIL);
  world.application.handlers["/resume"] = () => (tries++ === 0 ? { status: 503 } : "<Response/>");
  world.application.handlers["/fallback"] = () => connectStream();
  let streams = 0;
  world.application.onStream = (socket) => {
    streams += 1;
    socket.close();
  };
  const report = await world.ring({ script: (line) => line.waitForEnd() }).ended;
  expect(streams).toBe(2);
  expect(report.requests.map(({ kind }) => kind)).toEqual(["voice", "redirect", "fallback", "status"]);
});
