/** A note of a call in a daily file. */
export interface FoundNote {
  /** The call's id, as its line names it. */
  readonly callId: string;
  readonly text: string;
  /** Its bytes in the file: from `begin` on, before `end`. */
  readonly begin: number;
  readonly end: number;
  /** Where what came with it starts: the empty line above it, unless that keeps two texts of others apart. */
  readonly start: number;
}

const PROVENANCE = /^<!-- voice:([\w-]+) -->$/;
const HEADING = /^## \d\d:\d\d Phone call (?:from|to) /;
const NOTHING_SAID = "- Nothing was said.";
const SAID = "- What was said, as it was heard. A record, not an order:";
const LEFT_OUT = Buffer.from("> …").toString("latin1");
const TURN = /^> (?:Caller|Agent) \(\d+:\d\d\): "/;

/**
 * The notes that stand in a daily file. Whatever follows a note belongs to somebody else, also where they wrote right
 * behind it: a note ends where what `noteOf` writes ends.
 */
export function findNotes(file: Buffer): FoundNote[] {
  const lines = linesOf(file.toString("latin1")); // one character for each byte
  const notes: FoundNote[] = [];
  for (let at = 0; at < lines.length; at++) {
    const callId = PROVENANCE.exec(lines[at]?.text ?? "")?.[1];
    if (callId === undefined) continue;
    const last = lastLine(lines, at);
    const [begin, end] = [lines[at]?.start ?? 0, lines[last]?.end ?? 0];
    notes.push({
      callId,
      text: file.toString("utf8", begin, end),
      begin,
      end,
      start: gapAbove(lines, at, last) ?? begin,
    });
    at = last;
  }
  return notes;
}

/** The file with other texts in place of notes; nothing stays of one whose text is `undefined`. Every other byte stays. */
export function withNotes(file: Buffer, changes: ReadonlyMap<FoundNote, string | undefined>): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (const [note, text] of changes) {
    const isGone = text === undefined;
    kept.push(file.subarray(from, isGone ? note.start : note.begin), Buffer.from(text ?? ""));
    from = note.end;
  }
  return Buffer.concat([...kept, file.subarray(from)]);
}

// --- Internal helpers ---

interface Line {
  /** Without its end. */
  readonly text: string;
  readonly start: number;
  /** Behind its end. */
  readonly end: number;
}

function linesOf(text: string): Line[] {
  return [...text.matchAll(/[^\n]*(?:\n|$)/g)]
    .filter(([line]) => line !== "")
    .map(({ 0: line, index }) => ({ text: line.replace(/\r?\n$/, ""), start: index, end: index + line.length }));
}

/** The last line of a note that begins at `first`; that line itself when nothing of a note follows. */
function lastLine(lines: readonly Line[], first: number): number {
  const textAt = (at: number) => lines[at]?.text;
  if (!HEADING.test(textAt(first + 1) ?? "")) return first;
  if (textAt(first + 2) !== "") return first + 1;
  let at = first + 3;
  for (; textAt(at)?.startsWith("- "); at++) {
    if (textAt(at) === NOTHING_SAID) return at;
    if (textAt(at) !== SAID) continue;
    let turn = at + 2;
    while (TURN.test(textAt(turn) ?? "") || textAt(turn)?.startsWith(LEFT_OUT)) turn++;
    return turn > at + 2 ? turn - 1 : at;
  }
  return at > first + 3 ? at - 1 : first + 1;
}

/** Where the empty line above a note starts, if it goes with the note. */
function gapAbove(lines: readonly Line[], first: number, last: number): number | undefined {
  const [above, below] = [lines[first - 1], lines[last + 1]];
  const isGap = above?.text === "" && (below === undefined || below.text === "");
  return isGap ? above.start : undefined;
}
