// Parses `--publish` as Docker does: `8080:80` or `published=8080,target=80,mode=host`.

import type { EnginePortConfig } from "./engine.ts";
import { usageError } from "./errors.ts";

/** One published port. `PublishedPort` is absent if the mesh chooses it. */
export type PublishSpec = Required<Pick<EnginePortConfig, "TargetPort">> & {
  readonly Protocol: "tcp" | "udp" | "sctp";
  readonly PublishMode: "ingress" | "host";
  readonly PublishedPort?: number;
};

const publishHint =
  "write it as published=8080,target=80 or 8080:80; without a published port the mesh chooses one";

/**
 * Parses one `--publish` argument. A range results in one spec per port.
 *
 * @throws a usage error with Docker's text
 * @see docker/cli opts/swarmopts/port.go
 */
export function parsePublish(text: string): readonly PublishSpec[] {
  return /\w=\w/.test(text) ? [parseLong(text)] : parseShort(text);
}

function parseLong(text: string): PublishSpec {
  let target = 0;
  let published = 0;
  let protocol: PublishSpec["Protocol"] = "tcp";
  let mode: PublishSpec["PublishMode"] = "ingress";
  for (const field of text.split(",")) {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(field.toLowerCase()) ?? [];
    if (key === undefined || value === undefined) throw usageError(`invalid field: ${field}`, publishHint);
    if (key === "target") target = longPort(value, "target");
    else if (key === "published") published = longPort(value, "published");
    else if (key === "protocol") protocol = readProtocol(value, `invalid protocol value '${value}'`);
    else if (key === "mode") mode = readMode(value);
    else throw usageError(`invalid field key: ${key}`, "the keys are target, published, protocol, mode");
  }
  if (target === 0) throw usageError("missing mandatory field 'target'", publishHint);
  return publishSpecOf(target, published, protocol, mode);
}

function longPort(value: string, field: string): number {
  const reason = !/^\d+$/.test(value)
    ? "invalid syntax"
    : Number(value) > 65_535
      ? "value out of range"
      : null;
  if (reason === null) return Number(value);
  throw usageError(`invalid ${field} port (${value}): value must be an integer: ${reason}`, publishHint);
}

function readMode(value: string): PublishSpec["PublishMode"] {
  if (value === "ingress" || value === "host") return value;
  throw usageError(`invalid publish mode value (${value}): must be either 'ingress' or 'host'`);
}

function readProtocol(value: string, message: string): PublishSpec["Protocol"] {
  if (value === "tcp" || value === "udp" || value === "sctp") return value;
  throw usageError(message, "the mesh publishes tcp only");
}

function parseShort(text: string): readonly PublishSpec[] {
  const slash = text.indexOf("/");
  const ports = slash < 0 ? text : text.slice(0, slash);
  const protocolText = slash < 0 ? "tcp" : text.slice(slash + 1).toLowerCase() || "tcp";
  const protocol = readProtocol(protocolText, `invalid proto: ${protocolText}`);
  const colon = ports.lastIndexOf(":");
  const before = colon < 0 ? "" : ports.slice(0, colon);
  const after = ports.slice(colon + 1);
  if (after === "") throw usageError(`no port specified: ${text}<empty>`, publishHint);
  if (before.includes(":")) throw addressError(before);
  const target = readRange(after, `invalid containerPort: ${after}`);
  if (target.from === 0) throw usageError("invalid target port: 0", publishHint);
  if (before === "") return expandRange(target, null, protocol);
  const published = readRange(before, `invalid hostPort: ${before}`);
  if (target.size !== published.size && target.size > 1) {
    throw usageError(
      `invalid ranges specified for container and host Ports: ${after} and ${before}`,
      publishHint,
    );
  }
  return expandRange(target, published, protocol);
}

/** The error of `127.0.0.1:8080:80`: services take no host address. Docker distinguishes invalid ones. */
function addressError(before: string): Error {
  const address = before.slice(0, before.lastIndexOf(":"));
  if (address.includes(".") || address.includes("[")) {
    return usageError("hostip is not supported", "omit the address: a service is published on every node");
  }
  return usageError(`invalid IP address: ${address}`, publishHint);
}

type PortRange = { readonly from: number; readonly size: number };

function readRange(text: string, message: string): PortRange {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const first = Number(from);
  const last = to === undefined ? first : Number(to);
  if (from === undefined || last > 65_535 || first > last) throw usageError(message, publishHint);
  return { from: first, size: last - first + 1 };
}

function expandRange(
  target: PortRange,
  published: PortRange | null,
  protocol: PublishSpec["Protocol"],
): readonly PublishSpec[] {
  const size = Math.max(target.size, published?.size ?? 1);
  return Array.from({ length: size }, (_, index) =>
    // A single target port may be published on a range.
    publishSpecOf(
      target.from + (target.size > 1 ? index : 0),
      published === null ? 0 : published.from + index,
      protocol,
      "ingress",
    ),
  );
}

function publishSpecOf(
  target: number,
  published: number,
  protocol: PublishSpec["Protocol"],
  mode: PublishSpec["PublishMode"],
): PublishSpec {
  const base = { Protocol: protocol, TargetPort: target, PublishMode: mode };
  return published === 0 ? base : { ...base, PublishedPort: published };
}
