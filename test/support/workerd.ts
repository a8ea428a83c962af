// A self-hosted mesh on workerd, built and configured by infra/self-host/, on free ports.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, run } from "./mesh-process.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const sockets = ["control", "web", "port-8080"] as const;

export class SelfHosted {
  readonly folder: string;
  readonly token: string;
  /** The port of each socket in waggle.capnp. */
  readonly ports: Readonly<Record<(typeof sockets)[number], number>>;
  #child: ChildProcess | null = null;

  private constructor(folder: string, ports: SelfHosted["ports"]) {
    this.folder = folder;
    this.ports = ports;
    this.token = "self-hosted-operator";
  }

  /** Builds the mesh without starting it. */
  static async build(): Promise<SelfHosted> {
    const folder = mkdtempSync(join(tmpdir(), "waggle-self-host-"));
    const built = await run(process.execPath, [join(root, "infra/self-host/build.ts"), join(folder, "mesh")]);
    if (built.code !== 0) throw new Error(built.err);
    mkdirSync(join(folder, "state"), { mode: 0o700 });
    const ports = { control: await freePort(), web: await freePort(), "port-8080": await freePort() };
    return new SelfHosted(folder, ports);
  }

  get control(): string {
    return `http://127.0.0.1:${this.ports.control}`;
  }

  /** Starts workerd and waits until the control API responds. */
  async start(): Promise<void> {
    const addresses = sockets.flatMap((name) => ["--socket-addr", `${name}=127.0.0.1:${this.ports[name]}`]);
    const state = join(this.folder, "state");
    const child = spawn(
      join(root, "node_modules/.bin/workerd"),
      ["serve", join(this.folder, "mesh/waggle.capnp"), "--directory-path", `state=${state}`, ...addresses],
      { env: { ...process.env, OPERATOR_TOKEN: this.token }, stdio: ["ignore", "ignore", "pipe"] },
    );
    let stderr = "";
    child.stderr?.on("data", (bytes) => {
      stderr += bytes;
    });
    this.#child = child;
    await until("the control API", async () => {
      if (child.exitCode !== null) throw new Error(`workerd exited: ${stderr}`);
      return (await fetch(`${this.control}/mesh/health`)).ok;
    });
  }

  /** Kills workerd. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  waggle(...args: string[]) {
    const env = { ...process.env, WAGGLE_HOST: this.control, WAGGLE_TOKEN: this.token };
    return run(process.execPath, [join(root, "src/cli/main.ts"), ...args], env);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
