/** An element: its attributes, its child elements and the text between them, entities resolved. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** All character data inside, that of descendants included, in document order. */
  readonly text: string;
}

interface OpenElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
}

const NAME = "[A-Za-z_][\\w.:-]*";
const TOKEN = new RegExp(
  [
    "<\\?[^]*?\\?>", // declaration or processing instruction
    "<!--[^]*?-->",
    "<!\\[CDATA\\[(?<cdata>[^]*?)\\]\\]>",
    `</(?<close>${NAME})\\s*>`,
    `<(?<open>${NAME})(?<attributes>(?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(?<empty>/?)>`,
    "(?<text>[^<]+)",
  ].join("|"),
  "y",
);
const ATTRIBUTE = new RegExp(`(${NAME})\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "g");
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/**
 * Reads a small XML document (no DOCTYPE, no namespaces).
 * @throws SyntaxError when the text is not well formed
 */
export function parseXml(source: string): XmlElement {
  const text = source.replace(/^\uFEFF/, "");
  const stack: OpenElement[] = [];
  let root: XmlElement | undefined;
  TOKEN.lastIndex = 0;
  const close = () => {
    const element = stack.pop() as OpenElement;
    const parent = stack.at(-1);
    if (parent) {
      parent.children.push(element);
      parent.text += element.text;
    } else root = element;
  };
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.groups;
    if (!token) throw new SyntaxError(`Not well-formed XML at character ${at}: ${text.slice(at, at + 20)}`);
    const { open, close: closed, cdata, text: raw } = token;
    if (open !== undefined) {
      if (root) throw new SyntaxError(`A second root element <${open}> at character ${at}.`);
      stack.push({ name: open, attributes: readAttributes(token["attributes"] ?? ""), children: [], text: "" });
      if (token["empty"]) close();
    } else if (closed !== undefined) {
      if (stack.at(-1)?.name !== closed) throw new SyntaxError(`</${closed}> at character ${at} closes nothing.`);
      close();
    } else if (cdata !== undefined || raw !== undefined) {
      const characters = cdata ?? resolveEntities(raw as string);
      const parent = stack.at(-1);
      if (parent) parent.text += characters;
      else if (characters.trim()) throw new SyntaxError(`Text outside the root element at character ${at}.`);
    }
  }
  if (stack.length > 0) throw new SyntaxError(`<${stack.at(-1)?.name}> is not closed.`);
  if (!root) throw new SyntaxError("There is no root element.");
  return root;
}

function readAttributes(source: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, double, single] of source.matchAll(ATTRIBUTE)) {
    if (Object.hasOwn(attributes, name as string)) throw new SyntaxError(`The attribute ${name} stands twice.`);
    attributes[name as string] = resolveEntities(double ?? single ?? "");
  }
  return attributes;
}

function resolveEntities(raw: string): string {
  return raw.replace(/&([^;\s]*)(;?)/g, (whole, name: string, end: string) => {
    const code = /^#(?:x([\da-f]+)|(\d+))$/i.exec(name);
    const resolved = code
      ? String.fromCodePoint(code[1] ? Number.parseInt(code[1], 16) : Number(code[2]))
      : ENTITIES[name];
    if (resolved === undefined || !end) throw new SyntaxError(`${whole} is not an entity.`);
    return resolved;
  });
}
