// The Docker daemon of a machine of the lab, with files, sockets and cgroups of its own.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The socket of the daemon on its machine, where each Docker client looks for it. */
export const dockerSocket = "/var/run/docker.sock";

/** On the machine of the daemon. */
export const dockerPidFile = "/run/docker.pid";

/**
 * The command line of a daemon, for an isolated machine.
 *
 * @param dir its folder for images and containers
 * @param group the cgroup of its containers
 * @param flags of dockerd, such as `--live-restore`
 */
export function dockerdCommand(dir: string, group: string, flags: readonly string[]): readonly string[] {
  const files = [
    "--data-root",
    dir,
    "--exec-root",
    "/run/docker",
    "--pidfile",
    dockerPidFile,
    "--log-level",
    "warn",
  ];
  return ["dockerd", "-H", `unix://${dockerSocket}`, ...files, "--cgroup-parent", group, ...flags];
}

/** The parent cgroup of the containers of a lab's machine. @param dir the lab's folder */
export function cgroupOf(dir: string, machine: string): string {
  return `/${groupName(dir)}/${machine}`;
}

/** Removes the cgroups of a lab whose processes have ended. */
export function removeCgroups(dir: string): void {
  const root = "/sys/fs/cgroup";
  if (!existsSync(root)) return;
  // One folder for each controller in version 1, and one for all in version 2.
  const parents = [root, ...readdirSync(root).map((name) => join(root, name))];
  for (const parent of parents) {
    const group = join(parent, groupName(dir));
    if (existsSync(group)) spawnSync("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
  }
}

/** `/var/lib/waggle-lab` → `waggle-lab.var-lib-waggle-lab`. */
function groupName(dir: string): string {
  return `waggle-lab.${dir.split("/").filter(Boolean).join("-")}`;
}
