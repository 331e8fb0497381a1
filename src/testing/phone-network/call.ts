import { isAudible } from "../../audio/g711.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Faults } from "./faults.ts";
import { type FlowHost, runFlow, type TwimlSource } from "./flow.ts";
import { makeSid } from "./ids.ts";
import { PersonLine } from "./line.ts";
import { MediaStream } from "./media-stream.ts";
import { Playout } from "./playout.ts";
import { CallRecorder, type SimulatedRecording } from "./recording.ts";
import { StatusCallbacks, type StatusSubscription } from "./status-callbacks.ts";
import { StreamLogBook } from "./stream-log.ts";
import { Tape } from "./tape.ts";
import type { FrameTicker } from "./ticker.ts";
import type { StreamOrder } from "./twiml.ts";
import type {
  CallReport,
  PersonOptions,
  PhoneCall,
  StreamHandle,
  TwilioError,
  TwilioStatus,
  Voice,
  WebhookKind,
  WebhookRecord,
} from "./types.ts";
import { type WebhookAnswer, WebhookFailed, type Webhooks } from "./webhooks.ts";

const FINAL: ReadonlySet<TwilioStatus> = new Set(["completed", "busy", "failed", "no-answer", "canceled"]);

/** What every call of a network shares. */
export interface NetworkParts {
  readonly clock: Clock;
  readonly voice: Voice;
  readonly ticker: FrameTicker;
  readonly webhooks: Webhooks;
  readonly routes: Readonly<Record<string, string>>;
  readonly faults: Faults;
  readonly accountSid: string;
  readonly authToken: string;
  /** Recordings that were not deleted, by id. */
  readonly recordings: Map<string, SimulatedRecording>;
}

export interface CallOrder {
  readonly direction: "inbound" | "outbound-api";
  readonly from: string;
  readonly to: string;
  readonly person: PersonOptions;
  readonly status: StatusSubscription | undefined;
  /** Asked in place of any address that gives no instructions, for as long as the call lives. */
  readonly fallbackUrl: string | undefined;
  /** Added to the parameters of every webhook. */
  readonly extra: Readonly<Record<string, string>>;
}

/** One call: its life, its sound, its instructions and what became of it. */
export class SimulatedCall implements PhoneCall, FlowHost {
  readonly sid = makeSid("CA");
  readonly direction: "inbound" | "outbound-api";
  readonly from: string;
  readonly to: string;
  readonly line: PersonLine;
  readonly recorder: CallRecorder;
  readonly requests: WebhookRecord[] = [];
  readonly ended: Promise<CallReport>;
  readonly clock: Clock;
  readonly voice: Voice;
  readonly createdAt: number;
  /** What machine detection found, once it is known. */
  answeredBy: string | undefined;
  answeredAt: number | undefined;
  endedAt: number | undefined;
  readonly #network: NetworkParts;
  readonly #order: CallOrder;
  readonly #callbacks: StatusCallbacks;
  readonly #playout = new Playout();
  readonly #tape = new Tape();
  readonly #streamLog = new StreamLogBook(() => this.line.nowMs);
  readonly #twiml: string[] = [];
  readonly #errors: TwilioError[] = [];
  readonly #settle = Promise.withResolvers<CallReport>();
  readonly #streamWaiters = new Set<PromiseWithResolvers<StreamHandle>>();
  #status: TwilioStatus = "queued";
  #beat: Timer | undefined;
  #frame: Uint8Array | undefined;
  #stream: MediaStream | undefined;
  #streamIsOpen = false;
  #flow = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #scriptError: unknown;
  #playing: { end: number; done: () => void } | undefined;

