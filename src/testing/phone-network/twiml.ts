import type { TwilioError } from "./types.ts";
import { parseXml, type XmlElement } from "./xml.ts";

/** One instruction of a TwiML document, defaults filled in. */
export type Verb =
  | { readonly verb: "Say"; readonly text: string; readonly loop: number }
  | { readonly verb: "Play"; readonly url: string; readonly digits: string; readonly loop: number }
  | { readonly verb: "Pause"; readonly ms: number }
  | { readonly verb: "Redirect"; readonly url: string; readonly method: "GET" | "POST" }
  | { readonly verb: "Connect"; readonly stream: StreamOrder; readonly action: string; readonly method: "GET" | "POST" }
  | { readonly verb: "Reject"; readonly reason: "busy" | "rejected" }
  | { readonly verb: "Hangup" };

/** What a `<Stream>` asks for. */
export interface StreamOrder {
  readonly url: string;
  readonly name: string;
  readonly track: string;
  readonly statusCallback: string;
  readonly statusCallbackMethod: "GET" | "POST";
  readonly parameters: Readonly<Record<string, string>>;
}

export interface TwimlDocument {
  readonly verbs: readonly Verb[];
  /** Elements and attributes that were ignored, as the debugger warns of them. */
  readonly warnings: readonly TwilioError[];
}

/** A TwiML answer that cannot be executed; `code` is what Twilio's debugger shows. */
export class TwimlRefused extends Error {
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TwimlRefused";
    this.code = code;
  }
}

/** Longest name plus value of a `<Parameter>`, in characters. */
const PARAMETER_LIMIT = 500;

/**
 * Reads a TwiML document. Unknown verbs are skipped with warning 12200, as Twilio does.
 * @throws TwimlRefused 12100 when it is not well-formed XML with a `<Response>` root
 */
export function parseTwiml(source: string): TwimlDocument {
  const root = readRoot(source);
  const warnings: TwilioError[] = [];
  const warn = (message: string) => warnings.push({ code: 12_200, message: `Schema validation warning: ${message}` });
  const verbs = root.children.flatMap((element) => readVerb(element, warn) ?? []);
  return { verbs, warnings };
}

function readRoot(source: string): XmlElement {
  let root: XmlElement;
  try {
    root = parseXml(source);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TwimlRefused(12_100, `Document parse failure: ${reason}`, { cause });
  }
  if (root.name !== "Response") {
    throw new TwimlRefused(12_100, `Document parse failure: the root is <${root.name}>, not <Response>.`);
  }
  return root;
}

function readVerb(element: XmlElement, warn: (message: string) => void): Verb | undefined {
  const { attributes } = element;
  const text = element.text.trim();
  switch (element.name) {
    case "Say":
      return { verb: "Say", text, loop: count(attributes["loop"]) };
    case "Play":
      return { verb: "Play", url: text, digits: attributes["digits"] ?? "", loop: count(attributes["loop"]) };
    case "Pause":
      return { verb: "Pause", ms: Number(attributes["length"] ?? 1) * 1000 };
    case "Redirect":
      return { verb: "Redirect", url: text, method: readMethod(attributes["method"]) };
    case "Hangup":
      return { verb: "Hangup" };
    case "Reject":
      return { verb: "Reject", reason: attributes["reason"] === "busy" ? "busy" : "rejected" };
    case "Connect": {
      const [first, ...others] = element.children;
      if (first?.name !== "Stream" || others.length > 0) {
        warn("<Connect> is modelled with exactly one <Stream>; it is skipped.");
        return undefined;
      }
      const { action = "", method } = attributes;
      return { verb: "Connect", stream: readStream(first, warn), action, method: readMethod(method) };
    }
    default:
      warn(`<${element.name}> is not a verb known here; it is skipped.`);
      return undefined;
  }
}

function readStream({ attributes, children }: XmlElement, warn: (message: string) => void): StreamOrder {
  const parameters: Record<string, string> = {};
  for (const { name: element, attributes: parameter } of children) {
    const { name, value } = parameter;
    if (element !== "Parameter" || name === undefined || value === undefined) {
      warn(`<${element}> in <Stream> is not a <Parameter> with name and value.`);
    } else if (name.length + value.length > PARAMETER_LIMIT) {
      warn(`<Parameter name="${name}"> is longer than ${PARAMETER_LIMIT} characters.`);
    } else parameters[name] = value;
  }
  return {
    url: attributes["url"] ?? "",
    name: attributes["name"] ?? "",
    track: attributes["track"] ?? "inbound_track",
    statusCallback: attributes["statusCallback"] ?? "",
    statusCallbackMethod: readMethod(attributes["statusCallbackMethod"]),
    parameters,
  };
}

const readMethod = (method: string | undefined) => (method?.toUpperCase() === "GET" ? "GET" : "POST");

/** `loop`: 0 means until the call ends. */
function count(loop: string | undefined): number {
  const times = Number(loop ?? 1);
  return times === 0 ? Number.POSITIVE_INFINITY : times;
}
