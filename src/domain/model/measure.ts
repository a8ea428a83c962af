// Durations and sizes in HAProxy's form.

/** Longest duration of a label, variable or option, a day in milliseconds; HAProxy's is about three weeks. */
export const maxDurationMs = 86_400_000;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A duration such as `30s` or `500ms`, in milliseconds, which are also the unit of a number alone; else null. */
export function readDurationMs(text: string): number | null {
  const [, digits, unit = "ms"] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? [];
  return digits === undefined ? null : Number(digits) * (unitMs[unit] ?? 1);
}

const unitBytes: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2 };

/** A size such as `65536`, `64k` or `1m`, in bytes; else null. */
export function readSizeBytes(text: string): number | null {
  const [, digits, unit = ""] = /^(\d{1,9})([km]?)$/i.exec(text) ?? [];
  return digits === undefined ? null : Number(digits) * (unitBytes[unit.toLowerCase()] ?? 1);
}
