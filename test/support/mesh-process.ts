// A real `waggle up` in a process of its own, for end-to-end tests: started on free ports, driven through its own
// doors, and looked at through /proc.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const main = join(root, "src/cli/main.ts");

export type CommandResult = { readonly code: number; readonly out: string; readonly err: string };

/** A running mesh. */
export class MeshProcess {
  readonly stateDir: string;
  readonly controlPort: number;
  readonly edgePort: number;
  readonly #child: ChildProcess;
  #output = "";
  readonly #exited: Promise<number | null>;

  private constructor(child: ChildProcess, stateDir: string, controlPort: number, edgePort: number) {
    this.#child = child;
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

  /** Starts one and waits until it says that it is up. */
  static start(args: readonly string[] = [], stateDir = newStateDir()): Promise<MeshProcess> {
    return MeshProcess.#startBy([process.execPath, main, "up"], args, stateDir);
  }

  /** The same by `npm start`; signals go to npm. */
  static startByNpm(stateDir: string): Promise<MeshProcess> {
    return MeshProcess.#startBy(["npm", "start", "--"], [], stateDir);
  }

  static async #startBy(
    [program, ...first]: readonly [string, ...string[]],
    args: readonly string[],
    stateDir: string,
  ): Promise<MeshProcess> {
    const [controlPort, edgePort] = [await freePort(), await freePort()];
    const ports = ["--state", stateDir, "--port", String(controlPort), "--edge-port", String(edgePort)];
    const child = spawn(program, [...first, ...ports, ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const mesh = new MeshProcess(child, stateDir, controlPort, edgePort);
    await mesh.waitForOutput("Ctrl-C stops the mesh", 60_000);
    return mesh;
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the mesh did not start");
    return pid;
  }

  get control(): string {
    return `http://127.0.0.1:${this.controlPort}`;
  }

  get token(): string {
    return (JSON.parse(readFileSync(join(this.stateDir, "mesh.json"), "utf8")) as { token: string }).token;
  }

  /** Waits until `text` was printed. */
  async waitForOutput(text: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`the mesh ended:\n${this.#output}${this.logs()}`);
      if (Date.now() > deadline)
        throw new Error(`the mesh did not say "${text}":\n${this.#output}${this.logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What its parts wrote to their logs, for failure messages. */
  logs(): string {
    const folder = join(this.stateDir, "log");
    return readdirSync(folder)
      .map((name) => `\n== ${name}\n${readFileSync(join(folder, name), "utf8").slice(-3_000)}`)
      .join("");
  }

  /** Runs the Docker CLI against it. */
  docker(...args: string[]): Promise<CommandResult> {
    const env = {
      ...process.env,
      DOCKER_HOST: `tcp://127.0.0.1:${this.controlPort}`,
      DOCKER_CUSTOM_HEADERS: `Authorization=Bearer ${this.token}`,
    };
    return run("docker", args, env);
  }

  /** Runs the `waggle` command against it. */
  waggle(...args: string[]): Promise<CommandResult> {
    return run(process.execPath, [main, ...args], {
      ...process.env,
      WAGGLE_HOST: this.control,
      WAGGLE_TOKEN: this.token,
    });
  }

  /** JSON of a control route, with the operator's token. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.control + path, { headers: { authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Process id of the agent of `node`. */
  agentPid(node: string): number {
    return this.#childPid("agent-child.ts", node);
  }

  /** Process ids of workerd under this mesh. @param name of a mesh in two parts `runtime` has the registry */
  workerdPids(name: "runtime" | "traffic" = "runtime"): number[] {
    const runtime = this.runtimePid(name);
    return processes()
      .filter((one) => one.ppid === runtime && one.cmdline.includes("workerd"))
      .map((one) => one.pid);
  }

  /** Process id of what starts workerd, and starts it anew when it dies. */
  runtimePid(name: "runtime" | "traffic" = "runtime"): number {
    return this.#childPid("runtime-child.ts", name);
  }

  #childPid(program: string, name: string): number {
    const mark = `WAGGLE_CHILD=${this.stateDir}:${name}\n`;
    const found = processes().find((one) => one.cmdline.includes(program) && one.environ.includes(mark));
    if (found === undefined) throw new Error(`${name} of ${this.stateDir} does not run`);
    return found.pid;
  }

  /** Every process that belongs to this mesh: its children, and whatever works in its state folder. */
  allPids(): number[] {
    return processes()
      .filter(
        (one) => one.pid !== process.pid && (one.cmdline + one.environ + one.cwd).includes(this.stateDir),
      )
      .map((one) => one.pid);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for its end; the exit code. */
  ended(): Promise<number | null> {
    return this.#exited;
  }

  /** Stops it as Ctrl-C does, keeping the state folder. */
  async stop(signal: "SIGINT" | "SIGHUP" = "SIGINT"): Promise<number | null> {
    this.signal(signal);
    return this.#exited;
  }

  /** Stops it and forgets its state. */
  async remove(): Promise<void> {
    if (this.#child.exitCode === null) await this.stop();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

export function newStateDir(): string {
  return mkdtempSync(join(tmpdir(), "waggle-"));
}

/** A TCP port that was free on every node's address a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenOnce("127.0.0.1", 0);
    const taken = await Promise.all(
      ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map((host) => listenOnce(host, port ?? 0)),
    );
    if (port !== null && taken.every((one) => one !== null)) return port;
  }
}

function listenOnce(host: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? null) : null));
    });
  });
}

/** Runs a command to its end. */
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

type Process = {
  readonly pid: number;
  readonly ppid: number;
  readonly cmdline: string;
  readonly environ: string;
  readonly cwd: string;
};

function processes(): Process[] {
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
