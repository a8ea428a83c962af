// Namespaces of the run's own: packets can be dropped in them without touching the machine's network, and every process
// started in them ends with them, however the run ends.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeAddress } from "./contender.ts";

const mark = "WAGGLE_CHAOS_SANDBOX";
const flags = ["--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

/** True in a process whose network is the run's own. */
export const isSandboxed = process.env[mark] === "yes";

/** True in the process that does the run, in namespaces or without. */
export const isInside = process.env[mark] !== undefined;

/**
 * Runs this program again, in namespaces if the system allows, with a folder for its temporary files, and removes that
 * folder afterwards.
 *
 * @returns its exit code
 */
export async function runInside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "waggle-chaos-"));
  const able = spawnSync("unshare", [...flags, "ip", "link", "set", "lo", "up"]).status === 0;
  const env = { ...process.env, TMPDIR: folder, [mark]: able ? "yes" : "no" };
  const self = [process.execPath, ...process.argv.slice(1)];
  // The shell is the first process in there, and reaps what others leave behind.
  const script = 'ip link set lo up; "$@"; exit $?';
  const command = able ? ["unshare", ...flags, "sh", "-c", script, "sh", ...self] : self;
  const child = spawn(command[0] ?? "", command.slice(1), { env, stdio: "inherit" });
  // On Ctrl-C the terminal tells the run as well, which stops in order; a second one, or SIGTERM, ends it outright.
  let asked = 0;
  process.on("SIGINT", () => {
    asked += 1;
    if (asked > 1) child.kill("SIGKILL");
  });
  process.on("SIGTERM", () => child.kill(able ? "SIGKILL" : "SIGTERM"));
  const code = await new Promise<number>((resolve) => child.once("exit", (exit) => resolve(exit ?? 1)));
  rmSync(folder, { recursive: true, force: true });
  return code;
}

/**
 * Drops, without a word, every packet to and from a node's address; returns what lets them through again. Only in the
 * sandbox: the rules go with it.
 *
 * These are the kernel's IPsec policies, which need no tool but `ip`; on loopback they have to be switched on.
 */
export function blackhole(node: number): () => void {
  for (const part of ["all", "lo"]) {
    execFileSync("sh", ["-c", `echo 0 > /proc/sys/net/ipv4/conf/${part}/disable_policy`]);
  }
  const ways = ["dst", "src"].map((way) => [way, `${nodeAddress(node)}/32`, "dir", "in"]);
  for (const way of ways) execFileSync("ip", ["xfrm", "policy", "add", ...way, "action", "block"]);
  return () => {
    for (const way of ways) execFileSync("ip", ["xfrm", "policy", "delete", ...way]);
  };
}
