// `waggle service create`.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { EngineChangeResponse, EngineSpec } from "../engine.ts";
import { refused, usageError } from "../errors.ts";
import { choiceFlag, connect, listFlag, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { parsePublish } from "../publish.ts";
import { readEnv, readLabel } from "../values.ts";
import { printWarnings } from "./api.ts";
import { runFlags, type WaitFlags, waitFlags } from "./run-flags.ts";
import { buildSpec, type CreateFlags } from "./spec.ts";
import { staticSpec } from "./static-spec.ts";
import { waitOnService } from "./wait-on-service.ts";

type Flags = MeshFlags & CreateFlags & WaitFlags & { readonly static?: boolean };

const serviceCreateHelp = `
Examples:
  waggle service create --name my-web --publish published=8080,target=80 --replicas 2 waggle/whoami
  waggle service create --name api -p 9000:3000 --env LOG=debug --label waggle.probe=http:/health node server.js
  waggle service create --name legacy --static -p 8081:80
  waggle service create --name agent --mode global -p published=9100,target=9100,mode=host node-exporter

Publishing:
  8080:80                        every node's port 8080 reaches target port 80 of a task on any node
  80                             the same; the mesh chooses the published port, from 30000 up
  published=8080,target=80       the long form; mode=host opens the port only where a task runs

Labels that the mesh reads:
  waggle.host=www.example.com    host names that reach the service, separated by commas
  waggle.default=true            answers where neither port nor host name says which service
  waggle.probe=http:/health      how a task shows that it is healthy; tcp: it accepts connections
  waggle.balance=leastconn       how the next task is picked, in HAProxy's words
  waggle.sticky=NAME             a client stays with its task, by a cookie of this name
  and for weights, backups, limits and canaries: docs/labels.md`;

export function registerServiceCreate(parent: Command, cli: Cli): void {
  const command = parent
    .command("create")
    .passThroughOptions()
    .argument("[image]", "image that each task runs")
    .argument("[command...]", "arguments for it; flags after the image belong to the task")
    .summary("create a service and wait until it runs")
    .description("Create a service: publish a port on every node and keep tasks running behind it.")
    .option("--static", "servers of its own instead of tasks, and no image: see `waggle server add`")
    .addOption(valueFlag("--name <name>", "name of the service", (text) => text))
    .addOption(listFlag("-p, --publish <port>", "port to publish, may be repeated", parsePublish))
    .addOption(choiceFlag("--mode <mode>", "so many tasks, or one on every node", ["replicated", "global"]))
    .addOption(
      listFlag("-e, --env <key=value>", "environment variable, may be repeated", (text) => [
        readEnv(text, cli.env),
      ]),
    )
    .addOption(listFlag("-l, --label <key=value>", "label, may be repeated", (text) => [readLabel(text)]))
    .addOption(
      listFlag("--constraint <expression>", "which nodes, such as node.labels.zone==a", (text) => [text]),
    );
  waitFlags(runFlags(command, "create"));
  meshFlags(command)
    .addHelpText("after", serviceCreateHelp)
    .action((image: string | undefined, args: string[], flags: Flags) =>
      create(cli, command, flags, specOf(flags, image, args)),
    );
}

function specOf(flags: Flags, image: string | undefined, args: string[]): EngineSpec {
  if (flags.static !== true) {
    if (image === undefined) throw usageError("missing required argument 'image'", "or say --static");
    return buildSpec(flags, image, args);
  }
  if (image !== undefined)
    throw usageError("--static takes no image", "its servers come with `waggle server add`");
  return staticSpec(flags.name ?? "", flags.publish ?? [], flags.label ?? []);
}

async function create(cli: Cli, command: Command, flags: Flags, spec: EngineSpec): Promise<void> {
  const mesh = await connect(command, cli);
  const created = await mesh.post<EngineChangeResponse>("/services/create", spec);
  const id = created?.ID;
  if (id === undefined) throw refused("the mesh created the service but did not say its id");
  printWarnings(cli, created);
  if (flags.json) printJson(cli.out, created);
  else cli.out.write(`${id}\n`);
  if (!flags.detach) await waitOnService(cli, mesh, id, flags);
}
