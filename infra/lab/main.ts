// The lab's command: lab.sh up, down, status, exec, cut, heal and walk.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lab, nodes } from "./lab.ts";
import { type Machine, machines } from "./network.ts";
import { labPath, whatIsMissing } from "./requirements.ts";
import { walk } from "./walk.ts";

const usage = `usage: infra/lab/lab.sh COMMAND

  up               start the machines, the mesh and its nodes
  walk             take the walk; without a lab that is up, in one that ends with it
  status           list the machines
  exec N CMD...    run a command on node N, or on ${machines.filter((name) => !name.startsWith("node")).join(", ")}
  cut N, heal N    unplug a machine's cable, and plug it in
  logs             print the ends of the logs
  down             end everything`;

/** Says to the walk's process that it has namespaces of its own. */
const ownNamespaces = "WAGGLE_LAB_INSIDE";

process.env.PATH = labPath;
const say = (line: string): void => console.log(line);
const lab = new Lab("wl", join(process.env[ownNamespaces] ?? "/run", "waggle-lab"), say);

try {
  process.exitCode = await run(process.argv[2] ?? "", process.argv.slice(3));
} catch (error) {
  console.error(`lab: ${(error as Error).message}`);
  process.exitCode = 1;
}

/** @returns the exit code */
async function run(command: string, args: readonly string[]): Promise<number> {
  if (!["up", "walk", "status", "exec", "cut", "heal", "logs", "down"].includes(command)) {
    console.error(usage);
    return 2;
  }
  const missing = whatIsMissing();
  if (missing !== null) throw new Error(missing);
  if (command === "up") return lab.up().then(() => 0);
  if (command === "walk") return lab.network.exists() ? walkCode() : walkInside();
  if (command === "down") {
    lab.down();
    return 0;
  }
  if (!lab.network.exists()) throw new Error("the lab is not up: infra/lab/lab.sh up");
  if (command === "status") say(lab.status());
  if (command === "logs") say(lab.logs());
  if (command === "cut") lab.network.cut(machineOf(args[0]));
  if (command === "heal") lab.network.heal(machineOf(args[0]));
  return command === "exec" ? exec(machineOf(args[0]), args.slice(1)) : 0;
}

async function walkCode(): Promise<number> {
  return (await walk(lab, say)) ? 0 : 1;
}

/**
 * Takes the walk in a lab of its own. Its processes are in a PID namespace that ends with this process, its
 * names in a folder that nothing else sees: a step that fails and a signal leave nothing.
 *
 * @returns the exit code
 */
async function walkInside(): Promise<number> {
  if (process.env[ownNamespaces] !== undefined) {
    await lab.up();
    return walkCode();
  }
  const folder = mkdtempSync(join(tmpdir(), "waggle-lab-"));
  const script = 'mkdir -p /run/netns && mount -t tmpfs lab /run/netns && "$@"; exit $?';
  const self = [process.execPath, ...process.argv.slice(1)];
  const flags = ["--net", "--pid", "--mount", "--fork", "--kill-child=KILL", "--mount-proc"];
  const env = { ...process.env, [ownNamespaces]: folder };
  const child = spawn("unshare", [...flags, "sh", "-c", script, "sh", ...self], { env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill("SIGKILL"));
  const code = await new Promise<number>((resolve) => child.once("exit", (status) => resolve(status ?? 1)));
  rmSync(folder, { recursive: true, force: true });
  return code;
}

function exec(machine: Machine, program: readonly string[]): number {
  const [command, ...args] = lab.network.command(machine, program.length > 0 ? program : ["bash"]);
  const env = { ...process.env, ...lab.clientEnv() };
  return spawnSync(command, args, { env, stdio: "inherit" }).status ?? 1;
}

/** The machine of `2`, `node2` or `client`. */
function machineOf(text = ""): Machine {
  const name = /^[1-3]$/.test(text) ? `node${text}` : text;
  const machine = machines.find((candidate) => candidate === name);
  if (machine === undefined) {
    throw new Error(`no machine "${text}": write 1 to ${nodes.length}, or ${machines.join(", ")}`);
  }
  return machine;
}
