// The labels of a service in mode tcp. docs/labels.md documents them.

import type { ProxyProtocol, TcpOptions } from "../table/tcp-options.ts";
import { invalidLabel, type Labels, labelDurationMs } from "./label.ts";

const modeLabel = "waggle.mode";
const sendProxyLabel = "waggle.send-proxy";
const idleTimeoutLabel = "waggle.idle-timeout";

export const tcpLabels: readonly string[] = [modeLabel, sendProxyLabel, idleTimeoutLabel];

/** What a label of mode http reads or sets, so that it has no meaning for a connection of mode tcp. */
const httpLabels: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "waggle.host": "the host name of a request",
    "waggle.path": "the path of a request",
    "waggle.at": "the path of a request",
    "waggle.default": "the host name of a request",
    "waggle.sticky": "a cookie; use waggle.balance=source, which keeps a client with its task",
    "waggle.via": "a header of a request",
    "waggle.host-header": "a header of a request",
    "waggle.marker": "a header of a response",
    "waggle.canary": "single requests",
    "waggle.canary.weight": "single requests",
    "waggle.canary.header": "a header of a request",
    "waggle.canary.cookie": "a cookie",
    "waggle.head-timeout": "the head of a response",
    "waggle.silence": "responses",
    "waggle.hedge": "single requests",
    "waggle.retries": "single requests; a connection is tried at each task once",
    "waggle.replay": "the body of a request",
    "waggle.body-timeout": "the body of a request; use waggle.idle-timeout",
  }),
);

/** The policies that read a request. */
const httpPolicy = /^(uri|path|hdr\(.*|cookie\(.*)$/;

/** Checks the labels of a mode, and that no other label needs the other mode. @throws MeshError `label/invalid` */
export function checkTcpLabels(labels: Labels): void {
  const { mode } = tcpOptionsOf(labels);
  if (mode === undefined) {
    for (const label of [sendProxyLabel, idleTimeoutLabel]) {
      if (labels[label] === undefined) continue;
      throw invalidLabel(`label '${label}' needs '${modeLabel}=tcp': it is about connections, not requests`);
    }
    return;
  }
  for (const label of Object.keys(labels)) {
    const needs = httpLabels.get(label);
    if (needs === undefined) continue;
    throw invalidLabel(`label '${label}' needs ${modeLabel}=http: in mode tcp nothing reads ${needs}`);
  }
  const balance = labels["waggle.balance"];
  if (balance === undefined || !httpPolicy.test(balance)) return;
  throw invalidLabel(
    `label 'waggle.balance' is '${balance}', which reads requests, and mode tcp has connections: write roundrobin, leastconn, random or source`,
  );
}

/** The options that these labels set. @throws MeshError `label/invalid` */
export function tcpOptionsOf(labels: Labels): TcpOptions {
  const mode = modeOf(labels);
  const sendProxy = sendProxyOf(labels);
  const idleTimeoutMs = labelDurationMs(labels, idleTimeoutLabel, 0);
  return {
    ...(mode === "tcp" && { mode }),
    ...(sendProxy !== undefined && { sendProxy }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
  };
}

function modeOf(labels: Labels): "tcp" | "http" {
  const text = labels[modeLabel] ?? "http";
  if (text === "tcp" || text === "http") return text;
  throw invalidLabel(`label '${modeLabel}' is '${text}': write tcp or http`);
}

function sendProxyOf(labels: Labels): ProxyProtocol | undefined {
  const text = labels[sendProxyLabel];
  if (text === undefined || text === "v1" || text === "v2") return text;
  throw invalidLabel(
    `label '${sendProxyLabel}' is '${text}': write v1 or v2, a version of the PROXY protocol`,
  );
}
