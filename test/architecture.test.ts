import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => read(join(entry.parentPath, entry.name)));

/** One thing a file takes from elsewhere. */
interface Import {
  /** A path below `src` for a file of the project, otherwise the package or builtin as written. */
  readonly target: string;
  readonly own: boolean;
  readonly typeOnly: boolean;
  /** Loaded when the code reaches it, by `import()`, rather than with the file. */
  readonly lazy: boolean;
}

interface SourceFile {
  /** Path below `src`, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

const CONTRACTS = ["carriers/carrier.ts", "engines/engine.ts", "stores/store.ts", "hosts/host.ts"];
const MANAGERS = ["session-manager.ts", "context-manager.ts", "call-handler.ts"];
const VENDORS = [
  "twilio",
  "loopback",
  "openai-realtime",
  "openai-live",
  "fallback",
  "sqlite",
  "postgres",
  "memory",
  "standalone",
];

/** Folders and single files that share one rule. */
type Layer =
  | "core"
  | "audio"
  | "contract"
  | "adapter"
  | "calls"
  | "manager"
  | "http"
  | "config"
  | "logger"
  | "openclaw"
  | "testing"
  | "dashboard"
  | "top";

/** What each layer may import beside itself. `top` (the plugin, the command, the public surface) composes everything. */
const MAY_IMPORT: Record<Layer, readonly Layer[]> = {
  core: [],
  audio: [],
  contract: ["core"],
  adapter: ["contract", "core", "audio"],
  calls: ["core", "audio", "contract"],
  manager: ["calls", "core", "contract"],
  http: ["manager", "calls", "core", "contract", "config"],
  config: ["core"],
  // Writes the lines that a host's contract speaks of; what runs without a host uses it.
  logger: ["core", "contract"],
  openclaw: ["top", "config", "contract", "core", "logger"],
  testing: ["contract", "core", "audio"],
  dashboard: [],
  top: ["core", "audio", "contract", "adapter", "calls", "manager", "http", "config", "logger", "testing"],
};

describe("imports follow the design's table", () => {
  test.each(files.map((file) => [file.path, file] as const))("%s", (_, file) => {
    expect(file.imports.map((one) => objection(file.path, one)).filter((said) => said !== undefined)).toEqual([]);
  });
});

test("no source file is longer than 400 lines", () => {
  expect(files.filter(({ text }) => text.split("\n").length > 401).map(({ path }) => path)).toEqual([]);
});

test("contracts and core name no vendor; core may cite one as the source of a fact", () => {
  const vendor = /twilio|openai/i;
  const code = ts.createPrinter({ removeComments: true });
  const named = files.filter(
    ({ path, text, tree }) =>
      (CONTRACTS.includes(path) && vendor.test(text)) ||
      (layerOf(path) === "core" && vendor.test(code.printFile(tree))),
  );
  expect(named.map(({ path }) => path)).toEqual([]);
});

test("no module keeps changing state outside what an owner made", () => {
  expect(files.flatMap(({ path, tree }) => moduleState(tree).map((name) => `${path}: ${name}`))).toEqual([]);
});

test("no catch says nothing", () => {
  expect(files.flatMap(({ path, tree }) => emptyCatches(tree).map((line) => `${path}:${line}`))).toEqual([]);
});

test("the rules see every way to import, and every layer", () => {
  const sample = parse("calls/sample.ts", [
    'import type { A } from "../core/a.ts";',
    'import { type B } from "../engines/b.ts";',
    'export { c } from "../stores/c.ts";',
    'const d = () => import("../http/d.ts");',
    'const e = new URL("./e.ts", import.meta.url);',
    'type F = import("hono").F;',
  ]);
  expect(sample.imports.map(({ target, typeOnly, lazy }) => [target, typeOnly, lazy])).toEqual([
    ["core/a.ts", true, false],
    ["engines/b.ts", true, false],
    ["stores/c.ts", false, false],
    ["http/d.ts", false, true],
    ["calls/e.ts", false, true],
    ["hono", true, false],
  ]);
  expect(sample.imports.filter((one) => objection(sample.path, one) !== undefined).map(({ target }) => target)).toEqual(
    ["engines/b.ts", "stores/c.ts", "http/d.ts", "hono"],
  );
  const stateful = parse("calls/sample.ts", [
    "let count = 0;",
    "const calls = new Map<string, number>();",
    "const table = new Map([[1, 2]]);",
    "export const add = (id: string) => calls.set(id, count++);",
    "globalThis.voice = table.get(1);",
    "try { add(''); } catch {}",
  ]);
  expect(moduleState(stateful.tree)).toEqual(["count", "calls", "globalThis"]);
  expect(emptyCatches(stateful.tree)).toEqual([6]);
});

// --- Internal helpers ---

function layerOf(path: string): Layer {
  if (CONTRACTS.includes(path)) return "contract";
  if (MANAGERS.includes(path)) return "manager";
  const [first = "", second] = path.split("/");
  if (first === "hosts" && second === "openclaw") return "openclaw";
  if (["carriers", "engines", "stores", "hosts"].includes(first)) return "adapter";
  if (["core", "audio", "calls", "http", "testing", "dashboard"].includes(first)) return first as Layer;
  if (/^config(-[a-z]+)?\.ts$/.test(path)) return "config";
  return path === "logger.ts" ? "logger" : "top";
}

/** Why `path` may not import this; undefined when it may. */
function objection(path: string, { target, own, typeOnly, lazy }: Import): string | undefined {
  const layer = layerOf(path);
  if (!own) return packageObjection(path, layer, target, typeOnly);
  const other = layerOf(target);
  if (layer === "adapter" && other === "adapter") return adapterObjection(path, target);
  if (other === layer) return undefined;
  if (layer === "openclaw" && target === "hosts/bare.ts") return undefined; // what every host answers to what it cannot do
  if (!MAY_IMPORT[layer].includes(other)) return `${layer} may not import ${target}`;
  if (layer === "contract" && !typeOnly) return `a contract may take only types from ${target}`;
  if (layer === "adapter" && other === "contract" && dirname(target) !== path.split("/")[0])
    return `an adapter knows its own contract only, not ${target}`;
  if (layer === "openclaw" && other === "contract" && target !== "hosts/host.ts")
    return `the host may not import ${target}`;
  if (layer === "openclaw" && other === "top" && target !== "plugin.ts") return `the host may not import ${target}`;
  if (other === "testing" && path === "plugin.ts") return "the plugin does not need the test kit";
  if (other === "testing" && !lazy && !typeOnly && !path.startsWith("demo/")) return `${target} is to be loaded lazily`;
  return undefined;
}

function adapterObjection(path: string, target: string): string | undefined {
  if (path.split("/")[0] !== target.split("/")[0]) return `an adapter may not import ${target}`;
  if (posix.basename(path) === "index.ts" && path.split("/").length === 2) return undefined; // it lists them all
  const [mine, theirs] = [vendorOf(path), vendorOf(target)];
  return theirs !== undefined && mine !== theirs ? `${path} may not import the adapter ${target}` : undefined;
}

/** The adapter a file belongs to; none for a piece that the folder's adapters share. */
function vendorOf(path: string): string | undefined {
  const name = path.split("/")[1] ?? "";
  return VENDORS.find((vendor) => name === vendor || name.startsWith(`${vendor}.`) || name.startsWith(`${vendor}-`));
}

function packageObjection(path: string, layer: Layer, target: string, typeOnly: boolean): string | undefined {
  if (/^(date-fns|twilio|gpt-tokenizer)$/.test(target)) return `${target} costs too much as a whole: import by subpath`;
  if (/^openclaw(\/|$)/.test(target) && layer !== "openclaw") return `${target} belongs to hosts/openclaw`;
  if (/^twilio\//.test(target) && !path.startsWith("carriers/twilio/")) return `${target} belongs to its carrier`;
  if (/^(hono|@hono)(\/|$)/.test(target) && !["http", "testing", "top"].includes(layer))
    return `${target} belongs to http`;
  if (layer === "audio") return `audio stands alone, without ${target}`;
  if (layer === "core") {
    const pure = /^(date-fns|@date-fns\/tz|libphonenumber-js)\//.test(target) || target === "libphonenumber-js";
    return pure ? undefined : `${target} is not a pure package`;
  }
  if (layer === "contract" && !(typeOnly && target === "node:stream")) return `a contract may not import ${target}`;
  return undefined;
}

function read(file: string): SourceFile {
  const path = relative(src, file).split(sep).join("/");
  return parse(path, readFileSync(file, "utf8").split("\n"));
}

function parse(path: string, lines: readonly string[]): SourceFile {
  const text = lines.join("\n");
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const take = (literal: ts.Node | undefined, typeOnly: boolean, lazy: boolean) => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return;
    const own = literal.text.startsWith(".");
    imports.push({ target: own ? posix.join(posix.dirname(path), literal.text) : literal.text, own, typeOnly, lazy });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) take(node.moduleSpecifier, isTypeOnly(node.importClause), false);
    else if (ts.isExportDeclaration(node)) take(node.moduleSpecifier, node.isTypeOnly, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) take(node.argument.literal, true, false);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      take(node.arguments[0], false, true);
    else if (
      ts.isNewExpression(node) &&
      node.expression.getText(tree) === "URL" &&
      node.arguments?.[1]?.getText(tree) === "import.meta.url"
    )
      for (const literal of strings(node.arguments[0])) if (literal.text.endsWith(".ts")) take(literal, false, true);
  });
  return { path, text, tree, imports };
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return (
    clause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.every((one) => one.isTypeOnly)
  );
}

