// Network namespaces: machines of a network of their own, on this machine. They need root and iproute2.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { missingPrograms } from "./program.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Why there can be no namespaces; null if there can. */
export function namespaceProblem(): string | null {
  const missing = missingPrograms(["ip", "curl", "setpriv"]);
  if (missing.length > 0) return `no ${missing.join(", ")}; apt-get install iproute2 curl util-linux`;
  const name = `waggle-probe-${process.pid}`;
  try {
    ip(["netns", "add", name]);
    ip(["netns", "del", name]);
    return null;
  } catch {
    return "no network namespaces; run the tests as root";
  }
}

/** Machines at one bridge: the first at 10.77.0.1, the second at 10.77.0.2, … */
export class Network {
  readonly #names: readonly string[];
  readonly #prefix = `waggle-${process.pid}`;
  readonly #programs: MachineProgram[] = [];

  /** @param names of the machines; the first has the bridge */
  constructor(names: readonly string[]) {
    this.#names = names;
    const [first = "", ...others] = names;
    for (const name of names) {
      ip(["netns", "add", this.#namespace(name)]);
      ip(["-n", this.#namespace(name), "link", "set", "lo", "up"]);
    }
    const bridge = this.#namespace(first);
    ip(["-n", bridge, "link", "add", "bridge0", "type", "bridge"]);
    ip(["-n", bridge, "addr", "add", `${this.address(first)}/24`, "dev", "bridge0"]);
    ip(["-n", bridge, "link", "set", "bridge0", "up"]);
    for (const name of others) {
      const own = this.#namespace(name);
      ip(["-n", bridge, "link", "add", `to-${name}`, "type", "veth", "peer", "name", "eth0", "netns", own]);
      ip(["-n", bridge, "link", "set", `to-${name}`, "master", "bridge0", "up"]);
      ip(["-n", own, "addr", "add", `${this.address(name)}/24`, "dev", "eth0"]);
      ip(["-n", own, "link", "set", "eth0", "up"]);
    }
  }

  address(name: string): string {
    return `10.77.0.${this.#names.indexOf(name) + 1}`;
  }

  /** Starts a `waggle` command on a machine. @param wrapper a command that starts it */
  start(name: string, args: readonly string[], wrapper: readonly string[] = []): MachineProgram {
    return this.startProgram(name, [...wrapper, process.execPath, main, ...args]);
  }

  /** Starts any command on a machine. */
  startProgram(name: string, command: readonly string[]): MachineProgram {
    const child = spawn("ip", ["netns", "exec", this.#namespace(name), ...command], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const program = new MachineProgram(child);
    this.#programs.push(program);
    return program;
  }

  /** Runs a `waggle` command on a machine until it ends. @returns what it printed */
  async waggle(name: string, ...args: string[]): Promise<string> {
    const program = this.start(name, args);
    const code = await program.exited;
    if (code !== 0) throw new Error(`waggle ${args.join(" ")} exited with ${code}: ${program.output}`);
    return program.output;
  }

  /**
   * The response to a request from a machine: status and body; status 0 if there is none.
   *
   * @param header `name: value`
   */
  request(
    from: string,
    url: string,
    header = "accept: */*",
  ): Promise<{ readonly status: number; readonly body: string }> {
    const curl = ["curl", "-s", "-m", "15", "-w", "\n%{http_code}", "-H", header, url];
    const args = ["netns", "exec", this.#namespace(from), ...curl];
    return new Promise((resolve) => {
      const child = spawn("ip", args, { stdio: ["ignore", "pipe", "ignore"] });
      let text = "";
      child.stdout.on("data", (bytes) => {
        text += bytes;
      });
      child.once("close", () => {
        const end = text.lastIndexOf("\n");
        resolve({ status: Number(text.slice(end + 1)), body: text.slice(0, Math.max(0, end)) });
      });
    });
  }

  /** Runs a program on a machine until it ends. @returns its standard output */
  run(name: string, program: string, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const command = ["netns", "exec", this.#namespace(name), program, ...args];
      execFile("ip", command, { maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} on ${name}: ${error.message}\n${stderr}`));
      });
    });
  }

  /** Ends all programs, and removes the network. */
  async remove(): Promise<void> {
    for (const program of this.#programs) program.kill("SIGINT");
    await Promise.all(this.#programs.map(({ exited }) => exited));
    for (const name of this.#names) ip(["netns", "del", this.#namespace(name)]);
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

/** A running command with what it printed. */
export class MachineProgram {
  readonly #child: ChildProcess;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  output = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes) => {
        this.output += bytes;
      });
    }
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
    });
  }

  /** `ip netns exec` becomes the program that it starts. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it has printed a text. */
  prints(text: string | RegExp): Promise<unknown> {
    return until(
      `${text} in the output`,
      () => {
        const isThere = typeof text === "string" ? this.output.includes(text) : text.test(this.output);
        if (!isThere) throw new Error(this.output);
        return true;
      },
      { withinMs: 40_000, everyMs: 50 },
    );
  }
}

function ip(args: readonly string[]): void {
  execFileSync("ip", [...args], { stdio: ["ignore", "ignore", "pipe"] });
}
