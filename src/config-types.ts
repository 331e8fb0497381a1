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
  /** So long live calls may go on when `serve` is told to stop; what is live then is let go of, to be resumed. Default: 30. */
  drainSeconds?: number;
  /** The flight recorder. */
  flight?: {
    /** Whether each call leaves a record, without sound and words, that `openclaw-voice replay` goes through. Default: true. */
    enabled?: boolean;
  };
  /** How the channel watches what its calls depend on. */
  health?: {
    /** Everything that calls depend on is looked at so often. Default: 60. */
    periodSeconds?: number;
    /** What is not well, or looked so the last time, is looked at again so soon. Default: 10. */
    againSeconds?: number;
    /** A look that takes longer has failed. Default: 8. */
    timeoutSeconds?: number;
    /** So many bad looks in a row are believed. Default: 3. */
    fallAfter?: number;
    /** So many good looks in a row are believed. Default: 2. */
    riseAfter?: number;
    /** Trouble is over once all was well for so long; what comes back before is the same trouble. Default: 60. */
    calmSeconds?: number;
    /** Whether owners are told in their chat, once when it begins and when it is over. Default: true. */
    alerts?: boolean;
    /** Alerts that one owner gets within an hour; more are gathered. Default: 6. */
    alertsPerHour?: number;
    /** Whether the channel asks for itself through publicUrl. Default: true. */
    publicUrl?: boolean;
    /** Less free space than this where the state is kept is trouble. Default: 1024. */
    diskLowMiB?: number;
    /** With less than this the disk counts as full. Default: 128. */
    diskFullMiB?: number;
  };
  /** How often failed requests are repeated, and when a peer that fails is left alone. */
  retries?: {
    /** Requests to a carrier that may be made twice without harm. */
    carrier?: {
      /** How often a request is made at most, the first time included. Default: 3. */
      attempts?: number;
      /** The second attempt comes so many milliseconds after the first. Default: 250. */
      firstDelayMs?: number;
      /** Each further attempt waits so many times as long. Default: 2. */
      multiplier?: number;
      /** After so many failures in a row nothing more is asked for a while. Default: 5. */
      breakAfter?: number;
      /** After so many seconds one request finds out whether it works again. Default: 10. */
      pauseSeconds?: number;
    };
    /** Questions to the agent and to the host's text model. */
    host?: {
      /** How often a request is made at most, the first time included. Default: 1. */
      attempts?: number;
      /** The second attempt comes so many milliseconds after the first. Default: 250. */
      firstDelayMs?: number;
      /** Each further attempt waits so many times as long. Default: 2. */
      multiplier?: number;
      /** After so many failures in a row nothing more is asked for a while. Default: 5. */
      breakAfter?: number;
      /** After so many seconds one request finds out whether it works again. Default: 10. */
      pauseSeconds?: number;
    };
  };
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
      /** Who gets cards, codes and questions; unset, nobody does and status says so. */
      owner?: {
        /** The OpenClaw channel in which the owner is reached, such as telegram. */
        channel: string;
        /** The owner in that channel, in the channel's own form. */
        to: string;
        /** Which of that channel's accounts sends. */
        accountId?: string;
      };
      /** Who thinks: the speech model, which may ask the agent; or the agent, whose replies are read out. Default: "engine". */
      brain?: "engine" | "agent";
      /** Which session calls belong to: as the host's session.dmScope says, or a rule of the account's own. Default: "host". */
      sessionScope?: "host" | "per-caller" | "per-call" | "main";
      /** How calls are recorded. */
      recording?: {
        /** Whether calls are recorded: never, after the caller is told, or after they are asked and said yes. Default: "off". */
        mode?: "off" | "announce" | "ask";
        /** The mode for the other person's numbers that begin so, such as `+49: ask`; the longest counts. */
        byPrefix?: Record<string, "off" | "announce" | "ask">;
        /** Who keeps the sound: this process, or the carrier. Default: "own". */
        by?: "own" | "carrier";
        /** What is said first under `announce`, word for word. Default: "This call is recorded.". */
        announcement?: string;
        /** What is asked first under `ask`, word for word. Default: "May this call be recorded? Please say yes or no, or press 1 for yes or 2 for no.". */
        question?: string;
        /** Key for recordings at rest, 32 bytes as 64 hex digits or base64; unset, they are plain WAV files. */
        encryptionKey?:
          | string
          | {
              source: "env" | "file" | "exec" | "store";
              provider: string;
              id: string;
            };
        /** What that key is called; a new key gets a new name. Default: "1". */
        encryptionKeyId?: string;
        /** Earlier keys, which open earlier recordings. Default: []. */
        olderKeys?: {
          /** What was its encryptionKeyId. */
          id: string;
          /** The environment variable that holds it. */
          env: string;
        }[];
        /** Object storage that finished recordings go to; unset, they stay below the state directory. */
        bucket?: {
          /** Where the bucket is, S3-compatible, with its name in the path or the host. */
          url: string;
          /** Its region. Default: "auto". */
          region?: string;
          /** Who writes there; the secret is bucketSecretKey. */
          accessKeyId: string;
          /** What the names of files begin with, such as `calls/`. Default: "". */
          prefix?: string;
        };
        /** Secret access key of the bucket. */
        bucketSecretKey?:
          | string
          | {
              source: "env" | "file" | "exec" | "store";
              provider: string;
              id: string;
            };
      };
      /** How the speech model asks the agent. */
      consult?: {
        /** So long the agent may take to answer a question. Default: 20. */
        timeoutSeconds?: number;
      };
      /** Functions that the model may call during calls, each a web request. */
      tools?: {
        /** The function's name, as the model calls it. */
        name: string;
        /** What it does and when it is to be called; the model reads it. */
        description: string;
        /** JSON Schema of its arguments. */
        parameters?: Record<string, unknown>;
        /** Where the request goes: arguments as JSON body, or as query of a GET. */
        url: string;
        /** The request's method. Default: "POST". */
        method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
        /** A header with a secret. */
        secretHeader?: {
          /** The header's name. */
          name: string;
          /** The environment variable that holds its value. */
          env: string;
          /** What stands before the value, such as `Bearer `. Default: "". */
          prefix?: string;
        };
        /** Who must call for it to be offered. Default: "known". */
        trust?: "stranger" | "known" | "owner";
        /** So long it may take. Default: 10. */
        timeoutSeconds?: number;
        /** How often it may be called on one call. Default: 10. */
        maxCalls?: number;
        /** Whether the URL may lead to loopback or a private network. Default: false. */
        allowPrivateNetwork?: boolean;
      }[];
      /** MCP servers that the speech model calls by itself; for callers who are known. */
      mcpServers?: {
        /** What the server is called. */
        label: string;
        /** Where it is. */
        url: string;
        /** The environment variable that holds its access token. */
        authorizationEnv?: string;
        /** Which of its tools may be used; empty: all. Default: []. */
        allowedTools?: string[];
        /** Who must call for it to be offered. Default: "known". */
        trust?: "known" | "owner";
      }[];
      /** What happens once a call is over. */
      afterCall?: {
        /** Whether the owner gets a card about each call that was answered. Default: true. */
        card?: boolean;
        /** Whether the person's other channels get a line about the call. Default: false. */
        notifyLinked?: boolean;
        /** Whether the agent is woken when there is something to do. Default: true. */
        wake?: boolean;
      };
      /** How long what calls leave is kept. */
      retention?: {
        /** Words of a call are removed after so many days, its numbers stay; 0 keeps them for ever. Default: 0. */
        transcriptDays?: number;
        /** Recordings are deleted after so many days; 0 keeps them for ever. Default: 0. */
        recordingDays?: number;
        /** A call is removed altogether after so many days, its recordings included; 0 keeps it for ever. Default: 0. */
        journalDays?: number;
        /** Flight records are deleted after so many days; 0 keeps them for ever. Default: 30. */
        flightRecordDays?: number;
        /** What is remembered of a caller is forgotten so many days after it was said; 0 keeps it for ever. Default: 0. */
        callerHistoryDays?: number;
        /** Notes of calls are taken out of daily files after so many days; 0 keeps them for ever. Default: 0. */
        noteDays?: number;
      };
      /** IANA zone of the account's days and times; the machine's unless set. */
      timeZone?: string;
      /** What the model is told before the call. */
      context?: {
        /** Hard limit of the instructions, in o200k tokens. Default: 2000. */
        budgetTokens?: number;
        /** How many daily memory files are read, today's included. Default: 2. */
        dailyFiles?: number;
        /** How many of the last turns of the person's session are told; 0 none. Default: 8. */
        linkedTurns?: number;
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
