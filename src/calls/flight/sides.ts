import { type Hearing, NOTHING_HEARD, SpeechMeter } from "../../audio/speech-meter.ts";
import type { MediaLeg, MediaListener } from "../../carriers/carrier.ts";
import type { Call } from "../../core/call.ts";
import type { Clock } from "../../core/clock.ts";
import type { AskAgent } from "../agent-brain.ts";
import { quoteLine } from "../context/quote.ts";
import type { CallSound, ConversationParts, Prelude } from "../conversation-parts.ts";
import type { Ear } from "../ear.ts";
import type { OpenSession } from "../engine-line-opening.ts";
import type { ToolContext, VoiceTool } from "../tools.ts";
import { dbfsOf, levelOf } from "./hearing.ts";
import { emitLine, leaveLine, noteLine } from "./lines.ts";
import { errorMark, keysLike, shapeOf } from "./redact.ts";
import { TappedSession } from "./session.ts";
import type { Input, Tap } from "./tap.ts";

/** What of a call decides anything, as it is seen. */
export interface SeenCall extends Pick<Call, "direction" | "trust" | "resumes"> {
  readonly message?: string;
  readonly model?: string;
  /** Whether anything was said. */
  readonly spoken: boolean;
}

/** What of a tool decides anything, as it is seen. */
export type SeenTool = Pick<VoiceTool, "name" | "trust" | "timeoutMs" | "maxCalls" | "idempotent" | "secretArguments">;

/** Bytes that wait at a carrier which takes what it is sent. */
const NOTHING_WAITS = 65_536;
/** Words of a tool are cut here before they are said. */
const MOST_PROGRESS = 120;

/** The parts of a conversation with a tap between them and it. `secret` marks arguments of tools. */
export function tapParts(parts: ConversationParts, tap: Tap, secret: string): ConversationParts {
  const { account, logger, askAgent, journal } = parts;
  const tapped = {
    account,
    logger,
    journal: tapJournal(journal, tap),
    tools: tapTools(parts.tools, tap),
    clock: tapClock(parts.clock, tap),
    ticker: { add: (listener) => parts.ticker.add(() => tap.beat(() => listener(tap.now()))) },
    emit: (name, ...payload) => tap.command(emitLine(name, payload, tap), () => parts.emit(name, ...payload)),
    openers: tapOpeners(parts.openers, tap, secret),
    askAgent: askAgent && tapAgent(askAgent, tap, () => journal.call.id),
    recording: parts.recording && tapRecording(parts.recording, tap),
    ear: new TappedEar(parts.ear ?? new SpeechMeter(), tap),
    onMediaClosed: (how) => tap.command(`media ${how}`, () => parts.onMediaClosed(how)),
    onLeave: (why) => tap.command(leaveLine(why), () => parts.onLeave(why)),
  } satisfies { [Part in keyof Required<ConversationParts>]: ConversationParts[Part] | undefined };
  const { askAgent: agent, recording, ...rest } = tapped;
  return { ...rest, ...(agent && { askAgent: agent }), ...(recording && { recording }) };
}

/** The phone's side with a tap before it. Of the keys that are pressed only those of `kept` are told. */
export function tapLeg(leg: MediaLeg, tap: Tap, kept: ReadonlySet<string>): MediaLeg {
  const buffered = () => (leg.bufferedBytes < NOTHING_WAITS ? 0 : leg.bufferedBytes);
  const told = () => String(buffered());
  return {
    legId: leg.legId,
    streamId: leg.streamId,
    token: leg.token,
    get bufferedBytes() {
      tap.see("buffered", told);
      return buffered();
    },
    sendAudio(audio) {
      tap.legAudio(audio);
      leg.sendAudio(audio);
    },
    mark: (name) => tap.command(`mark ${name}`, () => leg.mark(name)),
    clear: () => tap.command("clear", () => leg.clear()),
    together: (sends) => leg.together(sends),
    listen: (listener) => tap.command("listens to the phone", () => leg.listen(tapListener(listener, tap, kept))),
    close: () => tap.command("closes the media", () => leg.close()),
  };
}

/** Has what comes of work come in by itself. */
export function comesIn<Result>(
  tap: Tap,
  work: Promise<Result>,
  came: (result: Result) => Input,
  failed: (error: unknown) => Input,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    work.then(
      (result) => tap.deliver(() => tap.input(came(result), () => resolve(result))),
      (error: unknown) => tap.deliver(() => tap.input(failed(error), () => reject(error))),
    );
  });
}

// --- Internal helpers ---

