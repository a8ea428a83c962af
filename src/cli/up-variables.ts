// The variables of the data plane that `waggle up` passes on: those of its options, else of its environment.

import type { Command, Option } from "commander";
import { maxDurationMs, readDurationMs, readSizeBytes } from "../domain/model/measure.ts";
import { maxReplayBytes, maxRetries } from "../domain/table/attempt-options.ts";
import { usageError } from "./errors.ts";
import { choiceFlag, valueFlag } from "./flags.ts";

/** The options, by the variable that each sets. docs/http.md explains them. */
const flagByVariable: Readonly<Record<string, Option>> = {
  HEAD_TIMEOUT_MS: durationFlag(
    "--head-timeout <duration>",
    "time for tasks to begin a response (default: 30s, for requests that may be repeated)",
    1,
  ),
  TRY_TIMEOUT_MS: durationFlag(
    "--try-timeout <duration>",
    "time after which a repeatable request is sent to another task too (default: 0, never)",
    0,
  ),
  SILENT_MS: durationFlag(
    "--silence <duration>",
    "time without any response after which a task is frozen; 0: never (default: 3s, for requests that may be repeated)",
    0,
  ),
  BODY_TIMEOUT_MS: durationFlag(
    "--body-timeout <duration>",
    "longest pause in a client's body; 0: any (default: 30s)",
    0,
  ),
  HEDGE: choiceFlag(
    "--hedge <boolean>",
    "send a safe request to another task if one is silent (default: true)",
    ["true", "false"],
  ),
  RETRIES: valueFlag(
    "--retries <count>",
    "further tasks that a repeatable request may go to (default: 3)",
    readRetries,
  ),
  REPLAY_BYTES: valueFlag(
    "--replay <bytes>",
    "largest body that is held to be sent again (default: 64k)",
    readReplay,
  ),
};

/** Variables that have no option. */
const otherVariables = ["TRUSTED_PROXIES", "MESH_DOMAIN", "STATS_URI"];

/** Adds the options. */
export function addVariableFlags(command: Command): void {
  for (const flag of Object.values(flagByVariable)) command.addOption(flag.helpGroup("Requests:"));
}

/**
 * The variables to pass on.
 *
 * @param flags the options by their names in camel case
 * @param env the environment of `waggle up`
 */
export function variablesOf(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const values = [...Object.keys(flagByVariable), ...otherVariables].map((name) => {
    const flag = flagByVariable[name];
    return [name, (flag && (flags[flag.attributeName()] as string | undefined)) ?? env[name]] as const;
  });
  return Object.fromEntries(values.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function durationFlag(flags: string, description: string, minMs: 0 | 1): Option {
  return valueFlag(flags, description, (text) => {
    const ms = readDurationMs(text);
    if (ms !== null && ms >= minMs && ms <= maxDurationMs) return String(ms);
    throw usageError("must be a duration such as 500ms, 30s or 5m, up to 24h");
  });
}

function readRetries(text: string): string {
  if (/^\d$/.test(text) && Number(text) <= maxRetries) return text;
  throw usageError(`must be a whole number from 0 to ${maxRetries}`);
}

function readReplay(text: string): string {
  const bytes = readSizeBytes(text);
  if (bytes !== null && bytes <= maxReplayBytes) return String(bytes);
  throw usageError("must be a size in bytes from 0 to 1m, such as 65536 or 64k");
}
