import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Clips } from "../src/calls/clips.ts";
import { parseConfig } from "../src/config.ts";
import { systemClock } from "../src/core/clock.ts";
import { AccountUnavailableError, ConfigError, SecretMissingError, StoreError } from "../src/core/errors.ts";
import { type StandaloneHostOptions, standaloneHost } from "../src/hosts/standalone.ts";
import type { Finding } from "../src/http/doors.ts";
import { silentLogger } from "../src/logger.ts";
import { AccountBook } from "../src/plugin/accounts.ts";
import { examine, type Patient } from "../src/plugin/doctor.ts";
import { VoiceChannelPlugin } from "../src/plugin.ts";
import { memoryStore } from "../src/stores/memory.ts";
import { type PhoneNetwork, startPhoneNetwork } from "../src/testing/phone-network/index.ts";
import type { SpeechModel } from "../src/testing/speech-model/index.ts";
import { buzz, startModel } from "./testing/speech-model/kit.ts";

const PUBLIC_URL = "https://voice.example.com";
const SECRET = { source: "env", provider: "default", id: "TOKEN" } as const;

let phones: PhoneNetwork;
let model: SpeechModel;
let workspaceDir: string;
beforeEach(async () => {
  const clock = systemClock();
  phones = await startPhoneNetwork({ clock, voice: buzz, routes: {} });
  model = await startModel({ clock, apiKey: "sk-right" });
  workspaceDir = await mkdtemp(join(tmpdir(), "doctor-"));
});
afterEach(async () => {
  await Promise.all([phones.stop(), model.stop(), rm(workspaceDir, { recursive: true, force: true })]);
});

/** The settings of an account that can work, but for what is changed. */
function account(changes: { carrier?: object; engine?: object; [setting: string]: unknown } = {}) {
  const { accountSid, authToken, url: apiBaseUrl } = phones;
  return {
    number: "+15550001234",
    owner: { channel: "telegram", to: "555" },
    ...changes,
    carrier: { accountSid, authToken, apiBaseUrl, ...changes.carrier },
    engine: { apiKey: "sk-right", baseUrl: model.url, ...changes.engine },
  };
}

async function bookOf(accounts: Record<string, object>, settings: object = {}) {
  const parsed = parseConfig({ publicUrl: PUBLIC_URL, store: "memory", ...settings, accounts });
  const book = new AccountBook(parsed.settings.publicUrl, systemClock(), []);
  for (const [id, one] of parsed.accounts) await book.set(id, one);
  return { book, settings: parsed.settings };
}

/** A host with all that an account needs of one. */
const ABLE: StandaloneHostOptions = {
  logger: silentLogger,
  consult: () => "",
  record: () => {},
  send: () => ({}),
  answers: () => () => {},
  wake: () => {},
};

interface Case {
  readonly accounts: Record<string, object>;
  readonly settings?: object;
  readonly host?: StandaloneHostOptions;
  readonly changes?: Partial<Patient>;
}

async function findings({ accounts, settings: own, host, changes }: Case): Promise<readonly Finding[]> {
  const { book, settings } = await bookOf(accounts, own);
  const store = memoryStore();
  await store.start();
  return examine({
    watched: [],
    settings,
    accounts: book.running,
    statuses: book.ids.map((id) => book.status(id, 0)),
    listener: { host: "127.0.0.1", port: 3334, close: async () => {} } as unknown as Patient["listener"],
    store,
    host: standaloneHost({ ...ABLE, workspaceDir, ...host }),
    ...changes,
  });
}

/** A host that lacks these. */
const without = (...names: readonly (keyof StandaloneHostOptions)[]): StandaloneHostOptions =>
  Object.fromEntries(names.map((name) => [name, undefined]));
const of = (found: readonly Finding[], check: string, accountId?: string) =>
  found.find((finding) => finding.check === check && finding.accountId === accountId);
const complaints = (found: readonly Finding[]) => found.filter(({ level }) => level !== "ok");

