import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "../../src/testing/phone-network/index.ts";
import { storyRules, tellAnnsStory, tellOfTheKill } from "./anns-story.ts";
import { ANN_PHONE, ANN_TELEGRAM } from "./harness/config.ts";
import { callTool } from "./harness/stand-in-model.ts";
import type { StreamedEntry } from "./harness/voice-api.ts";
import {
  BOB_PHONE,
  BROKEN_NUMBER,
  type HostWorld,
  MAIN_NUMBER,
  newestCall,
  SECOND_NUMBER,
  STRANGER_PHONE,
  startHostWorld,
  taking,
} from "./harness/world.ts";

const SECRET_OF_THE_OWNER = "The key is under the third flower pot.";
const DINNER = "Hello Bob, this is Nia. Dinner is at eight.";

let world: HostWorld;
/** What the host's commands showed while both accounts ran. */
let shown: ReturnType<typeof askCommands>;
let pings = 0;

beforeAll(async () => {
  world = await startHostWorld([
    ...storyRules,
    { when: /open/i, say: "We are open from nine to five." },
    { when: /weather/i, say: "One moment.", call: "ask_openclaw", args: { request: "What is the weather in Berlin?" } },
    { when: /still there/i, say: "Yes, I am still here." },
  ]);
  const { model } = world;
  model.rule(({ userText }) => {
    const ping = /ping \d+/.exec(userText)?.[0];
    return ping === undefined ? undefined : { text: ping.replace("ping", "pong") };
  });
  // The agent that is asked tries everything first: to read the owner's memory, and to ring somebody.
  model.rule((turn) => {
    if (!turn.userText.includes("Question: What is the weather")) return undefined;
    switch (turn.toolResults.length) {
      case 0:
        return callTool(turn, "read", { path: join(world.home.workspaceDir, "MEMORY.md") });
      case 1:
        return callTool(turn, "phone_call", { action: "place", to: BOB_PHONE });
      default:
        return { text: "It is sunny in Berlin today." };
    }
  });
  await writeFile(join(world.home.workspaceDir, "MEMORY.md"), `# Private\n\n${SECRET_OF_THE_OWNER}\n`);
  shown = askCommands();
  shown.catch(() => undefined); // the tests that look at it say so
}, 300_000);

afterAll(async () => {
  await shown?.catch(() => undefined);
  await world?.stop();
}, 120_000);

describe("a call", () => {
  test("is had by voice, asks the agent, and is known in the person's chat", { timeout: 90_000 }, async () => {
    const report = await ring(MAIN_NUMBER, async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
      await line.say("How is the weather?");
      await line.hearReply({ quietMs: 4_000 });
    });
    expect(report.heardSegments.length).toBeGreaterThanOrEqual(3);
    const call = await newestCall(world);
    await world.api.entry(call.callId, "session.recorded");
    const { transcript = [], endReason } = await world.api.call(call.callId);
    expect(endReason).toBe("caller_hangup");
    const spoken = transcript.filter(({ text }) => !text.includes("still working")); // the agent may take its time
    expect(spoken.map(({ speaker, text }) => `${speaker}: ${text}`)).toEqual([
      "agent: Hello, this is Nia.",
      "caller: When are you open?",
      "agent: We are open from nine to five.",
      "caller: How is the weather?",
      "agent: One moment.",
      expect.stringMatching(/^agent: .*sunny in Berlin/),
    ]);

    world.telegram.write(ANN_TELEGRAM, "What did I ask you on the phone?");
    const { history } = await world.model.turns.first("Ann's turn in chat", ({ userText }) =>
      userText.includes("What did I ask you"),
    );
    const before = history
      .slice(
        0,
        history.findIndex((row) => row.includes("What did I ask you")),
      )
      .join("\n");
    expect(before).toMatch(/user: .*Phone call with \+15551112222/);
    expect(before).toMatch(/user: .*When are you open\?/);
    expect(before).toMatch(/assistant: We are open from nine to five\./);
    expect(before).toMatch(/assistant: One moment\.\s[\s\S]*sunny in Berlin/);
  });

  test("gives the agent that is asked during it neither private files nor hands", () => {
    const consult = world.model.turns.all.filter(({ userText }) => userText.includes("Question: What is the weather"));
    expect(consult[0]?.userText).toContain('Caller: "When are you open?"');
    expect(consult[0]?.system).not.toContain(SECRET_OF_THE_OWNER);
    const [read, placed] = consult.at(-1)?.toolResults ?? [];
    expect(read).toMatch(/error|not (found|available|allowed)|unknown/i);
    expect(read).not.toContain(SECRET_OF_THE_OWNER);
    expect(placed).toMatch(/error|not (found|available|allowed)|unknown/i);
    expect(world.phones.calls.map(({ to }) => to)).not.toContain(BOB_PHONE);
  });

  test("is placed by the agent's tool, and the person who answers hears the message", { timeout: 90_000 }, async () => {
    world.phones.addPerson(BOB_PHONE, {
      script: async (line) => {
        await line.hearReply();
        await line.say("When are you open?");
        await line.hearReply();
      },
    });
    world.model.rule((turn) => {
      if (!turn.userText.includes("Ring Bob")) return undefined;
      const result = turn.toolResults.at(-1);
      if (result !== undefined) return { text: `Rung: ${result.replace(/\\/g, "")}` };
      return callTool(turn, "phone_call", { action: "place", to: BOB_PHONE, message: DINNER, purpose: "Dinner" });
    });
    world.telegram.write(ANN_TELEGRAM, "Ring Bob, please.");
    const { text } = await world.telegram.sent.first("the agent's word", ({ text }) => text.startsWith("Rung"));
    const callId = /"callId": ?"(call_\w+)"/.exec(text)?.[1] ?? `none in ${text}`;
    const leg = await world.phones.nextCall(({ to }) => to === BOB_PHONE);
    expect((await leg.ended).status).toBe("completed");
    await world.api.entry(callId, "session.recorded");
    const { transcript = [], ...call } = await world.api.call(callId);
    expect(call).toMatchObject({ direction: "outbound", to: BOB_PHONE, from: MAIN_NUMBER, endReason: "callee_hangup" });
    expect(transcript.slice(0, 2)).toMatchObject([
      { speaker: "agent", text: DINNER },
      { speaker: "caller", text: "When are you open?" },
    ]);
  });

  test("is never placed by a text to a number: the agent is told to ask for a call", { timeout: 60_000 }, async () => {
    const before = world.phones.calls.length;
    world.model.rule((turn) => {
      if (!turn.userText.includes("Text Bob")) return undefined;
      const result = turn.toolResults.at(-1);
      if (result !== undefined) return { text: `Texted: ${result}` };
      return callTool(turn, "message", { action: "send", channel: "voice", target: BOB_PHONE, message: "Hi" });
    });
    world.telegram.write(ANN_TELEGRAM, "Text Bob, please.");
    const { text } = await world.telegram.sent.first("the agent's word", ({ text }) => text.startsWith("Texted"));
    expect(text).toContain("phone_call");
    expect(world.phones.calls.length).toBe(before);
  });

  test("from outside the allowlist is turned away politely", async () => {
    const call = world.phones.ring({ from: STRANGER_PHONE, to: MAIN_NUMBER });
    const { twiml, heardSegments, status } = await call.ended;
    expect(twiml.join()).toMatch(/<Say[^>]*>[^<]*does not take calls from you[^<]*<\/Say>/);
    expect(twiml.join()).not.toContain("<Stream");
    expect(heardSegments.length).toBeGreaterThan(0);
    expect(status).toBe("completed");
  });
});

