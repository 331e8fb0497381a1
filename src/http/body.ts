import type { RawRequest } from "../carriers/carrier.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { splitTarget } from "./paths.ts";

/** The largest body that is read, in bytes. A carrier's form has about two thousand. */
export const MAX_BODY_BYTES = 64 * 1024;

/** A body was larger than `MAX_BODY_BYTES`; the rest of it was not read. */
export class BodyTooLarge extends Error {}

/** Reads a request's body as text. @throws BodyTooLarge */
export async function readBody(request: Request, maxBytes: number = MAX_BODY_BYTES): Promise<string> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > maxBytes) throw new BodyTooLarge();
  if (!request.body) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the stream: what was announced as endless is not waited for.
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Reads a JSON object. @throws InvalidRequestError @throws BodyTooLarge */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readBody(request);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidRequestError("body", "is not valid JSON", { cause });
  }
}

/** The request as carriers verify it: its path as seen at `publicUrl`, its query and body as sent. @throws BodyTooLarge */
export async function toRawRequest(request: Request, path: string): Promise<RawRequest> {
  return {
    method: request.method,
    path: path + splitTarget(request.url).query,
    headers: Object.fromEntries(request.headers),
    body: await readBody(request),
  };
}
