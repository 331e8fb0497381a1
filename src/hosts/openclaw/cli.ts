import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import type { CallEvent } from "../../core/events.ts";
import { CHANNEL } from "./channel-id.ts";
import {
  printCall,
  printCalls,
  printEntry,
  printFindings,
  printFound,
  printLinks,
  printReceipt,
  printRecordings,
  printSent,
  printStatus,
  printTranscript,
  printUnlinked,
} from "./cli-print.ts";

type CliContext = Parameters<Parameters<OpenClawPluginApi["registerCli"]>[0]>[0];
type Command = CliContext["program"];

/** What `openclaw --help` shows before anything of ours is loaded. The manifest's `cliCommands` says the same. */
export const CLI_DESCRIPTOR = {
  name: CHANNEL,
  description: "Phone calls: status, place, follow and end calls",
  hasSubcommands: true,
};

/** Adds `openclaw voice …`. Every command asks the running gateway: calls live there and nowhere else. */
export function registerCli(api: OpenClawPluginApi): void {
  api.registerCli(({ program }) => addCommands(program), { descriptors: [CLI_DESCRIPTOR] });
}

// --- Internal helpers ---

function addCommands(program: Command): void {
  const voice = program.command(CHANNEL).description(CLI_DESCRIPTOR.description);
  command(voice, "status", "How the channel and its accounts are doing").action((options) =>
    show("voice.status", {}, options, printStatus),
  );
  command(voice, "doctor", "Check settings, secrets, addresses and services, with a remedy for each fault").action(
    (options) =>
      guarded(async () => {
        const answer = await ask("voice.doctor", {}, options);
        output(answer, options, printFindings);
        const findings = answer["findings"] as readonly { readonly level: string }[];
        if (findings.some(({ level }) => level === "error")) process.exitCode = 1;
      }),
  );
  command(voice, "calls", "Recent and live calls, newest first")
    .option("--account <id>", "only of this account")
    .option("--limit <count>", "at most so many", "20")
    .action((options) =>
      show("voice.calls", { limit: Number(options.limit), accountId: options.account }, options, printCalls),
    );
  command(voice, "call <to>", "Ring a number with country code, like +15551234567")
    .option("--message <text>", "said first, word for word, once they answer")
    .option("--purpose <text>", "why the call is made; the voice that talks is told")
    .option("--continues <sessionKey>", "the conversation that the call goes on with; the voice is told what was said")
    .option("--from <number>", "which of the account's numbers shows")
    .option("--account <id>", "which account rings")
    .action((to, { account: accountId, message, purpose, continues, from, ...options }) =>
      show("voice.place", { to, message, purpose, continues, from, accountId }, options, printCall),
    );
  command(voice, "say <callId> <text>", "Say a sentence on a live call, word for word").action(
    (callId, text, options) => show("voice.say", { callId, text }, options, printCall),
  );
  command(voice, "dtmf <callId> <digits>", "Press keys on a live call: 0-9, *, #, A-D; w waits half a second")
    .option("--duration <ms>", "how long each key sounds, 50 to 500")
    .action((callId, digits, { duration, ...options }) =>
      guarded(async () => {
        const timing = duration === undefined ? {} : { durationMs: milliseconds(duration) };
        output(await ask("voice.dtmf", { callId, digits, ...timing }, options), options, printSent);
      }),
    );
  command(voice, "instruct <callId> <text>", "Tell the voice something in the middle of a call, without cutting it")
    .option("--respond", "have it act on it at once")
    .action((callId, text, { respond = false, ...options }) =>
      show("voice.instruct", { callId, text, respond }, options, printCall),
    );
  for (const [verb, paused, what] of [
    ["pause-recording", true, "Put silence into a call's recording, as while a card's number is said"],
    ["resume-recording", false, "Go on with a recording that was paused"],
  ] as const) {
    command(voice, `${verb} <callId>`, what).action((callId, options) =>
      show("voice.recording", { callId, paused }, options, printRecordings),
    );
  }
  command(voice, "end <callId>", "Hang up a live call").action((callId, options) =>
    show("voice.end", { callId }, options, ({ call }) => printCall(call as Answer)),
  );
  command(voice, "transcript <callId>", "What was said on a call")
    .option("--format <format>", "text, markdown, vtt or json", "text")
    .action((callId, { format, ...options }) => show("voice.transcript", { callId, format }, options, printTranscript));
  command(voice, "search <words...>", "Find what was said on calls, the newest first")
    .option("--account <id>", "only of this account")
    .option("--caller <number>", "only with this person")
    .option("--limit <count>", "at most so many", "20")
    .action((words, { account: accountId, caller, limit, ...options }) =>
      show("voice.search", { text: words.join(" "), accountId, caller, limit: Number(limit) }, options, printFound),
    );
  command(voice, "links", "Whose number is whose, as the owner has said it")
    .option("--account <id>", "only of this account")
    .action(({ account: accountId, ...options }) => show("voice.links", { accountId }, options, printLinks));
  command(voice, "unlink <number>", "Take back whose number it is: its next calls are nobody's by name")
    .option("--account <id>", "only of this account")
    .action((number, { account: accountId, ...options }) =>
      show("voice.unlink", { number, accountId }, options, (answer) => printUnlinked(number, answer)),
    );
  command(voice, "erase <number>", "Erase all that is kept of a person: calls, words, recordings, notes")
    .option("--account <id>", "only what this account knows of them")
    .option("--yes", "do it; it cannot be undone")
    .action((number, { account: accountId, yes, ...options }) =>
      guarded(async () => {
        if (!yes) throw new Error(`Nothing was erased. To erase all that is kept of ${number}, add --yes.`);
        output(await ask("voice.erase", { number, accountId }, options), options, printReceipt);
      }),
    );
  command(voice, "tail [callId]", "Follow a call as it happens; the newest live one unless told").action(
    (callId, options) => guarded(() => tail(callId, options)),
  );
}

