// The lab's command: lab.sh up, down, status, exec, cut, heal, walk, load and compare.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "./compare/compare.ts";
import { removeCgroups } from "./dockerd.ts";
import { Lab, type LabKind, nodes } from "./lab.ts";
import { load } from "./load.ts";
import { type Machine, machines } from "./network.ts";
import { labPath, whatDockerMisses, whatIsMissing } from "./requirements.ts";
import { walk } from "./walk.ts";

const usage = `usage: infra/lab/lab.sh COMMAND

  up               start the machines, the mesh and its nodes; --docker: with a Docker daemon on each node;
                   --swarm: a Docker Swarm of the three daemons instead of the mesh
  walk             take the walk; --docker: with containers
  load             keep nginx containers under load while nodes, daemons and agents stop; --rate=200: requests/s
  compare          run Docker commands on a Swarm and on a mesh, and compare what they print
  status           list the machines
  exec N CMD...    run a command on node N, or on ${machines.filter((name) => !name.startsWith("node")).join(", ")}
  cut N, heal N    unplug a machine's cable, and plug it in
  logs             print the ends of the logs
  down             end everything

walk, load and compare use the lab that is up, or one of their own that ends with them.`;

/** What is done in a lab. */
type Program = {
  /** The kinds of lab that it can use. Without one it starts the first, or the one of a flag. */
  readonly kinds: readonly LabKind[];
  readonly run: () => Promise<boolean>;
};

const programs: Readonly<Record<string, Program>> = {
  walk: { kinds: ["process", "docker"], run: () => walk(lab, say) },
  load: { kinds: ["docker"], run: () => load(lab, say, rate()) },
  compare: { kinds: ["swarm"], run: () => compare(lab, say) },
};

/** Says to the process of a program that it has namespaces of its own. */
const ownNamespaces = "WAGGLE_LAB_INSIDE";

process.env.PATH = labPath;
const say = (line: string): void => console.log(line);
const [command = "", ...words] = process.argv.slice(2);
const flags = command === "exec" ? [] : words.filter((word) => word.startsWith("--"));
const lab = new Lab("wl", join(process.env[ownNamespaces] ?? "/var/lib", "waggle-lab"), say, kindOf(command));

try {
  process.exitCode = await run();
} catch (error) {
  console.error(`lab: ${(error as Error).message}`);
  // Other daemons may still be waited for.
  process.exit(1);
}

/** The kind of lab that a command starts. */
function kindOf(name: string): LabKind {
  if (flags.includes("--swarm")) return "swarm";
  return flags.includes("--docker") ? "docker" : (programs[name]?.kinds[0] ?? "process");
}

/** Requests per second of the load. */
function rate(): number {
  const flag = flags.find((word) => word.startsWith("--rate="));
  return Number(flag?.slice("--rate=".length) ?? 200);
}

/** @returns the exit code */
async function run(): Promise<number> {
  const program = programs[command];
  const others = ["up", "status", "exec", "cut", "heal", "logs", "down"];
  const areFlagsKnown = flags.every((flag) => /^--(docker|swarm|rate=\d+)$/.test(flag));
  if ((program === undefined && !others.includes(command)) || !areFlagsKnown) {
    console.error(usage);
    return 2;
  }
  const missing = lab.kind === "process" ? whatIsMissing() : whatDockerMisses();
  if (missing !== null) throw new Error(missing);
  if (command === "up") return lab.up().then(() => 0);
  if (program !== undefined) {
    if (!program.kinds.includes(lab.kind)) {
      throw new Error(
        `\`${command}\` needs another lab than one of kind ${lab.kind}: ${program.kinds.join(" or ")}`,
      );
    }
    if (!lab.network.exists()) return runInside(program);
    return (await program.run()) ? 0 : 1;
  }
  if (command === "down") {
    lab.down();
    return 0;
  }
  if (!lab.network.exists()) throw new Error("the lab is not up: infra/lab/lab.sh up");
  const [target, ...rest] = words;
  if (command === "status") say(lab.status());
  if (command === "logs") say(lab.logs());
  if (command === "cut") lab.network.cut(machineOf(target));
  if (command === "heal") lab.network.heal(machineOf(target));
  return command === "exec" ? exec(machineOf(target), rest) : 0;
}

/**
 * Runs a program in a lab of its own. Its processes are in a PID namespace that ends with this process, its
 * names in a folder that nothing else sees: a step that fails and a signal leave nothing.
 *
 * @returns the exit code
 */
async function runInside(program: Program): Promise<number> {
  if (process.env[ownNamespaces] !== undefined) {
    await lab.up();
    return (await program.run()) ? 0 : 1;
  }
  const folder = mkdtempSync(join(tmpdir(), "waggle-lab-"));
  const script = 'mkdir -p /run/netns && mount -t tmpfs lab /run/netns && "$@"; exit $?';
  const self = [process.execPath, ...process.argv.slice(1)];
  const namespaces = ["--net", "--pid", "--mount", "--fork", "--kill-child=KILL", "--mount-proc"];
  const env = { ...process.env, [ownNamespaces]: folder };
  const child = spawn("unshare", [...namespaces, "sh", "-c", script, "sh", ...self], {
    env,
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill("SIGKILL"));
  const code = await new Promise<number>((resolve) => child.once("exit", (status) => resolve(status ?? 1)));
  removeCgroups(join(folder, "waggle-lab"));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
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
