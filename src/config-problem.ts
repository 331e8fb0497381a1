import { z } from "zod";
import { ConfigError } from "./core/errors.ts";

/** What is wrong with settings, for people: the field, the reason and what to do. An unknown key names the nearest known one. */
export function firstProblem(
  error: z.ZodError,
  schema: z.ZodObject,
  prefix: string,
  raw: unknown,
  alsoKnown: string[] = [],
): ConfigError {
  // A misspelt key is also a missing one; the spelling is what helps.
  const issue = (error.issues.find(({ code }) => code === "unrecognized_keys") ?? error.issues[0]) as z.core.$ZodIssue;
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0] as string;
    const nearest = nearestKey(unknown, [...knownKeys(schema, path), ...alsoKnown]);
    const hint = nearest === undefined ? "Remove it." : `Did you mean "${nearest}"?`;
    return new ConfigError(`${prefix}${[...path, unknown].join(".")}`, `there is no such setting. ${hint}`, {
      cause: error,
    });
  }
  const key = `${prefix}${path.join(".")}`.replace(/\.$/, "");
  const missing = path.length > 0 && valueAt(raw, path) === undefined;
  return new ConfigError(key, missing ? "is required and missing" : issue.message, { cause: error });
}

// --- Internal helpers ---

function valueAt(raw: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], raw);
}

function knownKeys(schema: z.ZodObject, path: readonly string[]): string[] {
  let node: z.core.$ZodType = schema;
  for (const key of path) {
    while (!(node instanceof z.ZodObject) && "innerType" in node._zod.def)
      node = node._zod.def.innerType as z.core.$ZodType;
    const child: z.core.$ZodType | undefined = node instanceof z.ZodObject ? node.shape[key] : undefined;
    if (!child) return [];
    node = child;
  }
  while (!(node instanceof z.ZodObject) && "innerType" in node._zod.def)
    node = node._zod.def.innerType as z.core.$ZodType;
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

function nearestKey(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(word.toLowerCase(), candidate.toLowerCase()),
  }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(2, Math.ceil(best.candidate.length / 2)) ? best.candidate : undefined;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
