// Runs the program in its own network and PID namespaces: packets can be dropped without affecting the
// machine's network, and every process ends with the run.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeAddress } from "./contender.ts";

const sandboxVariable = "WAGGLE_CHAOS_SANDBOX";
const flags = ["--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

/** True in a process with its own network namespace. */
export const isSandboxed = process.env[sandboxVariable] === "yes";

/** True in the process that runs the scenarios, with namespaces or without. */
export const isInside = process.env[sandboxVariable] !== undefined;

/**
 * Runs this program again in namespaces, or without them if the system does not allow them. Its temporary
 * files are in a folder that is removed afterwards.
 *
 * @returns its exit code
 */
export async function runInside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "waggle-chaos-"));
  const hasNamespaces = spawnSync("unshare", [...flags, "ip", "link", "set", "lo", "up"]).status === 0;
  const env = { ...process.env, TMPDIR: folder, [sandboxVariable]: hasNamespaces ? "yes" : "no" };
  const self = [process.execPath, ...process.argv.slice(1)];
  // The shell is PID 1 of the namespace and reaps orphaned processes.
  // Names of further network namespaces are visible only inside.
  const script = 'ip link set lo up; mkdir -p /run/netns; mount -t tmpfs chaos /run/netns; "$@"; exit $?';
  const command = hasNamespaces ? ["unshare", ...flags, "sh", "-c", script, "sh", ...self] : self;
  const child = spawn(command[0] ?? "", command.slice(1), { env, stdio: "inherit" });
  // The terminal sends Ctrl-C to the run as well, which then cleans up. A second one, or SIGTERM, kills it.
  let interrupts = 0;
  process.on("SIGINT", () => {
    interrupts += 1;
    if (interrupts > 1) child.kill("SIGKILL");
  });
  process.on("SIGTERM", () => child.kill(hasNamespaces ? "SIGKILL" : "SIGTERM"));
  const code = await new Promise<number>((resolve) => child.once("exit", (exit) => resolve(exit ?? 1)));
  rmSync(folder, { recursive: true, force: true });
  return code;
}

/**
 * Drops every packet to and from a node's address silently. In the sandbox only: the rules end with it.
 *
 * The rules are IPsec policies of the kernel, which need no tool but `ip`; on loopback they must be enabled.
 *
 * @returns a function that removes the rules
 */
export function blackhole(node: number): () => void {
  for (const device of ["all", "lo"]) {
    execFileSync("sh", ["-c", `echo 0 > /proc/sys/net/ipv4/conf/${device}/disable_policy`]);
  }
  const policies = ["dst", "src"].map((direction) => [direction, `${nodeAddress(node)}/32`, "dir", "in"]);
  for (const policy of policies) execFileSync("ip", ["xfrm", "policy", "add", ...policy, "action", "block"]);
  return () => {
    for (const policy of policies) execFileSync("ip", ["xfrm", "policy", "delete", ...policy]);
  };
}
