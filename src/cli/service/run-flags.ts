// The flags that `service create` and `service update` share, named as Docker names them.

import type { Command } from "commander";
import { parseDurationMs, parseDurationNs } from "../duration.ts";
import { choiceFlag, valueFlag } from "../flags.ts";
import { readBytes, readCountArgument, readNanoCpus, readWords } from "../values.ts";

/** Adds them, in groups. @param verb a service is created with defaults; an update leaves what it does not name */
export function runFlags(command: Command, verb: "create" | "update"): Command {
  const unless = (otherwise: string) => (verb === "create" ? ` (default: ${otherwise})` : "");
  const groups = {
    "Replicas and placement:": placementFlags(unless),
    "Tasks:": taskFlags(unless),
    "Restart and update:": lifecycleFlags(unless),
  };
  for (const [group, flags] of Object.entries(groups)) {
    for (const flag of flags) command.addOption(flag.helpGroup(group));
  }
  return command;
}

/** How to wait for a service, of `waitFlags`. */
export type WaitFlags = { readonly detach?: boolean; readonly quiet?: boolean; readonly timeout?: number };

/** Adds `--detach`, `--quiet` and `--timeout`. */
export function waitFlags(command: Command): Command {
  return command
    .option("-d, --detach", "exit immediately instead of waiting for the service to converge")
    .option("-q, --quiet", "suppress progress output")
    .addOption(
      valueFlag(
        "--timeout <duration>",
        "exit with 1 if the service has not converged after this time",
        parseDurationMs,
      ),
    );
}

type DefaultNote = (otherwise: string) => string;

function placementFlags(unless: DefaultNote) {
  return [
    valueFlag("--replicas <count>", `number of tasks${unless("1")}`, readCountArgument),
    valueFlag(
      "--replicas-max-per-node <count>",
      "maximum number of tasks per node; 0: unlimited",
      readCountArgument,
    ),
    valueFlag("--reserve-cpu <cpus>", "reserve CPUs, such as 0.5", readNanoCpus),
    valueFlag("--reserve-memory <size>", "reserve memory, such as 128m", readBytes),
    valueFlag("--limit-cpu <cpus>", "limit CPUs; stored, not enforced", readNanoCpus),
    valueFlag("--limit-memory <size>", "limit memory; stored, not enforced", readBytes),
  ];
}

function taskFlags(unless: DefaultNote) {
  return [
    valueFlag("--entrypoint <command>", "overwrite the ENTRYPOINT of the image", readWords),
    valueFlag("-w, --workdir <dir>", "working directory of the task", (text) => text),
    valueFlag("--stop-signal <signal>", `signal to stop a task${unless("SIGTERM")}`, (text) => text),
    valueFlag(
      "--stop-grace-period <duration>",
      `time to wait before force killing a task${unless("10s")}`,
      parseDurationNs,
    ),
  ];
}

function lifecycleFlags(unless: DefaultNote) {
  return [
    choiceFlag("--restart-condition <when>", "restart when condition is met", ["none", "on-failure", "any"]),
    valueFlag(
      "--restart-delay <duration>",
      "fixed delay between restart attempts, instead of a growing one",
      parseDurationNs,
    ),
    valueFlag(
      "--restart-max-attempts <count>",
      "maximum number of restarts before giving up; 0: unlimited",
      readCountArgument,
    ),
    valueFlag("--restart-window <duration>", "window used to evaluate the restart policy", parseDurationNs),
    valueFlag(
      "--update-parallelism <count>",
      `maximum number of tasks updated simultaneously; 0: all at once${unless("1")}`,
      readCountArgument,
    ),
    choiceFlag("--update-order <order>", "update order", ["start-first", "stop-first"]),
  ];
}
