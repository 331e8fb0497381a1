import { z } from "zod";

const days = z.int().min(0).max(36_500);

/** How long an account keeps what calls leave. Nothing is taken away from a call that is not over and done with. */
export const retentionSchema = z.strictObject({
  transcriptDays: days
    .default(0)
    .describe("Words of a call are removed after so many days, its numbers stay; 0 keeps them for ever."),
  recordingDays: days.default(0).describe("Recordings are deleted after so many days; 0 keeps them for ever."),
  journalDays: days
    .default(0)
    .describe("A call is removed altogether after so many days, its recordings included; 0 keeps it for ever."),
  flightRecordDays: days.default(30).describe("Flight records are deleted after so many days; 0 keeps them for ever."),
  callerHistoryDays: days
    .default(0)
    .describe("What is remembered of a caller is forgotten so many days after it was said; 0 keeps it for ever."),
  noteDays: days
    .default(0)
    .describe("Notes of calls are taken out of daily files after so many days; 0 keeps them for ever."),
});
