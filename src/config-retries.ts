import { z } from "zod";

/** How requests to one kind of peer are repeated, and when it is left alone. */
const policy = (attempts: number) =>
  z.strictObject({
    attempts: z
      .int()
      .min(1)
      .max(10)
      .default(attempts)
      .describe("How often a request is made at most, the first time included."),
    firstDelayMs: z
      .int()
      .min(0)
      .max(60_000)
      .default(250)
      .describe("The second attempt comes so many milliseconds after the first."),
    multiplier: z.number().min(1).max(10).default(2).describe("Each further attempt waits so many times as long."),
    breakAfter: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .describe("After so many failures in a row nothing more is asked for a while."),
    pauseSeconds: z
      .int()
      .min(1)
      .max(600)
      .default(10)
      .describe("After so many seconds one request finds out whether it works again."),
  });

/** Repetitions and circuit breakers. Orders to dial are never repeated. */
export const retriesSchema = z
  .strictObject({
    carrier: policy(3).prefault({}).describe("Requests to a carrier that may be made twice without harm."),
    host: policy(1).prefault({}).describe("Questions to the agent and to the host's text model."),
  })
  .prefault({})
  .describe("How often failed requests are repeated, and when a peer that fails is left alone.");
