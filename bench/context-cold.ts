import { pathToFileURL } from "node:url";
import { timedBuild, type WorkspaceFacts } from "./context-workspace.ts";

// One process's first context of a large workspace. Prints how long it took, in milliseconds.

const [pluginModule = "", facts = ""] = process.argv.slice(2);
const { VoiceContextManager } = (await import(pathToFileURL(pluginModule).href)) as typeof import("../src/index.ts");
const { elapsedMs } = await timedBuild(VoiceContextManager, JSON.parse(facts) as WorkspaceFacts, async () => {});
process.stdout.write(JSON.stringify(elapsedMs));
