/**
 * What goes wrong, on demand. Every field may be set and cleared while sessions run; it is read at the moment it
 * matters. Times are milliseconds of the server's clock.
 */
export interface Faults {
  /** Answers every upgrade with this status (and error code) instead. */
  refuseUpgrade?: { readonly status: number; readonly code?: string; readonly message?: string };
  /** Accepts an upgrade only after this long. */
  openAfterMs?: number;
  /** Opens the socket but never sends `session.created`. */
  noSessionCreated?: boolean;
  /** Cuts the socket without a goodbye this long after it opened. */
  dropAfterMs?: number;
  /** Ends the session this long after it began, as 60 minutes do. */
  expireAfterMs?: number;
  /** Takes events and says nothing at all any more. */
  dead?: boolean;
  /** `response.created` comes, then nothing until the response is cancelled. */
  muteResponses?: boolean;
  /** A response's audio ends after this much of it, without being done. */
  stallAfterMs?: number;
  /** Takes this long to think, instead of what the server was started with. */
  thinkMs?: number;
  /** `response.created` itself comes this late: a cancel in between finds nothing to cancel. */
  createdAfterMs?: number;
  /** Every response fails with this error (`rate_limit_exceeded`, `insufficient_quota` …). */
  failResponses?: { readonly code: string; readonly message?: string; readonly type?: string };
  /** Transcriptions fail. */
  failTranscriptions?: boolean;
  /** Writes JSON that is legal and unusual: key order, spaces, escaped slashes. */
  oddJson?: boolean;
}