/** Options that every command takes. `gateway-runtime` is loaded when a command runs, not when help is shown. */
interface Options {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
}

type Answer = Readonly<Record<string, unknown>>;

function command(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option("--json", "print the gateway's answer as JSON")
    .option("--url <url>", "the gateway's address, when it is not the configured one")
    .option("--token <token>", "the gateway's token, when it is not the configured one");
}

function milliseconds(raw: string): number {
  if (!/^\d{1,9}$/.test(raw)) throw new Error("--duration: write it as a whole number of milliseconds.");
  return Number(raw);
}

/** Asks the gateway and prints what it says. */
function show(method: string, params: object, options: Options, print: (answer: Answer) => void): Promise<void> {
  return guarded(async () => output(await ask(method, params, options), options, print));
}

function output(answer: Answer, { json }: Options, print: (answer: Answer) => void): void {
  // Under --json the host sends what is logged to standard error: standard output is for the JSON alone.
  if (json) process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  else print(answer);
}

async function ask(method: string, params: object, { url, token }: Options): Promise<Answer> {
  const { callGatewayFromCli } = await import("openclaw/plugin-sdk/gateway-runtime");
  const address = { ...(url !== undefined && { url }), ...(token !== undefined && { token }) };
  return callGatewayFromCli(method, { ...address, timeout: "30000" }, params, { progress: false });
}

/** A refusal is printed as one sentence and ends the command with code 1. */
async function guarded(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

async function tail(named: string | undefined, options: Options): Promise<void> {
  const callId = named ?? (await newestLiveCall(options));
  if (callId === undefined) return console.log("No call is live.");
  let afterSeq = 0;
  let startedAtMs: number | undefined;
  for (let over = false; !over; ) {
    const answer = await ask("voice.follow", { callId, afterSeq }, options);
    for (const entry of answer["entries"] as readonly { readonly seq: number; readonly event: CallEvent }[]) {
      afterSeq = entry.seq;
      startedAtMs ??= entry.event.atMs;
      if (options.json) process.stdout.write(`${JSON.stringify(entry)}\n`);
      else printEntry(entry, startedAtMs);
    }
    over = answer["over"] === true;
  }
}

async function newestLiveCall(options: Options): Promise<string | undefined> {
  const { calls } = await ask("voice.calls", { limit: 50 }, options);
  return (calls as readonly { readonly callId: string; readonly state: string }[]).find(
    (call) => call.state !== "ended",
  )?.callId;
}
