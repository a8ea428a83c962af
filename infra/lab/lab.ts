// The lab: a mesh and its nodes on the machines of the network, with their state and logs in one folder. Instead of
// the mesh the nodes may be a real Docker Swarm.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cgroupOf, dockerdCommand, dockerPidFile, dockerSocket, removeCgroups } from "./dockerd.ts";
import { writeArchives } from "./images.ts";
import { hiddenNode, type Machine, machines, Network, ownAddress } from "./network.ts";

export const waggleProgram = fileURLToPath(new URL("../../bin/waggle", import.meta.url));

const controlPort = 8787;
export const controlUrl = `http://${ownAddress.mesh}:${controlPort}`;

export const nodes = ["node1", "node2", "node3"] as const;
export type LabNode = (typeof nodes)[number];

/** What the nodes are: agents with processes, agents with a Docker daemon each, or a Docker Swarm. */
export type LabKind = "process" | "docker" | "swarm";

export type Output = { readonly code: number; readonly out: string; readonly err: string };

/** A part of `GET /nodes`. */
type EngineNode = {
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string };
};

export class Lab {
  readonly network: Network;
  readonly kind: LabKind;
  readonly #dir: string;
  readonly #say: (line: string) => void;
  #knownJoinToken: string | null = null;

  /**
   * @param prefix begins the names of its namespaces
   * @param dir its folder, which `up` makes and `down` removes; not below /run, which machines have to themselves
   * @param say prints one line for people
   * @param kind of the lab to start; for one that is up, its own kind counts
   */
  constructor(prefix: string, dir: string, say: (line: string) => void, kind: LabKind) {
    this.kind = kindOf(dir) ?? kind;
    // A Swarm's overlay network does not cross NAT.
    this.network = new Network(prefix, dir, { client: "own", hasNat: this.kind !== "swarm" });
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
    writeFileSync(kindFile(this.#dir), this.kind);
    try {
      this.network.create();
      if (this.kind !== "process") await this.#startDaemons();
      if (this.kind === "swarm") await this.#startSwarm();
      else await this.startMesh();
    } catch (error) {
      const logs = this.logs();
      this.down();
      throw new Error(`${(error as Error).message}\n${logs}`, { cause: error });
    }
  }

  /** Ends every process of the lab, and removes its namespaces, its cgroups and its folder. */
  down(): void {
    this.network.remove();
    removeCgroups(this.#dir);
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  /** Starts a mesh, and joins the nodes. */
  async startMesh(): Promise<void> {
    const flags = ["--nodes", "0", "--empty", "--listen", ownAddress.mesh, "--state", this.#meshState];
    this.#say(`mesh        ${ownAddress.mesh}, by \`waggle up ${flags.slice(0, -2).join(" ")}\``);
    this.#say("            its control API has no TLS: tokens cross the lab's network in clear text");
    const mesh = this.start("mesh", "mesh", [waggleProgram, "up", ...flags]);
    await this.#waitFor("the mesh to start", 60_000, async () => {
      if (mesh.exitCode !== null) throw new Error("`waggle up` has exited");
      return readFileSync(this.#logFile("mesh"), "utf8").includes("Ctrl-C stops the mesh");
    });
    for (const node of nodes) this.startNode(node);
    for (const node of nodes) await this.#nodeJoins(node);
  }

  /** Starts a node's agent, with the join token; a node that has joined keeps its credential. */
  startNode(node: LabNode): ChildProcess {
    const flags = ["--address", this.network.addressOf(node), "--state", join(this.#dir, node)];
    const runtime = ["--runtime", this.kind === "process" ? "process" : "docker", "--keep-tasks"];
    // The control API of the lab has no TLS.
    const command = [waggleProgram, "agent", controlUrl, ...flags, ...runtime, "--ingress", "--insecure"];
    // So that it can be stopped from outside of its PID namespace.
    const script = 'echo $$ > "$0" && exec "$@"';
    const env = {
      WAGGLE_JOIN_TOKEN: this.#joinToken(),
      DOCKER_HOST: `unix://${dockerSocket}`,
    };
    return this.start(node, node, ["sh", "-c", script, this.#agentPidFile(node), ...command], env);
  }

  /** Stops a node's agent as an upgrade does: its tasks run on. */
  async stopNode(node: LabNode): Promise<void> {
    await this.#stopProgram(node, this.#agentPidFile(node), "TERM");
  }

  /** Ends a program of a machine by its file with the process id, and waits until it has exited. */
  async #stopProgram(machine: Machine, pidFile: string, signal: "TERM" | "KILL"): Promise<void> {
    const script =
      'pid=$(cat "$0") && kill "-$1" "$pid" && while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done';
    const { code, err } = await this.run(machine, ["sh", "-c", script, pidFile, signal]);
    if (code !== 0) throw new Error(`cannot end the program of ${pidFile} on ${machine}: ${err}`);
  }

  /** The join token of the mesh. Asking for it again would delay the restart of an agent. */
  #joinToken(): string {
    this.#knownJoinToken ??= this.waggle("join-token", "-q").trim();
    return this.#knownJoinToken;
  }

  #agentPidFile(node: LabNode): string {
    return join(this.#dir, `${node}.pid`);
  }

  /** Waits until a node is ready, and says so. */
  async #nodeJoins(node: LabNode): Promise<void> {
    const address = this.network.addressOf(node);
    const where = node === hiddenNode && this.network.hasNat ? `${address}, behind NAT` : address;
    await this.#waitFor(`${node} to join`, 30_000, () => this.isReady(node));
    this.#say(`${node.padEnd(12)}${where}`);
  }

  /** Starts a Docker daemon with the images of the lab on each node. */
  async #startDaemons(): Promise<void> {
    const archives = writeArchives(join(this.#dir, "images"));
    await Promise.all(
      nodes.map(async (node) => {
        await this.network.isolate(node, join(this.#dir, "machine", node));
        await this.startDaemon(node);
        for (const { file, flags, names } of archives) {
          const [first = "", ...others] = names;
          await this.engineOk(node, "import", ...flags, file, first);
          for (const name of others) await this.engineOk(node, "tag", first, name);
        }
      }),
    );
    const version = await this.engineOk("node1", "version", "--format", "{{.Server.Version}}");
    this.#say(`dockerd     ${version.trim()} on each node`);
  }

  /** Starts the Docker daemon of a node, and waits until it responds. @param flags of dockerd */
  async startDaemon(node: LabNode, flags: readonly string[] = []): Promise<void> {
    const data = join(this.#dir, "docker", node);
    const log = `dockerd-${node}`;
    const daemon = this.start(log, node, dockerdCommand(data, cgroupOf(this.#dir, node), flags));
    await this.#waitFor(`the Docker daemon of ${node}`, 60_000, async () => {
      if (daemon.exitCode !== null) throw new Error(`the Docker daemon of ${node} has exited`);
      return (await this.engine(node, "version")).code === 0;
    });
  }

  /** Ends the Docker daemon of a node. With `KILL` its containers run on until it is started again. */
  async stopDaemon(node: LabNode, signal: "TERM" | "KILL"): Promise<void> {
    await this.#stopProgram(node, dockerPidFile, signal);
  }

  /** Runs a program on a node whose Docker CLI uses the node's own daemon. */
  runOnEngine(node: LabNode, program: readonly string[]): Promise<Output> {
    const own = ["-u", "DOCKER_CUSTOM_HEADERS", `DOCKER_HOST=unix://${dockerSocket}`];
    return this.run(node, ["env", ...own, ...program]);
  }

  /** Runs the Docker CLI against the daemon of a node. */
  engine(node: LabNode, ...args: readonly string[]): Promise<Output> {
    return this.runOnEngine(node, ["docker", ...args]);
  }

  /** @returns what the Docker CLI printed; @throws if it fails */
  async engineOk(node: LabNode, ...args: readonly string[]): Promise<string> {
    return outOf(await this.engine(node, ...args), ["docker", ...args]);
  }

  /** @returns what a program on a machine printed; @throws if it fails */
  async runOk(machine: Machine, program: readonly string[], stdin = ""): Promise<string> {
    return outOf(await this.run(machine, program, stdin), program);
  }

  /** Makes the daemons a Swarm, with the first node as its manager. */
  async #startSwarm(): Promise<void> {
    const [manager, ...workers] = nodes;
    const address = this.network.addressOf(manager);
    await this.engineOk(manager, "swarm", "init", "--advertise-addr", address);
    const token = (await this.engineOk(manager, "swarm", "join-token", "-q", "worker")).trim();
    await Promise.all(
      workers.map((node) => {
        const own = ["--advertise-addr", this.network.addressOf(node)];
        return this.engineOk(node, "swarm", "join", "--token", token, ...own, `${address}:2377`);
      }),
    );
    await this.#waitFor("the nodes of the Swarm", 30_000, async () => {
      const states = await this.engineOk(manager, "node", "ls", "--format", "{{.Status}}");
      return (
        states
          .trim()
          .split("\n")
          .filter((state) => state === "Ready").length === nodes.length
      );
    });
    this.#say(`swarm       ${nodes.join(", ")}; ${manager} is its manager`);
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
      // A program may exit before it has read its input.
      child.stdin?.on("error", () => {}).end(stdin);
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
        return `${machine.padEnd(12)}${this.network.addressOf(machine).padEnd(16)}${count} processes`;
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

function outOf({ code, out, err }: Output, program: readonly string[]): string {
  if (code !== 0) throw new Error(`${program.join(" ")} exited with ${code}: ${err || out}`);
  return out;
}

/** The kind of the lab in a folder; null without a lab. */
function kindOf(dir: string): LabKind | null {
  try {
    return readFileSync(kindFile(dir), "utf8") as LabKind;
  } catch {
    return null;
  }
}

function kindFile(dir: string): string {
  return join(dir, "kind");
}