function strings(node: ts.Node | undefined): ts.StringLiteralLike[] {
  const found: ts.StringLiteralLike[] = [];
  if (node) walk(node, (inner) => ts.isStringLiteralLike(inner) && found.push(inner));
  return found;
}

/** Names of what one module shares and changes: every top-level `let`, collections that grow, `globalThis`. */
function moduleState(tree: ts.SourceFile): string[] {
  const found: string[] = [];
  for (const statement of tree.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
    for (const { name } of statement.declarationList.declarations)
      if (!constant || isChanged(tree, name.getText(tree))) found.push(name.getText(tree));
  }
  walk(tree, (node) => {
    if (!ts.isIdentifier(node) || node.text !== "globalThis") return;
    const read = ts.isPropertyAccessExpression(node.parent) && !isAssigned(node.parent); // as in globalThis.fetch
    if (!read) found.push("globalThis");
  });
  return found;
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isAssigned(node: ts.Node): boolean {
  const { parent } = node;
  return ts.isBinaryExpression(parent) && parent.left === node && isAssignment(parent.operatorToken.kind);
}

/** Whether a function of the module calls a changing method of the collection `name`. Filling it at load is fine. */
function isChanged(tree: ts.SourceFile, name: string): boolean {
  let changed = false;
  walk(tree, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    const { expression, name: method } = node.expression;
    if (
      expression.getText(tree) !== name ||
      !/^(set|add|delete|clear|push|pop|shift|unshift|splice)$/.test(method.text)
    )
      return;
    changed ||= ts.findAncestor(node, ts.isFunctionLike) !== undefined;
  });
  return changed;
}

function emptyCatches(tree: ts.SourceFile): number[] {
  const lines: number[] = [];
  walk(tree, (node) => {
    const silent =
      ts.isCatchClause(node) && node.block.statements.length === 0 && !/\/[/*]/.test(node.block.getText(tree));
    if (silent) lines.push(tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1);
  });
  return lines;
}

function walk(node: ts.Node, visit: (node: ts.Node) => unknown): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
