// `waggle service inspect`: details of services.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { printDurationNs } from "../duration.ts";
import type { EnginePortConfig, EngineService } from "../engine.ts";
import { connect, type MeshFlags, meshFlags } from "../flags.ts";
import { type InspectFlags, inspectEach } from "../for-each-ref.ts";
import { formatFlag } from "../format.ts";
import { capitalize } from "../output.ts";
import { readService } from "./api.ts";
import { imageText, modeName } from "./view.ts";

export function registerServiceInspect(parent: Command, cli: Cli): void {
  const command = parent
    .command("inspect")
    .argument("<service...>", "name or ID")
    .summary("display detailed information on one or more services")
    .description("Display detailed information on one or more services: JSON of the Engine API, or --pretty.")
    .option("--pretty", "print the information in a human friendly format");
  meshFlags(command.addOption(formatFlag()))
    .addHelpText(
      "after",
      "\nExamples:\n  waggle service inspect --pretty my-web\n  waggle service inspect my-web | jq '.[0].Spec'",
    )
    .action(async (refs: string[], flags: MeshFlags & InspectFlags) => {
      const mesh = await connect(command, cli);
      const fetch = (ref: string) => readService(mesh, ref, { insertDefaults: true });
      await inspectEach(cli, refs, flags, fetch, prettyService);
    });
}

/** A service as `docker service inspect --pretty` prints it. */
function prettyService(service: EngineService): string[] {
  const { Spec: spec } = service;
  const container = spec.TaskTemplate.ContainerSpec;
  const labels = Object.entries(spec.Labels ?? {}).map(([key, value]) => ` ${key}=${value}`);
  const placement = spec.TaskTemplate.Placement?.Constraints ?? [];
  return [
    "",
    field("ID", service.ID),
    field("Name", spec.Name),
    ...list("Labels:", labels),
    field("Service Mode", modeTitle(modeName(service))),
    ...optional(" Replicas", spec.Mode?.Replicated?.Replicas),
    ...updateLines(service),
    ...list("Placement:", placement.length === 0 ? [] : [field(" Constraints", `[${placement.join(" ")}]`)]),
    ...list("UpdateConfig:", [
      ...optional(" Parallelism", spec.UpdateConfig?.Parallelism),
      ...optional(" Update order", spec.UpdateConfig?.Order),
    ]),
    "ContainerSpec:",
    field(" Image", imageText(container.Image)),
    ...optional(" Command", wordsOf(container.Command)),
    ...optional(" Args", wordsOf(container.Args)),
    ...optional(" Env", wordsOf(container.Env)),
    ...optional(" Dir", container.Dir),
    ...optional(" StopSignal", container.StopSignal),
    ...optional(" StopGracePeriod", durationOf(container.StopGracePeriod)),
    ...list("Ports:", (service.Endpoint?.Ports ?? []).flatMap(portLines)),
    "",
  ];
}

function updateLines({ UpdateStatus: update }: EngineService): string[] {
  if (update?.State === undefined) return [];
  return list("UpdateStatus:", [field(" State", update.State), ...optional(" Message", update.Message)]);
}

function portLines(port: EnginePortConfig): string[] {
  return [
    field(" PublishedPort", `${port.PublishedPort ?? "(chosen by the mesh)"}`),
    field("  Protocol", port.Protocol ?? "tcp"),
    field("  TargetPort", String(port.TargetPort)),
    field("  PublishMode", port.PublishMode ?? "ingress"),
  ];
}

function field(name: string, value: string): string {
  return `${name}:`.padEnd(17) + value;
}

function optional(name: string, value: string | number | undefined): string[] {
  return value === undefined || value === "" ? [] : [field(name, String(value))];
}

function list(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [heading, ...lines];
}

function wordsOf(words: readonly string[] | undefined): string | undefined {
  return words === undefined || words.length === 0 ? undefined : words.join(" ");
}

function durationOf(ns: number | undefined): string | undefined {
  return ns === undefined ? undefined : printDurationNs(ns);
}

/** `Replicated`, `Global`, `ReplicatedJob`, `GlobalJob`. */
function modeTitle(mode: string): string {
  return mode.split(" ").map(capitalize).join("");
}
