// Generated from src/config.ts by `npm run manifest`.

/** What an operator writes: `channels.voice` in OpenClaw, or the whole YAML file standalone. */
export interface VoiceConfig {
  /** Whether the channel runs. Default: true. */
  enabled?: boolean;
  /** What carriers and OpenAI call: owns scheme, host and path of every webhook. */
  publicUrl: string;
  /** The channel's own HTTP listener. */
  listen?: {
    /** Address of the channel's own listener. Default: "127.0.0.1". */
    host?: string;
    /** Its port; 0 takes any free one. Default: 8080. */
    port?: number;
  };
  /** Where calls are kept; memory forgets them at the end. Default: "sqlite". */
  store?: "sqlite" | "memory";
  /** The account that outbound calls use when none is named. */
  defaultAccount?: string;
  /** What logs may show. */
  logging?: {
    /** Least important lines that are written. Default: "info". */
    level?: "debug" | "info" | "warn" | "error";
    /** Whether logs show whole telephone numbers. Default: false. */
    callerNumbers?: boolean;
    /** Whether logs show what was said. Default: false. */
    words?: boolean;
  };
  accounts: Record<
    string,
    {
      /** Whether the account takes and makes calls. Default: true. */
      enabled?: boolean;
      /** The account's telephone number in E.164 form. */
      number: string;
      /** Further numbers that outbound calls may come from. */
      moreNumbers?: string[];
      /** Who carries the calls. */
      carrier: {
        /** Who carries the phone calls. Default: "twilio". */
        provider?: "twilio";
        /** Twilio's account SID. */
        accountSid: string;
        /** Twilio's auth token: signs webhooks and authenticates the API. */
        authToken:
          | string
          | {
              source: "env" | "file" | "exec" | "store";
              provider: string;
              id: string;
            };
        /** Where Twilio's REST API is. */
        apiBaseUrl?: string;
      };
      /** Who speaks. */
      engine: {
        /** Which kind of speech model talks. Default: "openai-realtime". */
        provider?: "openai-realtime";
        /** OpenAI's API key. */
        apiKey:
          | string
          | {
              source: "env" | "file" | "exec" | "store";
              provider: string;
              id: string;
            };
        /** Which model talks. Default: "gpt-realtime-2.1". */
        model?: string;
        /** Models that talk when that one refuses or cannot be had, best first. Default: []. */
        fallbackModels?: string[];
        /** The voice that the model speaks with. Default: "marin". */
        voice?: string;
        /** How fast the model speaks, relative to its own pace. Default: 1. */
        speed?: number;
        /** Which model writes down what the caller says. Default: "gpt-transcribe". */
        transcriptionModel?: string;
        /** Where OpenAI's API is, ending in /v1. */
        baseUrl?: string;
        /** Secret of OpenAI's webhook endpoint (whsec_…); without it POST /webhook refuses. */
        webhookSecret?:
          | string
          | {
              source: "env" | "file" | "exec" | "store";
              provider: string;
              id: string;
            };
        /** How the end of the caller's turn is found. */
        vad?: {
          /** Whether loudness or meaning ends a caller's turn. Default: "server". */
          kind?: "server" | "semantic";
          /** Server VAD: milliseconds of silence that end a turn. Default: 500. */
          silenceMs?: number;
          /** Server VAD: how sure the model must be that it hears speech. Default: 0.5. */
          threshold?: number;
          /** Semantic VAD: how soon a turn counts as over. Default: "high". */
          eagerness?: "low" | "medium" | "high" | "auto";
        };
      };
      /** Who the agent is on the phone. */
      persona?: {
        /** What the agent calls itself. Default: "the assistant". */
        name?: string;
        /** How the agent is to behave on the phone. Default: "". */
        instructions?: string;
        /** First sentence of an inbound call, word for word; empty lets the model greet. Default: "". */
        greeting?: string;
        /** BCP 47 language of the call. Default: "en". */
        language?: string;
      };
      /** Folder of spoken clips, <language>/<name>.ulaw (µ-law, 8 kHz), used before the package's; empty: none. Default: "". */
      clips?: string;
      /** How the voice travels. Default: "media-stream". */
      transport?: "media-stream";
      /** Who decides when the agent speaks: this process, or the model's server. Default: "ours". */
      turns?: "ours" | "server";
      /** How a caller interrupts. */
      bargeIn?: {
        /** So many milliseconds of a voice are heard before the agent falls silent; `turns: ours` only. Default: 60. */
        minSpeechMs?: number;
      };
      /** The OpenClaw agent behind the voice. Default: "main". */
      agentId?: string;
      /** Who may ring. Default: "allowlist". */
      dmPolicy?: "disabled" | "allowlist" | "pairing" | "open";
      /** Numbers that may ring, under `allowlist` and `pairing`. */
      allowFrom?: ("*" | string)[];
      /** IANA zone of the account's days and times; the machine's unless set. */
      timeZone?: string;
      /** What the model is told before the call. */
      context?: {
        /** Hard limit of the instructions, in o200k tokens. Default: 2000. */
        budgetTokens?: number;
        /** How many daily memory files are read, today's included. Default: 2. */
        dailyFiles?: number;
        /** Whether a note of each call goes into the daily file. Default: true. */
        writeBack?: boolean;
      };
      /** What an account may use. */
      limits?: {
        /** A call ends after so many seconds. Default: 1800. */
        maxCallSeconds?: number;
        /** Further calls are turned away. Default: 10. */
        maxConcurrentCalls?: number;
        /** Outbound calls in any 60 seconds. Default: 5. */
        placementsPerMinute?: number;
        /** A caller who says nothing for so many seconds is asked whether they are there; 0 never asks. Default: 15. */
        idlePromptSeconds?: number;
        /** A caller who does not answer that question for so many seconds is told goodbye. Default: 15. */
        idleEndSeconds?: number;
      };
    }
  >;
}
