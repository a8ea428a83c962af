// The labels for attempts: how long a service's requests may take, and whether they are sent more than once.
// docs/labels.md documents them.

import { readSizeBytes } from "../model/measure.ts";
import { type AttemptOptions, definedOptions, maxReplayBytes, maxRetries } from "../table/attempt-options.ts";
import { invalidLabel, type Labels, labelBoolean, labelCount, labelDurationMs } from "./label.ts";

const labelNames = {
  headTimeout: "waggle.head-timeout",
  silence: "waggle.silence",
  hedge: "waggle.hedge",
  retries: "waggle.retries",
  replay: "waggle.replay",
  bodyTimeout: "waggle.body-timeout",
} as const;

export const attemptLabels: readonly string[] = Object.values(labelNames);

/** The options that these labels set. @throws MeshError `label/invalid` */
export function attemptOptionsOf(labels: Labels): AttemptOptions {
  return definedOptions({
    headTimeoutMs: labelDurationMs(labels, labelNames.headTimeout),
    silenceMs: labelDurationMs(labels, labelNames.silence, 0),
    hedge: labelBoolean(labels, labelNames.hedge),
    retries: labelCount(labels, labelNames.retries, 0, maxRetries),
    replayBytes: replayBytesOf(labels),
    bodyTimeoutMs: labelDurationMs(labels, labelNames.bodyTimeout, 0),
  });
}

/** Label `waggle.replay`: a size as HAProxy reads it, `65536` or `64k`. */
function replayBytesOf(labels: Labels): number | undefined {
  const text = labels[labelNames.replay];
  if (text === undefined) return undefined;
  const bytes = readSizeBytes(text);
  if (bytes !== null && bytes <= maxReplayBytes) return bytes;
  throw invalidLabel(
    `label '${labelNames.replay}' is '${text}': write a size in bytes from 0 to 1m, such as 65536 or 64k`,
  );
}
