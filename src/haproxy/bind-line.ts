// A `bind` line: the ports of a frontend.

import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { ConfigError } from "./words.ts";

/** Limit of a port range. */
const maxRangePorts = 100;

/** The ports of a line. @throws ConfigError */
export function readBind(directive: Directive, diagnostics: Diagnostics): readonly number[] {
  const { line, words } = directive;
  const [, addresses, ...params] = words;
  if (addresses === undefined) throw new ConfigError(line, 'bind has no address: write "bind *:8080"');
  const ports: number[] = [];
  for (const address of addresses.split(",")) {
    if (/^(unix|abns|abnsz|fd|sockpair|uxst)@|^\//.test(address)) {
      diagnostics.add(directive, "could not", `${address}: the mesh listens on TCP ports only`);
      continue;
    }
    if (/^(quic4|quic6|udp)@/.test(address)) {
      diagnostics.add(directive, "could not", `${address}: HTTP/3 is terminated at the edge`);
      continue;
    }
    ports.push(...portsOf(address, line));
    const host = address.replace(/:\d+(?:-\d+)?$/, "");
    if (!["", "*", "0.0.0.0", "[::]", "::", "ipv4@", "ipv6@", "ipv4@*", "ipv6@::"].includes(host)) {
      diagnostics.add(directive, "could not", `${host}: a published port is open on every node's address`);
    }
  }
  if (ports.length > 0) diagnostics.add(directive, "taken", ports.some(isWebPort) ? "" : cloudflareNote);
  if (params.includes("ssl") || params.includes("crt")) {
    diagnostics.add(
      directive,
      "could not",
      "ssl: TLS is terminated at the edge, with the certificates of your zone",
    );
  }
  return ports;
}

/** @see docs/architecture.md, What is different on Cloudflare */
const cloudflareNote = "on Cloudflare services are reached by host name";

function isWebPort(port: number): boolean {
  return port === 80 || port === 443;
}

function portsOf(address: string, line: number): readonly number[] {
  const [, first, last] = /:(\d{1,5})(?:-(\d{1,5}))?$/.exec(address) ?? [];
  const [from, to] = [Number(first), Number(last ?? first)];
  if (first === undefined || !(from >= 1 && from <= to && to <= 65_535) || to - from >= maxRangePorts) {
    throw new ConfigError(
      line,
      `cannot bind "${address}": write *:PORT, ports from 1 to 65535, at most ${maxRangePorts} in a range`,
    );
  }
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
