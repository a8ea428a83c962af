// What differs between two specs of a service, field by field.

import { printableUpTo } from "./printable.ts";
import type { PortRequest, ServiceSpec } from "./service.ts";

export type SpecChange = {
  /** `image`, `replicas`, `env LOG`, `port 80`, `label waggle.host`, `update.parallelism`. */
  readonly field: string;
  /** Null: the field was not set. */
  readonly before: string | null;
  /** Null: the field is not set any more. */
  readonly after: string | null;
};

/** The fields that differ, by name. */
export function specChanges(before: ServiceSpec, after: ServiceSpec): readonly SpecChange[] {
  const [old, current] = [fieldsOf(before), fieldsOf(after)];
  const fields = [...new Set([...old.keys(), ...current.keys()])].sort();
  return fields.flatMap((field) => {
    const change = { field, before: old.get(field) ?? null, after: current.get(field) ?? null };
    return change.before === change.after ? [] : [change];
  });
}

/** `image: a → b`; `env LOG: debug (new)`; `label waggle.host: removed, was a.test`. */
export function changeText({ field, before, after }: SpecChange): string {
  if (before === null) return `${field}: ${after} (new)`;
  if (after === null) return `${field}: removed, was ${before}`;
  return `${field}: ${before} → ${after}`;
}

/** Changes that an event keeps, and characters of each: at most about 2 kB for an event. */
const maxRecorded = 12;
const maxRecordedLength = 160;

/**
 * The changes as an event of the mesh keeps them, long after the specs. The values of environment variables are left
 * out, because many are passwords.
 */
export function recordedChanges(before: ServiceSpec, after: ServiceSpec): readonly string[] {
  const changes = specChanges(before, after).map(recordedText);
  const more = changes.length - maxRecorded;
  return more > 0 ? [...changes.slice(0, maxRecorded), `and ${more} more`] : changes;
}

function recordedText({ field, before, after }: SpecChange): string {
  if (!field.startsWith("env "))
    return printableUpTo(changeText({ field, before, after }), maxRecordedLength);
  const what = before === null ? "new" : after === null ? "removed" : "changed";
  return `${printableUpTo(field, maxRecordedLength)}: ${what}`;
}

function fieldsOf(spec: ServiceSpec): ReadonlyMap<string, string> {
  const { run, labels, ports, mode, ...rest } = spec;
  const { env, image, targets: _ofPorts, probe, ...process } = run;
  const pairs: (readonly [string, string])[] = [
    ["image", image],
    ...env.map((pair): readonly [string, string] => {
      const end = pair.indexOf("=");
      return end < 0 ? [`env ${pair}`, ""] : [`env ${pair.slice(0, end)}`, pair.slice(end + 1)];
    }),
    ...Object.entries(labels).map(([name, value]): readonly [string, string] => [`label ${name}`, value]),
    ...ports.map((port): readonly [string, string] => [`port ${port.target}`, portText(port)]),
    ...(mode.kind === "replicated" ? ([["replicas", String(mode.replicas)]] as const) : leaves("mode", mode)),
    ...leaves("", process),
    ...(probe === undefined ? [] : leaves("probe", probe)),
    ...leaves("", rest),
  ];
  return new Map(pairs);
}

function portText({ published, mode }: PortRequest): string {
  return `${published ?? "any"}${mode === "host" ? " (host)" : ""}`;
}

/** Each value below an object with its path; lists of values as one text. */
function leaves(path: string, value: unknown): (readonly [string, string])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
    return value.length === 0 ? [] : [[path, value.join(", ")]];
  }
  if (typeof value !== "object") return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, child]) => leaves(path === "" ? key : `${path}.${key}`, child));
}
