/** What stands where a secret would. */
const MASK = "x";

/** A tool's arguments as they may be written down: those named are masked; what cannot be read is left out as a whole. */
export function maskArguments(argumentsJson: string, secret: readonly string[]): string {
  if (secret.length === 0) return argumentsJson;
  const masked = (name: string, value: unknown) => (secret.includes(name) ? MASK : value);
  try {
    return JSON.stringify(JSON.parse(argumentsJson || "{}", masked));
  } catch {
    return "{}"; // broken JSON may hold the secret anywhere
  }
}
