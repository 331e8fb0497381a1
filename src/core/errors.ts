import type { EndReason } from "./events.ts";

/** Every stable error code; the README's table explains each with its remedy. */
export type VoiceErrorCode =
  | "config_invalid"
  | "secret_missing"
  | "invalid_request"
  | "invalid_number"
  | "invalid_signature"
  | "not_allowed"
  | "limit_reached"
  | "call_not_found"
  | "call_over"
  | "account_unavailable"
  | "carrier_refused"
  | "carrier_unreachable"
  | "engine_refused"
  | "engine_unreachable"
  | "host_failed"
  | "store_failed"
  | "port_taken"
  | "package_missing"
  | "not_running";

/** The base of every error thrown on purpose. */
export abstract class VoiceError extends Error {
  /** Stable, documented in the README; decide by this, never by the message. */
  abstract readonly code: VoiceErrorCode;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean = false;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A setting is wrong. The message names the key, the reason and the nearest known key. Only its account stops. */
export class ConfigError extends VoiceError {
  readonly code = "config_invalid";
  /** Dotted path of the setting, as the operator wrote it. */
  readonly key: string;

  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(`${key}: ${reason}`, options);
    this.key = key;
  }
}

/** A secret that an account needs is absent or was not resolved. Everything that needs it fails closed. */
export class SecretMissingError extends VoiceError {
  readonly code = "secret_missing";
  /** Dotted path of the secret. */
  readonly key: string;

  constructor(key: string) {
    super(
      `${key}: the secret is missing or could not be resolved. Set it, or point its reference at a value that exists.`,
    );
    this.key = key;
  }
}

/** The request's own fault: a field is absent, malformed or unknown. Nothing was done. */
export class InvalidRequestError extends VoiceError {
  readonly code = "invalid_request";

  constructor(field: string, reason: string, options?: ErrorOptions) {
    super(`${field}: ${reason}`, options);
  }
}

/** A telephone number could not be read as E.164. Nothing was dialled. */
export class InvalidNumberError extends VoiceError {
  readonly code = "invalid_number";

  constructor(field: string, value: string) {
    super(
      `${field}: "${value}" is not a telephone number in E.164 form. Write it with country code, like +15550001234.`,
    );
  }
}

/** A webhook or upgrade does not carry a valid signature of its account. Nothing was changed. */
export class InvalidSignatureError extends VoiceError {
  readonly code = "invalid_signature";

  constructor(reason: string) {
    super(`The request's signature was not accepted: ${reason}`);
  }
}

/** Policy says no: the other party, the number or the action is not allowed for this account. */
export class NotAllowedError extends VoiceError {
  readonly code = "not_allowed";
}

/** A limit of the account is reached. Nothing was dialled; the same request may succeed later. */
export class LimitReachedError extends VoiceError {
  readonly code = "limit_reached";
  override readonly retryable = true;

  constructor(limit: string, value: number) {
    super(`The account's limit ${limit} (${value}) is reached. Wait, or raise the limit in the configuration.`);
  }
}

/** No call with this id exists, live or past. */
export class CallNotFoundError extends VoiceError {
  readonly code = "call_not_found";

  constructor(callId: string) {
    super(`There is no call ${callId}. List the calls to find its id.`);
  }
}

/** The call exists, but it has ended or has no live audio, so that it cannot do this any more. */
export class CallOverError extends VoiceError {
  readonly code = "call_over";

  constructor(callId: string, what: string) {
    super(`Call ${callId} cannot ${what}: it is not live any more.`);
  }
}

/** No account with this name is running. The message says which are, or why this one is not. */
export class AccountUnavailableError extends VoiceError {
  readonly code = "account_unavailable";
}

/** The carrier was reached and refused. Nothing was dialled and nothing is charged. */
export class CarrierRefusedError extends VoiceError {
  readonly code = "carrier_refused";
  /** The carrier's own error code, for its support pages. */
  readonly carrierCode: string;
  override readonly retryable: boolean;
  /** How a call ends that was refused so. */
  readonly endReason: EndReason;

  constructor(
    carrierCode: string,
    reason: string,
    remedy: string,
    options: ErrorOptions & { retryable?: boolean; endReason?: EndReason } = {},
  ) {
    super(`The carrier refused (${carrierCode}): ${reason} ${remedy}`, options);
    this.carrierCode = carrierCode;
    this.endReason = options.endReason ?? "carrier_error";
    this.retryable = options.retryable ?? false;
  }
}

/** The carrier did not answer. Whether it acted is unknown: ask it for the leg's state. */
export class CarrierUnreachableError extends VoiceError {
  readonly code = "carrier_unreachable";
  override readonly retryable = true;
}

/** The speech model was reached and refused the session. */
export class EngineRefusedError extends VoiceError {
  readonly code = "engine_refused";
  /** The engine's own error code. */
  readonly engineCode: string;

  constructor(engineCode: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(`The speech model refused (${engineCode}): ${reason} ${remedy}`, options);
    this.engineCode = engineCode;
  }
}

/** The speech model did not answer or the connection to it was lost. */
export class EngineUnreachableError extends VoiceError {
  readonly code = "engine_unreachable";
  override readonly retryable = true;
}

/** The host (the agent system) failed to do what was asked. */
export class HostError extends VoiceError {
  readonly code = "host_failed";
  override readonly retryable = true;
}

/** The store could not write or read. Nothing that was promised as durable is affected. */
export class StoreError extends VoiceError {
  readonly code = "store_failed";
  override readonly retryable = true;
}

/** Another process listens on our port. */
export class PortTakenError extends VoiceError {
  readonly code = "port_taken";

  constructor(host: string, port: number, options?: ErrorOptions) {
    super(`listen.port: ${host}:${port} is taken by another process. Stop that process or set another port.`, options);
  }
}

/** An optional package is not installed. */
export class PackageMissingError extends VoiceError {
  readonly code = "package_missing";

  constructor(packageName: string, neededFor: string, options?: ErrorOptions) {
    super(
      `The package "${packageName}" is needed for ${neededFor} and is not installed. Run: npm install ${packageName}`,
      options,
    );
  }
}

/** The plugin was not started, or is stopping. */
export class NotRunningError extends VoiceError {
  readonly code = "not_running";
  override readonly retryable = true;

  constructor() {
    super("The voice channel is not running. Call start() first, or wait until it has started again.");
  }
}
