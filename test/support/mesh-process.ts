// A real `waggle up` for end-to-end tests, on free ports. Its processes are found through /proc.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bindError } from "../../src/local/addresses.ts";
import { testNameOf } from "../../src/local/platform/test-names.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const main = join(root, "src/cli/main.ts");

/** The command line of `waggle`, which works in any folder and namespace of this machine. */
export const waggleProgram: readonly [string, ...string[]] = [process.execPath, main];

export type CommandResult = { readonly code: number; readonly out: string; readonly err: string };

/** Where a mesh runs, if not on the test's own loopback address. */
export type MeshPlace = {
  /** The listen address of its control API. */
  readonly address: string;
  /** The command line that runs a program there. */
  readonly command: (program: readonly string[]) => readonly [string, ...string[]];
};

/** A running mesh. */
export class MeshProcess {
  readonly stateDir: string;
  readonly #address: string;
  readonly controlPort: number;
  readonly edgePort: number;
  readonly #child: ChildProcess;
  #output = "";
  readonly #exited: Promise<number | null>;

  private constructor(
    child: ChildProcess,
    address: string,
    stateDir: string,
    controlPort: number,
    edgePort: number,
  ) {
    this.#child = child;
    this.#address = address;
    this.stateDir = stateDir;
    this.controlPort = controlPort;
    this.edgePort = edgePort;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes) => {
        this.#output += bytes;
      });
    }
    this.#exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  }

  /** Starts a mesh and waits until it reports that it is up. */
  static start(args: readonly string[] = [], stateDir = newStateDir()): Promise<MeshProcess> {
    return MeshProcess.#startCommand([process.execPath, main, "up"], args, stateDir);
  }

  /** Starts a mesh with a state folder of its own at the ports of one that has ended. */
  static startInPlaceOf(
    { controlPort, edgePort }: MeshProcess,
    args: readonly string[],
  ): Promise<MeshProcess> {
    const program = [process.execPath, main, "up"] as const;
    return MeshProcess.#startCommand(program, args, newStateDir(), "127.0.0.1", 1, [controlPort, edgePort]);
  }

  /** Starts a mesh on another machine. */
  static startAt(place: MeshPlace, args: readonly string[], stateDir: string): Promise<MeshProcess> {
    const program = place.command([process.execPath, main, "up", "--listen", place.address]);
    return MeshProcess.#startCommand(program, args, stateDir, place.address);
  }

  /** Starts a mesh that may open at most `files` files. */
  static startWithFiles(files: number, args: readonly string[]): Promise<MeshProcess> {
    const limited = ["sh", "-c", `ulimit -n ${files}; exec "$@"`, "sh"] as const;
    return MeshProcess.#startCommand([...limited, process.execPath, main, "up"], args, newStateDir());
  }

  /** Starts a mesh by `npm start`; signals go to npm. */
  static startByNpm(stateDir: string): Promise<MeshProcess> {
    return MeshProcess.#startCommand(["npm", "start", "--"], [], stateDir);
  }

  static async #startCommand(
    [program, ...commandArgs]: readonly [string, ...string[]],
    args: readonly string[],
    stateDir: string,
    address = "127.0.0.1",
    startsLeft = 3,
    places?: readonly [control: number, edge: number],
  ): Promise<MeshProcess> {
    const [controlPort, edgePort] = places ?? [await freePort(), await freePort()];
    const ports = ["--port", String(controlPort), "--edge-port", String(edgePort)];
    const flags = ["--state", stateDir, ...ports, ...platformFlags(args)];
    const child = spawn(program, [...commandArgs, ...flags, ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, XDG_CONFIG_HOME: configFolder(stateDir) },
    });
    const mesh = new MeshProcess(child, address, stateDir, controlPort, edgePort);
    try {
      await mesh.waitForOutput("Ctrl-C stops the mesh", 60_000);
      return mesh;
    } catch (error) {
      // Another process may take a free port between its choice and its use.
      if (startsLeft <= 1 || !mesh.output.includes("another process listens there")) throw error;
      return MeshProcess.#startCommand([program, ...commandArgs], args, stateDir, address, startsLeft - 1);
    }
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the mesh did not start");
    return pid;
  }

  /** Where this mesh registers its context: not that of the user who runs the tests. */
  get configHome(): string {
    return configFolder(this.stateDir);
  }

  get control(): string {
    return `http://${this.#address}:${this.controlPort}`;
  }

  get token(): string {
    return (JSON.parse(readFileSync(join(this.stateDir, "mesh.json"), "utf8")) as { token: string }).token;
  }

  /** Waits until the mesh has printed `text`. */
  async waitForOutput(text: string, timeoutMs: number): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`the mesh exited:\n${this.#output}${this.logs()}`);
      if (Date.now() > deadlineMs)
        throw new Error(`the mesh did not print "${text}":\n${this.#output}${this.logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The ends of the logs of its processes, for failure messages. */
  logs(): string {
    const folder = join(this.stateDir, "log");
    return readdirSync(folder)
      .map((name) => `\n== ${name}\n${readFileSync(join(folder, name), "utf8").slice(-3_000)}`)
      .join("");
  }

  /** Runs the Docker CLI against the mesh. */
  docker(...args: string[]): Promise<CommandResult> {
    const env = {
      ...process.env,
      DOCKER_HOST: `tcp://${this.#address}:${this.controlPort}`,
      DOCKER_CUSTOM_HEADERS: `Authorization=Bearer ${this.token}`,
    };
    return run("docker", args, env);
  }

  /** Runs the `waggle` command against the mesh. */
  waggle(...args: string[]): Promise<CommandResult> {
    return run(process.execPath, [main, ...args], {
      ...process.env,
      XDG_CONFIG_HOME: this.configHome,
      WAGGLE_HOST: this.control,
      WAGGLE_TOKEN: this.token,
    });
  }

  /** Requests JSON from a control route with the operator's token. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.control + path, { headers: { authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Process id of the agent of `node`. */
  agentPid(node: string): number {
    return this.#childPid("agent-child.ts", node);
  }

  /** Process ids of workerd. @param name in a split mesh, `runtime` is the process with the registry */
  workerdPids(name: "runtime" | "traffic" = "runtime"): number[] {
    const runtime = this.runtimePid(name);
    return processes()
      .filter(({ ppid, cmdline }) => ppid === runtime && cmdline.includes("workerd"))
      .map(({ pid }) => pid);
  }

  /** Process id of the child that starts workerd and restarts it when it dies. */
  runtimePid(name: "runtime" | "traffic" = "runtime"): number {
    return this.#childPid("runtime-child.ts", name);
  }

  #childPid(program: string, name: string): number {
    const variable = `WAGGLE_CHILD=${this.stateDir}:${name}\n`;
    const child = processes().find(
      ({ cmdline, environ }) => cmdline.includes(program) && environ.includes(variable),
    );
    if (child === undefined) throw new Error(`${name} of ${this.stateDir} does not run`);
    return child.pid;
  }

  /** The ids of all processes with the state folder in their arguments, environment or path. */
  allPids(): number[] {
    return processes()
      .filter(
        ({ pid, cmdline, environ, cwd }) =>
          pid !== process.pid && (cmdline + environ + cwd).includes(this.stateDir),
      )
      .map(({ pid }) => pid);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#exited;
  }

  /** Stops the mesh as Ctrl-C does and keeps the state folder. */
  async stop(signal: "SIGINT" | "SIGHUP" = "SIGINT"): Promise<number | null> {
    this.signal(signal);
    return this.#exited;
  }

  /** Stops the mesh and removes the state folder. */
  async remove(): Promise<void> {
    if (this.#child.exitCode === null) await this.stop();
    for (const folder of [this.stateDir, this.configHome]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Beside the state folder, in which each file has its owner's permissions only. */
function configFolder(stateDir: string): string {
  return `${stateDir}-config`;
}

const platformRules = process.env.WAGGLE_EDGE_FLAGS?.split(" ") ?? null;

/** True if meshes run under the platform's rules. */
export const isUnderPlatformRules = platformRules !== null;

/** The host of static servers on loopback, as a mesh takes it: no Worker of Cloudflare reaches an address. */
export const loopbackHost = isUnderPlatformRules ? testNameOf("127.0.0.1") : "127.0.0.1";

/**
 * The flags of the platform's rules, by which the test project `edge` starts all meshes. One with two runtimes has no
 * such mode.
 */
function platformFlags(args: readonly string[]): readonly string[] {
  return platformRules === null || args.includes("--split") ? [] : platformRules;
}

export function newStateDir(): string {
  return mkdtempSync(join(tmpdir(), "waggle-"));
}

const chosenPorts = new Set<number>();

/**
 * A TCP port that is free on the addresses of the balancer and of three nodes; each call gives another one. It is
 * below those that Linux gives to connections (32768-60999), of which one could take it before its use, and
 * below those that a mesh gives to services (from 30000).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    if (chosenPorts.has(port)) continue;
    chosenPorts.add(port);
    const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
    const errors = await Promise.all(addresses.map((address) => bindError(address, port)));
    if (errors.every((error) => error === null)) return port;
  }
}

/** Runs a command until it exits. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(command, [...args], { env, timeout: 60_000, cwd: root }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, out, err });
    });
  });
}

type ProcessInfo = {
  readonly pid: number;
  readonly ppid: number;
  readonly cmdline: string;
  readonly environ: string;
  readonly cwd: string;
};

function processes(): ProcessInfo[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        if (state === "Z") return [];
        const cmdline = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        const environ = readFileSync(`/proc/${name}/environ`, "utf8").replaceAll("\0", "\n");
        const cwd = readlinkSync(`/proc/${name}/cwd`);
        return [{ pid: Number(name), ppid: Number(ppid), cmdline, environ, cwd }];
      } catch {
        return [];
      }
    });
}
