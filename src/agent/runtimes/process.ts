// The process runtime: each task is a process of this machine, listening on ports of its own.
//
// A task is started in its own process group, with its output going straight into a file: nothing ties it to the
// agent, so it lives on when the agent is killed or replaced, and the next agent finds it by process id and start time.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { AssignedTask } from "../../protocol/agent.ts";
import { findByEnvironment, identify, isRunning, ProcessIdentity, signalGroup } from "../process-identity.ts";
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
import type { ExitStatus, PrepareResult, RunningTask, Runtime } from "./runtime.ts";

/** What of the agent's own environment a task gets. Anything else may be a secret of the agent's. */
const inheritedVariables = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** How often a process that is not our child is looked at, milliseconds. */
const processPollMs = 200;

type ProcessRuntimeOptions = {
  readonly images: ImageTable;
  readonly ports: PortAllocator;
  readonly nodeName: string;
  /** Host part under which the mesh dials tasks. */
  readonly address: string;
  /** Address the tasks listen on. */
  readonly host: string;
  /** The folder of a task; created when it starts. */
  readonly taskDir: (id: string) => string;
  /** The agent's own environment. */
  readonly env: NodeJS.ProcessEnv;
};

const ProcessHandle = ProcessIdentity.extend({
  ports: z.array(z.object({ target: z.number(), port: z.number() })),
});
type ProcessHandle = z.infer<typeof ProcessHandle>;

export class ProcessRuntime implements Runtime {
  readonly #options: ProcessRuntimeOptions;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
  }

  async prepare(task: AssignedTask): Promise<PrepareResult> {
    const { images, env, taskDir } = this.#options;
    const image = findImage(images, task.run.image);
    if (image === null) return rejected(noSuchImageText(images, task.run.image));
    const dir = task.run.dir || image.dir;
    if (dir !== undefined && !isDirectory(dir)) return rejected(`the working directory ${dir} is not there`);
    const [program = ""] = commandLine(task, image, this.#environmentOf(task, []));
    if (findProgram(program, dir ?? taskDir(task.id), env.PATH ?? "") === null) {
      return rejected(`exec: "${program}": executable file not found in $PATH`);
    }
    const stopSignal = task.run.stopSignal === "" ? image.stopSignal : readSignal(task.run.stopSignal);
    if (stopSignal === null) return rejected(`invalid stop signal: ${task.run.stopSignal}`);
    const probe = task.run.probe ?? image.probe;
    if (probe.kind === "http" && !/^\/[!-~]*$/.test(probe.path))
      return rejected(`invalid probe path: ${probe.path}`);
    return { ok: true, plan: { probe, stopSignal, start: () => this.#start(task, image) } };
  }

  async find(task: AssignedTask, trace: unknown): Promise<RunningTask | null> {
    const known = ProcessHandle.safeParse(trace);
    if (!known.success) {
      // If it was started, nobody knows where it listens: of no use, and it must not stay.
      const stray = findByEnvironment(`WAGGLE_TASK_ID=${task.id}`);
      if (stray !== null) signalGroup(stray.pid, "SIGKILL");
      return null;
    }
    if (!isRunning(known.data)) return null;
    this.#options.ports.reserve(known.data.ports.map(({ port }) => port));
    return this.#running(known.data, watchExit(known.data));
  }

  async #start(task: AssignedTask, image: ProcessImage): Promise<RunningTask> {
    const { ports, taskDir } = this.#options;
    const numbers = await ports.allocate(task.run.targets.length);
    try {
      const place = this.#environmentOf(task, numbers);
      writeFiles(place.taskDir, image.files(place, task));
      const logFile = join(taskDir(task.id), "log");
      const child = launch(commandLine(task, image, place), {
        cwd: task.run.dir || image.dir || place.taskDir,
        env: environmentVariables(task, image, place, this.#options.env),
        logFile,
      });
      const pid = await waitForSpawn(child);
      const started = identify(pid)?.started ?? "";
      const exit = waitForExit(child, logFile);
      return this.#running({ pid, started, ports: [...place.ports] }, exit);
    } catch (error) {
      ports.release(numbers);
      throw error;
    }
  }

  #environmentOf(task: AssignedTask, ports: readonly number[]): TaskEnvironment {
    const { nodeName, host, taskDir } = this.#options;
    const paired = ports.map((port, index) => ({ target: task.run.targets[index] ?? 0, port }));
    return { taskDir: taskDir(task.id), nodeName, host, ports: paired };
  }

  #running(trace: ProcessHandle, exit: Promise<ExitStatus>): RunningTask {
    const { address, host, ports } = this.#options;
    const reached = host === "0.0.0.0" ? "127.0.0.1" : host;
    const exited = exit.then((how) => {
      // What the task started and left behind must not outlive it.
      signalGroup(trace.pid, "SIGKILL");
      ports.release(trace.ports.map(({ port }) => port));
      return how;
    });
    return {
      pid: trace.pid,
      handle: trace,
      exited,
      endpoints: trace.ports.map(({ target, port }) => ({ target, origin: httpOrigin(address, port) })),
      localEndpoints: trace.ports.map(({ target, port }) => ({ target, origin: httpOrigin(reached, port) })),
      signal: (name) => {
        if (isRunning(trace)) process.kill(trace.pid, name);
      },
      kill: () => {
        if (isRunning(trace)) signalGroup(trace.pid, "SIGKILL");
      },
    };
  }
}

function rejected(reason: string): PrepareResult {
  return { ok: false, reason };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** As Docker puts it together: an entrypoint of the service's empties the image's own arguments. */
function commandLine({ run }: AssignedTask, image: ProcessImage, place: TaskEnvironment): readonly string[] {
  const program = run.command.length > 0 ? run.command : image.entrypoint;
  if (run.args.length > 0) return [...program, ...run.args];
  return run.command.length > 0 ? program : [...program, ...image.cmd(place)];
}

/** The mesh's own variables come last: a task that listened elsewhere could not be reached. */
function environmentVariables(
  { id, slot, service, run }: AssignedTask,
  image: ProcessImage,
  { host, nodeName, ports }: TaskEnvironment,
  agentEnv: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const own = inheritedVariables
    .map((name) => [name, agentEnv[name]])
    .filter(([, value]) => value !== undefined);
  const given = [...image.env, ...run.env].filter((pair) => pair.indexOf("=") > 0);
  return {
    ...Object.fromEntries(own),
    ...Object.fromEntries(
      given.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
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

type LaunchOptions = { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly logFile: string };

function launch(
  [program = "", ...args]: readonly string[],
  { cwd, env, logFile }: LaunchOptions,
): ChildProcess {
  const log = openSync(logFile, "a", 0o600);
  try {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", log, log] });
    // An agent that ends with its tasks kept must not wait for them.
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

function waitForSpawn(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid ?? 0));
    child.once("error", reject);
  });
}

function waitForExit(child: ChildProcess, logFile: string): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const portTaken = code !== 0 && /EADDRINUSE|address already in use/i.test(readLogTail(logFile, 4_096));
      resolve({ code, signal, isPortTaken: portTaken });
    });
  });
}

/** Watches a process that another agent started: only its parent is told how it ends. */
function watchExit(known: ProcessIdentity): Promise<ExitStatus> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isRunning(known)) return;
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
