/** A key and its certificate, PEM. The certificate signs itself, so it is its own authority. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * Makes a certificate for a server on `host` (a name or an IPv4 address), good for a day. Some clients insist on TLS;
 * hand `cert` to them as the authority.
 * @throws Error when the optional package `selfsigned` is not installed; the sentence names it
 */
export async function selfSignedCertificate(host: string): Promise<Certificate> {
  const { generate } = await import("selfsigned").catch((cause: unknown) => {
    throw new Error("A simulator on TLS needs the optional package selfsigned: npm install selfsigned", { cause });
  });
  const now = Date.now();
  const address = /^[\d.]+$|:/.test(host) ? { type: 7 as const, ip: host } : { type: 2 as const, value: host };
  const pems = await generate([{ name: "commonName", value: host }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(now - 60_000),
    notAfterDate: new Date(now + 24 * 3_600_000),
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [address, { type: 2, value: "localhost" }] },
    ],
  });
  return { key: pems.private, cert: pems.cert };
}
