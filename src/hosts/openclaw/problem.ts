/** What an agent or a command is told of a failure: the API's own words for it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
}

/**
 * Reads an error by its shape and not by its class: the host runs several copies of this package side by side.
 * An error that is not ours shows no inner words: they were not written for a reader.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Error && "code" in error && "retryable" in error) {
    return { code: String(error.code), message: error.message, retryable: error.retryable === true };
  }
  return {
    code: "internal",
    message: "Something failed inside the voice channel; its log says what.",
    retryable: true,
  };
}
