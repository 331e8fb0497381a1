import { randomBytes } from "node:crypto";

/** A made-up Twilio identifier: two capital letters that name the kind (`CA`, `MZ`, `AC` …) and 32 hex digits. */
export const makeSid = (kind: string): string => kind + randomBytes(16).toString("hex");

/** A time as the REST API and the callbacks write it: RFC 2822 in UTC. */
export const rfc2822 = (epochMs: number): string => new Date(epochMs).toUTCString().replace("GMT", "+0000");

/** Whether `text` is a number in E.164. */
export const isE164 = (text: string): boolean => /^\+[1-9]\d{6,14}$/.test(text);
