// Writes the configuration's JSON Schema, as src/config.ts has it, into openclaw.plugin.json.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { configJsonSchema } from "../src/config.ts";

const file = fileURLToPath(new URL("../openclaw.plugin.json", import.meta.url));

/** The manifest's text with the schema of `channels.voice` as the code has it now; everything else is kept. */
export function withSchema(manifest: string): string {
  const { channelConfigs, ...rest } = JSON.parse(manifest) as { channelConfigs: { voice: object } };
  const voice = { ...channelConfigs.voice, schema: configJsonSchema() };
  return `${JSON.stringify({ ...rest, channelConfigs: { ...channelConfigs, voice } }, undefined, 2)}\n`;
}

if (import.meta.main) await writeFile(file, withSchema(await readFile(file, "utf8")));
