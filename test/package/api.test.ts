import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { root } from "./tarball.ts";

/** One line for each name that a module exports: what it is, and its name. */
function surface(files: Readonly<Record<string, string>>): Record<string, string> {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram(
    Object.values(files).map((file) => join(root, file)),
    options,
  );
  const checker = program.getTypeChecker();
  const list = (file: string) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, file)) as ts.SourceFile);
    const lines = checker.getExportsOfModule(module as ts.Symbol).map((symbol) => {
      const alias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      return `${kindOf(alias ? checker.getAliasedSymbol(symbol) : symbol)} ${symbol.name}`;
    });
    return `${lines.sort().join("\n")}\n`;
  };
  return Object.fromEntries(Object.entries(files).map(([name, file]) => [name, list(file)]));
}

function kindOf({ flags }: ts.Symbol): string {
  if (flags & ts.SymbolFlags.Class) return "class";
  if (flags & ts.SymbolFlags.Function) return "function";
  if (flags & ts.SymbolFlags.Variable) return "const";
  if (flags & ts.SymbolFlags.Interface) return "interface";
  return flags & ts.SymbolFlags.TypeAlias ? "type" : "unknown";
}

test("the public names are these; a change of them is a decision", async () => {
  const names = surface({ library: "src/index.ts", testing: "src/testing/index.ts" });
  await expect(names["library"]).toMatchFileSnapshot("__snapshots__/api.txt");
  await expect(names["testing"]).toMatchFileSnapshot("__snapshots__/api-testing.txt");
  expect(Object.values(names).join("")).not.toContain("unknown ");
}, 120_000);
