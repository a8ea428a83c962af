// Labels: what the mesh reads out of a service's `waggle.*` labels. Every other label is the operator's own.

import { isHostName } from "../model/host-name.ts";
import type { ProbeSpec } from "../model/service.ts";
import { balanceLabels, checkBalanceLabels } from "./balance-labels.ts";
import { invalidLabel, type Labels } from "./label.ts";
import { hostsForAllPaths, pathLabels, pathsOf } from "./path-labels.ts";

const labelPrefix = "waggle.";
const hostLabel = "waggle.host";
const defaultLabel = "waggle.default";
const probeLabel = "waggle.probe";

/** All labels the mesh reads; docs/labels.md has them, too. */
export const knownLabels: readonly string[] = [
  ...[hostLabel, ...pathLabels, defaultLabel, probeLabel],
  ...balanceLabels,
];

/**
 * Throws a MeshError when a `waggle.*` label is unknown or cannot be read. A misspelt one would otherwise do nothing,
 * silently.
 */
export function checkLabels(labels: Labels): void {
  for (const key of Object.keys(labels)) {
    if (key.startsWith(labelPrefix) && !knownLabels.includes(key)) {
      throw invalidLabel(`label '${key}' is unknown: known are ${knownLabels.join(", ")}`);
    }
  }
  pathsOf(labels, hostsOf(labels));
  isDefaultService(labels);
  probeOf(labels);
  checkBalanceLabels(labels);
}

/** Host names of label `waggle.host` (comma-separated), lower case, each once, as ordered there. */
export function hostsOf(labels: Labels): readonly string[] {
  const text = labels[hostLabel];
  if (text === undefined) return [];
  const hosts = text.split(",").map((host) => host.trim().toLowerCase());
  for (const host of hosts) {
    if (!isHostName(host)) {
      throw invalidLabel(
        `label '${hostLabel}' has '${host}': write host names as www.example.com,example.com`,
      );
    }
  }
  return [...new Set(hosts)];
}

/** Those of them that lead to the service whatever the path is: no other service may have them. */
export function exclusiveHostsOf(labels: Labels): readonly string[] {
  return hostsForAllPaths(labels, hostsOf(labels));
}

/** True when label `waggle.default` says so: the service answers where neither port nor host name says which. */
export function isDefaultService(labels: Labels): boolean {
  const text = labels[defaultLabel];
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw invalidLabel(`label '${defaultLabel}' is '${text}': write true or false`);
}

/** The probe label `waggle.probe` asks for, `tcp` or `http:/path`; undefined: the image's own. */
export function probeOf(labels: Labels): ProbeSpec | undefined {
  const text = labels[probeLabel];
  if (text === undefined) return undefined;
  if (text === "tcp") return { kind: "tcp" };
  const path = text.startsWith("http:") ? text.slice("http:".length) : "";
  // Printable ASCII without a space is all that may stand in a request line (RFC 9112 §3.2).
  if (/^\/[!-~]*$/.test(path)) return { kind: "http", path };
  throw invalidLabel(`label '${probeLabel}' is '${text}': write tcp or http:/path`);
}
