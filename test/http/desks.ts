import { EventEmitter, once } from "node:events";
import type { ErasureOrder, ErasureReceipt } from "../../src/calls/erasure.ts";
import type { NumberLink, UnlinkOrder } from "../../src/calls/links.ts";
import type { CarrierReply, MediaSocket, RawRequest } from "../../src/carriers/carrier.ts";
import { type CallSummary, newCall, summarise } from "../../src/core/call.ts";
import { CallNotFoundError, InvalidSignatureError } from "../../src/core/errors.ts";
import type { CallEvent, JournalEntry } from "../../src/core/events.ts";
import { requireE164 } from "../../src/core/numbers.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import { exportTranscript, type TranscriptFormat } from "../../src/core/transcript-export.ts";
import type { Logger } from "../../src/hosts/host.ts";
import type { CallDesk, PlaceCallRequest, RecordingSound, StatusReport, WebhookDesk } from "../../src/http/doors.ts";
import type { CallQuery, SearchPage, SearchQuery } from "../../src/stores/store.ts";

export const TOKEN = "test-token-0123456789-0123456789-0123456789";
export const PUBLIC_URL = "https://voice.example.com";

/** A call as the desk shows it. */
export function summary(changes: Partial<CallSummary> = {}): CallSummary {
  return { ...summarise({ ...newCall(), id: "call_1", to: "+15550001111" }, 0), ...changes };
}

const SETTINGS: StatusReport["settings"] = [
  {
    level: "warning",
    check: "owner_channel",
    accountId: "default",
    message: "No owner is set.",
    remedy: "Set one.",
  },
  { level: "ok", check: "tools", accountId: "default", message: "Tools of its settings: 0." },
];

/** What the owner has said of a number. */
export const link: NumberLink = {
  accountId: "default",
  number: "+15550001111",
  principal: "Ann",
  addresses: [{ channel: "telegram", to: "777" }],
  by: "owner",
  atMs: 0,
};

/** What an erasure of one call came to. */
export const receipt = (order: ErasureOrder): ErasureReceipt => ({
  ...order,
  erasedAtMs: 5,
  callIds: ["call_1"],
  removed: {
    calls: 1,
    journalEntries: 9,
    recordings: 1,
    flightRecords: 0,
    notes: 1,
    documents: 2,
    claims: 0,
    mentions: 0,
    damaged: 0,
  },
  outside: [{ kind: "session", where: "agent:main:voice" }],
});

/** A desk that does what a test scripts and writes down what it was asked. */
export class ScriptedCalls implements CallDesk {
  readonly placed: PlaceCallRequest[] = [];
  readonly queries: (CallQuery | undefined)[] = [];
  readonly searches: SearchQuery[] = [];
  /** What every search finds. */
  found: SearchPage = { hits: [] };
  readonly erased: ErasureOrder[] = [];
  linked: readonly NumberLink[] = [];
  readonly said: [string, string][] = [];
  readonly keys: [string, string, object | undefined][] = [];
  readonly instructed: [string, string, object | undefined][] = [];
  readonly paused: [string, boolean][] = [];
  transcript: readonly TranscriptEntry[] = [];
  recording: RecordingSound | undefined;
  /** How many readers follow right now. */
  followers = 0;
  /** Thrown by the next call of any method. */
  failure: Error | undefined;
  confirmed = true;
  readonly journal: JournalEntry[] = [];
  readonly news = new EventEmitter();

