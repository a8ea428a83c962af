// The process runtime: each task is a process of this machine with its own ports.
//
// A task has its own process group and writes its output into two files. It keeps running when the agent is
// killed or replaced; the next agent finds it by process id and start time.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { z } from "zod";
import { MeshError } from "../../domain/model/error.ts";
import type { LogLine, LogStream } from "../../gateway/logs/log-line.ts";
import {
  findByEnvironment,
  identify,
  isRunning,
  ProcessIdentity,
  signalGroup,
} from "../../os/process-identity.ts";
import type { AssignedTask } from "../../protocol/agent.ts";
import { type DependencyFile, dependencyFiles } from "../../protocol/engine/dependency-files.ts";
import type { EngineTaskTemplate } from "../../protocol/engine/service-schema.ts";
import type { PlacedFile } from "../dependency-files.ts";
import type { LogQuery } from "../logs/log-query.ts";
import { logFiles, TaskLogs } from "../logs/task-logs.ts";
import { whyNotAsProcess } from "./container-only.ts";
import {
  findImage,
  findProgram,
  type ImageTable,
  noSuchImageText,
  type ProcessImage,
  readSignal,
  type TaskEnvironment,
} from "./images.ts";
import { httpOrigin, type PortAllocator } from "./ports.ts";
import type { ExitStatus, PrepareContext, PrepareResult, RunningTask, Runtime } from "./runtime.ts";
import { readTemplate } from "./task-template.ts";

/** Variables that a task inherits from the agent. Others may be secrets of the agent. */
const inheritedVariables = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** How often a process of an earlier agent is checked for its exit, milliseconds. */
const processPollMs = 200;

type ProcessRuntimeOptions = {
  readonly images: ImageTable;
  readonly ports: PortAllocator;
  readonly nodeName: string;
  /** The platform of the node, as in its description. */
  readonly os: string;
  readonly arch: string;
  /** Address that tasks listen on; only this machine reaches it. */
  readonly host: string;
  /** The folder of a task; created at the start. */
  readonly taskDir: (id: string) => string;
  /** The environment of the agent. */
  readonly env: NodeJS.ProcessEnv;
};

const ProcessHandle = ProcessIdentity.extend({
  ports: z.array(z.object({ target: z.number(), port: z.number() })),
});
type ProcessHandle = z.infer<typeof ProcessHandle>;

