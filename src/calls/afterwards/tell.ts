import type { Call } from "../../core/call.ts";
import { sleep } from "../../core/clock.ts";
import { HostError } from "../../core/errors.ts";
import type { ChannelAddress, OutgoingMessage } from "../../hosts/host.ts";
import { cardButtons, cardText } from "./card.ts";
import { type PostCallParts, tried, wasAnswered } from "./step.ts";
import { noticeText, wakeText } from "./words.ts";

/** A channel that has not taken a message by then is asked again. */
const TAKEN_WITHIN_MS = 30_000;
/** How long it is remembered that a message went out: longer than it could be sent again. */
const REMEMBERED_MS = 2 * 24 * 60 * 60 * 1_000;
const MAX_NOTICES = 5;
/** Stands above a message of which it is not known whether it has arrived before. */
const PERHAPS_AGAIN = "(You may have had this message already.)";

/** Tells the owner of a call in their own chat. Resolves with what became of it. */
export async function sendCard(call: Call, parts: PostCallParts): Promise<string> {
  const { callers, account, host } = parts;
  const owner = cardAddress(call, parts);
  if (owner === undefined) return "none";
  const asked = await tried(parts, call, "card", () => callers.asked(call));
  const buttons = host.capabilities.buttons ? cardButtons(call) : [];
  const text = cardText(call, asked, account.timeZone);
  await sendOnce(call, parts, "card", owner, { text, ...(buttons.length > 0 && { buttons }) });
  return "sent";
}

/**
 * Tells the person in their other channels that they were on the telephone: who is known at least, and not where the
 * card went. So a person also learns that somebody rang with their number.
 */
export async function sendNotices(call: Call, parts: PostCallParts): Promise<string> {
  const { host, account } = parts;
  if (!account.afterCall.notifyLinked || !host.capabilities.send) return "none";
  if (!wasAnswered(call) || call.trust === "stranger") return "none";
  const linked = await tried(parts, call, "notice", () => parts.linked(call));
  const card = cardAddress(call, parts);
  const others = linked.filter(({ channel, to }) => channel !== card?.channel || to !== card.to).slice(0, MAX_NOTICES);
  for (const address of others) await sendOnce(call, parts, "notice", address, { text: noticeText(call) });
  return others.length === 0 ? "none" : "sent";
}

/**
 * Has the agent look at what the call leaves to do. A stranger wakes nobody: the owner decides, by the card. Where the
 * host kept the call out of a session that is shared, its note stays out too.
 */
export async function wakeAgent(call: Call, parts: PostCallParts): Promise<string> {
  const { host, account, store, callers } = parts;
  const { agentId, sessionKey } = call;
  if (!call.outcome?.needsAction || !account.afterCall.wake || !host.capabilities.wake) return "none";
  if (agentId === undefined || sessionKey === undefined) return "none";
  if (call.trust === "stranger") return "stranger";
  const entries = await tried(parts, call, "wake", () => store.journal(call.id));
  const recorded = entries.map(({ event }) => event).find(({ type }) => type === "session.recorded");
  if (recorded?.type === "session.recorded" && recorded.how === "withheld") return "withheld";
  const asked = await tried(parts, call, "wake", () => callers.asked(call));
  const note = { text: wakeText(call, asked), key: call.id };
  await tried(parts, call, "wake", () => inTime(parts, () => host.wake({ agentId, sessionKey }, note)));
  return "woken";
}

// --- Internal helpers ---

/** Where the card of this call goes, if it gets one. */
function cardAddress(call: Call, { host, account }: PostCallParts): ChannelAddress | undefined {
  return account.afterCall.card && host.capabilities.send && wasAnswered(call) ? account.owner : undefined;
}

/**
 * Sends a message once. A channel cannot be asked whether it has one: after a kill between its taking the message and
 * our knowing, it goes out again and says so, because a message too many is better than none.
 */
async function sendOnce(
  call: Call,
  parts: PostCallParts,
  step: "card" | "notice",
  address: ChannelAddress,
  message: OutgoingMessage,
): Promise<void> {
  const { host, store, clock, signal } = parts;
  const key = `${step}:${call.id}:${address.channel}:${address.to}`;
  const claim = await tried(parts, call, step, () => store.claim(key, clock.now(), clock.now() + REMEMBERED_MS));
  if (!claim.first && claim.answer !== undefined) return;
  let isDoubtful = !claim.first;
  await tried(parts, call, step, async () => {
    const text = isDoubtful ? `${PERHAPS_AGAIN}\n${message.text}` : message.text;
    try {
      await inTime(parts, (limited) => host.send(address, { ...message, text }, limited));
    } catch (error) {
      if (!(error instanceof HostError) && !signal.aborted) isDoubtful = true; // the host says when it was not taken
      throw error;
    }
  });
  await tried(parts, call, step, () => store.settle(key, "sent"));
}

async function inTime<Result>(
  { clock, signal }: PostCallParts,
  work: (limited: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const over = new AbortController();
  const limited = AbortSignal.any([signal, over.signal]);
  const tooLate = sleep(clock, TAKEN_WITHIN_MS, limited).then(() => {
    throw new Error(`The host did not take it within ${TAKEN_WITHIN_MS / 1_000} s.`);
  });
  try {
    return await Promise.race([work(limited), tooLate]);
  } finally {
    tooLate.catch(() => {}); // the loser of the race
    over.abort(new Error("The attempt is over."));
  }
}
