// The run hash: equal for a spec and a task as long as the task runs what the spec asks for.

import type { Service, ServiceSpec } from "./service.ts";
import { textLanes } from "./text-hash.ts";

/**
 * Hashes what a task runs: image, command, arguments, environment, directory, stop signal and grace period,
 * probe, target ports, host-mode ports, `forceUpdate`, and every other field of the TaskTemplate except
 * `Placement`. A change of labels, replicas, ingress ports, constraints or update policies does not change the
 * hash, because it does not require new tasks.
 *
 * @param document the Engine API's ServiceSpec from which `spec` was read
 * @returns 14 hexadecimal digits
 * @see docs/spec.md K11, N100
 */
export function runHash(spec: ServiceSpec, document: unknown): string {
  const { image, command, args, env, dir, stopSignal, stopGraceMs, probe, targets } = spec.run;
  const check = probe === undefined ? [] : probe.kind === "http" ? [probe.kind, probe.path] : [probe.kind];
  const hostPorts = spec.ports
    .filter(({ mode }) => mode === "host")
    .map(({ target, published }) => [target, published ?? null]);
  const parts = [image, command, args, env, dir, stopSignal, stopGraceMs, check, targets, spec.forceUpdate];
  const text = JSON.stringify([...parts, hostPorts, hashedTemplate(document)]);
  return hash53(text).toString(16).padStart(14, "0");
}

/**
 * The run hash after a change of a service's spec. A change that needs no new tasks keeps the hash, also one
 * that an earlier release computed in another way.
 */
export function nextRunHash(service: Service, spec: ServiceSpec, document: unknown): string {
  const next = runHash(spec, document);
  return runHash(service.spec, service.document) === next ? service.runHash : next;
}

/** The TaskTemplate without what `spec` holds or what moves no running task. */
function hashedTemplate(document: unknown): unknown {
  const template = (document as { TaskTemplate?: unknown } | null)?.TaskTemplate;
  if (typeof template !== "object" || template === null) return {};
  const { Placement, ForceUpdate, Runtime, ...rest } = template as Readonly<Record<string, unknown>>;
  return withoutEmpty(rest) ?? {};
}

/**
 * A copy with sorted keys and without null, "" and empty lists, which Go writes for an absent field. Zero and
 * false stay: `Init: false` is not the default of every daemon, and a delay of 0 is one.
 */
function withoutEmpty(value: unknown): unknown {
  if (value === null || value === "") return undefined;
  if (typeof value !== "object") return value;
  // An empty element of a list counts: it is an argument of a command.
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((item) => withoutEmpty(item) ?? null);
  const entries = Object.entries(value)
    .map(([key, field]) => [key, withoutEmpty(field)] as const)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** 53 bits. Not cryptographic: it only distinguishes one version of a service from the next. */
function hash53(text: string): number {
  const [high, low] = textLanes(text);
  return 0x100000000 * (high & 0x1fffff) + (low >>> 0);
}
