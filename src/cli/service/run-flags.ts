// The flags that `service create` and `service update` share, named as Docker names them.

import type { Command } from "commander";
import { parseDurationMs, parseDurationNs } from "../duration.ts";
import { choiceFlag, valueFlag } from "../flags.ts";
import { readBytes, readCountArgument, readNanoCpus, readWords } from "../values.ts";

/**
 * Adds the flags, in groups.
 *
 * @param verb only the help of `create` shows defaults; an update changes named flags only
 */
export function runFlags(command: Command, verb: "create" | "update"): Command {
  const defaultNote = (value: string) => (verb === "create" ? ` (default: ${value})` : "");
  const groups = {
    "Replicas and placement:": placementFlags(defaultNote),
    "Tasks:": taskFlags(defaultNote),
    "Restart and update:": lifecycleFlags(defaultNote),
  };
  for (const [group, flags] of Object.entries(groups)) {
    for (const flag of flags) command.addOption(flag.helpGroup(group));
  }
  return command;
}

/** The parsed flags of `waitFlags`; timeout in milliseconds. */
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

type DefaultNote = (value: string) => string;

function placementFlags(defaultNote: DefaultNote) {
  return [
    valueFlag("--replicas <count>", `number of tasks${defaultNote("1")}`, readCountArgument),
    valueFlag(
      "--replicas-max-per-node <count>",
      "maximum number of tasks per node; 0: unlimited",
      readCountArgument,
    ),
    valueFlag("--reserve-cpu <cpus>", "reserve CPUs, such as 0.5", readNanoCpus),
    valueFlag("--reserve-memory <size>", "reserve memory, such as 128m", readBytes),
    valueFlag("--limit-cpu <cpus>", "limit CPUs of each task; containers only", readNanoCpus),
    valueFlag("--limit-memory <size>", "limit memory of each task; containers only", readBytes),
  ];
}

function taskFlags(defaultNote: DefaultNote) {
  return [
    valueFlag("--entrypoint <command>", "overwrite the ENTRYPOINT of the image", readWords),
    valueFlag("-w, --workdir <dir>", "working directory of the task", (text) => text),
    valueFlag("--stop-signal <signal>", `signal to stop a task${defaultNote("SIGTERM")}`, (text) => text),
    valueFlag(
      "--stop-grace-period <duration>",
      `time to wait before force killing a task${defaultNote("10s")}`,
      parseDurationNs,
    ),
  ];
}

function lifecycleFlags(defaultNote: DefaultNote) {
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
      `maximum number of tasks updated simultaneously; 0: all at once${defaultNote("1")}`,
      readCountArgument,
    ),
    choiceFlag("--update-order <order>", "update order", ["start-first", "stop-first"]),
  ];
}
