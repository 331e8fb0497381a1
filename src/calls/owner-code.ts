import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { callerNumber } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { HostError, StoreError } from "../core/errors.ts";
import {
  CODE_DIGITS,
  CODE_LIVES_MS,
  makeCode,
  NO_CODES,
  type OwnerCodes,
  readCode,
  sendCode,
  takeBack,
  tryCode,
} from "../core/owner-code.ts";
import { mayUse } from "../core/trust.ts";
import type { Host, Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { Account } from "./account.ts";
import type { CallJournal } from "./journal.ts";
import type { KeyEntry, KeyRequest } from "./key-collector.ts";
import { CHECK_TOOL, codeMessage, SAID, SEND_TOOL, waitSentence } from "./owner-code-words.ts";
import type { ToolContext, VoiceTool } from "./tools.ts";

export interface OwnerCheckParts {
  readonly account: Pick<Account, "id" | "owner">;
  readonly host: Pick<Host, "capabilities" | "send">;
  readonly store: Pick<Store, "document" | "keep">;
  readonly journal: CallJournal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes the next keys that the caller presses as one entry. */
  readonly collectKeys: (request: KeyRequest) => Promise<KeyEntry>;
  /** Tells the model what happened outside its own doing, and has it answer. */
  readonly tell: (text: string) => void;
  /**
   * The caller is the owner, and that is written down: what they may know and use is to change now. The model hears
   * that the code was right when this is done, so that its answer knows what it may.
   */
  readonly onRaised: () => void | Promise<void>;
  /** Where codes come from; the system's source unless told. */
  readonly randomBytes?: (count: number) => Uint8Array;
}

/** The account's codes are one document: the rules hold over all calls at once, and over a restart. */
const KIND = "owner-code";
/** Changes of the document that may get in the way of one; each is somebody else's who was first. */
const MOST_ATTEMPTS = 50;
/** Codes are read from a screen, digit by digit. */
const BETWEEN_KEYS_MS = 6_000;

/**
 * Verifies on one call that the owner of the account speaks: a code goes to their own chat and comes back by voice or
 * by keys. What is stored of a code is sealed with a key that only this call has, so that it is right on no other call
 * and the store gives none away.
 */
export class OwnerCheck {
  readonly #parts: OwnerCheckParts;
  readonly #seal: Uint8Array;
  readonly #randomBytes: (count: number) => Uint8Array;
  /** When the code that this call sent last stops being right; 0: it has sent none. */
  #validUntilMs = 0;
  #takesKeys = false;
  #waitsForKeys = false;

  constructor(parts: OwnerCheckParts) {
    this.#parts = parts;
    this.#randomBytes = parts.randomBytes ?? randomBytes;
    this.#seal = randomBytes(32);
  }

  /** The tools for it: none where there is no owner, no way to reach them, or nobody left to be verified. */
  tools(): readonly VoiceTool[] {
    const { account, host } = this.#parts;
    if (!account.owner || !host.capabilities.send || this.#isOwner) return [];
    return [
      { ...SEND_TOOL, trust: "stranger", execute: (_, context) => this.#send(context) },
      {
        ...CHECK_TOOL,
        trust: "stranger",
        secretArguments: ["code"],
        execute: ({ code }) => this.#check(code),
      },
    ];
  }

  get #isOwner(): boolean {
    return mayUse(this.#parts.journal.call.trust, "owner");
  }

  get #callId(): string {
    return this.#parts.journal.call.id;
  }

  async #send({ signal }: ToolContext): Promise<string> {
    const { account, host, journal, clock } = this.#parts;
    if (!account.owner) throw new HostError("The account names no owner.");
    const code = makeCode(this.#randomBytes);
    const hash = this.#hash(code);
    const sentAtMs = Math.round(clock.now());
    const order = await this.#change((codes) => sendCode(codes, { callId: this.#callId, hash }, sentAtMs));
    if (order.verdict !== "sent") return waitSentence(order.verdict, order.againAtMs - sentAtMs);
    await journal.write({ type: "code.sent" });
    try {
      await host.send(account.owner, { text: codeMessage(code, callerNumber(journal.call)) }, signal);
    } catch (cause) {
      // A host that says so has sent nothing; after anything else the code may have arrived, and it counts.
      if (cause instanceof HostError) await this.#change((codes) => ({ codes: takeBack(codes, { hash, sentAtMs }) }));
      throw new HostError("The code could not be sent to the owner's chat.", { cause });
    }
    this.#validUntilMs = sentAtMs + CODE_LIVES_MS;
    this.#listenForKeys();
    return SAID.sent;
  }

  /** A code was said, or is to be keyed in. */
  async #check(code: unknown): Promise<string> {
    const said = typeof code === "number" ? String(code) : code;
    if (typeof said === "string" && said.trim() !== "") return this.#try(said);
    if (this.#validUntilMs === 0) return SAID.none;
    if (this.#leftMs <= 0) return SAID.expired;
    this.#listenForKeys();
    return SAID.keys;
  }

  /**
   * Takes keys for the code while one is valid. They are secret from the moment it leaves: who has the code before
   * their eyes may press it without being asked.
   */
  #listenForKeys(): void {
    if (this.#takesKeys) return;
    this.#takesKeys = true;
    void this.#takeKeys()
      .catch((error: unknown) =>
        this.#parts.logger.warn("Keys of a code were lost.", { callId: this.#callId, error: String(error) }),
      )
      .finally(() => {
        this.#takesKeys = false;
      });
  }

  async #takeKeys(): Promise<void> {
    const { collectKeys, tell, logger, journal } = this.#parts;
    for (let leftMs = this.#leftMs; leftMs > 0; leftMs = this.#leftMs) {
      this.#waitsForKeys = true;
      const request = { maxDigits: CODE_DIGITS, firstMs: leftMs, betweenMs: BETWEEN_KEYS_MS, secret: true };
      const { digits, endedBy } = await collectKeys(request);
      this.#waitsForKeys = false;
      if (endedBy === "superseded" || endedBy === "closed") return;
      if (digits === "") continue;
      const outcome = await this.#try(digits).catch((error: unknown) => {
        logger.warn("A code could not be checked.", { callId: this.#callId, error: String(error) });
        return SAID.failed;
      });
      if (journal.call.state === "ended") return;
      tell(SAID.keyed + outcome);
    }
  }

  /** For how long keys may still be a code. */
  get #leftMs(): number {
    return this.#validUntilMs - this.#parts.clock.now();
  }

  /** No code of this call's can be right any more: keys are plain keys again. */
  #giveUpCode(): void {
    this.#validUntilMs = 0;
    // Takes the place of the secret entry, and is over at once.
    if (this.#waitsForKeys) void this.#parts.collectKeys({ firstMs: 0 });
  }

  async #try(said: string): Promise<string> {
    const { journal, clock, logger, onRaised } = this.#parts;
    const code = readCode(said);
    if (code === undefined) return SAID.unreadable;
    const hash = this.#hash(code);
    const nowMs = Math.round(clock.now());
    const isRight = (kept: string) => isSame(kept, hash);
    const tried = await this.#change((codes) => tryCode(codes, { callId: this.#callId, isRight }, nowMs));
    const lockedNow = tried.verdict === "wrong" && tried.codes.lockedUntilMs > nowMs;
    if (lockedNow || tried.verdict !== "wrong") this.#giveUpCode();
    if (tried.verdict === "right") {
      await journal.write({ type: "code.tried", ok: true }, { type: "trust.raised", trust: "owner", by: "code" });
      await onRaised();
      return SAID.right;
    }
    await journal.write({ type: "code.tried", ok: false });
    if (tried.verdict === "locked") return waitSentence("locked", tried.againAtMs - nowMs);
    if (!lockedNow) return SAID[tried.verdict];
    logger.warn("Wrong owner codes were given; nobody is verified by one for an hour.", { callId: this.#callId });
    return SAID.lockedNow;
  }

  /** Changes the account's codes; whoever changes them meanwhile is not overwritten. @throws StoreError */
  async #change<Decision extends { readonly codes: OwnerCodes }>(
    decide: (codes: OwnerCodes) => Decision,
  ): Promise<Decision> {
    const { store, account } = this.#parts;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const held = await store.document<OwnerCodes>(KIND, account.id);
      const decision = decide(held?.value ?? NO_CODES);
      if (await store.keep(KIND, account.id, decision.codes, held?.version ?? 0)) return decision;
    }
    throw new StoreError(`The codes of the account ${account.id} could not be kept: others change them all the time.`);
  }

  #hash(code: string): string {
    return createHmac("sha256", this.#seal).update(code).digest("hex");
  }
}

// --- Internal helpers ---

/** Compares without telling by its time how much was right. */
function isSame(kept: string, given: string): boolean {
  const [a, b] = [Buffer.from(kept, "hex"), Buffer.from(given, "hex")];
  return a.length === b.length && timingSafeEqual(a, b);
}
