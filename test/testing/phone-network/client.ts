import RequestClient from "twilio/lib/base/RequestClient.js";
import Twilio from "twilio/lib/rest/Twilio.js";
import type { PhoneNetwork } from "../../../src/testing/phone-network/index.ts";

/** Twilio's own client; only the place its requests go to is changed. */
class LoopbackClient extends RequestClient {
  readonly #url: string;
  constructor(url: string) {
    super({ keepAlive: false });
    this.#url = url;
  }
  override request<TData>(options: RequestClient.RequestOptions<TData>) {
    return super.request<TData>({ ...options, uri: options.uri.replace("https://api.twilio.com", this.#url) });
  }
}

/** The account's client. */
export function client({ accountSid, url, authToken }: PhoneNetwork, token: string = authToken) {
  return new Twilio(accountSid, token, { httpClient: new LoopbackClient(url) });
}
