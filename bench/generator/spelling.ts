/** How the generator writes its JSON: as the real services do, or in another way that means the same. */
export type Spelling = "usual" | "odd";

/** Writes an event. */
export function spell(event: object, spelling: Spelling): Buffer {
  return Buffer.from(spelling === "usual" ? JSON.stringify(event) : odd(event));
}

// --- Internal helpers ---

/** The same JSON with its keys in the opposite order, spaces and line breaks, and escaped slashes. */
function odd(value: unknown): string {
  if (Array.isArray(value)) return `[ ${value.map(odd).join(" ,\n")} ]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{\n ${members
      .reverse()
      .map(([key, member]) => `${JSON.stringify(key)} : ${odd(member)}`)
      .join(" , ")}\t}`;
  }
  return JSON.stringify(value).replaceAll("/", "\\/");
}
