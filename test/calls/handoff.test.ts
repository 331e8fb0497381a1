import { describe, expect, test } from "vitest";
import { type HandoffParts, Handoffs } from "../../src/calls/handoff.ts";
import { HostError } from "../../src/core/errors.ts";
import type { Trust, VoiceEvents } from "../../src/core/events.ts";
import { answeredCall, CALLER } from "./call-bench.ts";
import { handClock } from "./clock.ts";
import { OWNER, TextChannel } from "./text-channel.ts";

const ANN = { channel: "discord", to: "ann" };
const TURNS = [
  "agent: Hello, this is Nia.",
  "caller: My flight moved to 9. Can I still check in tonight?",
  "agent: Let me see.",
  "caller: And send it to me.",
];

async function bench({
  trust = "known",
  said = TURNS,
  summary,
}: {
  trust?: Trust;
  said?: readonly string[];
  summary?: HandoffParts["summary"];
} = {}) {
  const clock = handClock();
  const channel = new TextChannel();
  channel.linked = [ANN, { channel: "telegram", to: "777" }];
  const told: VoiceEvents["handoff"][] = [];
  const call = await answeredCall({ clock, trust, said });
  const handoffs = new Handoffs({
    host: channel.host(),
    clock,
    addresses: async () => channel.linked,
    emit: (name, ...payload) => void (name === "handoff" && told.push(payload as VoiceEvents["handoff"])),
    ...(summary && { summary }),
  });
  const account = { owner: OWNER };
  const tool = () => handoffs.tool(call.journal, account);
  const send = async (args: Record<string, unknown>) => tool()?.execute(args, call.context);
  const handOff = (what: string, channelName?: string) =>
    handoffs.handOff(
      call.journal,
      account,
      { what, ...(channelName !== undefined && { channel: channelName }) },
      call.context.signal,
    );
  return { ...call, channel, told, send, tool, handOff };
}

describe("what is sent", () => {
  test("the transcript: every turn quoted, who spoke, and that it goes on there", async () => {
    const { channel, send } = await bench();
    await send({ what: "transcript" });
    const { text, address } = channel.last;
    expect(address).toEqual(ANN);
    expect(text).toContain(`From the call with ${CALLER} (the number is not verified):`);
    expect(text).toContain(
      'Agent: "Hello, this is Nia."\nCaller: "My flight moved to 9. Can I still check in tonight?"',
    );
    expect(text).toContain("You can go on with this here.");
  });

  test("a long transcript keeps its end and says that something is left out", async () => {
    const said = Array.from({ length: 200 }, (_, n) => `caller: turn ${n} ${"x".repeat(100)}`);
    const { channel, send } = await bench({ said });
    await send({ what: "transcript" });
    expect(channel.last.text.length).toBeLessThan(3_200);
    expect(channel.last.text).toContain("turn 199");
    expect(channel.last.text).not.toContain("turn 0 ");
    expect(channel.last.text).toContain("left out");
  });

  test("the open question is what the caller asked last", async () => {
    const { channel, send } = await bench();
    await send({ what: "question" });
    expect(channel.last.text).toContain('The open question: "My flight moved to 9. Can I still check in tonight?"');
    expect(channel.last.text).not.toContain("send it to me");
  });

  test("the summary is made for it; without a maker the last turns stand for it", async () => {
    const made = await bench({ summary: async ({ transcript }) => `Flight, in ${transcript.length} turns.` });
    await made.send({ what: "summary" });
    expect(made.channel.last.text).toContain("Flight, in 4 turns.");
    const plain = await bench();
    await plain.send({ what: "summary" });
    expect(plain.channel.last.text).toContain('Caller: "And send it to me."');
  });

  test("a text of the model's keeps its lines, loses what is invisible, and is bounded", async () => {
    const { channel, send } = await bench();
    await send({ what: `Gate B12\n- 9:00\u202E\u0007${"x".repeat(5_000)}` });
    expect(channel.last.text).toContain("Gate B12\n- 9:00x");
    expect(channel.last.text.length).toBeLessThan(3_200);
  });

  test("what nobody said cannot be sent", async () => {
    const { channel, handOff } = await bench({ said: [] });
    for (const what of ["transcript", "summary", "question", " "]) {
      await expect(handOff(what), what).rejects.toMatchObject({ code: "invalid_request" });
    }
    expect(channel.messages).toEqual([]);
  });
});

describe("to whom", () => {
  test("once the channel has it, it stands in the journal and listeners know, with the text", async () => {
    const { channel, handOff, told, written } = await bench();
    const handoff = await handOff("question");
    expect(handoff).toEqual({ ...ANN, text: channel.last.text });
    expect(told).toMatchObject([[handoff, { callId: "call_1" }]]);
    expect(await written("handoff.made")).toEqual([{ type: "handoff.made", ...ANN }]);
  });

  test("what was not sent is nowhere said to be", async () => {
    const { channel, handOff, told, written } = await bench();
    channel.beforeSend = () => {
      throw new HostError("Discord is away.");
    };
    await expect(handOff("question")).rejects.toThrow("Discord is away.");
    expect([told, await written("handoff.made")]).toEqual([[], []]);
  });

  test("a known caller's own linked channels only, by name if they say one, and nothing of them is told", async () => {
    const { channel, send } = await bench();
    expect(await send({ what: "question", channel: "Telegram" })).toBe(
      "It was sent to their own channel; they can go on with it there.",
    );
    expect(channel.last.address).toEqual({ channel: "telegram", to: "777" }); // not the owner's
    expect(await send({ what: "question", channel: "slack" })).toBe(
      "No channel of that name is linked to this caller.",
    );
    channel.linked = [];
    expect(await send({ what: "question" })).toBe("No text channel is linked to this caller.");
    expect(channel.messages).toHaveLength(1);
  });

  test("a verified owner's own chat first", async () => {
    const { channel, send } = await bench({ trust: "owner" });
    expect(await send({ what: "question" })).toContain("sent to telegram");
    expect(channel.last.address).toEqual(OWNER);
    expect(channel.last.text).not.toContain("not verified");
    await send({ what: "question", channel: "discord" });
    expect(channel.last.address).toEqual(ANN);
  });

  test("the tool is for who is known, whatever the call knew when it was made; a stranger is refused without it", async () => {
    const { channel, tool, handOff } = await bench({ trust: "stranger" });
    expect(tool()?.trust).toBe("known");
    await expect(handOff("transcript")).rejects.toThrow(/not known/);
    expect(channel.messages).toEqual([]);
  });

  test("five messages a call, then no more", async () => {
    const { channel, use, tool } = await bench();
    const send = use(tool());
    for (let n = 0; n < 5; n++) expect(await send({ what: `note ${n}` })).toContain("was sent");
    expect(JSON.parse(await send({ what: "one more" }))).toHaveProperty("error");
    expect(channel.messages).toHaveLength(5);
  });
});
