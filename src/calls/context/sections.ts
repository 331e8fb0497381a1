/** The front part of a file as sections, and how much of it that is. */
export interface Sections {
  readonly sections: readonly string[];
  /** What comes after them, and was not divided. */
  readonly rest: string;
}

/**
 * Divides Markdown into sections: each heading begins one, whatever its level. A file of one section counts its
 * paragraphs. Fenced code is never divided. Looks at the first `maxCharacters`.
 */
export function sectionsOf(markdown: string, maxCharacters: number): Sections {
  const window = markdown.slice(0, maxCharacters);
  const byHeading = divide(window, (line) => /^#{1,6}(?:\s|$)/.test(line));
  const sections = byHeading.length > 1 ? byHeading : divide(window, (_line, before) => before.trim() === "");
  if (window.length === markdown.length) return { sections, rest: "" };
  const cutThrough = sections.pop() ?? ""; // a section that the window cut through is not whole
  return { sections, rest: cutThrough + markdown.slice(maxCharacters) };
}

// --- Internal helpers ---

function divide(text: string, begins: (line: string, before: string) => boolean): string[] {
  const sections: string[] = [];
  let current: string[] = [];
  let fence: string | undefined;
  let before = "";
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (fence === undefined && begins(line, before)) {
      sections.push(current.join("\n").trim());
      current = [];
    }
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined && fence === undefined) fence = mark;
    else if (fence !== undefined && mark?.startsWith(fence)) fence = undefined;
    current.push(line);
    before = line;
  }
  return [...sections, current.join("\n").trim()].filter((section) => section !== "");
}