  add(event: CallEvent): void {
    this.journal.push({ seq: this.journal.length + 1, event });
    this.news.emit("entry");
  }
  async status() {
    this.#maybeFail();
    const accounts = [{ accountId: "default", state: "running", number: "+15550001234", liveCalls: 1 }] as const;
    return {
      running: true,
      version: "0.0.0",
      publicUrl: PUBLIC_URL,
      liveCalls: 1,
      accounts,
      settings: SETTINGS,
      host: [],
    };
  }
  async doctor() {
    return [];
  }
  async placeCall(request: PlaceCallRequest) {
    this.#maybeFail();
    this.placed.push(request);
    return summary({ to: request.to, state: "dialing" });
  }
  async endCall(callId: string) {
    await this.call(callId);
    if (!this.confirmed) return { call: summary({ state: "active" }), confirmed: false };
    return { call: summary({ state: "ended", endReason: "agent_ended" }), confirmed: true };
  }
  async say(callId: string, text: string) {
    this.said.push([callId, text]);
    return summary({ state: "active" });
  }
  async sendDigits(callId: string, digits: string, options?: { readonly durationMs?: number }) {
    await this.call(callId);
    this.keys.push([callId, digits, options]);
    return { callId, digits };
  }
  async instruct(callId: string, text: string, options?: { readonly respond?: boolean }) {
    await this.call(callId);
    this.instructed.push([callId, text, options]);
    return summary({ state: "active" });
  }
  async pauseRecording(callId: string, paused: boolean) {
    const call = await this.call(callId);
    this.paused.push([callId, paused]);
    return call;
  }
  async call(callId: string) {
    this.#maybeFail();
    if (callId !== "call_1") throw new CallNotFoundError(callId);
    return { ...summary(), transcript: [], usage: newCall().usage, recordings: [] };
  }
  async transcriptOf(callId: string, format: TranscriptFormat) {
    await this.call(callId);
    return exportTranscript({ ...newCall(), id: callId, transcript: this.transcript }, format);
  }
  async recordingOf(callId: string) {
    await this.call(callId);
    return this.recording;
  }
  async calls(query?: CallQuery) {
    this.#maybeFail();
    this.queries.push(query);
    return { calls: [summary()], next: "2" };
  }
  async search(query: SearchQuery) {
    this.#maybeFail();
    this.searches.push(query);
    return this.found;
  }
  async erase(order: ErasureOrder): Promise<ErasureReceipt> {
    this.#maybeFail();
    this.erased.push(order);
    return receipt(order);
  }
  async links(accountId?: string): Promise<readonly NumberLink[]> {
    this.#maybeFail();
    return this.linked.filter((one) => accountId === undefined || one.accountId === accountId);
  }
  async unlink({ number, accountId }: UnlinkOrder): Promise<readonly NumberLink[]> {
    const meant = requireE164(number, "number");
    const removed = (await this.links(accountId)).filter((one) => one.number === meant);
    this.linked = this.linked.filter((one) => !removed.includes(one));
    return removed;
  }
  async *follow(_callId: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<JournalEntry> {
    this.followers++;
    try {
      for (let seq = afterSeq; !signal.aborted; seq++) {
        while (this.journal.length <= seq) await once(this.news, "entry", { signal });
        const entry = this.journal[seq] as JournalEntry;
        yield entry;
        if (entry.event.type === "call.ended") return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.followers--;
      this.news.emit("left");
    }
  }
  #maybeFail(): void {
    const failure = this.failure;
    this.failure = undefined;
    if (failure) throw failure;
  }
}

/** Carriers whose signature is the header `x-signature: good`. */
export class ScriptedWebhooks implements WebhookDesk {
  readonly requests: { carrier: string; accountId: string; request: RawRequest }[] = [];
  readonly engineBodies: string[] = [];
  readonly sockets: MediaSocket[] = [];
  readonly news = new EventEmitter();
  failure: Error | undefined;

  async carrierWebhook(carrier: string, accountId: string, request: RawRequest): Promise<CarrierReply> {
    if (this.failure) throw this.failure;
    this.#verify(request);
    this.requests.push({ carrier, accountId, request });
    return { status: 200, contentType: "text/xml", body: "<Response><Hangup/></Response>" };
  }
  verifyMedia(carrier: string, accountId: string, request: RawRequest): void {
    if (this.failure) throw this.failure;
    this.#verify(request);
    this.requests.push({ carrier, accountId, request });
  }
  async acceptMedia(_accountId: string, socket: MediaSocket): Promise<void> {
    this.sockets.push(socket);
    socket.on("message", (data, isBinary) => {
      socket.send(isBinary ? data : `echo ${data.toString()}`, { binary: isBinary });
    });
    socket.on("close", (code) => this.news.emit("closed", code));
    this.news.emit("socket", socket);
  }
  async engineWebhook(body: string, headers: RawRequest["headers"]): Promise<void> {
    if (headers["webhook-signature"] !== "v1,good") throw new InvalidSignatureError("no account's secret fits");
    this.engineBodies.push(body);
  }
  #verify(request: RawRequest): void {
    if (request.headers["x-signature"] !== "good") throw new InvalidSignatureError("it differs from publicUrl's");
  }
}

/** Keeps its lines. */
export class LinesLogger implements Logger {
  readonly lines: { level: string; message: string; fields: unknown }[] = [];
  debug = this.#at("debug");
  info = this.#at("info");
  warn = this.#at("warn");
  error = this.#at("error");
  #at(level: string) {
    return (message: string, fields?: unknown) => void this.lines.push({ level, message, fields });
  }
}