describe("doctor", () => {
  test("finds nothing to complain of where everything works, and has asked everybody", async () => {
    const found = await findings({ accounts: { default: account() } });
    expect(complaints(found)).toEqual([]);
    expect(found.map(({ check }) => check).sort()).toEqual(
      [
        ...["carrier", "clips", "configuration", "engine", "owner_channel", "pairing", "port", "public_url"],
        ...["store", "tools", "workspace"],
      ].sort(),
    );
    expect(model.requests.map(({ path }) => path)).toEqual(["/v1/models/gpt-realtime-2.1"]);
  });

  test("says of every complaint what to do", async () => {
    const broken = memoryStore(); // never started
    const found = await findings({
      accounts: {
        good: account({ carrier: { authToken: "wrong" }, engine: { apiKey: "sk-wrong" } }),
        off: account({ enabled: false }),
        odd: account({ colour: "red" }),
        bare: account({ engine: { apiKey: SECRET } }),
      },
      settings: { publicUrl: "http://localhost:3334", listen: { port: 3334 } },
      host: { workspaceDir: join(workspaceDir, "none") },
      changes: { listener: undefined, store: broken },
    });
    expect(complaints(found).map(({ check, level, accountId }) => [check, level, accountId])).toEqual([
      ["configuration", "warning", "off"],
      ["configuration", "error", "odd"],
      ["secrets", "error", "bare"],
      ["port", "error", undefined],
      ["public_url", "warning", undefined],
      ["store", "error", undefined],
      ["carrier", "error", "good"],
      ["engine", "error", "good"],
      ["workspace", "error", "good"],
    ]);
    for (const { remedy } of complaints(found)) expect(remedy).toMatch(/^[A-Z].+\.$/);
    expect(of(found, "configuration", "odd")?.message).toContain("accounts.odd.colour");
    expect(of(found, "secrets", "bare")?.message).toContain("accounts.bare.engine.apiKey");
    expect(of(found, "engine", "good")?.message).toContain("engine.apiKey");
    expect(of(found, "port")?.message).toContain(":3334");
  });

  test("tells a side that refuses from one that cannot be reached, and judges each by itself", async () => {
    const { url } = model;
    await model.stop();
    const found = await findings({ accounts: { default: account({ engine: { baseUrl: url } }) } });
    expect(of(found, "engine", "default")).toMatchObject({
      level: "error",
      message: expect.stringContaining("Check engine.baseUrl"),
    });
    expect(of(found, "carrier", "default")?.level).toBe("ok");
  });

  test("names a model that does not exist", async () => {
    const found = await findings({ accounts: { default: account({ engine: { model: "gpt-9" } }) } });
    expect(of(found, "engine", "default")?.message).toContain("engine.model");
  });

  test.each([
    ["https://voice.example.com", "ok"],
    ["http://voice.example.com", "warning"],
    ["https://localhost:3334", "warning"],
    ["https://127.0.0.1", "warning"],
    ["https://[::1]:3334", "warning"],
  ])("judges whether a carrier can use %s: %s", async (publicUrl, level) => {
    const found = await findings({ accounts: {}, settings: { publicUrl } });
    expect(of(found, "public_url")?.level).toBe(level);
  });

  test("a store that takes no writes is an error, whatever else is fine", async () => {
    const store = memoryStore();
    const claim = async () => {
      throw new StoreError("The disk is full.");
    };
    const found = await findings({ accounts: { default: account() }, changes: { store: { ...store, claim } } });
    expect(complaints(found)).toEqual([
      expect.objectContaining({ check: "store", level: "error", message: expect.stringContaining("disk is full") }),
    ]);
  });

  test("an agent without a workspace is a warning: calls work, and know nothing", async () => {
    const route = () => ({ agentId: "main", sessionKey: "s" });
    const found = await findings({ accounts: { default: account() }, host: { route } });
    expect(complaints(found)).toEqual([expect.objectContaining({ check: "workspace", level: "warning" })]);
  });

  test("lists the clips that a language lacks, what callers hear instead, and files that are of no use", async () => {
    const { book } = await bookOf({ default: account() });
    const folder = join(workspaceDir, "clips");
    await mkdir(join(folder, "de"), { recursive: true });
    const speech = await readFile(new URL("../clips/en/apology.ulaw", import.meta.url));
    await writeFile(join(folder, "de/apology.ulaw"), speech);
    await writeFile(join(folder, "de/goodbye.ulaw"), "");
    const findClips = async (clips: Clips) => {
      const accounts = book.running.map((one) => ({ ...one, clips }));
      return of(await findings({ accounts: {}, changes: { accounts } }), "clips", "default");
    };
    expect(await findClips(new Clips({ language: "en-GB" }))).toMatchObject({ level: "ok" });
    const german = await findClips(new Clips({ language: "de", folder }));
    expect(german).toMatchObject({ level: "warning", remedy: expect.stringMatching(/de\/<name>\.ulaw.*set clips/) });
    expect(german?.message).toMatch(/^Clips for de: missing one-moment, .*goodbye.*; callers hear English\./);
    expect(german?.message).not.toContain("apology");
    expect(german?.message).toContain("goodbye.ulaw is empty.");
    const bare = await findClips(new Clips({ language: "en", packaged: join(workspaceDir, "none") }));
    expect(bare).toMatchObject({
      level: "error",
      message: expect.stringMatching(/missing cue, .*callers hear nothing/),
    });
  });

  test("says what an account without an owner goes without, and one whose host sends nothing", async () => {
    const ownerless = await findings({ accounts: { default: account({ owner: undefined }) } });
    expect(complaints(ownerless)).toEqual([
      expect.objectContaining({ check: "owner_channel", level: "warning", accountId: "default" }),
    ]);
    expect(of(ownerless, "owner_channel", "default")).toMatchObject({
      message: expect.stringMatching(/nobody gets cards, codes and questions/),
      remedy: expect.stringContaining("accounts.default.owner"),
    });
    const mute = await findings({ accounts: { default: account() }, host: without("send", "answers") });
    expect(complaints(mute)).toEqual([
      expect.objectContaining({
        check: "owner_channel",
        level: "warning",
        message: expect.stringContaining("no messages"),
      }),
    ]);
    const deaf = await findings({ accounts: { default: account() }, host: without("answers") });
    expect(of(deaf, "owner_channel", "default")).toMatchObject({
      level: "ok",
      message: expect.stringContaining("nothing is asked"),
    });
  });

  test("an agent that is to take turns needs a host that gives them to it, and has its own tools", async () => {
    const agent = account({ brain: "agent" });
    const unable = await findings({ accounts: { default: agent } });
    expect(complaints(unable)).toEqual([
      expect.objectContaining({ check: "brain", level: "error", remedy: expect.stringContaining("brain to engine") }),
    ]);
    const host = { ask: () => {} };
    expect(of(await findings({ accounts: { default: agent }, host }), "brain", "default")).toMatchObject({
      level: "ok",
    });
    const shop = { label: "shop", url: "https://shop.example.com/mcp" };
    const equipped = await findings({ accounts: { default: { ...agent, mcpServers: [shop] } }, host });
    expect(complaints(equipped)).toEqual([
      expect.objectContaining({ check: "brain", level: "warning", remedy: expect.stringContaining("mcpServers") }),
    ]);
  });

  test("status says without asking anybody what doctor says of the accounts that run", async () => {
    const accounts = { default: account({ owner: undefined }), off: account({ enabled: false }) };
    const config = { publicUrl: PUBLIC_URL, store: "memory", listen: { port: 0 }, accounts };
    const host = standaloneHost({ ...ABLE, workspaceDir });
    const plugin = new VoiceChannelPlugin({ config, host, stateDir: workspaceDir });
    await plugin.start();
    try {
      const { settings } = await plugin.status();
      expect(model.requests).toEqual([]);
      expect(settings.map(({ check, level, accountId }) => [check, level, accountId])).toEqual([
        ["owner_channel", "warning", "default"],
        ["tools", "ok", "default"],
      ]);
      expect(await plugin.doctor()).toEqual(expect.arrayContaining([...settings]));
    } finally {
      await plugin.stop();
    }
  });

  test("a host that cannot wake the agent is no fault, and is noted only where it would be woken", async () => {
    const host = without("wake");
    const noted = await findings({ accounts: { default: account() }, host });
    expect(of(noted, "wake", "default")).toMatchObject({ level: "ok", message: expect.stringContaining("not woken") });
    const unwanted = await findings({ accounts: { default: account({ afterCall: { wake: false } }) }, host });
    expect(of(unwanted, "wake", "default")).toBeUndefined();
  });

  test("counts the tools of an account, and names those that everybody who rings may use", async () => {
    const tool = (name: string, trust: string) => ({
      name,
      trust,
      description: "Looks.",
      url: "https://shop.example.com",
    });
    const tools = [tool("order_status", "known"), tool("opening_hours", "stranger")];
    const mcpServers = [{ label: "shop", url: "https://shop.example.com/mcp" }];
    const found = await findings({ accounts: { default: account({ tools, mcpServers }), bare: account() } });
    expect(of(found, "tools", "default")?.message).toBe(
      "Tools of its settings: 2 (order_status, opening_hours). For everybody who rings: opening_hours. MCP servers: 1 (shop).",
    );
    expect(of(found, "tools", "bare")?.message).toBe("Tools of its settings: 0. MCP servers: 0.");
  });

  test("a host that cannot say where an agent belongs is a finding, not a failure", async () => {
    const route = () => {
      throw new Error("There is no such agent.");
    };
    const found = await findings({ accounts: { default: account() }, host: { route } });
    expect(of(found, "workspace", "default")).toMatchObject({
      level: "error",
      message: expect.stringContaining("callback `route`"),
    });
  });
});

