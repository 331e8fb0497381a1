import { access, constants } from "node:fs/promises";
import type { Account } from "../calls/account.ts";
import type { Clips } from "../calls/clips.ts";
import type { VoiceSettings } from "../config.ts";
import type { Host } from "../hosts/host.ts";
import type { AccountStatus, Finding } from "../http/doors.ts";
import type { Listener } from "../http/listener.ts";
import type { Store } from "../stores/store.ts";
import { accountFindings } from "./account-findings.ts";
import { damageFindings } from "./keeping.ts";

/** What `doctor` looks at. */
export interface Patient {
  readonly settings: VoiceSettings;
  readonly accounts: readonly Account[];
  readonly statuses: readonly AccountStatus[];
  readonly listener: Listener | undefined;
  readonly store: Store;
  readonly host: Host;
  /** What the continuous checks say. */
  readonly watched: readonly Finding[];
}

/** How long a carrier or engine may take to answer. */
const PROBE_MS = 8_000;

/** Checks everything that can be checked without a call. Each finding that is no `ok` says what to do. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
  const perAccount = patient.accounts.map((account) => examineAccount(account, patient.host));
  const damage = damageFindings(patient.store).catch(() => []); // the store's own finding says why
  const found = await Promise.all([checkStore(patient), damage, patient.host.report(), ...perAccount]);
  const here = [...patient.statuses.map(configuration), port(patient), publicUrl(patient.settings)];
  return [...here, ...found.flat(), ...patient.watched];
}

// --- Internal helpers ---

function configuration({ accountId, state, problem }: AccountStatus): Finding {
  if (state === "running")
    return { level: "ok", check: "configuration", accountId, message: "The settings are complete." };
  if (state === "stopped")
    return {
      level: "warning",
      check: "configuration",
      accountId,
      message: "The account is disabled.",
      remedy: "Set enabled: true.",
    };
  const check = state === "secret_missing" ? "secrets" : "configuration";
  return {
    level: "error",
    check,
    accountId,
    message: problem ?? "The account does not run.",
    remedy: "Correct the setting named here.",
  };
}

function port({ listener, settings }: Patient): Finding {
  const { host, port: wanted } = settings.listen;
  if (listener) return { level: "ok", check: "port", message: `Listening on ${listener.host}:${listener.port}.` };
  return {
    level: "error",
    check: "port",
    message: `Nothing listens on ${host}:${wanted}.`,
    remedy: "Let at least one account run, and free the port or set another one as listen.port.",
  };
}

function publicUrl({ publicUrl: url }: VoiceSettings): Finding {
  const { protocol, hostname } = new URL(url);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol === "https:" && !local)
    return { level: "ok", check: "public_url", message: `${url} can be a carrier's address.` };
  return {
    level: "warning",
    check: "public_url",
    message: local
      ? `${url} is this machine: no carrier can reach it.`
      : `${url} is not https: Twilio refuses media streams without TLS.`,
    remedy: "Set publicUrl to the https address by which the internet reaches this listener.",
  };
}

async function checkStore({ store, settings }: Patient): Promise<Finding> {
  try {
    const now = Date.now();
    await store.claim(`doctor:${now}`, now, now + 1);
    return { level: "ok", check: "store", message: `The ${settings.store} store takes writes.` };
  } catch (error) {
    return {
      level: "error",
      check: "store",
      message: String(error),
      remedy: "Make the state directory writable and leave room on its disk.",
    };
  }
}

async function examineAccount(account: Account, host: Host): Promise<readonly Finding[]> {
  const signal = AbortSignal.timeout(PROBE_MS);
  const asked = await Promise.all([
    probe("carrier", account, () => account.carrier.probe(signal)),
    probe("engine", account, () => account.engine.probe(signal)),
    workspace(account, host),
    ...(account.clips ? [spokenClips(account.id, account.clips)] : []),
  ]);
  return [...asked, ...accountFindings(account, host)];
}

async function probe(check: string, { id: accountId }: Account, ask: () => Promise<void>): Promise<Finding> {
  try {
    await ask();
    return { level: "ok", check, accountId, message: `The ${check} answers and accepts the credentials.` };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      level: "error",
      check,
      accountId,
      message,
      remedy: `Correct the account's ${check} settings, or try again when it can be reached.`,
    };
  }
}

async function workspace({ id: accountId, agentId, numbers }: Account, host: Host): Promise<Finding> {
  const found = { check: "workspace", accountId } as const;
  try {
    const { workspaceDir } = await host.route({
      accountId,
      agentId,
      number: numbers[0] as string,
      direction: "inbound",
    });
    if (workspaceDir === undefined)
      return {
        ...found,
        level: "warning",
        message: "The agent has no workspace: calls know no memory files.",
        remedy: "Give the agent a workspace.",
      };
    await access(workspaceDir, constants.R_OK | constants.W_OK);
    return { ...found, level: "ok", message: `The workspace is ${workspaceDir}.` };
  } catch (error) {
    return {
      ...found,
      level: "error",
      message: `The workspace cannot be used: ${String(error)}`,
      remedy: "Create the folder, or let this process read and write it.",
    };
  }
}

async function spokenClips(accountId: string, clips: Clips): Promise<Finding> {
  await clips.load();
  const { language, missing, problems } = clips;
  const found = { check: "clips", accountId } as const;
  if (missing.length === 0 && problems.length === 0)
    return { ...found, level: "ok", message: `The clips for ${language} are complete.` };
  const silent = missing.filter((name) => !clips.get(name));
  const english = missing.filter((name) => clips.get(name));
  return {
    ...found,
    level: silent.length > 0 ? "error" : "warning",
    message: [
      english.length > 0 && `Clips for ${language}: missing ${english.join(", ")}; callers hear English.`,
      silent.length > 0 && `Clips in any language: missing ${silent.join(", ")}; callers hear nothing.`,
      ...problems,
    ]
      .filter(Boolean)
      .join(" "),
    remedy: `Put raw µ-law files at 8 kHz into a folder, as ${language}/<name>.ulaw, and set clips to that folder.`,
  };
}
