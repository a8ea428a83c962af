// The TCP ports that a container listens at, read from /proc without entering the container.

import { open, readdir, readFile } from "node:fs/promises";
import { endianness } from "node:os";

/** `st` of a socket that listens, in /proc/net/tcp. */
const listening = "0A";

/** So much of a table is read, bytes: some 7,000 sockets. */
const maxTableBytes = 1_048_576;

/**
 * Reads the open ports of one container; each call reads them again.
 *
 * @param pid the container's first process as the daemon numbers it; an agent in another process namespace than
 *   the daemon finds it by its control group
 * @param exposed the ports of its image, which are used where /proc does not show the container
 */
export function openPortsOf(
  containerId: string,
  pid: number,
  exposed: readonly number[],
): () => Promise<readonly number[]> {
  let found: Promise<number | null> | null = null;
  return async () => {
    found ??= findProcess(containerId, pid);
    const ownPid = await found;
    if (ownPid === null) return exposed;
    try {
      const tables = await Promise.all(
        ["tcp", "tcp6"].map((name) => readListening(`/proc/${ownPid}/net/${name}`).catch(missing)),
      );
      return readOpenPorts(tables.join("\n"));
    } catch {
      // It has ended, or this agent may not look.
      return exposed;
    }
  };
}

/**
 * Reads the sockets of a table that listen. The kernel writes them before all others, of which a container may have
 * hundreds of thousands, and only as far as they are read.
 */
export async function readListening(path: string): Promise<string> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(65_536);
    let text = "";
    while (text.length < maxTableBytes) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      text += buffer.toString("latin1", 0, bytesRead);
      if (bytesRead === 0 || hasOthers(text)) break;
    }
    return text;
  } finally {
    await file.close();
  }
}

/** True if the last whole line is of a socket that does not listen. */
function hasOthers(text: string): boolean {
  const end = text.lastIndexOf("\n");
  const [number = "", , , state] = text
    .slice(text.lastIndexOf("\n", end - 1) + 1, end)
    .trim()
    .split(/\s+/);
  return number.endsWith(":") && state !== listening;
}

/**
 * The ports of a table such as /proc/net/tcp, ascending, without those of loopback addresses.
 *
 * @see https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
 */
export function readOpenPorts(table: string): readonly number[] {
  const ports = new Set<number>();
  for (const line of table.split("\n")) {
    const [, local = "", , state] = line.trim().split(/\s+/);
    const [address = "", port = ""] = local.split(":");
    if (state !== listening || isLoopbackHex(address)) continue;
    ports.add(Number.parseInt(port, 16));
  }
  return [...ports].sort((a, b) => a - b);
}

/** Words of the address are in the byte order of the machine: 127.0.0.1 is `0100007F` on most. */
function isLoopbackHex(address: string): boolean {
  const isLittle = endianness() === "LE";
  if (address.length === 8) return isLittle ? address.endsWith("7F") : address.startsWith("7F");
  return address === `${"0".repeat(24)}${isLittle ? "01000000" : "00000001"}`;
}

async function findProcess(containerId: string, pid: number): Promise<number | null> {
  if (await isOf(containerId, String(pid))) return pid;
  for (const name of await readdir("/proc").catch(() => [])) {
    // Control groups are read under a lock of the kernel, so of few processes only.
    if (!/^\d+$/.test(name) || !(await hasNumber(name, pid))) continue;
    if (await isOf(containerId, name)) return Number(name);
  }
  return null;
}

/** True if a process has a number in any of its process namespaces. */
async function hasNumber(name: string, pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
  const numbers = /^NSpid:\s*(.+)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return numbers.includes(String(pid));
}

async function isOf(containerId: string, pid: string): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return groups.includes(containerId);
}

/** A machine without IPv6 has no table for it; without the other one the container has ended. */
function missing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT" && String(error.path).endsWith("tcp6")) return "";
  throw error;
}
