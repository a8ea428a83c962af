// The run hash: equal for a spec and a task as long as the task runs what the spec asks for.

import type { ServiceSpec } from "./service.ts";

/**
 * Hashes what a task runs (image, command, arguments, environment, directory, stop signal and grace period,
 * probe, target ports) and `forceUpdate`. A change of labels, replicas, published ports, constraints,
 * reservations or policies does not change the hash, because it does not require new tasks.
 *
 * @returns 14 hexadecimal digits
 */
export function runHash(spec: ServiceSpec): string {
  const { image, command, args, env, dir, stopSignal, stopGraceMs, probe, targets } = spec.run;
  const check = probe === undefined ? [] : probe.kind === "http" ? [probe.kind, probe.path] : [probe.kind];
  const parts = [image, command, args, env, dir, stopSignal, stopGraceMs, check, targets, spec.forceUpdate];
  return hash53(JSON.stringify(parts)).toString(16).padStart(14, "0");
}

/**
 * Two 32-bit multiply-and-xor lanes, mixed and joined to 53 bits. Not cryptographic: it only distinguishes
 * one version of a service from the next. It is small, equal on every runtime and synchronous, which the
 * platform's digests are not.
 */
function hash53(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return 0x100000000 * (high & 0x1fffff) + (low >>> 0);
}
