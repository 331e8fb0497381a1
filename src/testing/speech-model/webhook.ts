import { createHmac } from "node:crypto";

/** A webhook as it goes over the wire: the signature is over exactly this body. */
export interface SignedWebhook {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs a webhook as OpenAI does (Standard Webhooks): HMAC-SHA256 over `id.timestamp.body` with the base64 part of a
 * `whsec_…` secret. The id is what receivers deduplicate by.
 */
export function signWebhook(parts: { id: string; event: object; secret: string; timestamp: number }): SignedWebhook {
  const body = JSON.stringify(parts.event);
  const key = Buffer.from(parts.secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${parts.id}.${parts.timestamp}.${body}`).digest("base64");
  return {
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": parts.id,
      "webhook-timestamp": String(parts.timestamp),
      "webhook-signature": `v1,${signature}`,
    },
  };
}
