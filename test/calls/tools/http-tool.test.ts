import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import type { ResolvedAddress } from "../../../src/calls/tools/http-request.ts";
import { type HttpToolSettings, httpTools } from "../../../src/calls/tools/http-tool.ts";
import type { ToolContext } from "../../../src/calls/tools.ts";
import type { AccountConfig } from "../../../src/config.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A web service that notes what it is asked; says where it is. */
async function service(answer: RequestListener): Promise<{ origin: string; port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body: await text(request) });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, seen };
}

const SETTINGS: Omit<HttpToolSettings, "url"> = {
  name: "look_up_order",
  description: "Looks up an order.",
  parameters: { type: "object", properties: { order: {}, lines: {}, fast: {} } },
  method: "POST",
  trust: "known",
  timeoutSeconds: 10,
  maxCalls: 10,
  allowPrivateNetwork: true,
};

interface Changes {
  readonly env?: Record<string, string>;
  readonly resolve?: (hostname: string) => Promise<readonly ResolvedAddress[]>;
  readonly signal?: AbortSignal;
}

function run(settings: Partial<HttpToolSettings> & { url: string }, args: object = {}, changes: Changes = {}) {
  const { env = {}, resolve, signal = new AbortController().signal } = changes;
  const [tool] = httpTools([{ ...SETTINGS, ...settings }], {
    env,
    field: "accounts.a.tools",
    ...(resolve && { resolve }),
  });
  const context: ToolContext = {
    ...{ callId: "call_1", accountId: "a", caller: "+15550005678", trust: "known", transcript: [], signal },
  };
  return tool?.execute(args as Record<string, unknown>, context);
}

const json: RequestListener = (_request, response) => {
  response.setHeader("content-type", "application/json").end('{"state":"sent"}');
};

test("the settings of an account are what makes a tool", () => {
  const settings = [] as unknown as AccountConfig["tools"];
  expect(httpTools(settings, { env: {}, field: "tools" })).toEqual([]);
  const [tool] = httpTools([{ ...SETTINGS, url: "https://shop.example/" }], { env: {}, field: "tools" });
  expect(tool).toMatchObject({
    name: "look_up_order",
    trust: "known",
    timeoutMs: 10_000,
    maxCalls: 10,
    idempotent: false,
  });
});

test("arguments go as a JSON body, with the secret in its header", async () => {
  const { origin, seen } = await service(json);
  const secretHeader = { name: "Authorization", env: "SHOP_KEY", prefix: "Bearer " };
  const answer = await run({ url: `${origin}/orders`, secretHeader }, { order: "7" }, { env: { SHOP_KEY: "s3cret" } });
  expect(answer).toBe('{"state":"sent"}');
  expect(seen).toEqual([
    {
      method: "POST",
      url: "/orders",
      headers: expect.objectContaining({ authorization: "Bearer s3cret" }),
      body: '{"order":"7"}',
    },
  ]);
});

test("arguments of a GET go as its query and cannot replace what the URL says", async () => {
  const { origin, seen } = await service(json);
  const parameters = { type: "object", properties: { order: {}, tenant: {}, lines: {} } };
  await run({ url: `${origin}/o?tenant=1`, method: "GET", parameters }, { order: "a&b", tenant: "2", lines: [1] });
  expect(seen[0]).toMatchObject({ method: "GET", url: "/o?tenant=1&order=a%26b&lines=%5B1%5D", body: "" });
});

test("an argument that the settings do not name is not sent", async () => {
  const { origin, seen } = await service(json);
  await expect(run({ url: origin }, { order: "7", admin: true })).rejects.toThrow('no argument "admin"');
  expect(seen).toEqual([]);
});

test("a secret that the environment lacks stops the start, and names setting and variable", () => {
  const secretHeader = { name: "X-Key", env: "SHOP_KEY", prefix: "" };
  for (const env of [{}, { SHOP_KEY: " " }] as Record<string, string>[]) {
    expect(() =>
      httpTools([{ ...SETTINGS, url: "https://a.example", secretHeader }], { env, field: "accounts.a.tools" }),
    ).toThrow(/accounts\.a\.tools\[0\]\.secretHeader\.env.*SHOP_KEY is not set/);
  }
});

test("the secret is in no result and in no error, though the service says it", async () => {
  const { origin } = await service((request, response) => {
    response.statusCode = request.url === "/bad" ? 403 : 200;
    response.end(`You sent ${request.headers["x-key"]}`);
  });
  const secretHeader = { name: "X-Key", env: "SHOP_KEY", prefix: "" };
  const world = { env: { SHOP_KEY: "s3cret" } };
  expect(await run({ url: origin, secretHeader }, {}, world)).toBe("You sent •••");
  const refused = run({ url: `${origin}/bad`, secretHeader }, {}, world);
  await expect(refused).rejects.toThrow("look_up_order was answered with 403: You sent •••");
});