export class ProcessRuntime implements Runtime {
  readonly #options: ProcessRuntimeOptions;
  readonly #logs: TaskLogs;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#logs = new TaskLogs(options.taskDir);
  }

  readLogs(taskId: string, query: LogQuery): AsyncIterable<LogLine> {
    return this.#logs.read(taskId, query);
  }

  async prepare(
    assigned: AssignedTask,
    { nodeId, placeFiles }: Pick<PrepareContext, "nodeId" | "placeFiles">,
  ): Promise<PrepareResult> {
    const { images, env, taskDir } = this.#options;
    const template = this.#readTemplate(assigned, nodeId);
    if (typeof template === "string") return rejected(template);
    const unsupported = whyNotAsProcess(template);
    if (unsupported !== null) return rejected(unsupported);
    const files = dependencyFiles(template.ContainerSpec ?? {});
    const unplaceable = whyNotPlaceable(files);
    if (unplaceable !== null) return rejected(unplaceable);
    const task = withExpandedRun(assigned, template);
    const image = findImage(images, task.run.image);
    if (image === null) return rejected(noSuchImageText(images, task.run.image));
    const dir = task.run.dir || image.dir;
    if (dir !== undefined && !isDirectory(dir))
      return rejected(`the working directory ${dir} does not exist`);
    const [program = ""] = commandLine(task, image, this.#environmentOf(task, []));
    if (findProgram(program, dir ?? taskDir(task.id), env.PATH ?? "") === null) {
      return rejected(`exec: "${program}": executable file not found in $PATH`);
    }
    const stopSignal = task.run.stopSignal === "" ? image.stopSignal : readSignal(task.run.stopSignal);
    if (stopSignal === null) return rejected(`invalid stop signal: ${task.run.stopSignal}`);
    const probe = task.run.probe ?? image.probe;
    if (probe.kind === "http" && !/^\/[!-~]*$/.test(probe.path))
      return rejected(`invalid probe path: ${probe.path}`);
    const placed = await placeFiles(files, "process");
    if (!placed.ok) return placed;
    const ready = withFolders(task, placed.files);
    return { ok: true, plan: { probe, stopSignal, start: () => this.#start(ready, image) } };
  }

  #readTemplate(task: AssignedTask, nodeId: string): EngineTaskTemplate | string {
    try {
      const { nodeName, os, arch } = this.#options;
      return readTemplate(task, { id: nodeId, hostname: nodeName, os, arch });
    } catch (error) {
      if (error instanceof MeshError) return error.message;
      throw error;
    }
  }

  async find(task: AssignedTask, savedHandle: unknown): Promise<RunningTask | null> {
    const { success, data: handle } = ProcessHandle.safeParse(savedHandle);
    if (!success) {
      // If the task runs, its ports are unknown. It cannot be used and must not keep running.
      for (const { identity, isLeader } of findByEnvironment((text) => text === `WAGGLE_TASK_ID=${task.id}`))
        if (isLeader) signalGroup(identity.pid, "SIGKILL");
      return null;
    }
    if (!isRunning(handle)) return null;
    this.#options.ports.reserve(handle.ports.map(({ port }) => port));
    return this.#running(task.id, handle, watchExit(handle));
  }

  async #start(task: AssignedTask, image: ProcessImage): Promise<RunningTask> {
    const { ports, taskDir } = this.#options;
    const allocatedPorts = await ports.allocate(task.run.targets.length);
    try {
      const environment = this.#environmentOf(task, allocatedPorts);
      writeFiles(environment.taskDir, image.files(environment, task));
      const logs = {
        stdout: join(taskDir(task.id), logFiles.stdout),
        stderr: join(taskDir(task.id), logFiles.stderr),
      };
      const child = launch(commandLine(task, image, environment), {
        cwd: task.run.dir || image.dir || environment.taskDir,
        env: environmentVariables(task, image, environment, this.#options.env),
        logs,
      });
      const pid = await waitForSpawn(child);
      const started = identify(pid)?.started ?? "";
      const exit = waitForExit(child, logs);
      return this.#running(task.id, { pid, started, ports: [...environment.ports] }, exit);
    } catch (error) {
      ports.release(allocatedPorts);
      throw error;
    }
  }

  #environmentOf(task: AssignedTask, ports: readonly number[]): TaskEnvironment {
    const { nodeName, host, taskDir } = this.#options;
    const portPairs = ports.map((port, index) => ({ target: task.run.targets[index] ?? 0, port }));
    return { taskDir: taskDir(task.id), nodeName, host, ports: portPairs };
  }

  #running(taskId: string, handle: ProcessHandle, exit: Promise<ExitStatus>): RunningTask {
    const { host, ports } = this.#options;
    this.#logs.watch(taskId);
    const exited = exit.then((status) => {
      // Processes that the task started must not outlive it.
      signalGroup(handle.pid, "SIGKILL");
      this.#logs.end(taskId);
      ports.release(handle.ports.map(({ port }) => port));
      return status;
    });
    return {
      pid: handle.pid,
      handle,
      exited,
      endpoints: handle.ports.map(({ target, port }) => ({ target, origin: httpOrigin(host, port) })),
      signal: async (name) => {
        if (isRunning(handle)) process.kill(handle.pid, name as NodeJS.Signals);
        return true;
      },
      kill: () => {
        if (isRunning(handle)) signalGroup(handle.pid, "SIGKILL");
      },
    };
  }
}

/** The task with expanded placeholders in its environment, and with its host name as the variable HOSTNAME. */
function withExpandedRun(task: AssignedTask, { ContainerSpec }: EngineTaskTemplate): AssignedTask {
  const env = (ContainerSpec?.Env ?? []).filter((pair) => pair.includes("="));
  const hostname = ContainerSpec?.Hostname ? [`HOSTNAME=${ContainerSpec.Hostname}`] : [];
  return { ...task, run: { ...task.run, env: [...hostname, ...env] } };
}

