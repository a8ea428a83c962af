// `waggle logs`: the output of a service's tasks, or of one task.

import type { Command } from "commander";
import { printable, printableJson } from "../../domain/model/printable.ts";
import type { Cli, TextSink } from "../cli.ts";
import { filterQuery, type MeshClient } from "../client.ts";
import { parseDurationMs } from "../duration.ts";
import type { EngineService } from "../engine.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { connect, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { writeRaw } from "../output.ts";
import { engineTaskName } from "../service/view.ts";
import { engineNode, engineService, engineTask, listOf } from "../shapes.ts";
import { readCountArgument } from "../values.ts";
import { type PrintedLine, readDockerStream } from "./docker-stream.ts";

type Flags = MeshFlags & {
  follow?: boolean;
  tail?: string;
  since?: string;
  timestamps?: boolean;
  raw?: boolean;
  trunc: boolean;
  taskIds: boolean;
};

/** What the prefix of a line says about its task. */
type TaskLabel = { readonly name: string; readonly node: string };

/** `waggle logs`, and `waggle service logs`. @param parent the program, or `service` */
export function registerLogs(parent: Command, cli: Cli): void {
  const command = parent
    .command("logs")
    .argument("<service|task>", "name or ID of a service, or ID of a task")
    .summary("fetch the logs of a service or task")
    .description(
      "Print the output of the tasks, by time: standard output on standard output, standard error on standard error. Characters that a terminal acts on are printed as escapes; --raw prints them as they are.",
    )
    .option("-f, --follow", "follow log output, also of new tasks")
    .addOption(valueFlag("-n, --tail <lines>", "number of last lines of each task, or all", readTail))
    .option("--since <time>", "show lines since a time (2026-01-02T13:23:37Z) or a duration (42m)")
    .option("-t, --timestamps", "show timestamps")
    .option("--raw", "print the lines as the tasks wrote them")
    .option("--no-trunc", "do not truncate IDs of tasks")
    .option("--no-task-ids", "do not print IDs of tasks");
  const verb = parent.parent === null ? "waggle logs" : "waggle service logs";
  meshFlags(command)
    .addHelpText("after", `\nExamples:\n  ${verb} -f --tail 100 my-web\n  ${verb} --since 10m --json my-web`)
    .action((ref: string, flags: Flags) => logs(cli, command, ref, flags));
}

