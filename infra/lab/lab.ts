// The lab: a mesh and its nodes on the machines of the network, with their state and logs in one folder.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Machine, machines, Network, ownAddress } from "./network.ts";

export const waggleProgram = fileURLToPath(new URL("../../bin/waggle", import.meta.url));

const controlPort = 8787;
export const controlUrl = `http://${ownAddress.mesh}:${controlPort}`;

export const nodes = ["node1", "node2", "node3"] as const;
export type LabNode = (typeof nodes)[number];

export type Output = { readonly code: number; readonly out: string; readonly err: string };

/** A part of `GET /nodes`. */
type EngineNode = {
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string };
};

export class Lab {
  readonly network: Network;
  readonly #dir: string;
  readonly #say: (line: string) => void;

  /**
   * @param prefix begins the names of its namespaces
   * @param dir its folder, which `up` makes and `down` removes
   * @param say prints one line for people
   */
  constructor(prefix: string, dir: string, say: (line: string) => void) {
    this.network = new Network(prefix, dir);
    this.#dir = dir;
    this.#say = say;
  }

  /** Starts the machines, the mesh and the nodes. @throws if one does not start; the lab is then removed */
  async up(): Promise<void> {
    if (this.network.exists()) throw new Error("the lab is up already: lab.sh down removes it");
    // A lab whose machine was restarted has left its folder.
    rmSync(this.#dir, { recursive: true, force: true });
    for (const folder of ["log", "tmp"]) {
      mkdirSync(join(this.#dir, folder), { recursive: true, mode: 0o700 });
    }
    try {
      this.network.create();
      await this.#startMesh();
      for (const node of nodes) this.startNode(node);
      for (const node of nodes) await this.#nodeJoins(node);
    } catch (error) {
      const logs = this.logs();
      this.down();
      throw new Error(`${(error as Error).message}\n${logs}`, { cause: error });
    }
  }

  /** Ends every process of the lab, and removes its namespaces and its folder. */
  down(): void {
    this.network.remove();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #startMesh(): Promise<void> {
    const flags = ["--nodes", "0", "--empty", "--listen", ownAddress.mesh, "--state", this.#meshState];
    this.#say(`mesh        ${ownAddress.mesh}, by \`waggle up ${flags.slice(0, -2).join(" ")}\``);
    this.#say("            its control API has no TLS: tokens cross the lab's network in clear text");
    const mesh = this.start("mesh", "mesh", [waggleProgram, "up", ...flags]);
    await this.#waitFor("the mesh to start", 60_000, async () => {
      if (mesh.exitCode !== null) throw new Error("`waggle up` has exited");
      return readFileSync(this.#logFile("mesh"), "utf8").includes("Ctrl-C stops the mesh");
    });
  }

  /** Starts a node's agent, with the join token; a node that has joined keeps its credential. */
  startNode(node: LabNode): ChildProcess {
    const flags = ["--address", ownAddress[node], "--state", join(this.#dir, node)];
    // The control API of the lab has no TLS.
    const command = [waggleProgram, "agent", controlUrl, ...flags, "--ingress", "--insecure"];
    const token = this.waggle("join-token", "-q").trim();
    return this.start(node, node, command, { WAGGLE_JOIN_TOKEN: token });
  }

  /** Waits until a node is ready, and says so. */
  async #nodeJoins(node: LabNode): Promise<void> {
    const where = node === "node2" ? `${ownAddress[node]}, behind NAT` : ownAddress[node];
    await this.#waitFor(`${node} to join`, 30_000, () => this.isReady(node));
    this.#say(`${node.padEnd(12)}${where}`);
  }

  async isReady(node: LabNode): Promise<boolean> {
    const found = (await this.get<readonly EngineNode[]>("/nodes")).find(
      ({ Description }) => Description.Hostname === node,
    );
    return found?.Status.State === "ready";
  }

  /** Starts a program on a machine. Its output goes to a log; it continues when this process ends. */
  start(
    log: string,
    machine: Machine,
    program: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const [command, ...args] = this.network.command(machine, program);
    const output = openSync(this.#logFile(log), "a", 0o600);
    const child = spawn(command, args, {
      cwd: this.#dir,
      // Programs that are killed leave their temporary files.
      env: { ...process.env, ...this.clientEnv(), TMPDIR: join(this.#dir, "tmp"), ...env },
      detached: true,
      stdio: ["ignore", output, output],
    });
    child.unref();
    return child;
  }

  /** Runs a program on a machine until it exits. */
  run(machine: Machine, program: readonly string[], stdin = ""): Promise<Output> {
    const [command, ...args] = this.network.command(machine, program);
    return new Promise((resolve) => {
      const options = { cwd: this.#dir, env: { ...process.env, ...this.clientEnv() }, timeout: 120_000 };
      const child = execFile(command, args, options, (error, out, err) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, out, err });
      });
      child.stdin?.end(stdin);
    });
  }

  /** Runs the `waggle` command on the client's machine. @throws if it fails */
  waggle(...args: readonly string[]): string {
    const [command, ...rest] = this.network.command("client", [waggleProgram, ...args]);
    return execFileSync(command, rest, { env: { ...process.env, ...this.clientEnv() }, encoding: "utf8" });
  }

  /** Requests JSON of the control API from the client's machine. */
  async get<T>(path: string): Promise<T> {
    const header = `authorization: Bearer ${this.#token}`;
    const { code, out, err } = await this.run(
      "client",
      ["curl", "-sSf", "-H", "@-", controlUrl + path],
      header,
    );
    if (code !== 0) throw new Error(`GET ${path}: ${err || out}`);
    return JSON.parse(out) as T;
  }

  /** The variables for the Docker CLI and the `waggle` command, as `waggle up` prints them. */
  clientEnv(): Readonly<Record<string, string>> {
    const token = this.#tokenOrNull;
    if (token === null) return {};
    return {
      DOCKER_HOST: controlUrl.replace("http:", "tcp:"),
      DOCKER_CUSTOM_HEADERS: `Authorization=Bearer ${token}`,
      // The user's own configuration may have other headers.
      DOCKER_CONFIG: join(this.#dir, "docker"),
      WAGGLE_HOST: controlUrl,
      WAGGLE_TOKEN: token,
    };
  }

  /** The last lines of each log, without the operator's token. */
  logs(): string {
    const folder = join(this.#dir, "log");
    return readdirSync(folder)
      .sort()
      .map((file) => `== ${file}\n${this.log(file).trimEnd().split("\n").slice(-12).join("\n")}`)
      .join("\n")
      .replaceAll(this.#tokenOrNull ?? "\0", "$TOKEN");
  }

  log(name: string): string {
    return readFileSync(this.#logFile(name), "utf8");
  }

  /** A line for each machine. */
  status(): string {
    return machines
      .map((machine) => {
        const count = this.network.pids(machine).length;
        return `${machine.padEnd(12)}${ownAddress[machine].padEnd(16)}${count} processes`;
      })
      .join("\n");
  }

  get dir(): string {
    return this.#dir;
  }

  #logFile(name: string): string {
    return join(this.#dir, "log", name);
  }

  get #meshState(): string {
    return join(this.#dir, "mesh");
  }

  get #token(): string {
    const token = this.#tokenOrNull;
    if (token === null) throw new Error("the mesh has not started");
    return token;
  }

  get #tokenOrNull(): string | null {
    try {
      const text = readFileSync(join(this.#meshState, "mesh.json"), "utf8");
      return (JSON.parse(text) as { token: string }).token;
    } catch {
      return null;
    }
  }

  async #waitFor(what: string, withinMs: number, isDone: () => Promise<boolean>): Promise<void> {
    const deadlineMs = Date.now() + withinMs;
    while (!(await isDone())) {
      if (Date.now() > deadlineMs) throw new Error(`waited ${withinMs / 1000} s for ${what}`);
      await pause(200);
    }
  }
}
