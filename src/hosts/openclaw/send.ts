import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import { sendDurableMessageBatch } from "openclaw/plugin-sdk/channel-outbound";
import { HostError } from "../../core/errors.ts";
import type { ChannelAddress, MessageButton, OutgoingMessage } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";

/** Marks our buttons among those of all plugins: their values travel as `ocv:<value>`. */
export const BUTTONS = "ocv";

/** What channels can take under one message. */
const MOST_BUTTONS = 10;
/** With our mark and the host's own (12 bytes on Telegram, of 64), a longer value would silently become plain text. */
const LONGEST_VALUE = 40;
/** So many buttons stand side by side. */
const PER_ROW = 3;

/**
 * Sends a message to a person in another channel, without a turn and outside every session. Resolves with the
 * channel's own name of the message.
 * @throws HostError the channel did not take it, or a button does not fit; of a long text a part may have gone out
 */
export async function sendMessage(
  cfg: OpenClawConfig,
  { channel, to, accountId }: ChannelAddress,
  { text, buttons = [] }: OutgoingMessage,
  signal: AbortSignal,
): Promise<{ readonly messageId?: string }> {
  signal.throwIfAborted();
  if (channel === CHANNEL) throw new HostError("A telephone number takes calls, not texts: nothing was sent.");
  checkButtons(buttons);
  const presentation = buttons.length > 0 ? { presentation: { blocks: rows(buttons) } } : {};
  const result = await sendDurableMessageBatch({
    cfg,
    channel,
    to,
    ...(accountId !== undefined && { accountId }),
    payloads: [{ text, ...presentation }],
    signal,
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    throw new HostError(`The message to ${channel} was not sent.`, { cause });
  });
  switch (result.status) {
    case "sent": {
      const messageId = result.results[0]?.messageId;
      return messageId === undefined ? {} : { messageId: String(messageId) };
    }
    case "suppressed":
      throw new HostError(`The host kept back the message to ${channel}: ${result.reason}.`);
    case "partial_failed":
      throw new HostError(`Only a part of the message to ${channel} was sent.`, { cause: result.error });
    case "failed":
      throw new HostError(`The message to ${channel} was not sent.`, { cause: result.error });
  }
}

// --- Internal helpers ---

function checkButtons(buttons: readonly MessageButton[]): void {
  if (buttons.length > MOST_BUTTONS) {
    throw new HostError(`A message carries ${MOST_BUTTONS} buttons at most; this one has ${buttons.length}.`);
  }
  for (const { label, value } of buttons) {
    if (label.trim() === "") throw new HostError("A button has no label.");
    if (!/^[!-~]+$/.test(value) || value.length > LONGEST_VALUE) {
      throw new HostError(
        `The button "${label}" cannot be sent: its value must be 1 to ${LONGEST_VALUE} characters of printable ASCII.`,
      );
    }
  }
}

function rows(buttons: readonly MessageButton[]) {
  const blocks = [];
  for (let first = 0; first < buttons.length; first += PER_ROW) {
    const row = buttons.slice(first, first + PER_ROW).map(({ label, value }) => ({
      label,
      action: { type: "callback" as const, value: `${BUTTONS}:${value}` },
    }));
    blocks.push({ type: "buttons" as const, buttons: row });
  }
  return blocks;
}
