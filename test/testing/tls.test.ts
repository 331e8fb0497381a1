import { X509Certificate } from "node:crypto";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "../../src/testing/tls.ts";

test("a client that trusts the certificate reaches the server by its address; one that does not is refused", async () => {
  const { key, cert } = await selfSignedCertificate("127.0.0.1");
  const server = createServer({ key, cert }, (_request, response) => response.end("here"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (ca?: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, agent: false, ...(ca ? { ca } : {}) }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      }).on("error", reject);
    });
  try {
    expect(await ask(cert)).toBe(200);
    await expect(ask()).rejects.toThrow(/self.signed/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("the certificate names its host and localhost, and is valid now", async () => {
  const { cert } = await selfSignedCertificate("voice.test");
  const parsed = new X509Certificate(cert);
  expect(parsed.checkHost("voice.test")).toBe("voice.test");
  expect(parsed.checkHost("localhost")).toBe("localhost");
  expect(parsed.checkHost("other.test")).toBeUndefined();
  expect(Date.parse(parsed.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(Date.now());
});
