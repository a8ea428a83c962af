// `--filter`, `--since` and `--until` of `waggle events`: which events of the mesh are printed.

import type { MeshEvent } from "../domain/model/event.ts";
import { parseDurationMs } from "./duration.ts";
import { CliError, usageError } from "./errors.ts";

/** Types of subjects, which are also keys: `service=my-web` is short for `type=service` and `name=my-web`. */
const subjectTypes = ["mesh", "node", "service", "task", "server", "network", "secret", "config"] as const;
const otherKeys = ["type", "action", "event", "name", "actor"] as const;

/** The keys, for help and errors. */
export const eventFilterKeys: readonly string[] = [...otherKeys, ...subjectTypes];

type EventTest = (event: MeshEvent) => boolean;

/**
 * Decides which events match filters. Values of one key are alternatives; every key must match.
 *
 * @throws a usage error for an unknown key or type, with those that exist
 */
export function eventFilter(groups: Readonly<Record<string, readonly string[]>>): EventTest {
  const tests = Object.entries(groups).map(([key, values]) => {
    const alternatives = values.map((value) => testOf(key, value));
    return (event: MeshEvent) => alternatives.some((test) => test(event));
  });
  return (event) => tests.every((test) => test(event));
}

function testOf(key: string, value: string): EventTest {
  const isNamed: EventTest = ({ subject }) =>
    subject.name === value || subject.id === value || (value.length >= 6 && subject.id.startsWith(value));
  if (isSubjectType(key)) return (event) => event.subject.type === key && isNamed(event);
  switch (key) {
    case "type":
      if (isSubjectType(value)) return ({ subject }) => subject.type === value;
      throw usageError(`no events of type "${value}"`, `types: ${subjectTypes.join(", ")}`);
    case "action":
    case "event":
      // `create` stands for `service.create` and the like.
      return ({ action }) =>
        action === value || action.endsWith(`.${value}`) || action.startsWith(`${value}.`);
    case "name":
      return isNamed;
    case "actor":
      return ({ actor }) => actor === value || actor === `node ${value}`;
    default:
      throw usageError(`cannot filter events by "${key}"`, `keys: ${eventFilterKeys.join(", ")}`);
  }
}

function isSubjectType(text: string): text is (typeof subjectTypes)[number] {
  return (subjectTypes as readonly string[]).includes(text);
}

/** A place in the stream of events. */
export type EventPoint =
  /** After the event of this number. */
  | { readonly kind: "number"; readonly seq: number }
  /** Epoch milliseconds. */
  | { readonly kind: "time"; readonly atMs: number };

/** Reads `42` (a number of an event), `10m` (ago), or a time such as `2026-01-02T13:23:37Z`. */
export function readEventPoint(text: string, nowMs: number): EventPoint {
  if (/^\d{1,15}$/.test(text)) return { kind: "number", seq: Number(text) };
  if (/^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?$/.test(text)) {
    const atMs = Date.parse(text);
    if (!Number.isNaN(atMs)) return { kind: "time", atMs };
  }
  try {
    return { kind: "time", atMs: nowMs - parseDurationMs(text) };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw usageError(
      "must be the number of an event, a duration or a time",
      "write it as 42, 10m or 2026-01-02T13:23:37Z",
    );
  }
}

/** True for events after a point. */
export function isAfter(point: EventPoint, { seq, atMs }: Pick<MeshEvent, "seq" | "atMs">): boolean {
  return point.kind === "number" ? seq > point.seq : atMs >= point.atMs;
}
