/** Whether a call is recorded: not at all, after saying so, or after asking. */
export type RecordingMode = "off" | "announce" | "ask";

/** The rule for a number: that of the longest prefix it begins with, else the account's own. */
export function recordingMode(
  number: string,
  { mode, byPrefix }: { readonly mode: RecordingMode; readonly byPrefix: Readonly<Record<string, RecordingMode>> },
): RecordingMode {
  const fitting = Object.keys(byPrefix).filter((prefix) => number.startsWith(prefix));
  const longest = fitting.reduce((best, prefix) => (prefix.length > best.length ? prefix : best), "");
  return byPrefix[longest] ?? mode;
}

/** Phrases that mean something else than their words. They are read, and taken out, before the words are; longest first. */
const PHRASES: readonly (readonly [phrase: string, meaning: Meaning])[] = [
  ...phrases(
    "unsure",
    "not sure|no idea|do not know|don t know|do not understand|don t understand|wie bitte|keine ahnung",
  ),
  ...phrases(
    "unsure",
    "weiß nicht|weiss nicht|nicht sicher|nicht verstanden|verstehe nicht|verstehe ich nicht|peut être",
  ),
  ...phrases("unsure", "sais pas|pas sûr|pas sûre|pas compris|comprends pas|no sé|no entiendo|tal vez|no estoy seguro"),
  ...phrases("yes", "no problem|not a problem|no objection|no objections|why not|do not mind|don t mind|go ahead"),
  ...phrases(
    "yes",
    "of course|all right|be my guest|kein problem|keine einwände|nichts dagegen|warum nicht|von mir aus",
  ),
  ...phrases("yes", "in ordnung|macht nichts|geht klar|pas de problème|pas de souci|aucun problème|pourquoi pas"),
  ...phrases(
    "yes",
    "bien sûr|d accord|ça va|ça marche|sin problema|no hay problema|por qué no|por supuesto|de acuerdo|está bien",
  ),
  ...phrases("no", "not okay|not ok|not fine|not all right|not alright|not agree|of course not|not at all|rather not"),
  ...phrases(
    "no",
    "do not agree|don t agree|do not consent|don t consent|can t|auf keinen fall|lieber nicht|nicht okay",
  ),
  ...phrases("no", "nicht ok|nicht einverstanden|nicht in ordnung|nicht recht|gar nicht|bien sûr que non|pas d accord"),
  ...phrases("no", "pas du tout|claro que no|no estoy de acuerdo|no de acuerdo|por supuesto que no|de ninguna manera"),
].sort(([a], [b]) => b.length - a.length);

const YES = words(
  "yes yeah yep yup sure okay ok fine alright agree agreed absolutely certainly definitely ja jawohl klar gern gerne " +
    "einverstanden natürlich selbstverständlich sicher oui ouais volontiers certainement évidemment sí claro vale bueno dale",
);
const NO = words(
  "no nope nah not never dont don cannot cant refuse decline nein nee nö nicht kein keine niemals ungern non pas jamais " +
    "nunca jamás tampoco",
);
/** Words that leave it open, whatever else is said. */
const OPEN = words("maybe perhaps wait depends vielleicht moment warte quizá quizás depende");
/** Said alone: the key that stands for an answer, and a word that means it only then. */
const ALONE: ReadonlyMap<string, Meaning> = new Map([
  ...phrases("yes", "1|one|eins|un|uno|si"),
  ...phrases("no", "2|two|zwei|zwo|deux|dos"),
]);

/**
 * How somebody answered whether they may be recorded, in English, German, French or Spanish. Only what is clear counts:
 * words for both, for neither, or that leave it open, are `unsure`.
 */
export function readConsent(said: string): Meaning {
  const plain = said
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
  const alone = ALONE.get(plain);
  if (alone) return alone;
  let rest = ` ${plain} `;
  const found = new Set<Meaning>();
  for (const [phrase, meaning] of PHRASES) {
    const without = rest.replaceAll(` ${phrase} `, "  ");
    if (without !== rest) found.add(meaning);
    rest = without;
  }
  for (const word of rest.split(" ")) {
    if (YES.has(word)) found.add("yes");
    if (NO.has(word)) found.add("no");
    if (OPEN.has(word)) found.add("unsure");
  }
  const [only = "unsure"] = found;
  return found.size === 1 ? only : "unsure";
}

// --- Internal helpers ---

type Meaning = "yes" | "no" | "unsure";

function phrases(meaning: Meaning, list: string): (readonly [string, Meaning])[] {
  return list.split("|").map((phrase) => [phrase, meaning] as const);
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(" "));
}