describe("accounts", () => {
  test("stand by themselves: a wrong one and one without its secret leave the others running", async () => {
    const { book } = await bookOf({
      good: account(),
      odd: account({ colour: "red" }),
      keyless: account({ engine: { apiKey: SECRET } }),
      tokenless: account({ carrier: { authToken: SECRET } }),
      hookless: account({ engine: { webhookSecret: SECRET } }),
      off: account({ enabled: false }),
    });
    expect(book.running.map(({ id }) => id)).toEqual(["good"]);
    const states = book.ids.map((id) => book.status(id, 0));
    expect(states).toEqual([
      { accountId: "good", state: "running", number: "+15550001234", liveCalls: 0 },
      { accountId: "odd", state: "misconfigured", liveCalls: 0, problem: expect.stringContaining("odd.colour") },
      expect.objectContaining({ state: "secret_missing", problem: expect.stringContaining("keyless.engine.apiKey") }),
      expect.objectContaining({
        state: "secret_missing",
        problem: expect.stringContaining("tokenless.carrier.authToken"),
      }),
      expect.objectContaining({
        state: "secret_missing",
        problem: expect.stringContaining("hookless.engine.webhookSecret"),
      }),
      { accountId: "off", state: "stopped", number: "+15550001234", liveCalls: 0 },
    ]);
  });

  test("that do not run say why to whoever needs them", async () => {
    const { book } = await bookOf({
      good: account(),
      odd: account({ colour: "red" }),
      keyless: account({ engine: { apiKey: SECRET } }),
      off: account({ enabled: false }),
    });
    expect(book.require("good").id).toBe("good");
    expect(() => book.require("keyless")).toThrow(SecretMissingError);
    expect(() => book.require("odd")).toThrow(/"odd" is not available: accounts\.odd\.colour/);
    expect(() => book.require("off")).toThrow(/disabled/);
    expect(() => book.require("nobody")).toThrow(/there are: good, odd, keyless, off/);
    expect(() => book.require("nobody")).toThrow(AccountUnavailableError);
  });

  test("run again with settings that are right, and stop with settings that are not", async () => {
    const { book } = await bookOf({ default: account({ engine: { apiKey: SECRET } }) });
    const set = (raw: object) => book.set("default", bookParse(raw));
    expect(book.running).toEqual([]);
    expect((await set(account()))?.id).toBe("default");
    expect(book.status("default", 2)).toMatchObject({ state: "running", liveCalls: 2 });
    expect(await set(account({ colour: "red" }))).toBeUndefined();
    expect(book.running).toEqual([]);
    book.remove("default");
    expect(book.ids).toEqual([]);
    expect(book.status("default", 0)).toEqual({ accountId: "default", state: "stopped", liveCalls: 0 });
  });
});

function bookParse(raw: object) {
  const parsed = parseConfig({ publicUrl: PUBLIC_URL, accounts: { default: raw } }).accounts.get("default");
  if (!parsed) throw new ConfigError("accounts.default", "is missing");
  return parsed;
}
