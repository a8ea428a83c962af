// A real HAProxy for comparison.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { type CommandResult, run } from "./mesh-process.ts";
import { until } from "./until.ts";

/** Where Debian installs haproxy, which is not in every user's path. */
const path = `${process.env.PATH}${delimiter}/usr/sbin`;

/** Runs `haproxy -c`: exit code 0 if the configuration is valid. */
export function checkHaproxyConfig(file: string, env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  return run("haproxy", ["-c", "-f", file], { ...process.env, ...env, PATH: path });
}

const running = new Set<ChildProcess>();

// A test that exceeds its time never stops what it has started.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Another process listens on a port of the configuration. */
export class PortTaken extends Error {}

/** A running HAProxy. */
export class HaproxyProcess {
  readonly #child: ChildProcess;
  readonly #socket: string;
  #output = "";

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.#socket = socket;
    child.stderr?.on("data", (bytes) => {
      this.#output += bytes;
    });
  }

  /**
   * Starts HAProxy and waits until it listens, or until each checked server has the result of its first check.
   *
   * @param folder for the files of this process; several processes may share one if their names differ
   * @returns null if HAProxy refuses the configuration
   * @throws PortTaken if that is because of another process
   */
  static async start(
    folder: string,
    name: string,
    config: string,
    { env = {}, waitsForChecks = false }: { env?: NodeJS.ProcessEnv; waitsForChecks?: boolean } = {},
  ): Promise<HaproxyProcess | null> {
    const [file, socketFile] = [join(folder, `${name}.cfg`), join(folder, `${name}.socket.cfg`)];
    const socket = join(folder, `${name}.sock`);
    writeFileSync(file, config);
    writeFileSync(socketFile, `global\n    stats socket ${socket} mode 600 level admin\n`);
    const child = spawn("haproxy", ["-db", "-f", socketFile, "-f", file], {
      env: { ...process.env, ...env, PATH: path },
      stdio: ["ignore", "ignore", "pipe"],
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const haproxy = new HaproxyProcess(child, socket);
    const isUp = await until(
      `HAProxy to serve ${file}`,
      async () => {
        if (child.exitCode !== null) return "refused";
        const rows = await haproxy.#checkStatuses();
        return (!waitsForChecks || !rows.includes("INI")) && "up";
      },
      { withinMs: 30_000 },
    ).catch(async (error: unknown) => {
      await haproxy.stop();
      throw error;
    });
    if (isUp === "up") return haproxy;
    if (haproxy.output.includes("Address already in use")) throw new PortTaken(haproxy.output);
    return null;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Its warnings and errors. */
  get output(): string {
    return this.#output;
  }

  /** The `check_status` of each proxy and server: empty, `INI` before the first check, or its result. */
  async #checkStatuses(): Promise<readonly string[]> {
    const [header = "", ...rows] = (await this.#command("show stat")).trim().split("\n");
    const at = header.replace("# ", "").split(",").indexOf("check_status");
    if (at < 0) throw new Error(`HAProxy's statistics have no check_status: ${header}`);
    return rows.map((row) => row.split(",")[at] ?? "");
  }

  #command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let output = "";
      const socket = connect(this.#socket, () => socket.write(`${text}\n`));
      socket.on("data", (bytes) => {
        output += bytes;
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(output));
    });
  }
}
