import { type FaultKind, MAX_SOURCES } from "../content.ts";
import type { PhoneCall } from "./phone.ts";
import type { Schedule } from "./schedule.ts";
import type { ModelSession } from "./session.ts";
import { clipFrames, roomTone, type Sound, speech } from "./sound.ts";
import type { Spelling } from "./spelling.ts";
import { Tally } from "./tally.ts";

/** The voices of all calls. */
export interface Sounds {
  readonly tone: Sound;
  readonly caller: Sound;
  readonly agent: Sound;
  /** Frames that a bridge may play of its own. */
  readonly clips: ReadonlySet<string>;
}

export async function makeSounds(): Promise<Sounds> {
  return { tone: roomTone(), caller: speech(120), agent: speech(210), clips: await clipFrames() };
}

/** Everything of one run: both ends of every call, which find each other by what the sound says of itself. */
export class Exchange {
  readonly schedule: Schedule;
  readonly spelling: Spelling;
  readonly sounds: Sounds;
  readonly tally = new Tally();
  readonly calls = new Map<number, PhoneCall>();
  readonly sessions = new Map<number, ModelSession>();
  /** Legs by Twilio's id, for its REST API; they stay when they have ended. */
  readonly legs = new Map<string, Pick<PhoneCall, "isLive" | "hangUp">>();

  constructor(schedule: Schedule, sounds: Sounds, spelling: Spelling) {
    this.schedule = schedule;
    this.sounds = sounds;
    this.spelling = spelling;
  }

  get agentVoice(): Sound {
    return this.sounds.agent;
  }

  fault(kind: FaultKind): void {
    this.tally.faults[kind] += 1;
  }

  add(call: PhoneCall): void {
    this.calls.set(call.source, call);
    this.legs.set(call.legId, call);
    this.tally.counts.calls += 1;
  }

  /** A call is over and will not be asked for by its content; Twilio still knows how it ended. */
  forget(call: PhoneCall): void {
    if (this.calls.get(call.source) === call) this.calls.delete(call.source);
    this.legs.set(call.legId, { isLive: false, hangUp: () => Promise.resolve() });
  }

  addSession(session: ModelSession): void {
    this.sessions.set(session.source, session);
  }

  /** A session has heard a caller for the first time. */
  link(session: ModelSession, callSource: number): void {
    const call = this.calls.get(callSource % MAX_SOURCES);
    if (!call || (call.session && call.session !== session)) return;
    call.session = session;
    session.link(call);
  }

  /** A telephone has heard a session for the first time. */
  linkCall(call: PhoneCall, sessionSource: number): void {
    const session = this.sessions.get(sessionSource % MAX_SOURCES);
    if (!session) return;
    call.session = session;
    session.link(call);
  }

  sessionClosed(session: ModelSession): void {
    if (this.sessions.get(session.source) === session) this.sessions.delete(session.source);
  }
}
