import type { SpeechModel } from "../../src/testing/speech-model/index.ts";

/** What the newest session of the model was told that had been said. */
export function toldHistory({ sessions }: Pick<SpeechModel, "sessions">): string[] {
  return (sessions.at(-1)?.received ?? []).flatMap((message) => {
    const item = message["item"] as { role?: string; content?: { text?: string }[] } | undefined;
    return message.type === "conversation.item.create" && item?.role !== "system"
      ? [item?.content?.[0]?.text ?? ""]
      : [];
  });
}
