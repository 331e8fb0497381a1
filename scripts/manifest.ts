// Writes the configuration's JSON Schema, as src/config.ts has it, into openclaw.plugin.json.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { configJsonSchema, type JsonSchema } from "../src/config.ts";

const file = fileURLToPath(new URL("../openclaw.plugin.json", import.meta.url));

/** The manifest's text with the schema of `channels.voice` as the code has it now; everything else is kept. */
export function withSchema(manifest: string): string {
  const { channelConfigs, ...rest } = JSON.parse(manifest) as { channelConfigs: { voice: object } };
  const voice = { ...channelConfigs.voice, schema: loosen(configJsonSchema()) };
  return `${JSON.stringify({ ...rest, channelConfigs: { ...channelConfigs, voice } }, undefined, 2)}\n`;
}

if (import.meta.main) await writeFile(file, withSchema(await readFile(file, "utf8")));

// --- Internal helpers ---

/** Keeps structure and words only: a constraint in the manifest would stop the whole gateway, not the one account. */
function loosen(node: JsonSchema): JsonSchema {
  const description = [
    node.description,
    node.default !== undefined && node.type !== "object" && `Default: ${JSON.stringify(node.default)}.`,
  ];
  const text = description.filter(Boolean).join(" ");
  return {
    ...(text && { description: text }),
    ...(node.properties && { type: "object", properties: mapValues(node.properties, loosen) }),
    ...(typeof node.additionalProperties === "object" && {
      type: "object",
      additionalProperties: loosen(node.additionalProperties),
    }),
  };
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
