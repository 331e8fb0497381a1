import { HostError } from "../core/errors.ts";
import type { Host } from "./host.ts";

/** What a host answers to what it cannot do. Spread it first, then add what the host can. */
export const bareHost: Omit<Host, "logger" | "route" | "admit" | "record" | "consult" | "report"> = {
  capabilities: {
    send: false,
    buttons: false,
    answers: false,
    complete: false,
    ask: false,
    wake: false,
    recentTurns: false,
  },
  async warmUp() {},
  send: () => refuse("send messages to other channels"),
  onAnswer: () => () => {},
  linked: async () => [],
  principals: async () => [],
  recentTurns: async () => [],
  complete: () => refuse("have a text model write"),
  ask: () => refuse("have the agent take turns of a call"),
  wake: () => refuse("wake the agent"),
};

// --- Internal helpers ---

async function refuse(what: string): Promise<never> {
  throw new HostError(`This host cannot ${what}.`);
}
