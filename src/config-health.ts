import { z } from "zod";

const seconds = (most: number) => z.int().min(1).max(most);
const looks = z.int().min(1).max(20);
const mebibytes = z.int().min(0).max(1_048_576);

/** How the channel watches what its calls depend on. */
export const healthSchema = z
  .strictObject({
    periodSeconds: seconds(3_600).default(60).describe("Everything that calls depend on is looked at so often."),
    againSeconds: seconds(600)
      .default(10)
      .describe("What is not well, or looked so the last time, is looked at again so soon."),
    timeoutSeconds: seconds(60).default(8).describe("A look that takes longer has failed."),
    fallAfter: looks.default(3).describe("So many bad looks in a row are believed."),
    riseAfter: looks.default(2).describe("So many good looks in a row are believed."),
    calmSeconds: seconds(86_400)
      .default(60)
      .describe("Trouble is over once all was well for so long; what comes back before is the same trouble."),
    alerts: z
      .boolean()
      .default(true)
      .describe("Whether owners are told in their chat, once when it begins and when it is over."),
    alertsPerHour: z
      .int()
      .min(1)
      .max(60)
      .default(6)
      .describe("Alerts that one owner gets within an hour; more are gathered."),
    publicUrl: z.boolean().default(true).describe("Whether the channel asks for itself through publicUrl."),
    diskLowMiB: mebibytes.default(1_024).describe("Less free space than this where the state is kept is trouble."),
    diskFullMiB: mebibytes.default(128).describe("With less than this the disk counts as full."),
  })
  .prefault({})
  .describe("How the channel watches what its calls depend on.");
