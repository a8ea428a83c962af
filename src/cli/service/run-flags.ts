// The flags that `service create` and `service update` share, named as Docker names them.

import type { Command } from "commander";
import { parseDurationMs, parseDurationNs } from "../duration.ts";
import { choiceFlag, valueFlag } from "../flags.ts";
import { readBytes, readCountArgument, readNanoCpus, readWords } from "../values.ts";

/** Adds them, in groups. @param verb a service is created with defaults; an update leaves what it does not name */
export function runFlags(command: Command, verb: "create" | "update"): Command {
  const unless = (otherwise: string) => (verb === "create" ? ` (default: ${otherwise})` : "");
  const groups = {
    "How many, and where:": placementFlags(unless),
    "What each task runs:": taskFlags(unless),
    "When it ends or changes:": lifecycleFlags(unless),
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
    .option("-d, --detach", "do not wait until the tasks run")
    .option("-q, --quiet", "wait, but show no progress")
    .addOption(
      valueFlag(
        "--timeout <duration>",
        "end with 1 when they do not run by then; without it, wait on",
        parseDurationMs,
      ),
    );
}

type DefaultNote = (otherwise: string) => string;

function placementFlags(unless: DefaultNote) {
  return [
    valueFlag("--replicas <count>", `number of tasks${unless("1")}`, readCountArgument),
    valueFlag("--replicas-max-per-node <count>", "most tasks on one node; 0: no limit", readCountArgument),
    valueFlag("--reserve-cpu <cpus>", "CPUs a node must have free, such as 0.5", readNanoCpus),
    valueFlag("--reserve-memory <size>", "memory a node must have free, such as 128m", readBytes),
    valueFlag("--limit-cpu <cpus>", "CPUs a task may use; kept, not enforced", readNanoCpus),
    valueFlag("--limit-memory <size>", "memory a task may use; kept, not enforced", readBytes),
  ];
}

function taskFlags(unless: DefaultNote) {
  return [
    valueFlag("--entrypoint <command>", "program to run instead of the image's own", readWords),
    valueFlag("-w, --workdir <dir>", "working directory", (text) => text),
    valueFlag(
      "--stop-signal <signal>",
      `signal that asks a task to stop${unless("SIGTERM")}`,
      (text) => text,
    ),
    valueFlag(
      "--stop-grace-period <duration>",
      `time to stop before it is killed${unless("10s")}`,
      parseDurationNs,
    ),
  ];
}

function lifecycleFlags(unless: DefaultNote) {
  return [
    choiceFlag("--restart-condition <when>", "when a task that ended is replaced", [
      "none",
      "on-failure",
      "any",
    ]),
    valueFlag("--restart-delay <duration>", "fixed delay instead of a growing one", parseDurationNs),
    valueFlag(
      "--restart-max-attempts <count>",
      "replacements before giving up; 0: no limit",
      readCountArgument,
    ),
    valueFlag("--restart-window <duration>", "time within which attempts count", parseDurationNs),
    valueFlag(
      "--update-parallelism <count>",
      `tasks replaced at a time; 0: all${unless("1")}`,
      readCountArgument,
    ),
    choiceFlag("--update-order <order>", "whether the new task or the old one's end comes first", [
      "start-first",
      "stop-first",
    ]),
  ];
}
