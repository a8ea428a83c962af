// Why a pull failed, in words that say what to do, and whether it may work a moment later.

export type PullFailure = { readonly reason: string; readonly retry: boolean };

/**
 * Reads the daemon's error of a pull. Registries word their errors differently; what is not known is taken for a
 * failure of the connection.
 *
 * @param isDaemonAway true if the daemon itself did not answer
 */
export function pullFailure(image: string, text: string, isDaemonAway: boolean): PullFailure {
  if (isDaemonAway) return { reason: `the Docker daemon does not respond: ${text}`, retry: true };
  if (isRefused(text)) {
    const advice = "docker login, then update the service with --with-registry-auth";
    return {
      reason: `the registry refused access to ${image}: ${text} (wrong or missing credentials: ${advice}; or there is no such image)`,
      retry: false,
    };
  }
  if (isUnknownImage(text)) return { reason: `No such image: ${image}: ${text}`, retry: false };
  return { reason: `cannot pull ${image}: ${text}`, retry: true };
}

function isRefused(text: string): boolean {
  return /unauthorized|denied|authentication required|no basic auth credentials|incorrect username|status: 40[13]/i.test(
    text,
  );
}

/** Texts of registries and of dockerd; all parts must be in the error. */
const unknownImageTexts: readonly (readonly string[])[] = [
  ["manifest unknown"],
  ["manifest for ", " not found"],
  ["name unknown"],
  ["repository ", " not found"],
  ["not found: manifest"],
  ["no matching manifest"],
  ["invalid reference format"],
  ["unexpected status", " 404"],
];

function isUnknownImage(text: string): boolean {
  const lower = text.toLowerCase();
  return (
    lower.endsWith(": not found") ||
    unknownImageTexts.some((parts) => parts.every((part) => lower.includes(part)))
  );
}
