// The mesh's own sockets, such as that of the control API. No task or server may be at one.

import { parseIp } from "./cidr.ts";
import { dialedHost, isLoopback } from "./dialed-host.ts";

/** A socket that is the mesh's own. A `port` of null: every port of the host. */
export type OwnSocket = { readonly host: string; readonly port: number | null };

/** Reads a list of the mesh's own sockets: `127.0.0.1:8787, control.example.com`. Skips unreadable entries. */
export function readOwnSockets(list: string): readonly OwnSocket[] {
  return list.split(",").flatMap((entry) => {
    const [, host = "", port] = /^\[?([^\]]*?)\]?(?::(\d{1,5}))?$/.exec(entry.trim()) ?? [];
    const dialed = dialedHost(host);
    return dialed === null ? [] : { host: dialed, port: port === undefined ? null : Number(port) };
  });
}

/** True if this host and port lead to one of the mesh's own sockets. */
export function isOwnSocket(host: string, port: number, sockets: readonly OwnSocket[]): boolean {
  return sockets.some((own) => {
    if (own.port !== null && own.port !== port) return false;
    if (own.host === host) return true;
    // `localhost` is 127.0.0.1 or ::1, and a socket on 0.0.0.0 or :: listens on every loopback address.
    const ip = parseIp(own.host);
    const listensEverywhere = ip?.every((byte) => byte === 0) ?? false;
    if (listensEverywhere) return isLoopback(host);
    return isLoopback(own.host) && isLoopback(host) && (parseIp(host) === null || ip === null);
  });
}