function tapListener(listener: MediaListener, tap: Tap, kept: ReadonlySet<string>): MediaListener {
  return {
    audio: (base64) => tap.frame(base64, listener),
    marked: (name) => tap.input(["marked", /^\d+\.\d+$/.test(name) ? name : "?"], () => listener.marked(name)),
    dtmf: (digit) => tap.input(["key", keysLike(digit, kept)], () => listener.dtmf(digit)),
    unrecognised: (what) => tap.input(["not-understood", what.length], () => listener.unrecognised(what)),
    closed: (how) => tap.input(["media", how], () => listener.closed(how)),
  };
}

function tapClock(clock: Clock, tap: Tap): Clock {
  let timers = 0;
  const start = (what: string, set: (id: number) => ReturnType<Clock["after"]>) => {
    timers += 1;
    const id = timers;
    return tap.command(`timer ${id} ${what}`, () => set(id));
  };
  return {
    now: () => tap.now(),
    after: (delayMs, action) =>
      start(`in ${delayMs} ms`, (id) => clock.after(delayMs, () => tap.input(["timer", id], action))),
    every: (periodMs, action) =>
      start(`every ${periodMs} ms`, (id) => clock.every(periodMs, () => tap.input(["timer", id], action))),
  };
}

function tapJournal(journal: ConversationParts["journal"], tap: Tap): ConversationParts["journal"] {
  let known: Call | undefined;
  let seen = "";
  let writes = 0;
  return {
    get call() {
      tap.see("call", () => {
        if (known !== journal.call) seen = JSON.stringify(seenCall(journal.call));
        known = journal.call;
        return seen;
      });
      return journal.call;
    },
    note: (event) => tap.command(`notes ${noteLine(event, tap)}`, () => journal.note(event)),
    write: (...events) => {
      writes += 1;
      const id = writes;
      const line = `writes ${id}: ${events.map((event) => noteLine(event, tap)).join("; ")}`;
      const written = tap.command(line, () => journal.write(...events));
      return comesIn(
        tap,
        written,
        () => ["written", id],
        (error) => ["not-written", id, errorMark(error)],
      );
    },
  };
}

function seenCall({ direction, trust, resumes, message, model, transcript }: Call): SeenCall {
  return {
    direction,
    trust,
    resumes,
    spoken: transcript.length > 0,
    ...(message !== undefined && { message: shapeOf(message) }),
    ...(model !== undefined && { model }),
  };
}

function tapTools(tools: ConversationParts["tools"], tap: Tap): ConversationParts["tools"] {
  let runs = 0;
  const tapped = (tool: VoiceTool): VoiceTool => ({
    ...tool,
    execute: (args, context) => {
      runs += 1;
      const id = runs;
      const ran = tap.command(`tool ${id} ${tool.name}`, () => tool.execute(args, tapContext(context, id, tap)));
      return comesIn(
        tap,
        ran,
        (result) => ["tool-done", id, ...resultMark(result)],
        (error) => ["tool-failed", id, errorMark(error)],
      );
    },
  });
  return () => {
    tap.see("tools", () => JSON.stringify(tools().map(seenTool)));
    return tools().map(tapped);
  };
}

function seenTool(tool: VoiceTool): SeenTool {
  const { name, trust, timeoutMs, maxCalls, idempotent, secretArguments } = tool;
  return JSON.parse(JSON.stringify({ name, trust, timeoutMs, maxCalls, idempotent, secretArguments }));
}

/** How long a result is as the model would be told it, or how long the message is that says why it cannot be. */
function resultMark(result: unknown): readonly [length: number, unreadable: boolean] {
  try {
    return [(typeof result === "string" ? result : (JSON.stringify(result) ?? "done")).length, false];
  } catch (error) {
    return [JSON.stringify(error instanceof Error ? error.message : String(error)).length - 2, true];
  }
}

function tapContext(context: ToolContext, id: number, tap: Tap): ToolContext {
  const { progress } = context;
  if (!progress) return context;
  return {
    ...context,
    progress: (words) => tap.input(["progress", id, shapeOf(quoteLine(words, MOST_PROGRESS))], () => progress(words)),
  };
}

