import { request as httpRequest } from "node:http";
import { PortTakenError } from "../core/errors.ts";

/**
 * Asks ourselves for a media upgrade, over the port, as a carrier would: a stream that nobody answers is never offered.
 * @throws PortTakenError somebody else answers on the address, or nobody
 */
export async function proveUpgrades(probePath: string, address: string, port: number): Promise<void> {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  const headers = { connection: "Upgrade", upgrade: "websocket" };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const probe = httpRequest({ host, port, path: probePath, headers, agent: false, timeout: 2_000 });
    probe.on("response", (answer) => resolve(answer.resume().statusCode));
    probe.on("timeout", () => probe.destroy(new Error("no answer within 2 s")));
    probe.on("error", reject);
    probe.end();
  }).catch((cause: unknown) => {
    throw new PortTakenError(host, port, { cause });
  });
  if (status !== 204)
    throw new PortTakenError(host, port, { cause: new Error(`an upgrade was answered with ${status}`) });
}
