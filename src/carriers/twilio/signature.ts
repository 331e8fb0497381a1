import { InvalidSignatureError, SecretMissingError } from "../../core/errors.ts";
import type { RawRequest, VerifiedRequest } from "../carrier.ts";
import { loadWebhooks } from "./sdk.ts";
import type { WebhookUrls } from "./urls.ts";

/** Decides whether requests are Twilio's. */
export interface Verifier {
  /** Loads Twilio's own check, about 10 ms. */
  load(): void;
  /** @throws InvalidSignatureError @throws SecretMissingError */
  verify(request: RawRequest): VerifiedRequest;
}

/**
 * Checks `X-Twilio-Signature` with the `twilio` package, over the public URL (which owns scheme, host and path) and
 * the request's own query; ports are tried as that package does. Not covered, because Twilio signs neither: the
 * request's headers and its time. Replays are for `key` of the parsed event.
 * @see https://www.twilio.com/docs/usage/security#validating-requests
 */
export function createVerifier(
  { accountId, authToken }: { accountId: string; authToken: unknown },
  urls: WebhookUrls,
): Verifier {
  return {
    load: () => void loadWebhooks(),
    verify(request) {
      const token = requireToken(authToken, accountId);
      const signature = request.headers["x-twilio-signature"];
      if (!signature) throw new InvalidSignatureError("it has no X-Twilio-Signature header.");
      const fields = request.method === "POST" ? groupFields(request.body) : {};
      const { validateRequest } = loadWebhooks();
      const isSigned = signedUrls(request, urls).some((url) => validateRequest(token, signature, url, fields));
      if (!isSigned) {
        throw new InvalidSignatureError(
          "it does not fit the account's auth token and publicUrl. Compare both with Twilio's console.",
        );
      }
      return request as VerifiedRequest;
    },
  };
}

/** The account's auth token. @throws SecretMissingError it was not given or could not be resolved */
export function requireToken(authToken: unknown, accountId: string): string {
  if (typeof authToken === "string" && authToken !== "") return authToken;
  throw new SecretMissingError(`accounts.${accountId}.carrier.authToken`);
}

// --- Internal helpers ---

/** URLs that Twilio may have signed: an upgrade's scheme and closing slash differ between its stacks. */
function signedUrls({ path, method }: RawRequest, urls: WebhookUrls): readonly string[] {
  const verb = urls.verbOf(path);
  if (!verb) return [];
  const query = /\?[^#]*/.exec(path)?.[0] ?? "";
  const url = urls.of(verb);
  if (verb !== "stream" || method !== "GET") return [url + query];
  return [urls.stream, url].flatMap((form) => [form + query, `${form}/${query}`]);
}

/** Form fields as the check takes them: a name that occurs more than once has all of its values. */
function groupFields(body: string): Record<string, string | string[]> {
  const form = new URLSearchParams(body);
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const values = form.getAll(name);
      return [name, values.length > 1 ? values : (values[0] ?? "")];
    }),
  );
}
