// The labels of a service: how one value is read, and the error for one that cannot be read.

import { invalidAs } from "../model/error.ts";
import { maxDurationMs, readDurationMs } from "../model/measure.ts";

export type Labels = Readonly<Record<string, string>>;

export const invalidLabel = invalidAs("label/invalid");

/** True if a label's text can be the name of a service. */
export function isServiceName(text: string): boolean {
  return /^[a-zA-Z0-9][-_a-zA-Z0-9]{0,62}$/.test(text);
}

const maxLabelCount = 1_000_000;

/** A whole number, up to a million unless `max` says otherwise. */
export function labelCount(
  labels: Labels,
  label: string,
  min: number,
  max = maxLabelCount,
): number | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= min && count <= max) return count;
  throw invalidLabel(`label '${label}' is '${text}': write a whole number from ${min} to ${max}`);
}

/**
 * A duration as HAProxy reads it: `30s`, `500ms`; without a unit, milliseconds.
 *
 * @param minMs 0 if the setting can be turned off
 */
export function labelDurationMs(labels: Labels, label: string, minMs: 0 | 1 = 1): number | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const ms = readDurationMs(text);
  if (ms !== null && ms >= minMs && ms <= maxDurationMs) return ms;
  const off = minMs === 0 ? ", or 0 for never" : "";
  throw invalidLabel(
    `label '${label}' is '${text}': write a duration such as 500ms, 30s or 5m, up to 24h${off}`,
  );
}

/** `true` or `false`. */
export function labelBoolean(labels: Labels, label: string): boolean | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  if (text === "true") return true;
  if (text === "false") return false;
  throw invalidLabel(`label '${label}' is '${text}': write true or false`);
}