test("an answer without words is done; one that is no text is not read out", async () => {
  const { origin } = await service((request, response) => {
    if (request.url === "/image") response.setHeader("content-type", "image/png").end("\u0089PNG");
    else response.writeHead(204).end();
  });
  expect(await run({ url: origin })).toBe("done");
  expect(await run({ url: `${origin}/image` })).toBe("(an answer that is no text: image/png)");
});

test("no more than 64 kB are read, however much comes", async () => {
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { origin } = await service((_request, response) => {
    response.on("close", closed);
    response.write("a".repeat(200_000)); // and never ends
  });
  expect(((await run({ url: origin })) as string).length).toBe(64 * 1024);
  await gone;
});

test("the end of the call ends the request", async () => {
  const call = new AbortController();
  const { origin } = await service(() => call.abort(new Error("The call is over.")));
  await expect(run({ url: origin }, {}, { signal: call.signal })).rejects.toThrow("The call is over.");
});

test("a service that is not there is told as such", async () => {
  const { origin } = await service(json);
  await new Promise((resolve) => server?.close(resolve));
  server = undefined;
  await expect(run({ url: `${origin}/?key=hidden` })).rejects.toThrow(
    /^127\.0\.0\.1 cannot be reached \(ECONNREFUSED\)\.$/,
  );
});

describe("what may be reached", () => {
  const addressed =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: 4 }));

  test.each([
    ...[
      "http://127.0.0.1",
      "http://localhost",
      "http://[::1]",
      "http://2130706433",
      "http://0x7f.1",
      "http://10.0.0.1",
    ],
    ...[
      "http://169.254.169.254/latest/meta-data",
      "http://[::ffff:127.0.0.1]",
      "http://[::ffff:a9fe:a9fe]",
      "http://0.0.0.0",
    ],
    ...["http://192.168.1.1", "http://100.100.100.200", "http://[fd00:ec2::254]", "http://127.0.0.1.:80"],
  ])("%s is refused unless a private network is allowed", async (url) => {
    await expect(run({ url, allowPrivateNetwork: false })).rejects.toThrow(/leads to a private network|is not found/);
  });

  test("a name that leads to a private network is refused, also when it leads elsewhere as well", async () => {
    const url = "http://shop.example";
    for (const resolve of [addressed("10.0.0.1"), addressed("93.184.216.34", "127.0.0.1")]) {
      await expect(run({ url, allowPrivateNetwork: false }, {}, { resolve })).rejects.toThrow("private network");
    }
  });

  test("the address that was checked is the one that is connected to: a name is looked up once", async () => {
    const { port, seen } = await service(json);
    let lookups = 0;
    const resolve = async () => {
      lookups += 1;
      return [{ address: lookups === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }];
    };
    await run({ url: `http://shop.example:${port}/` }, {}, { resolve });
    expect(lookups).toBe(1);
    expect(seen[0]?.headers.host).toBe(`shop.example:${port}`);
  });

  test("a name that nobody has is told as such", async () => {
    const resolve = () => Promise.reject(new Error("ENOTFOUND"));
    await expect(run({ url: "http://shop.example" }, {}, { resolve })).rejects.toThrow("shop.example is not found.");
    await expect(run({ url: "http://shop.example" }, {}, { resolve: addressed() })).rejects.toThrow("is not found.");
  });
});

describe("redirects", () => {
  const to =
    (location: string, status = 302): RequestListener =>
    (request, response) => {
      if (request.url === "/end") response.end("There.");
      else response.writeHead(status, { location }).end();
    };

  test.each([
    [302, "GET", ""],
    [303, "GET", ""],
    [307, "POST", '{"order":"7"}'],
    [308, "POST", '{"order":"7"}'],
  ])("a %i within the host is followed with a %s", async (status, method, body) => {
    const { origin, seen } = await service(to("/end", status));
    expect(await run({ url: `${origin}/begin` }, { order: "7" })).toBe("There.");
    expect(seen[1]).toMatchObject({ method, body, url: "/end" });
  });

  test.each(["http://shop.example/", "//shop.example/", "http://127.0.0.1:1/", "file:///etc/passwd"])(
    "one to %s is not followed, and the secret stays",
    async (location) => {
      const { origin } = await service(to(location));
      await expect(run({ url: origin })).rejects.toThrow("redirects to another host");
    },
  );

  test("three are followed, a fourth is not", async () => {
    const { origin, seen } = await service(to("/again"));
    await expect(run({ url: origin })).rejects.toThrow("redirects more than 3 times");
    expect(seen).toHaveLength(4);
  });

  test("each is looked up and checked anew", async () => {
    const { port, seen } = await service(to("/end"));
    let lookups = 0;
    const resolve = async () => [{ address: ++lookups === 1 ? "127.0.0.1" : "127.0.0.9", family: 4 }];
    await expect(run({ url: `http://shop.example:${port}/` }, {}, { resolve })).rejects.toThrow("cannot be reached");
    expect([lookups, seen.length]).toEqual([2, 1]);
  });
});
