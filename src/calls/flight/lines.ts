import type { VoiceEvents } from "../../core/events.ts";
import type { EngineFact, EnginePatch, ResponseOrder } from "../../engines/engine.ts";
import type { Unstamped } from "../journal.ts";
import type { Leave } from "../leaving.ts";
import type { Tap } from "./tap.ts";

/** Texts of ours or of a fixed list: they are kept as they are. */
const PLAIN = new Set(["type", "speaker", "status", "cause", "code", "name", "model", "how", "by", "trust"]);
/** Ids, of ours or of somebody else's. */
const IDS = new Set(["id", "itemId", "responseId", "sessionId", "toolCallId", "streamId"]);
/** Neither their text nor its length is the same in a replay. */
const LEFT_OUT = new Set(["argumentsJson", "atMs", "usage"]);

const long = (text: string): string => `~${text.length}`;

/** An event as the journal is told of it. */
export function noteLine({ type, ...facts }: Unstamped, tap: Tap): string {
  return `${type}${factsOf(facts, tap)}`;
}

/** What listeners are told. */
export function emitLine<Name extends keyof VoiceEvents>(name: Name, payload: VoiceEvents[Name], tap: Tap): string {
  if (name === "partial") {
    const { speaker, text } = payload[0] as VoiceEvents["partial"][0]; // the most frequent by far
    return `tells partial ${speaker} ${long(text)}`;
  }
  const told = name === "costChanged" ? [] : payload.filter((one) => !isSummary(one));
  return `tells ${name}${told.map((one) => factOf("", one, tap)).join("")}`;
}

/** A response that is asked for. */
export function orderLine({ cause, text, instructions }: ResponseOrder): string {
  const lengths = [text === undefined ? "" : ` text${long(text)}`, instructions === undefined ? "" : " instructed"];
  return `respond ${cause}${lengths.join("")}`;
}

/** What a session is told of what happened outside it. */
export function factsLine(facts: readonly EngineFact[]): string {
  const one = (fact: EngineFact) =>
    "speaker" in fact ? ` ${fact.speaker}${long(fact.text)}` : ` ${fact.name}${long(fact.output)}`;
  return facts.map(one).join("");
}

export function patchLine({ instructions, tools, mcpServers }: EnginePatch): string {
  const told = instructions === undefined ? "" : ` instructions${long(instructions)}`;
  return `update${told}${tools ? ` tools=${tools.length}` : ""}${mcpServers ? ` servers=${mcpServers.length}` : ""}`;
}

export function leaveLine({ reason, said, error }: Leave): string {
  return `leaves ${reason} said=${said}${error ? ` error=${error.code}` : ""}`;
}

// --- Internal helpers ---

function factsOf(facts: object, tap: Tap): string {
  return Object.entries(facts)
    .map(([key, value]) => factOf(key, value, tap))
    .join("");
}

function factOf(key: string, value: unknown, tap: Tap): string {
  if (LEFT_OUT.has(key) || value === undefined) return "";
  if (value instanceof Error) return ` ${"code" in value ? value.code : value.name}`;
  if (typeof value === "object" && value !== null) return factsOf(value, tap);
  const is = key === "" ? " " : ` ${key}=`;
  if (typeof value !== "string") return `${is}${value}`;
  if (PLAIN.has(key)) return `${is}${value}`;
  return IDS.has(key) ? `${is}${tap.nameOf(value)}` : `${is}${long(value)}`;
}

const isSummary = (payload: unknown): boolean =>
  payload === undefined || (typeof payload === "object" && payload !== null && "callId" in payload);
