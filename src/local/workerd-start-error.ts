// Why workerd did not start, with what would work.

const noCertificates =
  "it found no certificates of public authorities on this machine: install the package ca-certificates";

/**
 * Explains a failed start of workerd.
 *
 * @param message Miniflare's error, which has what workerd wrote as lines of JSON. Without any it is that of a pipe to
 * workerd, such as `write EPIPE`
 * @param exit the exit code of workerd or the name of its signal; null if it has not exited
 * @param logs the folder with its log
 */
export function workerdStartError(message: string, exit: number | string | null, logs: string): string {
  const written = message.split("\n").flatMap(messageOf);
  if (written.some((text) => text.includes("No CA certificates were loaded")))
    return `workerd did not start: ${noCertificates}`;
  if (written.length > 0) return `workerd did not start: ${written.join("; ")}`;
  if (exit !== null) return `workerd did not start (exited with ${exit}): see the newest file in ${logs}`;
  return `workerd did not start: ${message}`;
}

/** The message of a line that workerd wrote; empty if it is another line. */
function messageOf(line: string): readonly string[] {
  if (!line.startsWith("{")) return [];
  try {
    const { message } = JSON.parse(line) as { readonly message?: unknown };
    return typeof message === "string" ? [message] : [];
  } catch {
    return [];
  }
}
