import type { Account } from "../../src/calls/account.ts";

/** What a conversation asks of its account. */
export const CONVERSATION_ACCOUNT = {
  id: "default",
  turns: "ours",
  persona: { name: "Nia", instructions: "", greeting: "Hello.", language: "en" },
  limits: { idlePromptSeconds: 600, idleEndSeconds: 600 },
} as unknown as Account;
