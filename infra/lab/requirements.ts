// What the lab needs of this machine.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The Debian package of each program. */
const packages: Readonly<Record<string, string>> = {
  ip: "iproute2",
  iptables: "iptables",
  unshare: "util-linux",
  script: "bsdutils",
  curl: "curl",
  docker: "docker.io",
  haproxy: "haproxy",
  nginx: "nginx-light",
};

/** Where Debian installs the programs of administrators, which are not in every user's path. */
export const labPath = `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin`;

/**
 * Why the lab cannot run here; null if it can.
 *
 * @param userId of the user that runs it; undefined on systems without
 * @param path the folders of programs, as in the variable PATH
 */
export function whatIsMissing(userId = process.getuid?.(), path = labPath): string | null {
  if (process.platform !== "linux") return "the lab needs network namespaces, which only Linux has";
  if (userId !== 0) return "the lab needs root, to make network namespaces";
  const missing = Object.keys(packages).filter((program) => !isInstalled(program, path));
  if (missing.length > 0) {
    const names = missing.map((program) => packages[program]).join(" ");
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
