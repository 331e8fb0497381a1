import { type Call, callerNumber } from "./call.ts";
import { parseE164 } from "./numbers.ts";

/** Somebody whom the host knows by name, and where they are reached in text. */
export interface Principal {
  readonly name: string;
  readonly addresses: readonly { readonly channel: string; readonly to: string; readonly accountId?: string }[];
}

/** A guess at whose number it was. */
export interface LinkProposal {
  readonly principal: Principal;
  /** The words that give the reason. */
  readonly because: string;
}

/** What stands before a name that the speaker gives as their own. */
const INTRODUCTIONS = [
  "this is",
  "my name is",
  "my name's",
  "i am",
  "i'm",
  "it is",
  "it's",
  "hier ist",
  "hier spricht",
  "ich bin",
  "mein name ist",
  "je suis",
  "je m'appelle",
  "soy",
  "me llamo",
];
/** What stands behind it. */
const SIGNATURES = ["speaking", "here", "calling", "on the phone", "on the line", "am apparat", "al habla"];
/** The same of a caller in the words of somebody else. */
const TOLD_BEFORE = ["caller is", "caller was", "caller named"].concat(
  ["themselves", "herself", "himself"].map((self) => `introduced ${self} as`),
);
const TOLD_BEHIND = ["called", "rang", "phoned", "is the caller", "was the caller"];

/**
 * Whether a call gives reason to believe that its number is somebody's whom the host knows: the caller gave their name,
 * or the outcome names them. A guess for the owner to confirm, never more: anybody can give any name. `undefined` when
 * there is no reason, when it may be several people, when the number is hidden, or when the host knows whose it is.
 */
export function proposeLink(call: Call, principals: readonly Principal[]): LinkProposal | undefined {
  if (call.principal !== undefined || call.answeredAtMs === undefined) return undefined;
  if (parseE164(callerNumber(call)) === undefined) return undefined;
  const found = principals.flatMap((principal) => {
    const because = reason(call, principal.name);
    return because === undefined ? [] : [{ principal, because }];
  });
  return found.length === 1 ? found[0] : undefined;
}

// --- Internal helpers ---

function reason({ transcript, outcome }: Call, name: string): string | undefined {
  const called = words(name);
  if (called.length === 0 || called.join("").length < 2) return undefined;
  const introduced = transcript.find(({ speaker, text }) => speaker === "caller" && givesName(text, called));
  if (introduced) return introduced.text;
  return [outcome?.summary, outcome?.outcome].find(
    (told) => told !== undefined && standsBetween(words(told), called, TOLD_BEFORE, TOLD_BEHIND),
  );
}

function givesName(text: string, name: readonly string[]): boolean {
  const said = words(text);
  const nothingElse = said.length === name.length && !text.includes("?") && name.every((word, at) => said[at] === word);
  return nothingElse || standsBetween(said, name, INTRODUCTIONS, SIGNATURES);
}

/** Whether the name stands somewhere behind one phrase of `before`, or in front of one of `behind`. */
function standsBetween(
  said: readonly string[],
  name: readonly string[],
  before: readonly string[],
  behind: readonly string[],
): boolean {
  return said.some((_, at) => {
    if (!name.every((word, offset) => said[at + offset] === word)) return false;
    const left = ` ${said.slice(0, at).join(" ")}`;
    const right = `${said.slice(at + name.length).join(" ")} `;
    return (
      before.some((phrase) => left.endsWith(` ${phrase}`)) || behind.some((phrase) => right.startsWith(`${phrase} `))
    );
  });
}

function words(text: string): string[] {
  return (
    text
      .normalize("NFC")
      .toLowerCase()
      .replaceAll("’", "'")
      .match(/[\p{L}\p{N}]+(?:['-][\p{L}\p{N}]+)*/gu) ?? []
  );
}
