import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A journal entry as the API streams it. */
export interface StreamedEntry {
  readonly seq: number;
  readonly event: Readonly<Record<string, unknown>> & { readonly type: string };
}

/** A call as the API shows it. */
export interface ShownCall {
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly direction: string;
  readonly endReason?: string;
  readonly sessionKey?: string;
  readonly transcript?: readonly { readonly speaker: string; readonly text: string }[];
}

/** The channel's own HTTP API, with the token that its operator would read from the state directory. */
export interface VoiceApi {
  calls(): Promise<readonly ShownCall[]>;
  call(callId: string): Promise<ShownCall>;
  /** Follows a call's journal until the call is over, the channel closes or `signal` aborts. */
  follow(callId: string, signal?: AbortSignal): AsyncGenerator<StreamedEntry>;
  /** Waits for the first entry of this type in a call's journal whose event `fits`. */
  entry(callId: string, type: string, fits?: (event: StreamedEntry["event"]) => boolean): Promise<StreamedEntry>;
}

/** Opens the API at `baseUrl` for the channel whose host keeps its state in `stateDir`. */
export function voiceApi(baseUrl: string, stateDir: string): VoiceApi {
  const get = async (path: string, signal?: AbortSignal) => {
    const token = await readFile(join(stateDir, "plugins", "voice", "api-token"), "utf8");
    const headers = { authorization: `Bearer ${token.trim()}` };
    const response = await fetch(`${baseUrl}${path}`, { headers, ...(signal && { signal }) });
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return response;
  };
  const api: VoiceApi = {
    calls: async () => ((await (await get("/calls")).json()) as { calls: ShownCall[] }).calls,
    call: async (callId) => (await (await get(`/calls/${callId}`)).json()) as ShownCall,
    async *follow(callId, signal) {
      const { body } = await get(`/call/${callId}/events`, signal);
      if (!body) return;
      let text = "";
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        const blocks = (text + chunk).split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const seq = /^id: (\d+)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (seq !== undefined && data !== undefined) yield { seq: Number(seq), event: JSON.parse(data) };
        }
      }
    },
    async entry(callId, type, fits = () => true) {
      const enough = AbortSignal.timeout(30_000);
      while (!enough.aborted) {
        for await (const entry of api.follow(callId, enough)) {
          if (entry.event.type === type && fits(entry.event)) return entry;
        }
        await setTimeout(100); // what a later process adds to a call is not followed, only found
      }
      throw new Error(`The journal of ${callId} does not hold the ${type} that is waited for.`);
    },
  };
  return api;
}