tellAnnsStory(() => world);

describe("the installed package", () => {
  test("passes the host's doctor, and the skill is listed", { timeout: 120_000 }, async () => {
    const { doctor, skills } = await shown;
    expect(doctor).toMatchObject({ code: 0, stdout: expect.stringContaining("checks passed") });
    expect(skills.stdout).toMatch(/ready.*phone-calls/);
  });

  test("shows its accounts connected, and names the secret that one of them lacks", { timeout: 120_000 }, async () => {
    const { channels, voice, unlink } = await shown;
    expect(voice).toMatchObject({ code: 0 });
    expect(unlink).toMatchObject({ code: 0, stdout: expect.stringContaining("has given +15550007777 no name") });
    expect(channels.stdout).toMatch(/Voice default: enabled, configured, running, connected/);
    expect(channels.stdout).toMatch(/Voice second: enabled, configured, running, connected/);
    const { accounts, host } = JSON.parse(voice.stdout);
    expect(accounts).toContainEqual(
      expect.objectContaining({
        accountId: "broken",
        state: "secret_missing",
        problem: expect.stringContaining("carrier.authToken"),
      }),
    );
    expect(host).toContainEqual(expect.objectContaining({ check: "transcript_rows", level: "ok" }));
    expect(host).toContainEqual(expect.objectContaining({ check: "session_scope", level: "ok" }));
  });

  test("refuses the webhooks of an account without its secret, while others answer", async () => {
    const call = world.phones.ring({ from: ANN_PHONE, to: BROKEN_NUMBER });
    const { requests } = await call.ended;
    expect(requests.map(({ status }) => status)).toEqual([403]);
  });
});

