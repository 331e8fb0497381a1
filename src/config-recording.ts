import { z } from "zod";

const mode = z.enum(["off", "announce", "ask"]);

const keyId = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "is not 1 to 64 letters, digits, dots, _ or -");

/** A key in an environment variable: lists of settings cannot hold references of the host's. */
const olderKeySchema = z.strictObject({
  id: keyId.describe("What was its encryptionKeyId."),
  env: z.string().min(1).describe("The environment variable that holds it."),
});

const bucketSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "is not an http or https URL" })
    .describe("Where the bucket is, S3-compatible, with its name in the path or the host."),
  region: z.string().min(1).default("auto").describe("Its region."),
  accessKeyId: z.string().min(1).describe("Who writes there; the secret is bucketSecretKey."),
  prefix: z.string().default("").describe("What the names of files begin with, such as `calls/`."),
});

/** The settings of an account's recordings; `secret` is how a secret is written. */
export const recordingSchema = <Secret extends z.ZodType>(secret: Secret) =>
  z
    .strictObject({
      mode: mode
        .default("off")
        .describe("Whether calls are recorded: never, after the caller is told, or after they are asked and said yes."),
      byPrefix: z
        .record(
          z.string().regex(/^\+[0-9]{1,15}$/, "is not the beginning of a number, like +49"),
          mode.describe("The mode for them."),
        )
        .default({})
        .describe("The mode for the other person's numbers that begin so, such as `+49: ask`; the longest counts."),
      by: z.enum(["own", "carrier"]).default("own").describe("Who keeps the sound: this process, or the carrier."),
      announcement: z
        .string()
        .min(1)
        .default("This call is recorded.")
        .describe("What is said first under `announce`, word for word."),
      question: z
        .string()
        .min(1)
        .default("May this call be recorded? Please say yes or no, or press 1 for yes or 2 for no.")
        .describe("What is asked first under `ask`, word for word."),
      encryptionKey: secret
        .optional()
        .describe("Key for recordings at rest, 32 bytes as 64 hex digits or base64; unset, they are plain WAV files."),
      encryptionKeyId: keyId.default("1").describe("What that key is called; a new key gets a new name."),
      olderKeys: z.array(olderKeySchema).default([]).describe("Earlier keys, which open earlier recordings."),
      bucket: bucketSchema
        .optional()
        .describe("Object storage that finished recordings go to; unset, they stay below the state directory."),
      bucketSecretKey: secret.optional().describe("Secret access key of the bucket."),
    })
    .prefault({})
    .describe("How calls are recorded.");
