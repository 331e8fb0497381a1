import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, selfSignedCertificate } from "../src/testing/tls.ts";

/** Where the generator finds the certificate of its servers. */
const FOLDER = "VOICE_BENCH_CERTIFICATE";

/** Makes the certificate. Resolves to what every process is to have in its environment: to trust it, and to find it. */
export async function makeCertificate(workDir: string): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(workDir, "tls-"));
  const { key, cert } = await selfSignedCertificate("127.0.0.1");
  await writeFile(join(folder, "key.pem"), key, { mode: 0o600 });
  await writeFile(join(folder, "cert.pem"), cert);
  return { [FOLDER]: folder, NODE_EXTRA_CA_CERTS: join(folder, "cert.pem") };
}

/** Reads what `makeCertificate` has made, if it has. */
export async function readCertificate(): Promise<Certificate | undefined> {
  const folder = process.env[FOLDER];
  if (folder === undefined) return undefined;
  const read = (name: string) => readFile(join(folder, name), "utf8");
  return { key: await read("key.pem"), cert: await read("cert.pem") };
}
