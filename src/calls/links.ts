import { type Call, callerNumber } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { type Principal, proposeLink } from "../core/links.ts";
import type { AnsweredQuestion } from "../core/questions.ts";
import type { CallerRef, ChannelAddress, Host } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { Account } from "./account.ts";
import { said } from "./afterwards/card.ts";
import { type AnswerDesk, questionIdFor } from "./answer-desk.ts";
import { removeDocument } from "./remove-document.ts";

const LINK = "link";
const PROPOSAL = "link-proposal";
const OPEN_FOR_MS = 7 * 24 * 60 * 60 * 1000;
const [YES, NO] = ["Yes", "No"];

/** Whose number it is, as the owner has confirmed. It names a person and never trusts them: a number can be forged. */
export interface Link {
  readonly principal: string;
  /** Where that person is reached in text. */
  readonly addresses: readonly ChannelAddress[];
  readonly by: "owner";
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** A link of our own, and the number that has it. */
export interface NumberLink extends Link {
  readonly accountId: string;
  /** E.164. */
  readonly number: string;
}

/** Whose link is to be taken back. */
export interface UnlinkOrder {
  /** E.164. */
  readonly number: string;
  /** Of this account; of every account unless told. */
  readonly accountId?: string;
}

/** A link that the owner was asked about. */
interface Proposal {
  readonly callId: string;
  readonly principal: string;
  readonly addresses: readonly ChannelAddress[];
  readonly questionId: string;
}

/** The link of our own that a number has. @throws StoreError */
export async function ownLink(
  store: Pick<Store, "document">,
  { accountId, number }: Pick<CallerRef, "accountId" | "number">,
): Promise<Link | undefined> {
  return (await store.document<Link>(LINK, keyOf(accountId, number)))?.value;
}

/** All links of our own, or those of one account, by account and number. @throws StoreError */
export async function ownLinks(store: Pick<Store, "documents">, ofAccount?: string): Promise<readonly NumberLink[]> {
  const links = (await store.documents<Link>(LINK)).map(({ key, value }) => ({ ...numberOf(key), ...value }));
  return links.filter(({ accountId }) => ofAccount === undefined || accountId === ofAccount);
}

/**
 * Takes back the links of a number: from now on its calls are nobody's by name. The owner is not asked about it again.
 * Resolves with those that were there. @throws StoreError
 */
export async function removeLinks(
  store: Pick<Store, "documents" | "document" | "keep">,
  { number, accountId }: UnlinkOrder,
): Promise<readonly NumberLink[]> {
  const links = (await ownLinks(store, accountId)).filter((link) => link.number === number);
  for (const link of links) await removeDocument(store, LINK, keyOf(link.accountId, number));
  return links;
}

/** Where the person of a number is reached in text: as the host's links say, then our own. What fails adds nothing. */
export async function linkedAddresses(
  { host, store }: { readonly host: Pick<Host, "linked" | "logger">; readonly store: Pick<Store, "document"> },
  caller: CallerRef,
): Promise<readonly ChannelAddress[]> {
  const without = (whose: string) => (error: unknown) => {
    host.logger.warn("Linked channels are not known.", { callId: caller.callId, whose, error: String(error) });
    return undefined;
  };
  const [hosts, own] = await Promise.all([
    host.linked(caller).catch(without("host")),
    ownLink(store, caller).catch(without("own")),
  ]);
  const all = [...(hosts ?? []), ...(own?.addresses ?? [])];
  return all.filter((one, at) => all.findIndex((other) => isSame(one, other)) === at);
}

export interface LinkProposalsParts {
  readonly desk: AnswerDesk;
  readonly store: Store;
  readonly clock: Clock;
}

/** Asks the owner after a call whose number it was, where the call gives reason to. Only their yes makes a link. */
export class LinkProposals {
  readonly #parts: LinkProposalsParts;

  constructor(parts: LinkProposalsParts) {
    this.#parts = parts;
    parts.desk.on("link", (question) => this.#answered(question));
  }

  /**
   * Asks at most once for each number of an account; taken again for the same call after a failure, it asks no second
   * time. Resolves with whether it was asked because of this call. @throws StoreError @throws HostError nobody was asked
   */
  async propose(call: Call, { owner }: Pick<Account, "owner">, principals: readonly Principal[]): Promise<boolean> {
    const { desk, store } = this.#parts;
    const proposed = owner && proposeLink(call, principals);
    if (!proposed) return false;
    const { id: callId, accountId } = call;
    const number = callerNumber(call);
    if (await ownLink(store, { accountId, number })) return false;
    const { name: principal, addresses } = proposed.principal;
    const proposal: Proposal = { callId, principal, addresses, questionId: questionIdFor(LINK, accountId, number) };
    const key = keyOf(accountId, number);
    const first = await store.keep(PROPOSAL, key, proposal, 0);
    if (!first && (await store.document<Proposal>(PROPOSAL, key))?.value.callId !== callId) return false;
    await desk.ask({
      id: proposal.questionId,
      accountId,
      callId,
      kind: "link",
      about: number,
      address: owner,
      text: questionText(number, proposal, proposed.because),
      options: [YES, NO],
      openForMs: OPEN_FOR_MS,
    });
    return true;
  }

  async #answered({ id, accountId, about: number, option }: AnsweredQuestion): Promise<string | undefined> {
    if (number === undefined) return undefined;
    const { store } = this.#parts;
    const proposal = (await store.document<Proposal>(PROPOSAL, keyOf(accountId, number)))?.value;
    if (proposal?.questionId !== id) return "That is no longer open.";
    const { principal, addresses } = proposal;
    if (option !== 0) return `Then ${number} stays without a name. I will not ask again.`;
    await this.#make(keyOf(accountId, number), { principal, addresses, by: "owner", atMs: this.#parts.clock.now() });
    return `From now on calls with ${number} are calls with ${principal}.`;
  }

  async #make(key: string, link: Link): Promise<void> {
    const { store } = this.#parts;
    for (;;) {
      const version = (await store.document<Link>(LINK, key))?.version ?? 0;
      if (await store.keep(LINK, key, link, version)) return;
    }
  }
}

// --- Internal helpers ---

const keyOf = (accountId: string, number: string) => `${accountId}:${number}`;

function numberOf(key: string): Pick<NumberLink, "accountId" | "number"> {
  const at = key.lastIndexOf(":");
  return { accountId: key.slice(0, at), number: key.slice(at + 1) };
}

function isSame(a: ChannelAddress, b: ChannelAddress): boolean {
  return a.channel === b.channel && a.to === b.to && a.accountId === b.accountId;
}

function questionText(number: string, { principal, addresses }: Proposal, because: string): string {
  const channels = [...new Set(addresses.map(({ channel }) => channel))].join(", ");
  const who = channels === "" ? principal : `${principal} (on ${channels})`;
  return (
    `Is ${number} the number of ${who}?\nOn the call with it: ${said(because, 200)}\n\n` +
    "Anybody can give a name and a number can be forged: say yes only if you know that it is theirs."
  );
}
