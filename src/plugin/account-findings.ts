import type { Account } from "../calls/account.ts";
import type { Host } from "../hosts/host.ts";
import type { Finding } from "../http/doors.ts";

/** What the settings of an account mean with this host, each that takes something away with its remedy. Asks nobody. */
export function accountFindings(account: Account, { capabilities }: Pick<Host, "capabilities">): readonly Finding[] {
  const { id: accountId, afterCall } = account;
  const found = [owner(account, capabilities), ...brain(account, capabilities), tools(account)];
  if (afterCall.wake && !capabilities.wake) {
    const message = "The agent is not woken after calls: this host has no way to do it.";
    found.push({ level: "ok", check: "wake", accountId, message });
  }
  return found;
}

// --- Internal helpers ---

function owner({ id: accountId, owner: named }: Account, { send, answers }: Host["capabilities"]): Finding {
  const found = { check: "owner_channel", accountId } as const;
  const key = `accounts.${accountId}.owner`;
  if (!named) {
    return {
      ...found,
      level: "warning",
      message: "No owner is set: nobody gets cards, codes and questions of its calls.",
      remedy: `Set ${key} to a channel and a person in it, such as {channel: telegram, to: "555"}.`,
    };
  }
  if (!send) {
    return {
      ...found,
      level: "warning",
      message: `Its owner is not reached in ${named.channel}: this host sends no messages. There are no cards, codes and questions.`,
      remedy: `Pass \`send\` to standaloneHost(), or take ${key} away.`,
    };
  }
  const message = answers
    ? `Its owner gets cards, codes and questions in ${named.channel}.`
    : `Its owner gets cards and codes in ${named.channel}; answers do not come back, so nothing is asked.`;
  return { ...found, level: "ok", message };
}

function brain({ id: accountId, ...account }: Account, { ask }: Host["capabilities"]): readonly Finding[] {
  if (account.brain !== "agent") return [];
  const found = { check: "brain", accountId } as const;
  const key = `accounts.${accountId}`;
  if (!ask) {
    return [
      {
        ...found,
        level: "error",
        message: "The agent is to take the turns of calls, and this host has no way to give them to it.",
        remedy: `Pass \`ask\` to standaloneHost(), or set ${key}.brain to engine.`,
      },
    ];
  }
  if (account.tools.length + account.mcpServers.length === 0) {
    return [{ ...found, level: "ok", message: "The agent itself takes the turns of calls." }];
  }
  return [
    {
      ...found,
      level: "warning",
      message: "The agent itself takes the turns of calls, with its own tools: those of the account are not for it.",
      remedy: `Take tools and mcpServers of ${key} away, or set its brain to engine.`,
    },
  ];
}

function tools({ id: accountId, tools: own, mcpServers }: Account): Finding {
  const all = own.map(({ name }) => name);
  const everybody = own.filter(({ trust }) => trust === "stranger").map(({ name }) => name);
  const message = [
    `Tools of its settings: ${counted(all)}.`,
    everybody.length > 0 && `For everybody who rings: ${everybody.join(", ")}.`,
    `MCP servers: ${counted(mcpServers.map(({ server }) => server.label))}.`,
  ];
  return { level: "ok", check: "tools", accountId, message: message.filter(Boolean).join(" ") };
}

function counted(names: readonly string[]): string {
  return names.length === 0 ? "0" : `${names.length} (${names.join(", ")})`;
}
