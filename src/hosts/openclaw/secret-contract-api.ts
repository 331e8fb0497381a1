/** The host finds this file by its name when it resolves secrets before any plugin runs. */
export { channelSecrets, collectRuntimeConfigAssignments, secretTargetRegistryEntries } from "./secrets.ts";
