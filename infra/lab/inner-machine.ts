// A machine of the lab with namespaces for processes, mounts and its host name as well, so that a Docker daemon on
// it has its own cgroups, files and containers. `ip netns exec` would hide the cgroups.
//
// The first process of the machine's PID namespace ends all others of it with it, containers included.
//
// @see docs/decisions/0111-swarm-in-the-lab.md

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/**
 * The first process: it has a /run and an /etc/docker of its own, and a sysfs of its network namespace with the
 * cgroups of the system. Mounts of other daemons are dropped, because a copy keeps their namespaces.
 */
const init = `
set -e
name=$0 dir=$1 hosts=$2
mount --make-rprivate /
awk '{ for (i = 7; i <= NF; i++) if ($i == "-") type = $(i + 1); if (type == "nsfs" || type == "overlay") print $5 }' \\
  /proc/self/mountinfo | while read -r point; do
    [ "$point" = / ] || umount -l "$point" 2> /dev/null || true
  done
mkdir -p "$dir/cgroup" "$dir/etc-docker"
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
umount -l "$dir/cgroup"
mount -t tmpfs -o mode=755 tmpfs /run
[ ! -d /etc/docker ] || mount --bind "$dir/etc-docker" /etc/docker
mount --bind "$hosts" /etc/hosts
# Names of registries are not found at once: nothing answers here.
echo "nameserver 127.0.0.1" > "$dir/resolv.conf"
[ ! -e /etc/resolv.conf ] || mount --bind "$dir/resolv.conf" /etc/resolv.conf
hostname "$name"
echo ready > /run/machine-is-ready
set +e
while :; do sleep 1 & wait; done`;

/**
 * Starts the first process of a machine in an existing network namespace, and waits until it is ready.
 *
 * @param dir an empty folder of the machine's own, not below /run
 * @param hosts its hosts file
 * @throws if the system does not allow it
 */
export async function startInnerMachine(
  name: string,
  namespace: string,
  dir: string,
  hosts: string,
): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const enter = [`--net=/run/netns/${namespace}`, ...unshare, "sh", "-c", init, name, dir, hosts];
  const log = openSync(join(dir, "log"), "a");
  const child = spawn("nsenter", enter, { stdio: ["ignore", log, log], detached: true });
  child.unref();
  const isReady = (pid: number): boolean => {
    const [command, ...args] = enterMachine(pid, ["test", "-e", "/run/machine-is-ready"]);
    return spawnSync(command, args).status === 0;
  };
  while (child.exitCode === null && child.signalCode === null) {
    const pid = firstProcess(namespace);
    if (pid !== null && isReady(pid)) return;
    await pause(20);
  }
  throw new Error(`the machine ${name} did not start: ${readFileSync(join(dir, "log"), "utf8")}`);
}

/** The id of the first process of the machine in a network namespace; null if the machine has none of its own. */
export function firstProcess(namespace: string): number | null {
  const depth = namespacePids("self").length;
  // A container on the machine's own network is one PID namespace deeper.
  const isFirst = (pid: number): boolean => {
    const pids = namespacePids(pid);
    return pids.length === depth + 1 && pids.at(-1) === 1;
  };
  return pidsIn(namespace).find(isFirst) ?? null;
}

/** The ids of the processes in a network namespace. */
export function pidsIn(namespace: string): readonly number[] {
  const { stdout, status } = spawnSync("ip", ["netns", "pids", namespace]);
  if (status !== 0) return [];
  return String(stdout).split("\n").filter(Boolean).map(Number);
}

/** The command line that runs a program in all namespaces of a machine. @param pid of its first process */
export function enterMachine(pid: number, program: readonly string[]): readonly [string, ...string[]] {
  return ["nsenter", "-t", String(pid), "--net", "--mount", "--uts", "--ipc", "--pid", "--", ...program];
}

/** The ids of a process in its PID namespace and in those around it, the outermost first; empty if it has ended. */
function namespacePids(pid: number | "self"): readonly number[] {
  try {
    const [, ids = ""] = /^NSpid:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return ids.split(/\s+/).map(Number);
  } catch {
    return [];
  }
}
