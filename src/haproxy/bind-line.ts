// A `bind` line: the ports of a frontend.

import type { Diagnostics } from "./diagnostics.ts";
import { isAnyAddress, splitAddress } from "./grammar/address.ts";
import type { Directive } from "./sections.ts";
import type { ProxyMode } from "./tcp-mode.ts";

/** Limit of a port range. */
const maxRangePorts = 100;

/** The parameters with a value that is a word of its own. */
const paramsWithValue: ReadonlySet<string> = new Set([
  ...["accept-netscaler-cip", "alpn", "backlog", "ca-file", "ca-ignore-err", "ca-sign-file", "ca-sign-pass"],
  ...["ca-verify-file", "ciphers", "ciphersuites", "client-sigalgs", "crl-file", "crt", "crt-ignore-err"],
  ...["crt-list", "curves", "ecdhe", "expose-fd", "gid", "group", "guid-prefix", "id", "interface", "level"],
  ...["maxconn", "mode", "mss", "name", "namespace", "nbconn", "nice", "npn", "process", "proto"],
  ...["quic-cc-algo", "quic-socket", "severity-output", "shards", "sigalgs", "ssl-max-ver", "ssl-min-ver"],
  ...["tcp-ut", "thread", "tls-ticket-keys", "uid", "user", "verify"],
]);

/** Parameters about TLS, which have no effect of their own without it. */
const tlsParams =
  /^(allow-0rtt|alpn|ca-|ciphers|client-sigalgs|crl-|crt|curves|ecdhe|force-|generate-|no-|npn|prefer-|sigalgs|ssl|strict-sni|tls-|verify)/;

const paramNotes: Readonly<Record<string, string>> = {
  "accept-netscaler-cip": "the mesh does not read the NetScaler protocol: clients have the sender's address",
  "accept-proxy": "the mesh does not read the PROXY protocol: clients have the sender's address",
  interface: "a published port is open on every interface",
  maxconn: "the mesh does not limit the connections of clients",
  namespace: "the mesh has no network namespaces",
  proto: "clients speak HTTP/1.1 to a published port",
  transparent: "a published port has no addresses of other machines",
};
/** Parameters that only name or tune the socket. */
const silentParams: ReadonlySet<string> = new Set([
  ...["backlog", "defer-accept", "expose-fd", "id", "guid-prefix", "level", "mss", "name", "nbconn", "nice"],
  ...["process", "severity-output", "shards", "tcp-ut", "tfo", "thread", "v4v6"],
]);

/** A line of a frontend whose service is published: its ports, and what is not taken of it. */
export function readBind(directive: Directive, mode: ProxyMode, diagnostics: Diagnostics): readonly number[] {
  const [, addresses = "", ...params] = directive.words;
  const ports: number[] = [];
  for (const text of addresses.split(",")) {
    const address = splitAddress(text);
    if (address.kind === "socket") {
      diagnostics.add(directive, "could not", `${text}: the mesh listens on TCP ports only`);
      continue;
    }
    if (/^(udp|quic)/.test(address.protocol) || text.startsWith("dgram+")) {
      diagnostics.add(directive, "could not", `${text}: the mesh listens on TCP ports only`);
      continue;
    }
    ports.push(...portsOf(address.port, text, directive, diagnostics));
    if (!isAnyAddress(address.host)) {
      const note = `${address.host}: a published port is open on every address of every node`;
      diagnostics.add(directive, "could not", note);
    }
  }
  const note = mode === "tcp" ? tcpNote : ports.some(isWebPort) ? "" : cloudflareNote;
  if (ports.length > 0) diagnostics.add(directive, "taken", note);
  reportParams(params, mode, directive, diagnostics);
  return ports;
}

function reportParams(
  params: readonly string[],
  mode: ProxyMode,
  directive: Directive,
  diagnostics: Diagnostics,
): void {
  if (params.includes("ssl")) {
    const where = mode === "tcp" ? "" : "on Cloudflare the edge terminates TLS; elsewhere ";
    diagnostics.add(directive, "could not", `ssl: ${where}the port is open without TLS`);
  }
  for (let at = 0; at < params.length; at += 1) {
    const param = params[at] ?? "";
    const note = paramNotes[param];
    if (note !== undefined) diagnostics.add(directive, "could not", `${param}: ${note}`);
    else if (!silentParams.has(param) && !tlsParams.test(param))
      diagnostics.add(directive, "could not", `${param}: the mesh has no counterpart`);
    if (paramsWithValue.has(param)) at += 1;
  }
}

/** @see docs/architecture.md, What is different on Cloudflare */
const cloudflareNote = "on Cloudflare services are reached by host name";

/** @see docs/tcp.md */
const tcpNote = "on nodes and self-hosted balancers; a Worker on Cloudflare has no such port";

function isWebPort(port: number): boolean {
  return port === 80 || port === 443;
}

function portsOf(
  text: string,
  address: string,
  directive: Directive,
  diagnostics: Diagnostics,
): readonly number[] {
  const [first = "", last = first] = text.split("-");
  const [from, to] = [Number.parseInt(first, 10), Number.parseInt(last, 10)];
  if (to - from < maxRangePorts) return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  const note = `${address}: a range has at most ${maxRangePorts} ports`;
  diagnostics.add(directive, "could not", note);
  return [];
}
