import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ConfigError, VoiceError } from "../core/errors.ts";
import { parseE164 } from "../core/numbers.ts";
import {
  callLine,
  eventLine,
  linkLines,
  receiptLines,
  searchLines,
  statusLines,
  unlinkLines,
} from "../core/report-lines.ts";
import { TRANSCRIPT_FORMATS, type TranscriptFormat } from "../core/transcript-export.ts";
import { VERSION } from "../version.ts";
import { CommandError } from "./client.ts";
import type { ReplayCommand } from "./replay.ts";
import { saveSound } from "./save-sound.ts";
import type { ServeOptions } from "./serve.ts";
import { openClient, type Where } from "./setup.ts";
import type { Terminal } from "./terminal.ts";

/** It did what was asked. */
const DONE = 0;
/** It could not; the reason is one line. */
const FAILED = 1;
/** The command or the configuration is wrong; nothing was tried. */
const MISUSED = 2;

interface Common extends Where {
  readonly json?: boolean;
}

type PlaceOption = "message" | "purpose" | "continues" | "from" | "account";

/** Runs one command of `openclaw-voice` and resolves with its exit code: 0 done, 1 failed, 2 misused. Never rejects. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  let code = DONE;
  const program = createProgram(terminal, (failed) => {
    code = failed;
  });
  try {
    await program.parseAsync(args as string[], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : MISUSED;
    if (terminal.stop.aborted) return DONE;
    complain(error, args.includes("--json"), terminal);
    return error instanceof ConfigError ? MISUSED : FAILED;
  }
}

// --- Internal helpers ---

function createProgram(terminal: Terminal, fail: (code: number) => void): Command {
  const program = new Command("openclaw-voice")
    .description("Phone calls for an agent: run the voice channel, and talk to one that runs.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    });
  const command = (usage: string, description: string) =>
    program.command(usage).description(description).option("--json", "print JSON");
  const local = (usage: string, description: string) =>
    command(usage, description)
      .option("--config <file>", "YAML file with the settings; the environment unless told")
      .option("--state-dir <dir>", "folder of calls and API token; $OPENCLAW_VOICE_STATE_DIR or ~/.openclaw-voice");
  const remote = (usage: string, description: string) =>
    local(usage, description).option("--url <url>", "address of the running channel; from the settings unless told");

  command("demo", "Hold a whole call with simulated sides and real sound; needs no account and no key.")
    .option("--out <dir>", "folder for the recording and all else that a call leaves; replaced", "voice-demo")
    .action(async (options: { out: string; json?: boolean }) => (await import("./demo.ts")).demo(options, terminal));
  local("serve", "Run the channel until it is told to stop.")
    .option("--workspace <dir>", "folder with MEMORY.md and memory/")
    .action(async (options: ServeOptions) => (await import("./serve.ts")).serve(options, terminal));
  local("doctor", "Check settings, secrets, port, store, carrier and engine.").action(async (options: Common) => {
    const well = await (await import("./doctor.ts")).doctor(options, terminal);
    if (!well) fail(FAILED);
  });

  const show = (json: boolean | undefined, value: unknown, lines: readonly string[]) => {
    for (const line of json ? [JSON.stringify(value)] : lines) terminal.out(line);
  };
  remote("status", "Show the running channel and its accounts.").action(async (options: Common) => {
    const report = await (await openClient(options, terminal)).status();
    show(options.json, report, statusLines(report));
  });
  remote("call", "Ring somebody.")
    .argument("<number>", "whom to ring, like +15550001234", e164)
    .option("--message <text>", "what is said first, word for word")
    .option("--purpose <text>", "why you call; the model is told")
    .option("--continues <sessionKey>", "the conversation that the call goes on with; the model is told what was said")
    .option("--from <number>", "which of the account's numbers shows", e164)
    .option("--account <id>", "which account rings")
    .action(async (to: string, options: Common & Partial<Record<PlaceOption, string>>) => {
      const { message, purpose, continues, from, account: accountId } = options;
      const asked = { message, purpose, continues, from, accountId };
      const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
      const call = await (await openClient(options, terminal)).placeCall({ to, ...given });
      show(options.json, call, [callLine(call)]);
    });
  remote("calls", "List calls, newest first.")
    .option("--account <id>", "of one account")
    .option("--caller <number>", "with one person", e164)
    .option("--open", "only those that have not ended")
    .option("--limit <count>", "at most so many", "20")
    .action(async (options: Common & { account?: string; caller?: string; open?: boolean; limit: string }) => {
      const { caller, open, limit } = options;
      const query = {
        limit,
        ...ofAccount(options),
        ...(caller !== undefined && { caller }),
        ...(open && { only: "open" }),
      };
      const found = await (await openClient(options, terminal)).calls(query);
      show(options.json, found, found.calls.length > 0 ? found.calls.map(callLine) : ["There are no calls."]);
    });
  remote("search", "Find what was said on calls, the newest first.")
    .argument("<words...>", "all of them in one turn, whatever their accents and capitals")
    .option("--account <id>", "of one account")
    .option("--caller <number>", "with one person", e164)
    .option("--limit <count>", "at most so many", "20")
    .action(async (words: string[], options: Common & { account?: string; caller?: string; limit: string }) => {
      const { caller, limit } = options;
      const query = {
        q: words.join(" "),
        limit,
        ...ofAccount(options),
        ...(caller !== undefined && { caller }),
      };
      const found = await (await openClient(options, terminal)).search(query);
      show(options.json, found, searchLines(found));
    });
  remote("erase", "Erase everything that is kept of a person: calls, words, recordings, notes.")
    .argument("<number>", "their number, like +15550001234", e164)
    .option("--account <id>", "only what one account knows of them")
    .option("--yes", "do not ask")
    .action(async (number: string, options: Common & { account?: string; yes?: boolean }) => {
      const question = `Erase everything that is kept of ${number}? This cannot be undone. Type yes: `;
      if (!options.yes && (await terminal.ask(question)).trim().toLowerCase() !== "yes") {
        terminal.err("Nothing was erased. With --yes it is done without a question.");
        return fail(FAILED);
      }
      const order = { number, ...ofAccount(options) };
      const receipt = await (await openClient(options, terminal)).erase(order);
      show(options.json, receipt, receiptLines(receipt));
    });
  remote("links", "Show whose number is whose, as the owner has said it.")
    .option("--account <id>", "of one account")
    .action(async (options: Common & { account?: string }) => {
      const found = await (await openClient(options, terminal)).links(ofAccount(options));
      show(options.json, found, linkLines(found));
    });
  remote("unlink", "Take back whose number it is: its next calls are nobody's by name.")
    .argument("<number>", "like +15550001234", e164)
    .option("--account <id>", "of one account")
    .action(async (number: string, options: Common & { account?: string }) => {
      const order = { number, ...ofAccount(options) };
      const done = await (await openClient(options, terminal)).unlink(order);
      show(options.json, done, unlinkLines(number, done));
    });
  remote("say", "Say a sentence on a live call, word for word.")
    .argument("<callId>")
    .argument("<text>")
    .action(async (callId: string, text: string, options: Common) => {
      const call = await (await openClient(options, terminal)).say(callId, text);
      show(options.json, call, [callLine(call)]);
    });
  remote("dtmf", "Press keys on a live call.")
    .argument("<callId>")
    .argument("<digits>", "0-9, *, #, A-D; w waits half a second")
    .option("--duration <ms>", "how long each key sounds, 50 to 500", milliseconds)
    .action(async (callId: string, digits: string, options: Common & { duration?: number }) => {
      const sent = await (await openClient(options, terminal)).sendDigits(callId, digits, options.duration);
      show(options.json, sent, [`Sent ${sent.digits} on ${sent.callId}.`]);
    });
  remote("instruct", "Tell the model something in the middle of a call, without cutting what is said.")
    .argument("<callId>")
    .argument("<text>")
    .option("--respond", "have it act on it at once")
    .action(async (callId: string, text: string, options: Common & { respond?: boolean }) => {
      const call = await (await openClient(options, terminal)).instruct(callId, text, options.respond ?? false);
      show(options.json, call, [callLine(call)]);
    });
  for (const [verb, paused, what] of [
    ["pause-recording", true, "Put silence into a call's recording, as while a card's number is said."],
    ["resume-recording", false, "Go on with a recording that was paused."],
  ] as const) {
    remote(verb, what)
      .argument("<callId>")
      .action(async (callId: string, options: Common) => {
        const call = await (await openClient(options, terminal)).pauseRecording(callId, paused);
        show(
          options.json,
          call,
          call.recordings.map(({ id, state }) => `${id}  ${state}`),
        );
      });
  }
  remote("end", "End a call.")
    .argument("<callId>")
    .action(async (callId: string, options: Common) => {
      const call = await (await openClient(options, terminal)).endCall(callId);
      show(options.json, call, [callLine(call)]);
      if (call.state === "ended") return;
      terminal.err("The carrier has not confirmed the end yet. Ask again with: openclaw-voice calls --open");
      fail(FAILED);
    });
  remote("tail", "Show what happens on a call, from its beginning to its end.")
    .argument("<callId>")
    .action(async (callId: string, options: Common) => {
      let startedAtMs: number | undefined;
      for await (const entry of (await openClient(options, terminal)).follow(callId)) {
        startedAtMs ??= entry.event.atMs;
        show(options.json, entry, [eventLine(entry.event, startedAtMs)]);
      }
    });
  remote("transcript", "Show what was said on a call.")
    .argument("<callId>")
    .addOption(new Option("--format <format>", "how it is written").choices(TRANSCRIPT_FORMATS).default("text"))
    .action(async (callId: string, { format, ...options }: Common & { format: TranscriptFormat }) => {
      const client = await openClient(options, terminal);
      terminal.out((await client.transcript(callId, options.json ? "json" : format)).trimEnd());
    });
  remote("recording", "Save the sound of a call as a WAV file.")
    .argument("<callId>")
    .option("--out <file>", "where to; the call's id with .wav unless told")
    .action(async (callId: string, { out = `${callId}.wav`, ...options }: Common & { out?: string }) => {
      const sound = await (await openClient(options, terminal)).recording(callId);
      const saved = { file: out, bytes: await saveSound(sound, out) };
      show(options.json, saved, [`Saved ${saved.bytes} bytes in ${out}.`]);
    });
  local("replay", "Go through the record of a call, compare what is decided, and show what happened.")
    .argument("<callId | file>")
    .option("--export <file>", "write the record without anybody's ids, for a bug report")
    .action(async (what: string, options: ReplayCommand) => {
      if (!(await (await import("./replay.ts")).replay(what, options, terminal))) fail(FAILED);
    });
  return program;
}

/** The account that was named, as requests name it. */
const ofAccount = ({ account }: { account?: string }): { accountId?: string } =>
  account === undefined ? {} : { accountId: account };

function e164(raw: string): string {
  const number = parseE164(raw);
  if (number === undefined) throw new InvalidArgumentError("Write it with country code, like +15550001234.");
  return number;
}

function milliseconds(raw: string): number {
  if (!/^\d{1,9}$/.test(raw)) throw new InvalidArgumentError("Write it as a whole number of milliseconds.");
  return Number(raw);
}

/** One line that says what is wrong and what to do; with `--json` the same as an object. */
function complain(error: unknown, json: boolean, terminal: Terminal): void {
  const known = error instanceof VoiceError || error instanceof CommandError;
  const message = error instanceof Error ? error.message : String(error);
  const code = known ? error.code : "internal_error";
  if (json) terminal.out(JSON.stringify({ error: { code, message, retryable: known && error.retryable } }));
  else terminal.err(`Error: ${message}`);
}
