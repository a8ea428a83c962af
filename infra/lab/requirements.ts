// What the lab needs of this machine.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The Debian package of each program. */
const packages = {
  ip: "iproute2",
  iptables: "iptables",
  unshare: "util-linux",
  script: "bsdutils",
  curl: "curl",
  docker: "docker.io",
  haproxy: "haproxy",
  nginx: "nginx-light",
};

/** Of those that a lab with Docker daemons needs as well. */
const dockerPackages = { dockerd: "docker.io", nsenter: "util-linux", busybox: "busybox-static" };

/** Where Debian installs the programs of administrators, which are not in every user's path. */
export const labPath = `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin`;

/** Why a lab with Docker daemons cannot run here; null if it can. */
export function whatDockerMisses(): string | null {
  return whatIsMissing(process.getuid?.(), labPath, { ...packages, ...dockerPackages });
}

/**
 * Why the lab cannot run here; null if it can.
 *
 * @param userId of the user that runs it; undefined on systems without
 * @param path the folders of programs, as in the variable PATH
 * @param needed the Debian package of each program that the lab needs
 */
export function whatIsMissing(
  userId = process.getuid?.(),
  path = labPath,
  needed: Readonly<Record<string, string>> = packages,
): string | null {
  if (process.platform !== "linux") return "the lab needs network namespaces, which only Linux has";
  if (userId !== 0) return "the lab needs root, to make network namespaces";
  const missing = Object.keys(needed).filter((program) => !isInstalled(program, path));
  if (missing.length > 0) {
    const names = missing.map((program) => needed[program]).join(" ");
    return `no ${missing.join(", ")}; apt-get install ${names}`;
  }
  // A container may have root and not the capability.
  const attempt =
    "ip link add wl0 type veth peer name wl1 && iptables -t nat -A POSTROUTING -o wl0 -j MASQUERADE";
  const { status, stderr } = spawnSync("unshare", ["--net", "--uts", "--mount", "sh", "-c", attempt], {
    env: { ...process.env, PATH: labPath },
    encoding: "utf8",
  });
  return status === 0 ? null : `the system allows no network namespaces or no NAT: ${stderr.trim()}`;
}

function isInstalled(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