/** Why a process cannot read these files where it looks for them; null if it can. */
function whyNotPlaceable(files: readonly DependencyFile[]): string | null {
  for (const { kind, name, target, uid, gid } of files) {
    if (target.startsWith("/")) {
      return `this node runs tasks as processes, which cannot have ${kind} ${name} at ${target}: give it a target without a leading slash, which is a file in $${folderVariables[kind]}, or use nodes with Docker`;
    }
    if (uid !== 0 || gid !== 0) {
      return `this node runs tasks as processes of one user, so ${kind} ${name} cannot belong to ${uid}:${gid}: leave uid and gid out, or use nodes with Docker`;
    }
  }
  return null;
}

/** The variables with the folders of a task's secrets and configs. */
const folderVariables = { secret: "WAGGLE_SECRETS_DIR", config: "WAGGLE_CONFIGS_DIR" } as const;

function withFolders(task: AssignedTask, files: readonly PlacedFile[]): AssignedTask {
  const folders = files.map(({ kind, target, path }) => {
    const folder = path.slice(0, path.length - normalize(target).length - 1);
    return `${folderVariables[kind]}=${folder}`;
  });
  return { ...task, run: { ...task.run, env: [...task.run.env, ...new Set(folders)] } };
}

function rejected(reason: string): PrepareResult {
  return { ok: false, reason };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The command line as Docker builds it: an entrypoint of the service removes the image's arguments. */
function commandLine(
  { run }: AssignedTask,
  image: ProcessImage,
  environment: TaskEnvironment,
): readonly string[] {
  const program = run.command.length > 0 ? run.command : image.entrypoint;
  if (run.args.length > 0) return [...program, ...run.args];
  return run.command.length > 0 ? program : [...program, ...image.cmd(environment)];
}

/**
 * Variables of the mesh override all others, because the mesh reaches a task only at the ports it gave it.
 */
function environmentVariables(
  { id, slot, service, run }: AssignedTask,
  image: ProcessImage,
  { host, nodeName, ports }: TaskEnvironment,
  agentEnv: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const inherited = inheritedVariables
    .map((name) => [name, agentEnv[name]])
    .filter(([, value]) => value !== undefined);
  const configured = [...image.env, ...run.env].filter((pair) => pair.indexOf("=") > 0);
  return {
    ...Object.fromEntries(inherited),
    ...Object.fromEntries(
      configured.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    ),
    ...Object.fromEntries(ports.map(({ target, port }) => [`PORT_${target}`, String(port)])),
    ...(ports[0] && { PORT: String(ports[0].port) }),
    HOST: host,
    WAGGLE_NODE: nodeName,
    WAGGLE_SERVICE: service.name,
    WAGGLE_SLOT: String(slot),
    WAGGLE_TASK_ID: id,
  };
}

function writeFiles(taskDir: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(taskDir, "tmp"), { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(taskDir, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(taskDir, name), text);
  }
}

type LogPaths = Readonly<Record<LogStream, string>>;
type LaunchOptions = { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly logs: LogPaths };

function launch([program = "", ...args]: readonly string[], { cwd, env, logs }: LaunchOptions): ChildProcess {
  const out = openSync(logs.stdout, "a", 0o600);
  try {
    const err = openSync(logs.stderr, "a", 0o600);
    try {
      const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", out, err] });
      // An agent that keeps its tasks must be able to exit before them.
      child.unref();
      return child;
    } finally {
      closeSync(err);
    }
  } finally {
    closeSync(out);
  }
}

function waitForSpawn(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid ?? 0));
    child.once("error", reject);
  });
}

function waitForExit(child: ChildProcess, logs: LogPaths): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const isPortTaken =
        code !== 0 &&
        Object.values(logs).some((file) =>
          /EADDRINUSE|address already in use/i.test(readLogTail(file, 4_096)),
        );
      resolve({ code, signal, isPortTaken });
    });
  });
}

/** Polls for the exit of a process that another agent started. Only its parent gets the exit code. */
function watchExit(identity: ProcessIdentity): Promise<ExitStatus> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isRunning(identity)) return;
      clearInterval(timer);
      resolve({ code: null, signal: null, isPortTaken: false });
    }, processPollMs);
    timer.unref();
  });
}

function readLogTail(file: string, bytes: number): string {
  const descriptor = openSync(file, "r");
  try {
    const size = statSync(file).size;
    const buffer = Buffer.alloc(Math.min(bytes, size));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString();
  } finally {
    closeSync(descriptor);
  }
}