describe("while a call is live", () => {
  test("another account is removed and the call does not notice", { timeout: 60_000 }, async () => {
    const report = await ring(MAIN_NUMBER, async (line) => {
      await line.hearReply();
      const applied = world.gateway.log.all.length;
      await world.changeVoice(({ accounts }) => {
        delete accounts["second"];
      });
      await taking(world.gateway, "default", applied);
      await line.say("Are you still there?");
      await line.hearReply();
    });
    expect(report.streamEvents.streams).toBe(1);
    const call = await newestCall(world);
    expect(call).toMatchObject({ state: "ended", endReason: "caller_hangup" });
    const { transcript = [] } = await world.api.call(call.callId);
    expect(transcript.at(-1)).toMatchObject({ speaker: "agent", text: "Yes, I am still here." });
    const gone = await world.phones.ring({ from: ANN_PHONE, to: SECOND_NUMBER }).ended;
    expect(gone.twiml.join()).not.toContain("<Stream");
  });

  test("every socket of ours may be reset, and the gateway goes on", { timeout: 90_000 }, async () => {
    for (const name of ["engine", "door", "carrier"] as const) {
      const call = world.phones.ring({ from: ANN_PHONE, to: MAIN_NUMBER, script: (line) => line.waitForEnd() });
      await call.streaming();
      await call.line.waitForSpeech();
      const { callId } = await newestCall(world);
      const following = world.api.follow(callId);
      await following.next();
      const torn = world.wires[name].tear();
      if (name !== "carrier") expect(torn, `connections through ${name}`).toBeGreaterThan(0);
      // A lost model is replaced, a lost stream is opened again, and the carrier is asked again.
      if (name === "engine") await world.api.entry(callId, "engine.closed");
      if (name === "door") await world.api.entry(callId, "call.resumed");
      call.hangUp();
      await call.ended;
      await following.return(undefined);
      await world.api.entry(callId, "call.ended");
      expect(world.gateway.running(), `the gateway after ${name} was torn`).toBe(true);
    }
    await chatStillWorks();
  });

  test("the plugin is reloaded: the call goes on after a pause, chat stays up, nothing is lost", async () => {
    const seenBefore: StreamedEntry[] = [];
    const call = world.phones.ring({
      from: ANN_PHONE,
      to: MAIN_NUMBER,
      script: async (line) => {
        await line.hearReply();
        await line.say("When are you open?");
        await line.hearReply();
        const stream = call.stream?.sid;
        // The carrier asks them to wait, then the next generation goes on.
        await expect.poll(() => call.stream?.sid ?? stream, { timeout: 60_000 }).not.toBe(stream);
        await line.hearReply();
        await line.say("When are you open?");
        await line.hearReply();
      },
    });
    await call.streaming();
    const { callId } = await newestCall(world);
    const following = (async () => {
      for await (const entry of world.api.follow(callId)) {
        seenBefore.push(entry);
        if (spokenBy(entry) === "agent" && seenBefore.some((other) => spokenBy(other) === "caller")) return;
      }
    })();
    await following;
    const reloaded = world.gateway.log.all.length;
    const reload = await world.home.openclaw(["plugins", "reload", "voice"]);
    expect(reload).toMatchObject({ code: 0 });
    await taking(world.gateway, "default", reloaded);
    await call.ended;
    await world.api.entry(callId, "call.ended");
    await chatStillWorks();

    const { endReason, transcript = [] } = await world.api.call(callId);
    expect(endReason).toBe("caller_hangup");
    expect(transcript.map(({ text }) => text).filter((text) => text === "When are you open?")).toHaveLength(2);
    const journal: StreamedEntry[] = [];
    for await (const entry of world.api.follow(callId, AbortSignal.timeout(10_000))) {
      journal.push(entry);
      if (entry.event.type === "call.ended") break;
    }
    expect(journal.slice(0, seenBefore.length)).toEqual(seenBefore);
    expect(journal.map(({ event }) => event.type)).toEqual(expect.arrayContaining(["call.released", "call.resumed"]));
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_, index) => index + 1));

    const next = await ring(MAIN_NUMBER, (line) => line.hearReply());
    expect(next.streamEvents.streams).toBe(1);
  }, 120_000);
});

describe("a gateway that is killed", () => tellOfTheKill(() => world));

// --- Internal helpers ---

/**
 * Asks the host's commands, which take seconds of computing each, one after another while calls run. One that fails is
 * asked again, as people do: a gateway that stands still is out of reach for a command that has just started.
 */
async function askCommands() {
  const openclaw = async (args: string[]) => {
    const answer = await world.home.openclaw(args);
    return answer.code === 0 ? answer : world.home.openclaw(args);
  };
  return {
    channels: await openclaw(["channels", "status"]),
    voice: await openclaw(["voice", "status", "--json"]),
    unlink: await openclaw(["voice", "unlink", "+15550007777"]),
    doctor: await openclaw(["plugins", "doctor"]),
    skills: await openclaw(["skills", "list"]),
  };
}

/**
 * Ann rings `to` and does what `script` says, then hangs up. She rings again when she hears that we cannot talk, as a
 * gateway says that stands still for a second: the host's commands take a core beside it.
 */
async function ring(to: string, script: (line: Line) => Promise<void>) {
  for (let again = 2; ; again--) {
    const report = await world.phones.ring({ from: ANN_PHONE, to, script }).ended;
    if (again > 0 && !report.twiml.join().includes("<Stream")) continue;
    const { callId } = await newestCall(world);
    await world.api.entry(callId, "call.ended");
    return report;
  }
}

function spokenBy({ event }: StreamedEntry): string | undefined {
  return event.type === "transcript.added" ? (event["entry"] as { speaker: string }).speaker : undefined;
}

async function chatStillWorks(): Promise<void> {
  pings += 1;
  world.telegram.write(ANN_TELEGRAM, `ping ${pings}`);
  await world.telegram.sent.first(`pong ${pings}`, ({ text }) => text === `pong ${pings}`);
}
