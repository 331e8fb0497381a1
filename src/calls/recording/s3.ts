import { openAsBlob } from "node:fs";
import type { S3mini } from "s3mini";
import { PackageMissingError, StoreError, VoiceError } from "../../core/errors.ts";
import type { RecordingBucket } from "./settings.ts";

export interface S3BucketOptions {
  /** Where the bucket is, its name in the path or in the host. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What names of files begin with. */
  readonly prefix: string;
}

/** Recordings in object storage that speaks S3. One request puts a whole file: there is all of it, or nothing. */
export function s3Bucket({ url, prefix, ...access }: S3BucketOptions): RecordingBucket {
  const base = `${url.replace(/\/+$/, "")}/`;
  const keyOf = (location: string): string => location.slice(base.length);

  async function use<Result>(what: string, signal: AbortSignal, work: (s3: S3mini) => Promise<Result>) {
    const { S3mini } = await loadClient();
    const withSignal: typeof fetch = (input, init) => fetch(input, { ...init, signal });
    try {
      return await work(new S3mini({ ...access, endpoint: base, fetch: withSignal }));
    } catch (cause) {
      if (cause instanceof VoiceError) throw cause;
      throw new StoreError(`The bucket for recordings could not ${what}: ${reasonOf(cause)}`, { cause });
    }
  }

  return {
    locationOf: (name) => `${base}${prefix}${name}`,
    has: (location) => location.startsWith(base),
    put: (name, path, signal) =>
      use("take a file", signal, async (s3) => {
        const file = await openAsBlob(path);
        const key = `${prefix}${name}`;
        const isThere = (await s3.objectExists(key)) === true && (await s3.getContentLength(key)) === file.size;
        if (!isThere) await s3.putObject(key, file, "audio/wav");
      }),
    open: (location, signal) =>
      use("give a file", signal, async (s3) => {
        const response = await s3.getObjectResponse(keyOf(location));
        if (!response?.body) throw new StoreError(`The recording is not in its bucket any more: ${location}`);
        return response.body as AsyncIterable<Uint8Array>;
      }),
    delete: (location, signal) =>
      use("delete a file", signal, async (s3) => {
        await s3.deleteObject(keyOf(location));
      }),
  };
}

// --- Internal helpers ---

function loadClient(): Promise<typeof import("s3mini")> {
  return import("s3mini").catch((cause: unknown) => {
    throw new PackageMissingError("s3mini", "recordings in a bucket (recording.bucket)", { cause });
  });
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
