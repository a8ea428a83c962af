// Warnings about the limit of file descriptors. Each client of a published port needs a descriptor, and
// a request in progress needs more.

import { closeSync, openSync } from "node:fs";
import { maxOpenRequests } from "./descriptor-budget.ts";

const descriptorWatchMs = 1_000;

/** From here on a limit needs no mention. */
const ampleLimit = 8_192;

export type DescriptorWatch = { readonly stop: () => void };

/**
 * Logs a low limit now, and each time the descriptors run out or are free again.
 *
 * @param limit null if it is unknown or there is no limit
 */
export function watchDescriptors(limit: number | null, log: (line: string) => void): DescriptorWatch {
  const warning = lowLimitWarning(limit);
  if (warning !== null) log(warning);
  let isExhausted = false;
  const check = setInterval(() => {
    if (hasFreeDescriptor() === !isExhausted) return;
    isExhausted = !isExhausted;
    log(isExhausted ? exhaustedText(limit) : "file descriptors are free again; connections are accepted");
  }, descriptorWatchMs);
  return { stop: () => clearInterval(check) };
}

/** What a low limit means, and how to raise it. @param limit null if it is unknown or there is no limit */
export function lowLimitWarning(limit: number | null): string | null {
  if (limit === null || limit >= ampleLimit) return null;
  return `this process may open ${limit} files, enough for ${maxOpenRequests(limit)} requests at a time; ${raiseHint}`;
}

const raiseHint = "raise the limit with `ulimit -n 65536`, or LimitNOFILE= of a systemd unit";

function exhaustedText(limit: number | null): string {
  return `no file descriptor is left${limit === null ? "" : ` of ${limit}`}: further connections are closed until others end; ${raiseHint}`;
}

function hasFreeDescriptor(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    return !["EMFILE", "ENFILE"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}
