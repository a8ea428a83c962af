// Addresses of haproxy.cfg, such as `10.0.0.1:80`, `ipv6@[::1]:8000-8010`, `/run/web.sock` or `$HOST:${PORT}`.

/** What an address names. `port` is as written, empty if absent. */
export type ConfigAddress =
  | { readonly kind: "socket"; readonly prefix: string }
  | { readonly kind: "network"; readonly protocol: string; readonly host: string; readonly port: string };

const socketPrefix = /^(?:stream\+|dgram\+)?(unix|uxst|uxdg|abns|abnsz|fd|sockpair|rhttp)@|^\//;
const networkPrefix =
  /^(?:stream\+|dgram\+)?(?:(ip|ipv4|ipv6|tcp|tcp4|tcp6|udp|udp4|udp6|quic4|quic6|mptcp|mptcp4|mptcp6)@)?/;

/** Splits an address at its last colon outside of brackets, as HAProxy's str2sa_range does. */
export function splitAddress(text: string): ConfigAddress {
  const socket = socketPrefix.exec(text);
  if (socket !== null) return { kind: "socket", prefix: socket[1] ?? "unix" };
  const [whole = "", protocol = "ip"] = networkPrefix.exec(text) ?? [];
  const address = text.slice(whole.length);
  const [, host = address, port = ""] = /^(.*):([^\]:]*)$/s.exec(address) ?? [];
  return { kind: "network", protocol, host: host.replace(/^\[(.*)\]$/, "$1"), port };
}

export function isIpAddress(text: string): boolean {
  return isIpV4(text) || isIpV6(text);
}

function isIpV4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function isIpV6(text: string): boolean {
  if (!/^[\da-fA-F:.]+$/.test(text) || text.includes(":::") || text.split("::").length > 2) return false;
  const groups = text.split(":");
  const last = groups.at(-1) ?? "";
  const count = groups.filter((group) => group !== "").length + (last.includes(".") ? 1 : 0);
  if (last.includes(".") && !isIpV4(last)) return false;
  const isGroups = groups.every((group) => group === last || /^[\da-fA-F]{0,4}$/.test(group));
  return groups.length > 2 && isGroups && (text.includes("::") ? count <= 7 : count === 8);
}

/** True for `*`, `0.0.0.0`, `::` or nothing: any address of the machine. */
export function isAnyAddress(host: string): boolean {
  return host === "" || host === "*" || host === "0.0.0.0" || host === "::";
}

/** How ports may be written in a kind of address. */
export type PortRule = {
  readonly port: "mandatory" | "optional" | "none";
  readonly hasRange?: boolean;
  readonly hasOffset?: boolean;
  /** True if a host name may stand for the address. */
  readonly hasName: boolean;
};

/** Why a text is not an address of a kind; null if it is one. */
export function addressMisfit(text: string, rule: PortRule): string | null {
  if (text === "") return "the address is empty";
  const address = splitAddress(text);
  if (address.kind === "socket") return null;
  const { host, port } = address;
  const why = portMisfit(text, port, rule);
  if (why !== null) return why;
  if (isAnyAddress(host) || isIpAddress(host)) return null;
  if (!rule.hasName) return `"${host}" is not an address: write 10.0.0.1${port === "" ? "" : `:${port}`}`;
  return isHostName(host) || isShortAddress(host) ? null : `"${host}" is not an address or a host name`;
}

/** `10.1` is the C library's short form of 10.0.0.1. */
export function isShortAddress(text: string): boolean {
  return /^\d+(\.\d+){0,3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255);
}

/** True for a name that a resolver could know. A name that ends in a number would be an address. */
export function isHostName(text: string): boolean {
  const isNumeric = /(^|\.)\d+\.?$/.test(text);
  return text.length <= 253 && /^[\w-]+(\.[\w-]+)*\.?$/.test(text) && !isNumeric;
}

function portMisfit(text: string, port: string, rule: PortRule): string | null {
  if (port === "") return rule.port === "mandatory" ? `"${text}" has no port: write ADDRESS:PORT` : null;
  if (rule.port === "none") return `"${text}" has a port, and none is possible here`;
  if (/^[+-]/.test(port)) return rule.hasOffset === true ? null : `"${port}" is not a port`;
  const [, first, last] = /^(\d+)(?:-(\d+))?\D*$/.exec(port) ?? [];
  if (first === undefined) return `"${port}" is not a port: write a number from 1 to 65535`;
  if (last !== undefined && rule.hasRange !== true) return `"${port}" is a range, and one port is expected`;
  const min = rule.port === "mandatory" ? 1 : 0;
  const [from, to] = [Number(first), Number(last ?? first)];
  return from >= min && from <= to && to <= 65_535 ? null : `"${port}" is not a port from ${min} to 65535`;
}