function tapOpeners(openers: readonly OpenSession[], tap: Tap, secret: string): readonly OpenSession[] {
  let opened = 0;
  let asked = 0;
  return openers.map((open, engine) => (history, signal) => {
    asked += 1;
    const id = asked;
    const told = history.map((fact) => ("text" in fact ? fact.text.length : fact.output.length)).join(" ");
    const opening = tap.command(`opens ${id} with engine ${engine} told=[${told}]`, () => open(history, signal));
    // At once, not with the next turn of the loop: what the session tells meanwhile would be heard by nobody.
    return new Promise((resolve, reject) => {
      opening.then(
        (session) => {
          opened += 1;
          const tapped = new TappedSession(session, opened, tap, secret);
          tap.input(["opened", id, tap.learn(session.id), session.model], () => resolve(tapped));
        },
        (error: unknown) => tap.input(["not-opened", id, errorMark(error)], () => reject(error)),
      );
    });
  });
}

function tapAgent(ask: AskAgent, tap: Tap, callId: () => string): AskAgent {
  let asked = 0;
  return ({ turnId, text }, onWords, signal) => {
    asked += 1;
    const id = asked;
    const turn = tap.nameOf(turnId.slice(callId().length + 1));
    const answer = tap.command(`asks the agent ${id} ${turn} ~${text.length}`, () =>
      ask({ turnId, text }, (words) => tap.input(["agent", id, shapeOf(words)], () => onWords(words)), signal),
    );
    return comesIn(
      tap,
      answer,
      () => ["agent-done", id],
      (error) => ["agent-failed", id, errorMark(error)],
    );
  };
}

function tapRecording(recording: CallSound, tap: Tap): CallSound {
  return {
    opening(commands) {
      const tapped: typeof commands = {
        say: (text) => tap.input(["prelude-says", shapeOf(text)], () => commands.say(text)),
        goOn: () => tap.input(["prelude-over"], () => commands.goOn()),
      };
      const prelude = recording.opening(tapped);
      return tap.judged(prelude !== undefined) && prelude ? tapPrelude(prelude, tap) : undefined;
    },
    hideKey: () => tap.command("hides a key", () => recording.hideKey()),
    callerFrame: (frame, nowMs) => recording.callerFrame(frame, nowMs),
    agentPlays: (pieces) => recording.agentPlays(pieces),
    cleared: (nowMs) => recording.cleared(nowMs),
  };
}

/** Whatever it is told, it may speak or let the conversation go on at once. */
function tapPrelude(prelude: Prelude, tap: Tap): Prelude {
  return {
    mayGoOn: () => tap.judged(tap.command("asks whether to begin", () => prelude.mayGoOn())),
    heard: (item) => tap.command("tells what was heard", () => prelude.heard(item)),
    words: (text) => tap.command("tells what was said", () => prelude.words(text)),
    pressed: (key) => tap.judged(tap.command("tells of a key", () => prelude.pressed(key))),
    close: () => prelude.close(),
  };
}

/** An ear of which only what it makes of the sound is kept. */
class TappedEar implements Ear {
  readonly #ear: Ear;
  readonly #tap: Tap;
  readonly #hearing: Hearing = { ...NOTHING_HEARD };

  constructor(ear: Ear, tap: Tap) {
    this.#ear = ear;
    this.#tap = tap;
  }

  get echoUnknown(): boolean {
    return this.#tap.judged(this.#ear.echoUnknown);
  }

  putOff(frame: Uint8Array, endedAtMs: number): boolean {
    return this.#tap.putOff(this.#ear.putOff(frame, endedAtMs));
  }

  hear(frame: Uint8Array, endedAtMs: number): Readonly<Hearing> {
    const own = this.#hearing;
    const heard = this.#ear.hear(frame, endedAtMs);
    // What is decided by is what is written down.
    own.levelDbfs = dbfsOf(levelOf(heard.levelDbfs));
    own.floorDbfs = dbfsOf(levelOf(heard.floorDbfs));
    own.sounds = heard.sounds;
    own.voiced = heard.voiced;
    own.murky = heard.murky;
    own.near = heard.near;
    own.full = heard.full;
    own.ignored = heard.ignored;
    own.speechLike = heard.speechLike;
    this.#tap.heard(own, frame);
    return own;
  }

  isOurs(endedAtMs: number): boolean {
    return this.#tap.judged(this.#ear.isOurs(endedAtMs));
  }

  agentPlays(audio: Uint8Array, startsAtMs: number): void {
    this.#ear.agentPlays(audio, startsAtMs);
  }

  cleared(nowMs: number): void {
    this.#ear.cleared(nowMs);
  }

  callerSpoke(loudnessDbfs: number): void {
    this.#ear.callerSpoke(loudnessDbfs);
  }

  ignore(levelDbfs: number): void {
    this.#ear.ignore(levelDbfs);
  }
}
