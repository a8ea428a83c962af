// The `waggle.*` labels of a service: checks all of them and reads those about host names and probes.

import { localControlHostPattern } from "../model/control-host.ts";
import { isHostName } from "../model/host-name.ts";
import type { ProbeSpec } from "../model/service.ts";
import { suggest } from "../model/suggest.ts";
import { attemptLabels } from "./attempt-labels.ts";
import { balanceLabels, checkBalanceLabels } from "./balance-labels.ts";
import { invalidLabel, type Labels, labelBoolean } from "./label.ts";
import { checkPathLabels, hostsForAllPaths, pathLabels, pathsOf } from "./path-labels.ts";
import { checkTcpLabels, tcpLabels } from "./tcp-labels.ts";

const labelPrefix = "waggle.";
const hostLabel = "waggle.host";
const defaultLabel = "waggle.default";
const probeLabel = "waggle.probe";

/** All labels the mesh reads; docs/labels.md lists the same. */
export const knownLabels: readonly string[] = [
  ...[hostLabel, ...pathLabels, defaultLabel, probeLabel],
  ...balanceLabels,
  ...attemptLabels,
  ...tcpLabels,
];

/**
 * Checks every `waggle.*` label; other labels are the operator's own. An unknown one is refused, in upper or
 * lower case, because a misspelled label would have no effect without a message.
 *
 * @throws MeshError `label/invalid`
 */
export function checkLabels(labels: Labels): void {
  for (const key of Object.keys(labels)) {
    if (key.toLowerCase().startsWith(labelPrefix) && !knownLabels.includes(key)) {
      const closest = suggest(key.toLowerCase(), knownLabels);
      const all = knownLabels.join(", ");
      throw invalidLabel(
        closest === null
          ? `label '${key}' is unknown: known are ${all}`
          : `label '${key}' is unknown: did you mean ${closest}? Known are ${all}`,
      );
    }
  }
  checkTcpLabels(labels);
  const paths = pathsOf(labels, hostsOf(labels));
  checkControlHost([...hostsOf(labels), ...(paths?.rules.flatMap(({ host }) => host ?? []) ?? [])]);
  checkPathLabels(labels, hostsOf(labels));
  isDefaultService(labels);
  probeOf(labels);
  checkBalanceLabels(labels);
}

/** The host names of label `waggle.host` (comma-separated): lower case, in the label's order, each once. */
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

/** The data plane refuses these host names, so that no service is on the same host name as the dashboard. */
function checkControlHost(hosts: readonly string[]): void {
  const taken = hosts.find((host) => localControlHostPattern.test(host));
  if (taken === undefined) return;
  throw invalidLabel(`the host name '${taken}' is the control API's own: write another one`);
}

/** The host names that lead to the service at every path: no other service may have them. */
export function exclusiveHostsOf(labels: Labels): readonly string[] {
  return hostsForAllPaths(labels, hostsOf(labels));
}

/** Label `waggle.default`: the service gets requests whose port and host name belong to no service. */
export function isDefaultService(labels: Labels): boolean {
  return labelBoolean(labels, defaultLabel) ?? false;
}

/** The probe of label `waggle.probe`, `tcp` or `http:/path`; undefined: the image's probe. */
export function probeOf(labels: Labels): ProbeSpec | undefined {
  const text = labels[probeLabel];
  if (text === undefined) return undefined;
  if (text === "tcp") return { kind: "tcp" };
  const path = text.startsWith("http:") ? text.slice("http:".length) : "";
  // A request line may only have printable ASCII without spaces (RFC 9112 §3.2).
  if (/^\/[!-~]*$/.test(path)) return { kind: "http", path };
  throw invalidLabel(`label '${probeLabel}' is '${text}': write tcp or http:/path`);
}
