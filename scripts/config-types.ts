// Writes what an operator may configure, as src/config.ts has it, into src/config-types.ts: plain types with their
// sentences, so that whoever embeds the channel needs no validation library to be told of a wrong key.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { configJsonSchema, type JsonSchema } from "../src/config.ts";

const file = fileURLToPath(new URL("../src/config-types.ts", import.meta.url));

/** The text of src/config-types.ts as the schema is now. */
export function configTypes(): string {
  const shape = typeOf(configJsonSchema(), "");
  return `// Generated from src/config.ts by \`npm run manifest\`.

/** What an operator writes: \`channels.voice\` in OpenClaw, or the whole YAML file standalone. */
export interface VoiceConfig ${shape}
`;
}

if (import.meta.main) await writeFile(file, configTypes());

// --- Internal helpers ---

function typeOf(schema: JsonSchema, indent: string): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((choice) => typeOf(choice, indent)).join(" | ");
  switch (schema.type) {
    case "array":
      return listOf(typeOf(schema.items ?? {}, indent), schema.items?.properties !== undefined);
    case "object":
      return schema.properties
        ? interfaceOf(schema.properties, schema.required ?? [], indent)
        : `Record<string, ${typeOf(schema.additionalProperties as JsonSchema, indent)}>`;
    case "integer":
      return "number";
    default:
      return schema.type ?? "unknown";
  }
}

/** A list; brackets stand where the formatter leaves them. */
function listOf(type: string, isObject: boolean): string {
  return isObject || /^\w+$/.test(type) ? `${type}[]` : `(${type})[]`;
}

function interfaceOf(properties: Record<string, JsonSchema>, required: readonly string[], indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).flatMap(([key, schema]) => {
    const usually =
      schema.default !== undefined && schema.type !== "object" && ` Default: ${JSON.stringify(schema.default)}.`;
    const words = `${schema.description ?? ""}${usually || ""}`.trim();
    return [
      ...(words ? [`${inner}/** ${words} */`] : []),
      `${inner}${key}${required.includes(key) ? "" : "?"}: ${typeOf(schema, inner)};`,
    ];
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}
