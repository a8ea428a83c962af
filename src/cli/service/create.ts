// `waggle service create`: creates a service and waits for it.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { EngineSpec } from "../engine.ts";
import { refused, usageError } from "../errors.ts";
import { choiceFlag, connect, listFlag, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { parsePublish } from "../publish.ts";
import { engineChange } from "../shapes.ts";
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
  80                             the same, with a published port that the mesh chooses, from 30000 up
  published=8080,target=80       the long form; mode=host opens the port only on nodes that run a task

Labels with a meaning for the mesh:
  waggle.host=www.example.com    host names of the service, separated by commas
  waggle.default=true            default service, for requests whose port and host name match none
  waggle.probe=http:/health      health check of each task; tcp: the task accepts connections
  waggle.balance=leastconn       balancing policy, named as in HAProxy
  waggle.sticky=NAME             sticky sessions, by a cookie of this name
Weights, backups, limits and canaries: docs/labels.md`;

export function registerServiceCreate(parent: Command, cli: Cli): void {
  const command = parent
    .command("create")
    .passThroughOptions()
    .argument("[image]", "image that each task runs")
    .argument("[command...]", "arguments of the image; flags after the image are passed to the task")
    .summary("create a new service")
    .description(
      "Create a new service: publish ports on every node, keep tasks running behind them, and wait until they run.",
    )
    .option("--static", "static service: no image and no tasks; `waggle server add` adds its servers")
    .addOption(valueFlag("--name <name>", "service name", (text) => text))
    .addOption(listFlag("-p, --publish <port>", "publish a port as a node port; repeatable", parsePublish))
    .addOption(choiceFlag("--mode <mode>", "service mode", ["replicated", "global"]))
    .addOption(
      listFlag("-e, --env <key=value>", "set an environment variable; repeatable", (text) => [
        readEnv(text, cli.env),
      ]),
    )
    .addOption(listFlag("-l, --label <key=value>", "service label; repeatable", (text) => [readLabel(text)]))
    .addOption(
      listFlag(
        "--constraint <expression>",
        "placement constraint, such as node.labels.zone==a; repeatable",
        (text) => [text],
      ),
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
    if (image === undefined) throw usageError("missing required argument 'image'", "or use --static");
    return buildSpec(flags, image, args);
  }
  if (image !== undefined)
    throw usageError("--static takes no image", "add its servers with `waggle server add`");
  return staticSpec(flags.name ?? "", flags.publish ?? [], flags.label ?? []);
}

async function create(cli: Cli, command: Command, flags: Flags, spec: EngineSpec): Promise<void> {
  const mesh = await connect(command, cli);
  const created = await mesh.post("/services/create", spec, engineChange);
  const { ID: id } = created;
  if (id === undefined) throw refused("the mesh created the service but returned no ID");
  printWarnings(cli, created);
  if (flags.json) printJson(cli.out, created);
  else cli.out.write(`${id}\n`);
  if (!flags.detach) await waitOnService(cli, mesh, id, flags);
}
