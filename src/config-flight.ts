import { z } from "zod";

/** What is kept of calls to find out afterwards what was decided, and why. */
export const flightSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        "Whether each call leaves a record, without sound and words, that `openclaw-voice replay` goes through.",
      ),
  })
  .prefault({})
  .describe("The flight recorder.");
