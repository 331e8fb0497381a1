import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3Bucket } from "../../../src/calls/recording/s3.ts";

/** What is used of the object storage's package, which has no types. */
interface Storage {
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
  /** What answers its requests, one after another. */
  readonly middleware: ((context: Request, next: () => Promise<void>) => Promise<void>)[];
}

interface Request {
  readonly method: string;
  readonly path: string;
  status: number;
}

const S3rver = createRequire(import.meta.url)("s3rver") as new (options: Record<string, unknown>) => Storage;

/** Object storage on loopback, in a folder of its own, that can be out of order. */
export async function bucketServer() {
  const directory = mkdtempSync(join(tmpdir(), "bucket-"));
  const requests: string[] = [];
  const state = { down: false };
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: "calls", configs: [] }],
  });
  server.middleware.unshift(async (context, next) => {
    requests.push(`${context.method} ${context.path}`);
    if (state.down) {
      context.status = 503;
      return;
    }
    await next();
  });
  const { port } = await server.run();
  const url = `http://127.0.0.1:${port}/calls`;
  const access = { region: "us-east-1", accessKeyId: "S3RVER", secretAccessKey: "S3RVER", prefix: "voice/" };
  return {
    url,
    requests,
    state,
    bucket: s3Bucket({ url, ...access }),
    /** The objects that are there. */
    objects: () =>
      readdirSync(join(directory, "calls"), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith("_object"))
        .map((name) => name.replace("._S3rver_object", "")),
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
