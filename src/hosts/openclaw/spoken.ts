/** As much of a reply of the host as tells whether it may be spoken. */
export interface ReplyPart {
  readonly text?: string;
  readonly isError?: boolean;
  readonly isReasoning?: boolean;
  readonly isCommentary?: boolean;
  readonly isCompactionNotice?: boolean;
  readonly isFallbackNotice?: boolean;
  readonly isStatusNotice?: boolean;
}

/** How the host begins what it has to say itself when something went wrong. */
const FAILURE = /^\s*(?:⚠|❌|🚫)/u;
/** Other notices of the host, and texts that carry pairing codes or commands for the operator. */
const NOTICE = /^\s*(?:⚙|🧹|↪|⏳|🔁|🔄|ℹ)|openclaw\s+pairing|pairing\s+code/iu;

/**
 * What a reply is: `words` of the agent, a `notice` that is for eyes alone, or a `failure`, of which nothing may be
 * heard but that there was one.
 */
export function kindOfReply(part: ReplyPart): "words" | "notice" | "failure" {
  const text = part.text ?? "";
  if (part.isError || FAILURE.test(text)) return "failure";
  if (part.isReasoning || part.isCommentary) return "notice";
  if (part.isCompactionNotice || part.isFallbackNotice || part.isStatusNotice) return "notice";
  return text.trim() === "" || NOTICE.test(text) ? "notice" : "words";
}