  constructor(network: NetworkParts, order: CallOrder) {
    this.#network = network;
    this.#order = order;
    this.clock = network.clock;
    this.voice = network.voice;
    this.createdAt = network.clock.now();
    this.direction = order.direction;
    this.from = order.from;
    this.to = order.to;
    this.#callbacks = new StatusCallbacks(network.clock, order.status, (url, method, params) =>
      this.#post("status", url, method, params),
    );
    this.line = new PersonLine({
      voice: network.voice,
      person: order.person,
      onKey: (digit) => this.#stream?.sendKey(digit),
      onHangUp: () => this.hangUp(),
    });
    this.recorder = new CallRecorder({
      ...network,
      callSid: this.sid,
      tell: (url, method, params) => this.#deliver("recording", url, method, params),
    });
    this.ended = this.#settle.promise;
    this.ended.catch(() => {}); // an unread report is not an unhandled failure
  }

  get status(): TwilioStatus {
    return this.#status;
  }

  get isOver(): boolean {
    return FINAL.has(this.#status);
  }

  get fallbackUrl(): string | undefined {
    return this.#order.fallbackUrl;
  }

  get isAnswered(): boolean {
    return this.answeredAt !== undefined;
  }

  get stream(): StreamHandle | undefined {
    return this.#streamIsOpen ? this.#stream : undefined;
  }

  /** Moves a call that has not been answered: "initiated" is only told, "ringing" is also its status. */
  progress(status: "initiated" | "ringing"): void {
    if (this.isOver) return;
    if (status === "ringing") this.#status = status;
    this.#callbacks.tell(status, {});
  }

  answer(): void {
    if (this.isAnswered || this.isOver) return;
    this.#status = "in-progress";
    this.answeredAt = this.clock.now();
    this.#callbacks.tell("in-progress", {});
    this.#beat = this.#network.ticker.add(() => this.#onFrame());
    void this.#act();
  }

  /** Ends the call for good; later ends change nothing. */
  end(status: TwilioStatus, extra: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return;
    this.#status = status;
    this.endedAt = this.clock.now();
    this.#flow.abort();
    this.#beat?.stop();
    this.line.end();
    this.recorder.current?.stop();
    this.#playing?.done();
    for (const { reject } of this.#streamWaiters) reject(new Error(`Call ${this.sid} ended without a media stream.`));
    const seconds = Math.round(this.durationMs / 1000);
    const duration = { CallDuration: String(seconds), Duration: String(Math.ceil(seconds / 60)) };
    this.#callbacks.tell(status, { ...extra, ...(status === "completed" ? duration : { CallDuration: "0" }) });
    void this.#report();
  }

  hangUp(): void {
    this.end(this.isAnswered ? "completed" : this.direction === "inbound" ? "no-answer" : "canceled");
  }

  /** The application hangs up, or takes back a call that nobody answered. */
  hangUpByApi(): void {
    this.end(this.isAnswered ? "completed" : "canceled");
  }

  /** Drops everything without telling anyone: the network is being stopped. */
  cut(): void {
    this.#callbacks.mute();
    this.#stream?.terminate();
    this.end(this.isAnswered ? "completed" : "failed");
    this.recorder.cut();
  }

  get durationMs(): number {
    return this.answeredAt === undefined ? 0 : (this.endedAt ?? this.clock.now()) - this.answeredAt;
  }

  /** Replaces whatever TwiML the call is executing. */
  instruct(source: TwimlSource): void {
    this.#flow.abort();
    const flow = new AbortController();
    this.#flow = flow;
    const before = this.#running;
    this.#running = before.then(() => (flow.signal.aborted ? undefined : runFlow(this, source, flow.signal)));
    this.#running.catch((error: unknown) => this.#fail(error));
  }

  streaming(): Promise<StreamHandle> {
    if (this.stream) return Promise.resolve(this.stream);
    if (this.isOver) return Promise.reject(new Error(`Call ${this.sid} ended without a media stream.`));
    const waiter = Promise.withResolvers<StreamHandle>();
    this.#streamWaiters.add(waiter);
    return waiter.promise;
  }

  ask(
    kind: WebhookKind,
    { url, method, params = {} }: { url: string; method: "GET" | "POST"; params?: Readonly<Record<string, string>> },
  ): Promise<WebhookAnswer> {
    const answeredBy = this.answeredBy === undefined ? {} : { AnsweredBy: this.answeredBy };
    const all = kind === "play" ? {} : { ...this.#params(), CallStatus: this.#status, ...answeredBy, ...params };
    return this.#network.webhooks.send({ kind, callSid: this.sid, url, method, params: all, records: this.requests });
  }

  playOut(audio: Uint8Array, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const finish = () => {
        signal.removeEventListener("abort", stop);
        this.#playing = undefined;
        resolve();
      };
      const stop = () => {
        this.#playing = undefined;
        this.#playout.clear();
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#playout.enqueue(audio);
      this.#playing = { end: this.#playout.end, done: finish };
    });
  }

  async connect(order: StreamOrder, signal: AbortSignal): Promise<string> {
    const { clock, authToken, accountSid, routes, faults } = this.#network;
    const tell = (event: string, more: Record<string, string> = {}) => {
      if (!order.statusCallback) return;
      const params = { StreamSid: stream.sid, StreamName: order.name || stream.sid, StreamEvent: event, ...more };
      const stamp = { Timestamp: new Date(clock.now()).toISOString() };
      this.#post("stream-status", order.statusCallback, order.statusCallbackMethod, { ...params, ...stamp });
    };
    const stream: MediaStream = new MediaStream(
      {
        clock,
        authToken,
        accountSid,
        callSid: this.sid,
        routes,
        faults,
        playout: this.#playout,
        log: this.#streamLog,
        note: (code, message) => {
          this.note(code, message);
          tell("stream-error", { StreamError: message });
        },
        onStarted: () => {
          this.#streamIsOpen = true;
          tell("stream-started");
          for (const { resolve } of this.#streamWaiters) resolve(stream);
          this.#streamWaiters.clear();
        },
      },
      order,
    );
    this.#stream = stream;
    const end = () => stream.end();
    signal.addEventListener("abort", end, { once: true });
    await stream.run();
    signal.removeEventListener("abort", end);
    if (this.#streamIsOpen) tell("stream-stopped");
    this.#streamIsOpen = false;
    this.#stream = undefined;
    return stream.sid;
  }

  executes(twiml: string): void {
    this.#twiml.push(twiml);
  }

  note(code: number, message: string): void {
    this.#errors.push({ code, message });
  }

  /** Tells the application something about the call; what it answers changes nothing. */
  inform(kind: WebhookKind, url: string, params: Readonly<Record<string, string>>): void {
    this.#post(kind, url, "POST", params);
  }

  #params(): Record<string, string> {
    return {
      AccountSid: this.#network.accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.sid,
      Called: this.to,
      Caller: this.from,
      Direction: this.direction,
      From: this.from,
      To: this.to,
      ...this.#order.extra,
    };
  }

  #post(kind: WebhookKind, url: string, method: "GET" | "POST", params: Readonly<Record<string, string>>): void {
    this.#deliver(kind, url, method, { ...this.#params(), ...params });
  }

  #deliver(kind: WebhookKind, url: string, method: "GET" | "POST", params: Readonly<Record<string, string>>): void {
    this.#network.webhooks
      .send({ kind, callSid: this.sid, url, method, params, records: this.requests })
      .catch((error: unknown) => {
        if (!(error instanceof WebhookFailed)) return this.#fail(error);
        this.note(error.code, error.message);
      });
  }

  /** One frame: what was due at its beginning, then 20 ms of both directions. */
  #onFrame(): void {
    const ended = this.#playing && this.#playout.hasPlayed(this.#playing.end) ? this.#playing : undefined;
    ended?.done();
    this.#stream?.echoMarks(this.#playout.takeDueMarks());
    if (this.#frame) this.#stream?.sendFrame(this.#frame);
    this.line.settle();
    if (this.isOver) return;
    const heard = this.#playout.pull();
    this.#frame = this.line.speakFrame(isAudible(heard));
    this.#tape.append(this.#frame, heard);
    this.recorder.current?.append(this.#frame, heard);
  }

  /** Lets the person act; the call ends with their script. */
  async #act(): Promise<void> {
    const { script } = this.#order.person;
    if (!script) return;
    try {
      await script(this.line);
    } catch (error) {
      if (!this.line.signal.aborted) this.#scriptError = error;
    }
    this.hangUp();
  }

  #fail(error: unknown): void {
    this.#scriptError ??= error;
    this.end("failed");
  }

  async #report(): Promise<void> {
    await this.#running.catch(() => {}); // its failure has been kept by #fail
    await this.#network.webhooks.settled(this.sid);
    if (this.#scriptError !== undefined) return this.#settle.reject(this.#scriptError);
    const tape = this.#tape;
    let wav: Buffer | undefined;
    this.#settle.resolve({
      sid: this.sid,
      from: this.from,
      to: this.to,
      status: this.#status,
      durationMs: this.durationMs,
      get wav() {
        wav ??= tape.toWav();
        return wav;
      },
      spoken: this.line.spoken,
      heardSegments: tape.heardSegments(),
      twiml: this.#twiml,
      requests: this.requests,
      streamEvents: this.#streamLog,
      errors: this.#errors,
    });
  }
}
