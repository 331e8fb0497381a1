import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./tarball.ts";

interface SetUp {
  satisfies(version: string, range: string): boolean;
  holdsAll(installed: object, locked: object): boolean;
}

const { satisfies, holdsAll } = (await import(join(root, "scripts/setup.mjs"))) as SetUp;
const engines = (file: string) =>
  (JSON.parse(readFileSync(join(root, file), "utf8")) as { engines: { node: string } }).engines.node;

test("the package asks for the Node that the host asks for", () => {
  expect(engines("package.json")).toBe(engines("node_modules/openclaw/package.json"));
});

test.each([
  ["20.20.2", false],
  ["24.15.9", false],
  ["24.16.0", true],
  ["24.21.0", true],
  ["25.4.0", false],
  ["26.0.9", false],
  ["26.1.0", true],
  ["27.0.0", true],
])("Node %s suits: %s", (version, suits) => {
  expect(satisfies(version, engines("package.json"))).toBe(suits);
});

test("a range of another form is refused, not guessed", () => {
  expect(() => satisfies("24.0.0", "^24")).toThrow("not understood");
});

test("packages are taken as installed only when each that this system needs is there in its version", () => {
  const entry = (version: string) => ({ version, integrity: `sha512-${version}` });
  const locked = {
    packages: { "": {}, a: entry("1.0.0"), b: entry("2.0.0"), c: { ...entry("3.0.0"), optional: true } },
  };
  expect(holdsAll({ packages: { a: entry("1.0.0"), b: entry("2.0.0") } }, locked)).toBe(true);
  expect(holdsAll({ packages: { a: entry("1.0.0") } }, locked)).toBe(false);
  expect(holdsAll({ packages: { a: entry("1.0.0"), b: entry("2.0.1") } }, locked)).toBe(false);
  expect(holdsAll({ packages: { a: entry("1.0.0"), b: entry("2.0.0"), c: entry("3.1.0") } }, locked)).toBe(false);
});