async function logs(cli: Cli, command: Command, ref: string, flags: Flags): Promise<void> {
  const since = flags.since === undefined ? {} : { since: readSince(flags.since, cli.nowMs()) };
  const mesh = await connect(command, cli);
  const { path, service, isRaw } = await findLogs(mesh, ref);
  const labels = new TaskLabels(mesh, service);
  const stop = flags.follow ? cli.onInterrupt() : new AbortController().signal;
  const query = { stdout: true, stderr: true, timestamps: true, details: true };
  const body = await mesh.stream(
    `${path}/logs`,
    {
      ...query,
      ...since,
      ...(flags.tail !== undefined && { tail: flags.tail }),
      follow: flags.follow ?? false,
    },
    stop,
  );
  try {
    if (isRaw) {
      for await (const part of body) await write(cli.out, Buffer.from(part).toString(), true);
    } else {
      for await (const lines of readDockerStream(body)) await printLines(cli, lines, labels, flags);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  if (stop.aborted) throw new CliError(exitCodes.interrupted, "");
}

/** Finds the service or task, as Docker does: a service first. */
async function findLogs(
  mesh: MeshClient,
  ref: string,
): Promise<{ readonly path: string; readonly service: EngineService; readonly isRaw: boolean }> {
  const name = encodeURIComponent(ref);
  const found = await mesh.get(`/services/${name}`, engineService).catch(refusedAsNull);
  const task = found === null ? await mesh.get(`/tasks/${name}`, engineTask).catch(refusedAsNull) : null;
  if (found === null && task === null)
    throw new CliError(exitCodes.refused, `no such task or service: ${ref}`, 'see "waggle service ls"');
  const service = found ?? (await mesh.get(`/services/${task?.ServiceID}`, engineService));
  const path = task === null ? `/services/${service.ID}` : `/tasks/${task.ID}`;
  return { path, service, isRaw: service.Spec.TaskTemplate.ContainerSpec.TTY === true };
}

function refusedAsNull(error: unknown): null {
  if (error instanceof CliError && error.exitCode === exitCodes.refused) return null;
  throw error;
}

/** The names of tasks and nodes, read again when a line is of an unknown task. */
class TaskLabels {
  readonly #mesh: MeshClient;
  readonly #service: EngineService;
  #labels: ReadonlyMap<string, TaskLabel> = new Map();

  constructor(mesh: MeshClient, service: EngineService) {
    this.#mesh = mesh;
    this.#service = service;
  }

  async of({ taskId, nodeId }: PrintedLine): Promise<TaskLabel> {
    if (!this.#labels.has(taskId)) await this.#read();
    return this.#labels.get(taskId) ?? { name: this.#service.Spec.Name, node: nodeId };
  }

  async #read(): Promise<void> {
    const [tasks, nodes] = await Promise.all([
      this.#mesh.get("/tasks", listOf(engineTask), filterQuery({ service: [this.#service.ID] })),
      this.#mesh.get("/nodes", listOf(engineNode)),
    ]);
    const hostnames = new Map(nodes.map(({ ID, Description }) => [ID, Description?.Hostname ?? ID]));
    this.#labels = new Map(
      tasks.map((task) => {
        const node = hostnames.get(task.NodeID ?? "") ?? task.NodeID ?? "";
        return [task.ID, { name: engineTaskName(task, this.#service.Spec.Name), node }];
      }),
    );
  }
}

async function printLines(
  { out, err }: Cli,
  lines: readonly PrintedLine[],
  labels: TaskLabels,
  flags: Flags,
): Promise<void> {
  for (const line of lines) {
    const sink = line.stream === "stdout" || flags.json ? out : err;
    const label = await labels.of(line);
    await write(sink, flags.json ? jsonText(line, label) : lineText(line, label, flags), flags.raw === true);
  }
}

function jsonText({ time, stream, taskId, text }: PrintedLine, { name, node }: TaskLabel): string {
  const value = { time, stream, name, task: taskId, node, text: text.replace(/\n$/, "") };
  return `${printableJson(JSON.stringify(value))}\n`;
}

function lineText(line: PrintedLine, { name, node }: TaskLabel, flags: Flags): string {
  const time = flags.timestamps ? `${line.time} ` : "";
  if (flags.raw) return time + line.text;
  const id = flags.taskIds ? `.${flags.trunc ? line.taskId.slice(0, 12) : line.taskId}` : "";
  const text = line.text.replace(/\r?\n$/, "");
  // A part of a long line has a line of its own here.
  return `${time}${printable(`${name}${id}@${node}`)}    | ${printable(text)}\n`;
}

/** Writes, and waits until a slow terminal or pipe has taken it: else a flood would fill the memory. */
async function write(sink: TextSink, text: string, isRaw: boolean): Promise<void> {
  const isTaken = isRaw ? writeRaw(sink, text) : sink.write(text);
  if (isTaken === false && sink.on !== undefined) await drained(sink);
}

function drained(sink: TextSink): Promise<void> {
  return new Promise((resolve) => {
    const onDrain = (): void => {
      sink.off?.("drain", onDrain);
      resolve();
    };
    sink.on?.("drain", onDrain);
  });
}

function readTail(text: string): string {
  return text === "all" ? text : String(readCountArgument(text));
}

/** Epoch seconds, for the Engine API. */
function readSince(text: string, nowMs: number): string {
  const time = /^(\d{4}-.*?)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (time === null) return (Math.max(0, nowMs - parseDurationMs(text)) / 1_000).toFixed(3);
  const ms = Date.parse(`${time[1]}${time[3] ?? ""}`);
  if (Number.isNaN(ms) || ms < 0)
    throw usageError(
      `cannot read --since "${text}"`,
      "write it as 2026-01-02T13:23:37Z, or 42m for a duration",
    );
  return `${Math.floor(ms / 1_000)}${time[2] ?? ""}`;
}
